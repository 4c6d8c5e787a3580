"""What a file's descriptions say its bands are: the sensor's own names, and the common ones of catalogues and platforms."""

import functools
import re
from collections.abc import Sequence

from spectral_jax import spec_files
from spectral_jax.sensors import SensorSpec

# Words beside a name that say nothing of which band it is.
_BESIDE = re.compile(
    r"\b(\d+ ?m|reflectance|surface|boa|toa|sr|db|decibels?|gamma0?|sigma0?|gamma nought|sigma nought|rtc|grd|amplitude|power|"
    r"intensity|backscatter|band|bands|l2a|s1|s2|sentinel 1|sentinel 2|ard|mean|median)\b"
)
# A description that counts bands, such as "Band 3" or "layer_3".
_COUNTED = re.compile(r"^(?:band|layer|channel|b|)[\s_#:.-]*0*(\d+)$", re.IGNORECASE)


def positions(descriptions: Sequence[str | None], spec: SensorSpec, path) -> tuple[int, ...] | None:
    """The file's band for every band of the spec, found by name.

    A file is mute where no band has a description, all have one and the same, or they only count the bands.

    Args:
      descriptions: of the file's bands, None or empty where there is none.
      spec: the sensor.
      path: for the sentences.

    Returns:
      Bands of the file counted from 1, in the order of `spec.bands`; None where the file is mute.

    Raises:
      ValueError: descriptions that name no band of the sensor, or only some; two bands of one name; a count that is not that of
        the band's place.
    """
    texts = [(text or "").strip() for text in descriptions]
    if _mute(texts, path):
        return None
    known = _known(spec)
    found: dict[str, list[int]] = {}
    strange = []
    for number, text in enumerate(texts, 1):
        name = _name(text, known)
        if name is not None:
            found.setdefault(name, []).append(number)
        elif text:
            strange.append((number, text))
    twice = {name: numbers for name, numbers in found.items() if len(numbers) > 1}
    if twice:
        name, numbers = next(iter(twice.items()))
        raise ValueError(f"{path}: bands {' and '.join(map(str, numbers))} are both called {name}; correct the descriptions.")
    missing = [band.name for band in spec.bands if band.name not in found]
    if missing:
        told = ", ".join(f"band {number} is described as {text!r}" for number, text in strange[:3]) or "no other is described"
        raise ValueError(
            f"{path}: expected bands {', '.join(b.name for b in spec.bands)}, and no band is called {missing[0]}"
            f"{f' or {len(missing) - 1} others' if len(missing) > 1 else ''} ({told}); correct the descriptions, or "
            "remove them all if the bands are in the product's order."
        )
    return tuple(found[band.name][0] for band in spec.bands)


def any_known(descriptions: Sequence[str | None], spec: SensorSpec) -> bool:
    """Whether any description names a band of the sensor."""
    known = _known(spec)
    return any(_name(text, known) is not None for text in descriptions if text)


def _mute(texts: list[str], path) -> bool:
    if len(set(texts)) == 1 and (len(texts) > 1 or not texts[0]):
        return True
    counts = [_COUNTED.match(text) for text in texts]
    # "B1, B2, ..." are names of Sentinel-2 and Landsat, and only "Band 1" and bare numbers count.
    if not all(counts) or any(text[:1].upper() == "B" and not text.lower().startswith("band") for text in texts):
        return False
    numbers = [int(count[1]) for count in counts if count]
    if numbers not in (list(range(1, len(texts) + 1)), list(range(len(texts)))):
        raise ValueError(
            f"{path}: its descriptions count the bands in another order than they stand in ({', '.join(texts[:4])}, ...), and "
            "do not say what they are; give each band its name, or remove all descriptions if the bands are in the product's "
            "order."
        )
    return True


def _name(text: str, known: dict[str, str]) -> str | None:
    """The band that a description names; None where it names none, or several."""
    plain = re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
    whole = re.sub(r"\s+", "", plain).upper()
    if whole in known:
        return known[whole]
    rest = re.sub(r"\s+", " ", _BESIDE.sub(" ", plain)).strip()
    if (name := rest.replace(" ", "").upper()) in known:
        return known[name]
    # "B04 red", "VV gamma0 ascending": one of the words is a name of the sensor's own, and all names in it are of one band.
    words = [word.upper() for word in rest.split()]
    pairs = ["".join(pair) for pair in zip(words, words[1:], strict=False)]
    named = {known[word] for word in words if word in known and re.fullmatch(r"(SR|ST)?B?\d+A?|[VH][VH]|B\d+A?", word)}
    if not named:
        named = {known[word] for word in (*pairs, *words) if word in known}
        if any(pair in known for pair in pairs):
            named = {known[pair] for pair in pairs if pair in known}
    return named.pop() if len(named) == 1 else None


def _known(spec: SensorSpec) -> dict[str, str]:
    """Names in capitals without signs -> the spec's name of the band."""
    out = {alias.upper(): band.name for band in spec.bands for alias in (band.name, band.polarisation) if alias}
    own = {band.name for band in spec.bands}
    for sensor, band, names in _table():
        if spec.name.startswith(sensor) and band in own:
            out |= {name: band for name in names if name not in out}
    return out


@functools.cache
def _table() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    rows = spec_files.read_table(spec_files.folder("quantities") / "band_names.csv")
    return tuple((row["sensor"], row["band"], tuple(row["names"].split())) for row in rows)
