"""Sentinel-1 in dB, VV and VH at 10 m: `rtc` is gamma0, terrain corrected; `grd` is sigma0."""

import functools
from collections.abc import Mapping
from pathlib import Path

from spectral_jax.ingest.patches.products.product import Option, Product, Reader
from spectral_jax.ingest.raster import geotiff
from spectral_jax.sensors import SensorSpec

KINDS = ("rtc", "grd")


WORDS = {"rtc": ("rtc", "gamma0", "gamma nought"), "grd": ("grd", "sigma0", "sigma nought")}


def product(folder: Path, options: Mapping[str, str | None]) -> Product:
    """The product of the kind that the options name, or that the folder is known to hold.

    Raises:
      FileNotFoundError, ValueError: as `kind_of`.
    """
    kind, why = kind_of(folder, options["kind"])
    spec = SensorSpec.load(f"sentinel1_{kind}")
    checked = functools.partial(_check_kind, kind=kind, why=why)
    told = f"Sentinel-1: {kind.upper()}, {spec.quantity} ({why})"
    return Product("S1", spec, by_wavelength=False, scale=1.0, blank=0.0, told=told, checked=checked)


def _check_kind(dataset, path: Path, kind: str, why: str) -> None:
    stated = _stated(dataset)
    if stated not in ("", kind):
        raise ValueError(
            f"{path}: its tags say that it is {stated.upper()}, and the chips are taken as {kind.upper()} ({why}); the two "
            "differ by terrain correction. Put each kind into a folder of its own."
        )


def kind_of(folder: str | Path, given: str | None) -> tuple[str, str]:
    """Whether the chips of a folder are RTC or GRD, and how that is known.

    The two differ by terrain correction (gamma0 against sigma0) and have statistics of their own, so nothing is assumed.

    Args:
      folder: the chips.
      given: the option `kind`, or None.

    Raises:
      FileNotFoundError: the folder is missing or empty.
      ValueError: it is neither given, nor in the tags of the first file, nor in the folder's name.
    """
    first = geotiff.files(folder, "product=sentinel1")[0]
    if given:
        return given, "given with the option kind"
    with geotiff.opened(first) as dataset:
        stated = _stated(dataset)
    if stated:
        return stated, f"from the tags of {first.name}"
    folder = Path(folder).resolve()
    named = _kinds(folder.name.lower())
    if len(named) == 1:
        return named[0], f"from the folder's name {folder.name}"
    raise ValueError(
        f"--product=sentinel1: are the chips of {folder} terrain corrected gamma0, or sigma0? Neither the tags of {first.name} "
        f"nor the folder's name say; give the option kind: --product=sentinel1:{folder},kind=rtc or kind=grd."
    )


def _stated(dataset) -> str:
    """The kind that a chip's tags and descriptions name; empty where they name none, or both."""
    kinds = _kinds(" ".join([*(f"{k} {v}" for k, v in dataset.tags().items()), *map(str, dataset.descriptions)]).lower())
    return kinds[0] if len(kinds) == 1 else ""


def _kinds(text: str) -> list[str]:
    return [kind for kind, words in WORDS.items() if any(word in text for word in words)]


READER = Reader(
    "Sentinel-1 chips, VV and VH in dB at 10 m",
    product,
    {"kind": Option("gamma0 (rtc) or sigma0 (grd); from tags or the folder's name where not given", None, KINDS)},
)
