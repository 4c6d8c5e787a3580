"""What the package wrote before its modules moved is read after it: a store, a checkpoint, converted weights, a predictor.

`tests/golden/before_the_house.zip` was made by the code of commit dfb4b95 from the small runs of `tests/made`, with what that
code computed from them (`expected.npz`, `predictions.csv`).
"""

import dataclasses
import shutil
import zipfile
from pathlib import Path

import jax
import numpy as np
import pytest
from made import tiny_run

import spectral_jax
from spectral_jax import configure, interop
from spectral_jax.adapt.settings import Comparison
from spectral_jax.addresses.work import Work
from spectral_jax.data.loader import Loader
from spectral_jax.data.store import open_store
from spectral_jax.microcystin.predict import predict_file
from spectral_jax.microcystin.settings import Microcystin
from spectral_jax.sensors import differences
from spectral_jax.train import checkpoint, loop, partition

ARCHIVE = Path(__file__).resolve().parents[1] / "golden" / "before_the_house.zip"


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    folder = tmp_path_factory.mktemp("before")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def expected(before):
    with np.load(before / "expected.npz") as file:
        return dict(file)


def test_a_store_is_read(before, tmp_path):
    again = open_store(tiny_run.write_store(tmp_path / "again.zarr", tiny_run.config(), locations=8))
    old = open_store(before / "store.zarr")
    assert (old.footprint_m, list(old.groups)) == (240.0, ["all"])
    for key in ("HSI", "MSI", "SAR"):
        assert differences(old.groups["all"].sensors[key], again.groups["all"].sensors[key]) == []
        for row in range(8):
            np.testing.assert_array_equal(old.groups["all"].read(key, row, 1), again.groups["all"].read(key, row, 1))


def test_a_checkpoint_gives_the_embeddings_that_it_gave(before, expected):
    cfg, params = spectral_jax.load(before / "run")
    batch = tiny_run.batch(cfg, np.random.default_rng(5), size=2)
    out = jax.jit(spectral_jax.apply, static_argnames="cfg")(params, batch, cfg)
    np.testing.assert_allclose(out.pooled, expected["pooled"], atol=2e-5)
    np.testing.assert_allclose(out.tokens, expected["tokens"], atol=2e-4)


@pytest.mark.slow
def test_a_run_goes_on_where_it_stopped_with_the_losses_it_had(before, expected):
    cfg = configure.from_json((before / "run" / "config.json").read_text(), where="config.json")
    summary = loop.train(cfg, Loader(cfg, before / "store.zarr"), Work(before / "run"))
    assert (summary.started_at, summary.first["step"], summary.last["step"]) == (2, 3, 4)
    # The old run had one device, this one has eight.
    np.testing.assert_allclose([summary.first["loss"], summary.last["loss"]], expected["losses"][2:], rtol=1e-4)


@pytest.mark.slow
def test_a_run_of_the_old_draw_goes_on_with_the_new_one_and_says_from_where(before, tmp_path, capsys, monkeypatch):
    """Files of then know nothing of `views.draw`; today's config file of the same run asks for the stratified one.

    Its steps are counted and not made: the test before this one makes steps from the old state.
    """
    monkeypatch.setattr(partition, "place_step", tiny_run.idle_step)
    shutil.copytree(before / "run", tmp_path / "run")
    for step in ("3", "4"):  # where the run stood at first, or the test before left it
        shutil.rmtree(tmp_path / "run" / "checkpoints" / step, ignore_errors=True)
    old = configure.from_json((before / "run" / "config.json").read_text(), where="config.json")
    assert old.views.draw == "independent"
    cfg = dataclasses.replace(old, views=dataclasses.replace(old.views, draw="stratified"))
    summary = loop.train(cfg, Loader(cfg, before / "store.zarr"), Work(tmp_path / "run"))
    assert "From step 2 on: views.draw is stratified (was independent)." in capsys.readouterr().out
    assert (summary.started_at, summary.last["step"]) == (2, 4)
    assert np.isfinite(summary.last["loss"])
    changed = [{"step": 2, "fields": {"views.draw": ["independent", "stratified"]}}]
    assert checkpoint.about(tmp_path / "run" / "checkpoints" / "4")["changes"] == changed


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["terramind", "spectralearth"])
def test_converted_weights_give_the_maps_that_they_gave(before, expected, kind):
    cfg, params = interop.load(before / kind)
    maps = jax.tree.leaves(interop.encode(params, expected[f"{kind}_image"], cfg))[0]
    np.testing.assert_allclose(maps, expected[f"{kind}_maps"], atol=1e-5)


def test_a_predictor_gives_the_numbers_that_it_gave(before, tmp_path):
    pytest.importorskip("sklearn")
    predict_file(before / "m.npz", before / "microcystin", tmp_path / "now.csv")
    then, now = (np.genfromtxt(p, delimiter=",", names=True) for p in (before / "predictions.csv", tmp_path / "now.csv"))
    assert then.dtype.names == now.dtype.names
    for name in then.dtype.names:
        np.testing.assert_allclose(now[name], then[name], rtol=1e-4, atol=1e-12, err_msg=name)


def test_configs_of_all_three_products_are_read(before):
    water = configure.from_json((before / "microcystin" / "config.json").read_text(), where="a", kind=Microcystin)
    assert (water.name, water.evaluation.seeds, water.data.climatology) == ("tiny", 1, "erie_microcystin")
    run = configure.from_json((before / "run" / "config.json").read_text(), where="b")
    assert (run.name, run.train.steps, [s.key for s in run.sensors]) == ("tiny", 4, ["HSI", "MSI", "SAR"])
    lines = configure.from_json((before / "adapt.json").read_text(), where="c", kind=Comparison)
    assert lines.rows == ("terramind/srf", "dofa/none")
