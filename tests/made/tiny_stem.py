"""A run of three sensors with the stem tokenizer, whose whitenings are measured on random numbers."""

from pathlib import Path

import numpy as np

from spectral_jax.config import Config, Model, SensorInput
from spectral_jax.sensors import Band, SensorSpec
from spectral_jax.spectral import whitening

# Cells of 30 m: a pixel, 3 x 3 pixels, and a pixel of 60 m.
HSI = SensorSpec(
    "stem_hsi", "optical", "surface reflectance", "1", 30.0, "float32",
    tuple(Band(f"{i}", 450.0 + 50.0 * i, 10.0) for i in range(6)), token_edges_nm=(575.0,),
)  # fmt: skip
MSI = SensorSpec(
    "stem_msi", "optical", "surface reflectance", "1", 10.0, "float32", (Band("red", 660.0, 30.0), Band("nir", 860.0, 30.0))
)
SAR = SensorSpec("stem_sar", "radar", "sigma0", "dB", 60.0, "float32", (Band("VV", polarisation="VV"),), low=-50.0, high=0.0)
SPECS = {"HSI": HSI, "MSI": MSI, "SAR": SAR}


def cells(count: int, size: int, seed: int = 0) -> np.ndarray:
    """Numbers of cells [n N] that go together, of means and deviations of their own."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(count, size)) @ rng.normal(size=(size, size))
    return 0.3 + 0.02 * mixed * rng.uniform(0.2, 2.0, size)


def table(folder: Path, spec: SensorSpec, stem_gsd_m: float = 30.0, components: int = 4, seed: int = 0) -> str:
    """The path of a table that fits a sensor."""
    side = whitening.cell_px(spec, stem_gsd_m)
    size = whitening.inputs(spec, side)
    none = whitening.Moments(0, np.zeros(size), np.zeros((size, size)))
    moments = whitening.merged(none, cells(500, size, seed))
    path = folder / f"{spec.name}_{side}_{seed}.csv"
    whitening.write(path, spec, moments, whitening.fit(moments, components), side, "made up")
    return str(path)


def config(folder: Path, keys=("HSI", "MSI", "SAR"), specs=SPECS, tokenizer: str = "stem", **model) -> Config:
    """The config; `model` are fields of it."""
    size = dict(
        footprint_m=240.0, width=16, heads=1, depths=(1, 1, 1), spectral_width=8, spectral_depth=1, spectral_heads=1,
        fusion_width=16, fusion_heads=1, projector_hidden=32, projector_out=8, stem_hidden=12, stem_width=8,
    )  # fmt: skip
    sensors = tuple(
        whitening.whitened(SensorInput(key, specs[key]), table(folder, specs[key]), tokenizer=tokenizer) for key in keys
    )
    return Config("stem", sensors, Model(**(size | model)))
