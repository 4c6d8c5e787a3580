"""Observations of live fuel moisture to the embeddings that the authors' code gives, with the released weights.

All that stands between a table of observations and an embedding: units, normalisation, masks, months, places, the network.
"""

import dataclasses

import jax
import numpy as np
import pytest
from made.oracle_file import TOLERANCE, difference

from spectral_jax.interop import models, read
from spectral_jax.model.published.galileo.inputs import build as build_galileo
from spectral_jax.model.published.galileo.network import apply as apply_galileo
from spectral_jax.model.published.presto.inputs import build as build_presto
from spectral_jax.model.published.presto.network import apply as apply_presto

pytestmark = pytest.mark.slow

CHANNELS = (
    "VV", "VH", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12", "temperature", "precipitation",
    "elevation", "slope",
)  # fmt: skip
GROUPS = ("S1", "S2_RGB", "S2_Red_Edge", "S2_NIR_10m", "S2_NIR_20m", "S2_SWIR", "NDVI", "SRTM", "ERA5", "location")
EVERY = 20
# The table has the mean of a month's days, which Presto takes, and Galileo takes the sum; its features were made with 30 days.
DAYS = 30.0


@pytest.fixture(scope="module")
def table(real_data):
    """Every 20th row: channels by name [N T], months, places, and dynamic world."""
    folder = real_data / "fuel_moisture"
    arrays = {n: np.load(folder / f"{n}.npy")[::EVERY] for n in ("s1_s2_era5_srtm", "month", "latlon", "dynamic_world")}
    cube = arrays.pop("s1_s2_era5_srtm")
    data = {name: cube[..., i] / (1e4 if name.startswith("B") else 1.0) for i, name in enumerate(CHANNELS)}
    return data, arrays


def test_presto_embeds_observations_as_published(table, released, oracles):
    data, about = table
    cfg, params, _ = models.read("presto", read(released / "presto" / "default_model.pt"))
    inputs = build_presto(data, about["month"], about["latlon"], about["dynamic_world"])
    with jax.default_matmul_precision("highest"):
        found = jax.jit(apply_presto, static_argnames="cfg")(params, inputs, cfg=cfg).pooled
    assert difference(found, np.load(oracles / "presto_features.npz")["fuel_moisture"][::EVERY]) <= TOLERANCE


def test_galileo_embeds_observations_as_published(table, released, oracles):
    data, about = table
    cfg, params, _ = models.read("galileo", read(released / "galileo_nano" / "encoder.pt"))
    shaped = {name: values[:, None, None] for name, values in data.items()}
    shaped |= {name: data[name][:, :1, None] for name in ("elevation", "slope")}
    shaped |= {"temperature": data["temperature"], "precipitation": DAYS * data["precipitation"]}
    inputs = build_galileo(shaped, about["month"], about["latlon"])
    cfg = dataclasses.replace(cfg, patch=1)
    with jax.default_matmul_precision("highest"):
        run = jax.jit(apply_galileo, static_argnames=("cfg", "groups"))
        found = run(params, inputs, cfg=cfg, groups=GROUPS).pooled
    assert difference(found, np.load(oracles / "galileo_features.npz")["fuel_moisture"][::EVERY]) <= TOLERANCE
