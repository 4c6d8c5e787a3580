"""TerraMesh chips: Sentinel-2 L2A, Sentinel-1 RTC and land cover of one site, each in a folder of its modality."""

from collections.abc import Sequence
from pathlib import Path

from spectral_jax.ingest.raster import geotiff, sentinel2_offset
from spectral_jax.tasks.readers import rasters
from spectral_jax.tasks.readers.pairs import Pair
from spectral_jax.tasks.spec import TaskSpec


def terramesh(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> list[Pair]:
    """`S2L2A/<site>.tif`, `S1RTC/<site>.tif` and `LULC/<site>.tif`; the examples are in no published split.

    Chips mix two radiometric conventions: `sentinel2_offset` decides for each chip, and its 1000 is taken off, so that numbers
    are reflectance * 1e4 in all of them.

    Raises:
      FileNotFoundError: a folder or a modality of a site is missing.
      ValueError: a chip leaves doubt about the offset.
    """
    del parts
    optical = rasters.existing(folder / "S2L2A", spec, "a folder of Sentinel-2 chips")
    out = []
    for chip in geotiff.files(optical, "sentinel2"):
        with geotiff.opened(chip) as dataset:
            decision = sentinel2_offset.decide(dataset, chip, None)
        radar, label = (
            rasters.existing(folder / kind / chip.name, spec, f"{kind} of {chip.stem}") for kind in ("S1RTC", "LULC")
        )
        # 0 is Sentinel-2's missing value, and a possible number of decibels.
        out.append(Pair(chip.stem, (chip, radar), label, subtract=(decision.offset, 0.0), missing=((0.0,), ())))
    return out


def decisions(pairs: Sequence[Pair]) -> tuple[str, ...]:
    """Which chips had an offset, in sentences."""
    return tuple(
        f"{pair.name}: {pair.subtract[0]:g} was taken off, the offset of processing baseline 04.00."
        for pair in pairs
        if pair.subtract[0]
    )
