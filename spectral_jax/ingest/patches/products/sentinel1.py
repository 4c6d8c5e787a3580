"""Sentinel-1 in dB, VV and VH at 10 m: `rtc` is gamma0, terrain corrected; `grd` is sigma0."""

from collections.abc import Mapping
from pathlib import Path

from spectral_jax.ingest.patches.products.product import Option, Product, Reader
from spectral_jax.ingest.raster import geotiff
from spectral_jax.sensors import SensorSpec

KINDS = ("rtc", "grd")


def product(folder: Path, options: Mapping[str, str | None]) -> Product:
    """The product of the kind that the options name, or that the folder is known to hold.

    Raises:
      FileNotFoundError, ValueError: as `kind_of`.
    """
    kind, why = kind_of(folder, options["kind"])
    spec = SensorSpec.load(f"sentinel1_{kind}")
    told = f"Sentinel-1: {kind.upper()}, {spec.quantity} ({why})"
    return Product("S1", spec, by_wavelength=False, scale=1.0, blank=0.0, told=told)


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
        tags = " ".join(f"{k} {v}" for k, v in dataset.tags().items()).lower()
    words = {"rtc": ("rtc", "gamma0"), "grd": ("grd", "sigma0")}
    folder = Path(folder).resolve()
    for text, where in ((tags, f"the tags of {first.name}"), (folder.name.lower(), f"the folder's name {folder.name}")):
        kinds = [kind for kind, names in words.items() if any(name in text for name in names)]
        if len(kinds) == 1:
            return kinds[0], f"from {where}"
    raise ValueError(
        f"--product=sentinel1: are the chips of {folder} terrain corrected gamma0, or sigma0? Neither the tags of {first.name} "
        f"nor the folder's name say; give the option kind: --product=sentinel1:{folder},kind=rtc or kind=grd."
    )


READER = Reader(
    "Sentinel-1 chips, VV and VH in dB at 10 m",
    product,
    {"kind": Option("gamma0 (rtc) or sigma0 (grd); from tags or the folder's name where not given", None, KINDS)},
)
