"""Quality flags of PACE pixels (`l2_flags`): their names from the file itself, and the masks made of them."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from spectral_jax.ingest import packing
from spectral_jax.ingest.facts import facts
from spectral_jax.ingest.pace import file
from spectral_jax.sentences import unknown

DEFAULT = "inland_bloom"
# Bits without a meaning carry this name, several of them in one file.
_SPARE = "SPARE"


@dataclasses.dataclass(frozen=True)
class Mask:
    """Which pixels are missing, and which boxes of pixels are good enough.

    Attributes:
      name: of the preset, or the flags that were listed.
      flags: a pixel with any of them is missing.
      least_valid: share of a box's pixels that must be left, 0 to 1; one pixel is always needed.
      most_cv: largest coefficient of variation of a box, median over 405-570 nm; None: any.
      most_sd: pixels further than this many standard deviations from the box's mean in any band are missing; None: kept.
    """

    name: str
    flags: tuple[str, ...]
    least_valid: float = 0.0
    most_cv: float | None = None
    most_sd: float | None = None


def presets() -> list[str]:
    """Names of the masks of `data_specs/products/pace_oci.toml`."""
    return list(facts("pace_oci")["masks"])


def mask(name: str) -> Mask:
    """A preset by name (`nasa_matchup`, `l3_standard`, `inland_bloom`), or flags with commas between: `LAND,CLDICE`.

    Raises:
      ValueError: it is neither.
    """
    known = facts("pace_oci")["masks"]
    if name in known:
        return Mask(name=name, **(known[name] | {"flags": tuple(known[name]["flags"])}))
    flags = tuple(flag.strip() for flag in name.split(",") if flag.strip())
    if flags and all(flag.isupper() for flag in flags):
        return Mask(name=name, flags=flags)
    error = unknown("mask", "mask", name, known)
    raise ValueError(f"{error} Names of flags, in capitals with commas between (LAND,CLDICE), are a mask too.")


def bits(variable, where: str) -> dict[str, int]:
    """Flag name -> its bit as a number from 1 to 2**31, from `flag_masks` and `flag_meanings` of an open `l2_flags`.

    Positions differ between versions of the processing, so a file without these attributes is refused. Spare bits are left out.

    Raises:
      ValueError: an attribute is missing, the two do not fit, or a mask is not one bit.
    """
    meanings, masks = variable.attrs.get("flag_meanings"), variable.attrs.get("flag_masks")
    for name, value in (("flag_meanings", meanings), ("flag_masks", masks)):
        if value is None:
            raise ValueError(f"{where} has no attribute {name!r}; which bit means what is read from the file, fetch it anew.")
    names = file.text(meanings).split()
    numbers = file.text(masks).replace(",", " ").split() if isinstance(masks, str | bytes) else np.ravel(masks).tolist()
    if len(names) != len(numbers):
        raise ValueError(f"{where}: {len(names)} names in 'flag_meanings' and {len(numbers)} numbers in 'flag_masks'.")
    out: dict[str, int] = {}
    for name, number in zip(names, numbers, strict=True):
        try:
            bit = int(number) & 0xFFFFFFFF  # bit 31 is written as a negative number
        except (ValueError, OverflowError):
            bit = 0
        if bit.bit_count() != 1 or float(number) != int(number):
            raise ValueError(f"{where}: flag {name} has {number} in 'flag_masks', which is not one bit.")
        if name in out:
            raise ValueError(f"{where}: flag {name} is named twice in 'flag_meanings'.")
        if name != _SPARE:
            out[name] = bit
    return out


def read(variable, index: tuple[slice, ...], where: str) -> np.ndarray:
    """Flags of a cut of an open `l2_flags`, int32; -1, every flag at once, where the file has its fill value or no number.

    Raises:
      ValueError: flags with a scale, or numbers that are no whole ones of 32 bits.
    """
    said = packing.of_attributes(variable.attrs, where, variable.dtype)
    if not said.plain:
        raise ValueError(f"{where}: flags are bits, and have a scale_factor of {said.scale:g}; fetch the file anew.")
    raw = variable[index]
    unwritten = packing.netcdf_fill(variable.attrs, where, variable.dtype)
    # A fill of 0 would be a pixel without any flag, which is what most good pixels are.
    missing = dataclasses.replace(said, low=-np.inf, high=np.inf, missing=tuple(x for x in said.missing if x != 0))
    good = packing.present(raw, missing, unwritten)
    if raw.dtype.kind == "f":
        exact = 2.0**24 if raw.dtype.itemsize == 4 else 2.0**32
        wrong = good & ~((raw == np.rint(raw)) & (raw >= -(2.0**31)) & (raw < 2.0**32))
        if raw.dtype.itemsize < 4 or wrong.any() or (np.abs(raw, where=good, out=np.zeros_like(raw)) > exact).any():
            raise ValueError(
                f"{where} is of type {raw.dtype}, which has lost bits of the flags; expected whole numbers of 32 bits, fetch "
                "the file anew."
            )
        raw = np.where(good, raw, 0).astype(np.int64)
    elif raw.dtype.kind not in "iu" or raw.dtype.itemsize < 4:
        raise ValueError(f"{where} is of type {raw.dtype}; expected flags of 32 bits, fetch the file anew.")
    return np.where(good, raw.astype(np.int32), np.int32(-1))


def flagged(flags: np.ndarray, bit_of: Mapping[str, int], chosen: tuple[str, ...], where: str) -> np.ndarray:
    """Whether a pixel has any of the chosen flags, bool in the shape of `flags`.

    Args:
      flags: int32 of any shape, bit 31 making it negative.
      bit_of: flag name -> bit, from `bits`.
      chosen: names of flags.
      where: file, for the sentence.

    Raises:
      ValueError: the file knows no flag of that name.
    """
    for name in chosen:
        if name not in bit_of:
            error = unknown(where, "flag of l2_flags", name, bit_of, most=len(bit_of))
            raise ValueError(f"{error} Take another mask, or list flags of this file.")
    wanted = sum(bit_of[name] for name in set(chosen))
    return (flags.astype(np.int64) & wanted) != 0
