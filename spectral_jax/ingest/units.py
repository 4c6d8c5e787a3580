"""Whether a unit that a file states is the one that its numbers should have; a unit that is not known here is refused."""

import re

# Ways of writing a unit, in small letters without blanks, to the unit of a sensor's spec. An empty text states nothing.
WRITTEN = {
    **dict.fromkeys(("1", "unitless", "dimensionless", "none", "ratio", "reflectance", "surfacereflectance", "-", "n/a"), "1"),
    **dict.fromkeys(("%", "percent", "pct"), "percent"),
    **dict.fromkeys(("db", "decibel", "decibels"), "dB"),
    **dict.fromkeys(("linear", "linearpower", "power", "m2/m2", "m^2/m^2", "m2m-2"), "linear power"),
    "amplitude": "amplitude",
    **dict.fromkeys(("k", "kelvin", "kelvins", "degk"), "K"),
    **dict.fromkeys(
        ("c", "degc", "\u00b0c", "celsius", "degreescelsius", "degreecelsius", "degrees_celsius"), "degrees Celsius"
    ),
    **dict.fromkeys(("sr^-1", "sr-1", "1/sr", "sr**-1", "persr", "steradian-1"), "sr^-1"),
    "absorbance": "absorbance",
    **dict.fromkeys(("dn", "digitalnumber", "digitalnumbers", "counts", "raw"), "stored numbers"),
}
# "reflectance * 1e4", "10000 * reflectance", "brightness * 255": numbers as a product stores them.
_STORED = re.compile(r"^(?:[a-z]+\*(?P<after>[0-9.e+]+)|(?P<before>[0-9.e+]+)\*[a-z]+)$")


def meaning(text: str, where: str) -> str:
    """What a stated unit means: a unit of `WRITTEN`, "stored numbers", or empty where nothing is stated.

    Args:
      text: as it stands in the file.
      where: that is, for the sentence.

    Raises:
      ValueError: it is not known here.
    """
    plain = re.sub(r"\s+", "", text.lower())
    if not plain:
        return ""
    if _STORED.match(plain):
        return "stored numbers"
    if plain not in WRITTEN:
        raise ValueError(
            f"{where}: the unit {text!r} is not known here; expected {', '.join(sorted(set(WRITTEN.values())))}. Convert the "
            "numbers, or correct the unit."
        )
    return WRITTEN[plain]


def per_one(text: str) -> float | None:
    """What stands for 1 in numbers of a unit such as "reflectance * 1e4" or "brightness * 255"; None of other units."""
    match = _STORED.match(re.sub(r"\s+", "", text.lower()))
    return float(match["after"] or match["before"]) if match else None


def expect(text: str, unit: str, where: str, stored: bool = True) -> None:
    """Refuses a stated unit that is not the wanted one.

    Args:
      text: as it stands in the file; empty: nothing is stated, which will do.
      unit: of the sensor's spec.
      where: the text stands, for the sentence.
      stored: whether numbers as the product stores them will do too, since they are scaled afterwards.

    Raises:
      ValueError: it is another, or not known.
    """
    found = meaning(text, where)
    if found in ("", unit) or (found == "stored numbers" and stored):
        return
    raise ValueError(
        f"{where}: the unit is {text!r}, and numbers in {_spelt(unit)} are expected; convert them, or correct the unit."
    )


def _spelt(unit: str) -> str:
    return "the unit 1 (a fraction)" if unit == "1" else unit
