"""Views: what is drawn, and what it does to pixels."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectral_jax.config import Config, Views, model_size, spectralearth_sensors
from spectral_jax.objective import views

KEYS = ("ENMAP", "EMIT", "DESIS", "S2", "LO", "LT", "S1")


@pytest.fixture(scope="module")
def cfg():
    return Config(name="test", sensors=spectralearth_sensors(), model=model_size("tiny", footprint_m=480.0))


def plans(cfg, keys, count=200):
    return jax.jit(jax.vmap(lambda k: views.draw_plan(k, keys, jnp.arange(4), cfg)))(jax.random.split(jax.random.key(1), count))


def cut(**changes):
    plain = views.Cut(
        side=jnp.float32(1), top_left=jnp.zeros(2), flip=jnp.zeros(2, bool), blur=jnp.zeros(1, bool),
        blur_sigma_px=jnp.ones(1), gain=jnp.ones((1, 3)), bias=jnp.zeros((1, 3)),
    )  # fmt: skip
    return dataclasses.replace(plain, **changes)


def see(pixels, valid, cut):
    cut = dataclasses.replace(cut, gain=cut.gain[:, : len(pixels)], bias=cut.bias[:, : len(pixels)])
    return views.resized(jnp.asarray(pixels), jnp.asarray(valid), cut, 0)


def test_global_views_show_four_different_sensors(cfg):
    assert (plans(cfg, KEYS).shown.sum(axis=-1) == 4).all()


def test_every_sensor_is_shown_equally_often(cfg):
    share = np.asarray(plans(cfg, KEYS, 2000).shown).mean(axis=(0, 1))
    np.testing.assert_allclose(share, np.full(7, 4 / 7), atol=0.03)


def test_few_sensors_are_all_shown(cfg):
    assert plans(cfg, ("ENMAP", "S1")).shown.all()


def test_local_views_show_optical_sensors_of_the_global_views(cfg):
    plan = plans(cfg, KEYS)
    chosen = np.asarray(plan.sensor)
    assert not np.isin(chosen, [KEYS.index("LT"), KEYS.index("S1")]).any()
    union = np.asarray(plan.shown).any(axis=1)
    # A view whose sensor no global view shows counts nothing.
    np.testing.assert_array_equal(np.take_along_axis(union, chosen, axis=1), np.asarray(plan.local_weight) > 0)
    assert len(np.unique(chosen)) == 5


def test_sensors_shown_are_also_given_by_number_in_order(cfg):
    plan = plans(cfg, KEYS)
    expected = [[np.flatnonzero(view) for view in step] for step in np.asarray(plan.shown)]
    np.testing.assert_array_equal(plan.shown_sensors, expected)


def test_local_views_without_an_optical_sensor_are_refused(cfg):
    with pytest.raises(ValueError, match="4 local views are asked for, and none of the sensors LT, S1 may be shown in one"):
        views.draw_plan(jax.random.key(0), ("LT", "S1"), jnp.arange(4), cfg)


def test_crops_stay_inside_the_patch_with_the_published_sides(cfg):
    plan = plans(cfg, KEYS, 500)
    for cuts, (low, high) in ((plan.global_cuts, (0.4, 1.0)), (plan.local_cuts, (0.1, 0.4))):
        side = np.asarray(cuts.side)
        assert low <= side.min() < low + 0.05
        assert high - 0.05 < side.max() <= high
        assert (np.asarray(cuts.top_left) >= 0).all()
        assert (np.asarray(cuts.top_left) + side[..., None] <= 1 + 1e-6).all()


@pytest.mark.slow
def test_the_whole_patch_uncropped_is_unchanged(rng):
    pixels = rng.normal(size=(2, 8, 8, 3)).astype(np.float32)
    out, valid = see(pixels, np.ones((2, 8, 8), bool), cut())
    np.testing.assert_allclose(out, pixels, atol=1e-6)
    assert valid.all()


def test_a_quarter_resized_equals_bilinear_interpolation_by_hand():
    pixels = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    out, _ = see(pixels, np.ones((1, 4, 4), bool), cut(side=jnp.float32(0.5), top_left=jnp.array([0.5, 0.0])))
    # rows 2-3 and columns 0-1, each doubled with half-pixel centres: weights 0, 1/4, 3/4, 1
    rows, columns = np.array([2, 2.25, 2.75, 3]), np.array([0, 0.25, 0.75, 1])
    np.testing.assert_allclose(out[0, ..., 0], 4 * rows[:, None] + columns[None], atol=1e-5)


def test_flips_reverse_rows_and_columns(rng):
    pixels = rng.normal(size=(1, 6, 6, 2)).astype(np.float32)
    out, _ = see(pixels, np.ones((1, 6, 6), bool), cut(flip=jnp.array([True, False])))
    np.testing.assert_allclose(out, pixels[:, ::-1], atol=1e-6)


def test_blur_keeps_a_constant_and_spreads_a_point_like_a_gaussian():
    on = cut(blur=jnp.ones(1, bool), blur_sigma_px=jnp.array([0.7]))
    flat = np.full((1, 9, 9, 1), 0.3, np.float32)
    ones = np.ones((1, 9, 9), bool)
    np.testing.assert_allclose(see(flat, ones, on)[0], flat, atol=1e-6)
    point = np.zeros((1, 9, 9, 1), np.float32)
    point[0, 4, 4] = 1.0
    weight = np.exp(-0.5 * (np.arange(-1, 2) / 0.7) ** 2)
    weight /= weight.sum()
    np.testing.assert_allclose(see(point, ones, on)[0][0, 3:6, 3:6, 0], np.outer(weight, weight), atol=1e-6)


def test_invalid_pixels_are_never_averaged_in(rng):
    pixels = rng.uniform(size=(1, 8, 8, 2)).astype(np.float32)
    valid = rng.uniform(size=(1, 8, 8)) > 0.3
    view = cut(side=jnp.float32(0.6), top_left=jnp.array([0.2, 0.1]), blur=jnp.ones(1, bool))
    clean = np.where(valid[..., None], pixels, 0.0).astype(np.float32)
    low, ok = see(clean, valid, view)
    # A constant scene stays constant wherever a view is valid, however many neighbours are missing.
    flat, _ = see(np.where(valid[..., None], 0.4, 0.0).astype(np.float32), valid, view)
    assert ok.any()
    assert not ok.all()
    np.testing.assert_allclose(np.asarray(flat)[np.asarray(ok)], 0.4, atol=1e-5)
    assert (np.asarray(low)[~np.asarray(ok)] == 0).all()


def test_radiometric_change_is_one_gain_and_bias_a_sample(rng):
    pixels = rng.uniform(0.2, 0.8, size=(3, 4, 4, 5)).astype(np.float32)
    change = cut(gain=jnp.array([[0.8, 1.0, 1.2]]), bias=jnp.array([[0.1, 0.0, -0.1]]))
    out, _ = see(pixels, np.ones((3, 4, 4), bool), change)
    expected = pixels * np.reshape([0.8, 1.0, 1.2], (3, 1, 1, 1)) + np.reshape([0.1, 0.0, -0.1], (3, 1, 1, 1))
    np.testing.assert_allclose(out, expected, atol=1e-6)


def test_half_the_views_change_each_sensor_within_the_published_ranges(cfg):
    gain, bias = (np.asarray(x) for x in (plans(cfg, KEYS).global_cuts.gain, plans(cfg, KEYS).global_cuts.bias))
    changed = (gain != 1).any(axis=-1)
    assert 0.45 < changed.mean() < 0.55
    assert (gain.min() >= 0.8, gain.max() <= 1.2, bias.min() >= -0.1, bias.max() <= 0.1) == (True,) * 4
    assert (bias[~changed] == 0).all()
    assert len(np.unique(gain[changed][0])) == 4


@pytest.mark.slow
def test_samples_draw_the_same_whatever_share_of_the_batch_they_are_in(cfg):
    whole = views.draw_plan(jax.random.key(5), KEYS, jnp.arange(4), cfg)
    half = views.draw_plan(jax.random.key(5), KEYS, jnp.arange(2, 4), cfg)
    np.testing.assert_array_equal(whole.global_cuts.gain[..., 2:], half.global_cuts.gain)
    np.testing.assert_array_equal(whole.local_cuts.top_left, half.local_cuts.top_left)


def test_native_views_are_cut_at_token_borders(cfg, rng):
    native = dataclasses.replace(cfg, views=Views(local_mode="native", native_tokens=4))
    pixels = jnp.asarray(rng.uniform(size=(2, 16, 16, 3)), jnp.float32)
    at = cut(top_left=jnp.array([0.5, 1.0]), gain=jnp.ones((1, 2)), bias=jnp.zeros((1, 2)))
    out, valid = views.native(pixels, jnp.ones((2, 16, 16), bool), at, 0, native, 2)
    np.testing.assert_array_equal(views.native_offset(at, native), [2, 4])
    np.testing.assert_allclose(out, pixels[:, 4:12, 8:16], atol=1e-6)
    assert valid.shape == (2, 8, 8)
