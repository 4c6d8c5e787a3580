"""Sentinel-2 L2A of unit a, b or c: (DN - offset) / 10000 in 12 bands at 10 m, 0 where there is no data."""

import functools
import re
from collections.abc import Mapping
from pathlib import Path

from spectral_jax.ingest.patches.products.product import Option, Product, Reader
from spectral_jax.ingest.raster import sentinel2_offset
from spectral_jax.sensors import SensorSpec

# "S2B", "S2B_MSIL2A_...", "Sentinel-2B".
_UNIT = re.compile(r"^(?:S2|SENTINEL[- ]?2)([ABC])(?:$|[_ ])")


def product(folder: Path, options: Mapping[str, str | None]) -> Product:
    """The product of the unit that the options name; the offset is decided for each chip.

    Raises:
      FileNotFoundError, ValueError: the offset is neither a number nor a JSON file of numbers.
    """
    del folder
    unit = options["unit"]
    spec = SensorSpec.load(f"sentinel2{unit}_l2a")
    given = sentinel2_offset.given(options["offset"])
    told = f"Sentinel-2: bands of unit {str(unit).upper()} (option unit)"
    return Product(
        "S2", spec, by_wavelength=False, scale=1e-4, missing=sentinel2_offset.MISSING, told=told,
        checked=functools.partial(_check_unit, spec=spec), subtracted=functools.partial(_subtracted, given=given),
    )  # fmt: skip


def _subtracted(
    dataset, path: Path, before: sentinel2_offset.Decision | None, given: float | dict[str, float] | None
) -> sentinel2_offset.Decision:
    return before or sentinel2_offset.decide(dataset, path, given)


def _check_unit(dataset, path: Path, spec: SensorSpec):
    """Compares the unit that a file's name or tags (SPACECRAFT_NAME, a product's name) say with the option's."""
    texts = [path.stem[:3].upper(), *(str(value).upper() for value in dataset.tags().values())]
    units = {match[1] for text in texts if (match := _UNIT.match(text))}
    for unit in sorted(units):
        if spec.name != f"sentinel2{unit.lower()}_l2a":
            where = "the name says" if path.stem[:3].upper() == f"S2{unit}" else "its tags say"
            raise ValueError(
                f"{path}: {where} S2{unit}, and the option unit of --product=sentinel2 stands for {spec.name}; the units' "
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
