"""Presto with the released weights against the numbers of its authors' code, on every case."""

import jax
import numpy as np
import pytest
from made.oracle_file import TOLERANCE, difference, part

from spectral_jax.interop import models, read
from spectral_jax.model.published.monthly import observations
from spectral_jax.model.published.presto.inputs import PrestoInputs, build
from spectral_jax.model.published.presto.network import reconstruct

pytestmark = pytest.mark.slow

TOKENS = 1e-4
CASES = (
    "fuel_t3", "algae_t12", "fuel_no_dw", "algae_no_s1_3months", "fuel_one_band_of_group", "algae_unequal", "fuel_s2_only",
    "fuel_srtm_only", "rand_t24", "rand_t1", "rand_t6_start10",
)  # fmt: skip
# Channels of the published arrays; those of Sentinel-2 in digital numbers, and an NDVI after them that is computed anew.
RAW = (
    "VV", "VH", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12", "temperature", "precipitation",
    "elevation", "slope",
)  # fmt: skip


@pytest.fixture(scope="module")
def default(released):
    """Config and parameters of the released file."""
    return models.read("presto", read(released / "presto" / "default_model.pt"))[:2]


@pytest.mark.parametrize("case", CASES)
def test_a_case_agrees_with_the_published_code(default, oracles, case):
    cfg, params = default
    path = oracles / "presto.npz"
    given, wanted = part(path, f"{case}/input"), part(path, f"{case}/output")
    batch, steps = given["x"].shape[:2]
    inputs = PrestoInputs(
        x=given["x"],
        mask=given.get("mask", np.zeros_like(given["x"], np.int8)),
        dynamic_world=given["dynamic_world"].astype(np.int32),
        place=observations.place(given["latlons"], batch, "Presto has it"),
        months=observations.consecutive_months(given["month"], batch, steps),
    )
    with jax.default_matmul_precision("highest"):
        found, channels, logits = jax.jit(reconstruct, static_argnames="cfg")(params, inputs, cfg=cfg)
    real = wanted["token_is_padding"] == 0
    index = wanted["token_index"][:, : real.shape[1]]
    rows = np.broadcast_to(np.arange(batch)[:, None], real.shape)[real]
    seen = np.zeros(found.seen.shape, bool)
    seen[rows, index[real]] = True
    np.testing.assert_array_equal(found.seen, seen)
    assert difference(found.pooled, wanted["pooled"]) <= TOLERANCE
    assert difference(found.pooled, wanted["pooled_f64"]) <= TOLERANCE
    stages = {"tokens": found.tokens, "embedded": found.embedded} | {f"block{i}": x for i, x in enumerate(found.blocks)}
    for name in stages.keys() & wanted.keys():
        assert difference(np.asarray(stages[name])[rows, index[real]], wanted[name][real]) <= TOKENS, name
    if "decoded" in wanted:
        assert difference(channels, wanted["decoded"]) <= TOKENS
        assert difference(logits, wanted["decoded_dynamic_world_logits"]) <= TOKENS


@pytest.mark.parametrize("case", ["fuel_t3", "algae_t12"])
def test_observations_become_the_published_arrays(oracles, case):
    given = part(oracles / "presto.npz", f"{case}/input")
    data = {name: given["raw"][..., i] / (1e4 if name.startswith("B") else 1.0) for i, name in enumerate(RAW)}
    found = build(data, given["month"], given["latlons"], given["dynamic_world"])
    assert difference(found.x, given["x"]) <= 1e-6
    assert not found.mask.any()


def test_no_case_is_left_out(oracles):
    with np.load(oracles / "presto.npz") as file:
        assert {name.split("/")[0] for name in file.files} == set(CASES)
