"""Whether numbers can be what they are said to be: the last look at what is about to be stored, returned or trained on.

A conversion (scale, offset, packing, unit, decibels) that was left out or made twice leaves numbers that no surface has. They
are judged by their shares, medians and upper thousandths over all bands and pixels together, so that one glint or one fill
value decides nothing; the limits of each quantity are in `data_specs/quantities/plausible.csv`.
"""

import dataclasses
import functools

import numpy as np

from spectral_jax import spec_files
from spectral_jax.sensors import SensorSpec

# Fewer numbers than this have no shares; they are judged by their median alone.
ENOUGH = 64
# Quantiles of larger arrays are taken of so many numbers, evenly picked.
MOST_SORTED = 1 << 15
# Numbers all below so many steps of their packing were never packed: they are fractions or percent. Of reflectance * 1e4 it is
# 0.01; lakes as dark are taken where a file states its scale itself.
LEAST_STEPS = 100.0
# Of the numbers out of range at least so many, and half, are one and the same: a fill value that nothing declares.
REPEATED = 8


@dataclasses.dataclass(frozen=True)
class Limits:
    """What numbers of a quantity can be; a NaN is no limit.

    Attributes:
      quantity: such as "surface reflectance".
      unit: of all numbers here.
      low: nearly all numbers are at least this.
      high: and at most this.
      most_outside: share of numbers that may lie beyond.
      median_low: the median is at least this.
      median_high: and at most this.
      least_top: what the upper thousandth of the numbers reaches.
      most_zero: share of numbers that may be exactly 0.
    """

    quantity: str
    unit: str
    low: float
    high: float
    most_outside: float
    median_low: float
    median_high: float
    least_top: float
    most_zero: float

    @property
    def what(self) -> str:
        """The quantity with its unit, for sentences."""
        return self.quantity if self.unit in ("1", self.quantity) else f"{self.quantity} in {self.unit}"


def limits(spec: SensorSpec) -> Limits | None:
    """The limits of a sensor's quantity; None where the table has none for it."""
    return _table().get((spec.quantity, spec.unit))


def check(
    values: np.ndarray,
    good: np.ndarray,
    spec: SensorSpec,
    where: str,
    step: float = 0.0,
    advice: str = "convert the numbers",
    stated: bool = False,
) -> None:
    """Refuses numbers that cannot be the sensor's quantity.

    Args:
      values: in `spec.unit`, of any shape.
      good: True where a number counts, of the shape of `values`.
      spec: the sensor.
      where: they are from (file, array, band), which begins the sentence.
      step: what one step of the packing that was undone is worth, in `spec.unit`; 0: nothing was unpacked.
      advice: what to do, which ends the sentence.
      stated: whether the file itself states that packing; then whole numbers may be as small as they like.

    Raises:
      ValueError: they cannot be; the sentence says what was seen and what it looks like.
    """
    allowed = limits(spec)
    found = "" if allowed is None else fault(np.asarray(values), np.asarray(good), allowed, step, stated)
    if allowed is not None and found:
        raise ValueError(f"{where}: expected {allowed.what}, and {found}; {advice}.")


def fault(values: np.ndarray, good: np.ndarray, allowed: Limits, step: float = 0.0, stated: bool = False) -> str:
    """What is wrong with numbers, as a phrase; empty where they can be.

    Args:
      values: of any shape.
      good: True where a number counts, of the shape of `values`.
      allowed: their limits.
      step: see `check`.
      stated: see `check`.
    """
    numbers = values[good]
    if not numbers.size:
        return ""
    some = numbers[:: max(1, numbers.size // MOST_SORTED)].astype(np.float64)
    nth = (len(some) // 2, len(some) - 1 - len(some) // 1000)
    median, top = float(np.partition(some, nth[0])[nth[0]]), float(np.partition(np.abs(some), nth[1])[nth[1]])
    looks = _looks_like(median, top, allowed)
    if median < allowed.median_low or median > allowed.median_high:
        return f"the median of the numbers is {median:.4g}, outside {allowed.median_low:g} to {allowed.median_high:g}{looks}"
    if numbers.size < ENOUGH:
        return ""
    outside = (numbers < allowed.low) | (numbers > allowed.high)
    beyond = int(np.count_nonzero(outside))
    if beyond:
        repeated, count = _most_common(numbers[outside])
        if count >= REPEATED and 2 * count >= beyond:
            return (
                f"{count} of {numbers.size} numbers are exactly {repeated:g}, outside {allowed.low:g} to {allowed.high:g}: a "
                "fill value that the file does not declare"
            )
        if beyond > allowed.most_outside * numbers.size:
            return f"{_share(beyond, numbers.size)} of the numbers lie outside {allowed.low:g} to {allowed.high:g}{looks}"
    zeros = numbers.size - int(np.count_nonzero(numbers))
    if zeros > allowed.most_zero * numbers.size:
        return f"{_share(zeros, numbers.size)} of the numbers are exactly 0, which files are filled up with: a fill value"
    if top < allowed.least_top:
        return f"they are at most {top:.4g}: fractions were taken for packed numbers, or a scale was applied twice"
    if step and top < LEAST_STEPS * step and not (stated and _mostly_whole(some / step)):
        return f"the numbers that stand for it are at most {top / step:.4g}, where {1 / step:g} stands for 1: they are percent"
    return ""


def _looks_like(median: float, top: float, allowed: Limits) -> str:
    """What the numbers look like, as the end of a phrase: a packing or a unit with which they would be in their limits."""
    if allowed.unit == "dB":
        if 0.0 <= median < 3.0:
            return ": they look like linear power, 10 * log10 of them is dB"
        if allowed.median_low <= median / 100.0 <= allowed.median_high:
            return ": they look like dB * 100"
        return ""
    if allowed.unit == "K":
        return ": they look like degrees Celsius" if -90.0 <= median <= 90.0 else ""
    for factor, words in ((100.0, "percent, or * 100"), (1e4, "packed integers * 1e4")):
        if allowed.high < top and top / factor <= allowed.high and median / factor > 20 * allowed.least_top:
            return f": they look like {words}"
    return ""


def _mostly_whole(numbers: np.ndarray) -> bool:
    return bool(np.mean(np.abs(numbers - np.rint(numbers)) < 1e-3) > 0.5)


def _share(part: int, whole: int) -> str:
    percent = 100.0 * part / whole
    return f"{percent:.1f} %" if percent >= 0.1 else f"{percent:.2g} %"


def _most_common(numbers: np.ndarray) -> tuple[float, int]:
    values, counts = np.unique(numbers, return_counts=True)
    return float(values[counts.argmax()]), int(counts.max())


@functools.cache
def _table() -> dict[tuple[str, str], Limits]:
    rows = spec_files.read_table(spec_files.folder("quantities") / "plausible.csv")
    return {(row["quantity"], row["unit"]): _limits(row) for row in rows}


def _limits(row: dict[str, str]) -> Limits:
    numbers = {name: float(text or "nan") for name, text in row.items() if name not in ("quantity", "unit")}
    return Limits(quantity=row["quantity"], unit=row["unit"], **numbers)
