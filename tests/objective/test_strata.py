"""Strata: what is decided when the step is built, and that on the mean it is the published draw."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made import tiny_stem

from spectral_jax.config import Config, SensorInput, Views, model_size, spectralearth_sensors
from spectral_jax.objective import views
from spectral_jax.objective.strata import Stratum, draw_local, strata

GROUPS = {
    "enmap_only": ("ENMAP", "S2", "LO", "LT", "S1"),
    "pair": ("EMIT", "ENMAP", "S2", "LO", "LT", "S1"),
    "triplet": ("ENMAP", "EMIT", "DESIS", "S2", "LO", "LT", "S1"),
}


def config(**changes) -> Config:
    return Config(
        name="test", sensors=spectralearth_sensors(), model=model_size("tiny", footprint_m=480.0), views=Views(**changes)
    )


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        # Three sensors for four views: one has two, and Sentinel-2 and Landsat cost least.
        ("enmap_only", [((0,), 1), ((1,), 2), ((2,), 1)]),
        ("pair", [((0,), 1), ((1,), 1), ((2,), 1), ((3,), 1)]),
        # Five sensors for four views: Sentinel-2 and Landsat share one.
        ("triplet", [((0,), 1), ((1,), 1), ((2,), 1), ((3, 4), 1)]),
    ],
)
def test_strata_of_the_archives_groups(group, expected):
    assert strata(GROUPS[group], config()) == tuple(Stratum(*part) for part in expected)


def test_one_local_view_is_drawn_from_all_sensors():
    assert strata(GROUPS["pair"], config(local_views=1)) == (Stratum((0, 1, 2, 3), 1),)


def test_independent_views_are_one_stratum_of_all_sensors():
    assert strata(GROUPS["pair"], config(draw="independent")) == (Stratum((0, 1, 2, 3), 4),)


def test_no_local_views_have_no_strata():
    assert strata(GROUPS["pair"], config(local_views=0)) == ()


def test_a_stratum_without_a_candidate_counts_nothing_and_the_others_make_up_for_it():
    parts = (Stratum((0,), 1), Stratum((1,), 2), Stratum((2,), 1))
    sensor, weight = draw_local(jax.random.key(0), parts, jnp.array([False, True, True, False]))
    assert sensor.tolist() == [0, 1, 1, 2]
    # Of four views half belong to each of two candidates: two views of weight 1, and one of weight 2.
    np.testing.assert_allclose(weight, [0.0, 1.0, 1.0, 2.0])


def drawn(group, count, **changes):
    """How much each sensor counts in the local views [S], and together with each sensor of a global view [S S], by plan."""
    cfg, keys = config(**changes), GROUPS[group]
    plan = jax.jit(jax.vmap(lambda k: views.draw_plan(k, keys, jnp.arange(1), cfg)))(jax.random.split(jax.random.key(1), count))
    local = (np.eye(len(keys))[np.asarray(plan.sensor)] * np.asarray(plan.local_weight)[..., None]).sum(axis=1)
    shown = np.asarray(plan.shown).sum(axis=1)
    np.testing.assert_allclose(np.asarray(plan.local_weight).sum(axis=1), 4.0, rtol=1e-5)
    return local, local[:, :, None] * shown[:, None, :]


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_each_sensor_and_each_pair_counts_as_often_as_in_the_published_draw(group):
    """Means over 20,000 plans, within five standard errors of their difference."""
    for ours, published in zip(drawn(group, 20_000), drawn(group, 20_000, draw="independent"), strict=True):
        error = np.sqrt((ours.var(axis=0) + published.var(axis=0)) / 20_000)
        assert (np.abs(ours.mean(axis=0) - published.mean(axis=0)) <= 5 * error + 1e-6).all()


def test_sensors_of_the_wavelength_tokenizer_cost_their_windows():
    cfg = config()
    sensors = tuple(
        dataclasses.replace(s, spec=dataclasses.replace(s.spec, mean=(), std=()), tokenizer="wavelength", branch="")
        if s.key == "LO"
        else s
        for s in cfg.sensors
    )
    cfg = dataclasses.replace(
        cfg, sensors=tuple(SensorInput(s.key, s.spec, s.tokenizer, s.branch, s.local_views) for s in sensors)
    )
    assert strata(("S2", "LO"), dataclasses.replace(cfg, views=Views(local_views=3))) == (Stratum((0,), 2), Stratum((1,), 1))


def test_a_stem_costs_its_cells(tmp_path):
    cfg = tiny_stem.config(tmp_path, ("HSI", "MSI"))
    linear = dataclasses.replace(cfg, sensors=(cfg.sensors[0], SensorInput("MSI", tiny_stem.MSI)), views=Views(local_views=3))
    assert strata(("HSI", "MSI"), linear) == (Stratum((0,), 1), Stratum((1,), 2))  # four cells against one token
