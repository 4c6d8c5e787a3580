import dataclasses

import jax
import numpy as np
import pytest
from made import tiny_run, tiny_store

from spectral_jax.config import Config, Data, Model, Synthetic, spectralearth_sensors
from spectral_jax.data.loader import Loader
from spectral_jax.measure.pod import batches
from spectral_jax.simulate.scenes import groups, store

ARCHIVE = Config("archive", spectralearth_sensors(), Model(footprint_m=240.0), Data(batch_size=4))


def same_kind(abstract, real):
    assert jax.tree.structure(abstract) == jax.tree.structure(real)
    pairs = zip(jax.tree.leaves(abstract), jax.tree.leaves(real), strict=True)
    assert [(a.shape, a.dtype) for a, _ in pairs] == [(x.shape, x.dtype) for x in jax.tree.leaves(real)]


@pytest.mark.slow
@pytest.mark.parametrize("group", ["pair_emit_enmap", "desis_only"])
def test_the_batch_is_what_the_loader_makes_of_a_simulated_archive(tmp_path, group):
    specs = {sensor.key: sensor.spec for sensor in ARCHIVE.sensors}
    store.write_store(tmp_path / "s.zarr", Synthetic(4, dates=1, groups=(group,)), specs, 240.0)
    same_kind(batches.abstract(ARCHIVE, group, None), Loader(ARCHIVE, tmp_path / "s.zarr").batch(0))


def test_bad_bands_stored_types_crops_and_later_dates_are_the_loaders(tmp_path):
    cfg = tiny_store.config(keys=("MS", "TH", "HY"), footprint_m=240.0, lead_days=(1.0, 9000.0))
    tiny_store.build(tmp_path / "s", {"all": 6})
    real = Loader(cfg, tmp_path / "s").batch(0)
    abstract = batches.abstract(cfg, "all", None)
    same_kind(abstract, real)
    assert list(abstract.sensors) == list(real.sensors) == ["MS", "TH", "HY"]
    assert abstract.sensors["MS"].pixels.dtype == np.uint16
    assert abstract.sensors["HY"].pixels.shape == (4, 8, 8, 4)  # its third band is bad


def test_groups_are_those_that_hold_a_sensor():
    assert batches.known(ARCHIVE) == list(groups.GROUPS)
    assert batches.known(tiny_run.config()) == ["all"]
    only = dataclasses.replace(ARCHIVE, sensors=spectralearth_sensors(only=("EMIT",)))
    assert batches.known(only) == ["emit_only", "pair_emit_enmap", "pair_emit_desis", "triplet"]
    assert list(batches.sensors(only, "pair_emit_enmap")) == ["EMIT"]


@pytest.mark.parametrize(
    ("cfg", "group", "sentence"),
    [
        (
            ARCHIVE, "pair_enmap_emit",
            "--group: no group is called 'pair_enmap_emit'; the names are, closest first: pair_enmap_desis, pair_emit_enmap",
        ),
        (
            tiny_run.config(), "emit_only",
            "--group: emit_only holds EMIT, S2, LO, LT, S1, and the config has HSI, MSI, SAR; take all, every sensor of the "
            "config together.",
        ),
        (
            dataclasses.replace(ARCHIVE, sensors=spectralearth_sensors(only=("DESIS",))), "enmap_only",
            "take all, every sensor of the config together, or one of desis_only, pair_emit_desis, pair_enmap_desis, triplet.",
        ),
    ],
)  # fmt: skip
def test_groups_that_cannot_be_are_refused_in_a_sentence(cfg, group, sentence):
    with pytest.raises(ValueError, match=sentence):
        batches.sensors(cfg, group)
