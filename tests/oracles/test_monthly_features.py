"""Presto's published evaluation on real points: embeddings as the authors' code gives them, and a linear model on them.

All that stands between a table of observations and a score: reader, units, normalisation, masks, months, places, the network
with the released weights, the published split, scikit-learn's defaults.
"""

import dataclasses

import numpy as np
import pytest
from made.oracle_file import TOLERANCE, difference

from spectral_jax.adapt.monthly import frozen, galileo, presto, regressors, series
from spectral_jax.interop import models, read
from spectral_jax.tasks.read import read as read_task

pytestmark = pytest.mark.slow

# Released file, and RMSE of linear regression with the tolerance that the ill-conditioned problem needs (noise of 1e-5 moves
# it by up to 0.06).
WEIGHTS = {"presto": "presto/default_model.pt", "galileo": "galileo_nano/encoder.pt"}
WANTED = {
    ("presto", "fuel_moisture"): (27.112, 0.03),
    ("presto", "algae_blooms"): (1.027, 0.02),
    ("galileo", "fuel_moisture"): (28.05, 0.1),
    ("galileo", "algae_blooms"): (0.912, 0.01),
}
CONSTANT = {"fuel_moisture": 36.90, "algae_blooms": 0.869}
RAW = {"fuel_moisture": 28.02, "algae_blooms": 0.850}


def rmse(model, table, data):
    test = np.array(data.split) == "test"
    values = data.labels[:, 0].astype(np.float64)
    said = regressors.predict(model, table[~test], values[~test], table[test], seed=0)
    return float(np.sqrt(np.mean((said - values[test]) ** 2)))


@pytest.mark.parametrize("task", ["fuel_moisture", "algae_blooms"])
@pytest.mark.parametrize("module", [presto, galileo], ids=["presto", "galileo"])
def test_released_weights_embed_points_as_published(module, task, released, oracles, real_data):
    pytest.importorskip("sklearn", reason="needs the extra spectral-jax[eval]")
    data = read_task(task, real_data / task)
    encoder = module.ENCODER
    config, params, _ = models.read(encoder.name, read(released / WEIGHTS[encoder.name]))
    one = {"patch": 1} if encoder.name == "galileo" else {"decoder_depth": 0}
    found = frozen.features(encoder, params, dataclasses.replace(config, **one), encoder.inputs(series.of_task(data)))
    assert difference(found, np.load(oracles / f"{encoder.name}_features.npz")[task]) <= TOLERANCE
    wanted, tolerance = WANTED[encoder.name, task]
    assert rmse("linear_regression", found, data) == pytest.approx(wanted, abs=tolerance)


@pytest.mark.parametrize("task", ["fuel_moisture", "algae_blooms"])
def test_raw_baselines_are_the_published_ones(task, real_data):
    pytest.importorskip("sklearn", reason="needs the extra spectral-jax[eval]")
    data = read_task(task, real_data / task)
    raw = series.raw_table(series.of_task(data))
    assert rmse("constant", raw, data) == pytest.approx(CONSTANT[task], abs=6e-3)
    assert rmse("linear_regression", raw, data) == pytest.approx(RAW[task], abs=6e-3)
