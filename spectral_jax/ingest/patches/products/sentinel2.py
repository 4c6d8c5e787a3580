"""Sentinel-2 L2A of unit a, b or c: (DN - offset) / 10000 in 12 bands at 10 m, 0 where there is no data."""

from collections.abc import Mapping
from pathlib import Path

from spectral_jax.ingest.patches.products.product import Option, Product, Reader
from spectral_jax.ingest.raster import sentinel2_offset
from spectral_jax.sensors import SensorSpec


def product(folder: Path, options: Mapping[str, str | None]) -> Product:
    """The product of the unit that the options name; the offset is decided for each chip.

    Raises:
      FileNotFoundError, ValueError: the offset is neither a number nor a JSON file of numbers.
    """
    del folder
    unit = options["unit"]
    spec = SensorSpec.load(f"sentinel2{unit}_l2a")
    given = sentinel2_offset.given(options["offset"])

    def subtracted(dataset, path: Path, before: sentinel2_offset.Decision | None) -> sentinel2_offset.Decision:
        _check_unit(path, spec)
        return before or sentinel2_offset.decide(dataset, path, given)

    told = f"Sentinel-2: bands of unit {str(unit).upper()} (option unit)"
    return Product(
        "S2", spec, by_wavelength=False, scale=1e-4, missing=sentinel2_offset.MISSING, told=told, subtracted=subtracted
    )


def _check_unit(path: Path, spec: SensorSpec):
    unit = path.stem[:3].upper()
    if unit in ("S2A", "S2B", "S2C") and spec.name != f"sentinel{unit[1:].lower()}_l2a":
        raise ValueError(
            f"{path}: the name says {unit}, and the option unit of --product=sentinel2 stands for {spec.name}; the units' "
            "bands differ by up to 17 nm. Build their stores apart, each with its own unit."
        )


READER = Reader(
    "Sentinel-2 L2A chips, 12 bands at 10 m",
    product,
    {
        "unit": Option("Sentinel-2A, B or C: whose bands the chips have", "a", ("a", "b", "c")),
        "offset": Option("number to subtract (0 or 1000), or a JSON file of chip names and numbers; found where not given"),
    },
)
