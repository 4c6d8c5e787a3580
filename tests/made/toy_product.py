"""A product of this file alone, as somebody would add one: two bands at 20 m, with an option and a peculiarity of its own."""

from collections.abc import Mapping
from pathlib import Path

from spectral_jax.ingest.patches.products.product import Option, Product, Reader
from spectral_jax.ingest.raster.sentinel2_offset import Decision
from spectral_jax.sensors import Band, SensorSpec

SPEC = SensorSpec(
    name="toy", kind="optical", quantity="surface reflectance", unit="1", gsd_m=20.0, dtype="int16", scale=1e-4, nodata=-1,
    bands=(Band("T1", 500.0, 20.0), Band("T2", 600.0, 20.0)),
)  # fmt: skip


def product(folder: Path, options: Mapping[str, str | None]) -> Product:
    """Numbers are reflectance * 1000, and files called `lifted...` are 50 too high."""

    def subtracted(dataset, path: Path, before: Decision | None) -> Decision:
        return before or Decision(50.0 if path.stem.startswith("lifted") else 0.0, "by its name")

    told = f"Toy: tiles of {folder.name}, {options['colour']}"
    return Product("TOY", SPEC, by_wavelength=False, scale=1e-3, missing=(0.0,), told=told, subtracted=subtracted)


READER = Reader("Toy tiles, 2 bands at 20 m", product, {"colour": Option("of the toy", "red", ("red", "blue"))})
