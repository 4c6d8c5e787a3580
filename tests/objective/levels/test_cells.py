"""Cells of the patch are found again in crops, whatever their place, size and mirror image."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from made import tiny_run

from spectral_jax.config import Views
from spectral_jax.objective.encode_views import Maps
from spectral_jax.objective.levels import cells
from spectral_jax.objective.views import Cut


def cut(side, top_left, flip):
    blank = jnp.zeros((1, 1, 1))
    return Cut(
        side=jnp.asarray([side], jnp.float32), top_left=jnp.asarray([top_left], jnp.float32), flip=jnp.asarray([flip]),
        blur=jnp.zeros((1, 1), bool), blur_sigma_px=jnp.ones((1, 1)), gain=blank + 1.0, bias=blank,
    )  # fmt: skip


def ramp(top_left, side, flip, size=8):
    """Tokens that hold their own place in the patch, row and column, as a view with this crop has them."""
    place = (np.arange(size) + 0.5) / size
    rows, columns = (top_left[i] + side * (1 - place if flip[i] else place) for i in range(2))
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)[None, None].astype(np.float32)


@pytest.mark.parametrize("flip", [(False, False), (True, False), (True, True)])
def test_a_position_is_found_in_a_crop(flip):
    where, position = ((0.25, 0.1), 0.5), np.array([[0.5, 0.3], [0.4, 0.55], [0.2, 0.3], [0.5, 0.7]], np.float32)
    tokens = ramp(*where, flip)
    maps = Maps(jnp.asarray(tokens), jnp.ones(tokens.shape[:-1], bool), cut(where[1], where[0], flip), False)
    found, shown = cells.at_positions(maps, jnp.asarray(position), tiny_run.config())
    np.testing.assert_array_equal(shown[0, 0], [1, 1, 0, 0])  # the third lies above the crop, the fourth right of it
    np.testing.assert_allclose(found[0, 0, :2], position[:2], atol=1e-6)


def test_invalid_tokens_do_not_count():
    tokens = ramp((0.0, 0.0), 1.0, (False, False))
    valid = np.ones(tokens.shape[:-1], bool)
    valid[..., :4, :] = False
    spoilt = np.where(valid[..., None], tokens, 1e6).astype(np.float32)
    maps = Maps(jnp.asarray(spoilt), jnp.asarray(valid), cut(1.0, (0.0, 0.0), (False, False)), False)
    found, shown = cells.at_positions(maps, jnp.asarray([[0.2, 0.5], [0.8, 0.5]], jnp.float32), tiny_run.config())
    np.testing.assert_array_equal(shown[0, 0], [0, 1])
    np.testing.assert_allclose(found[0, 0, 1], [0.8, 0.5], atol=1e-6)


def test_a_native_view_starts_at_a_token():
    base = tiny_run.config(views=Views(local_mode="native", native_tokens=4))
    cfg = dataclasses.replace(base, model=dataclasses.replace(base.model, footprint_m=480.0))  # 8 x 8 tokens
    tokens = ramp((0.25, 0.5), 0.5, (False, True), size=4)  # tokens 2 to 5 and 4 to 7 of 8, columns mirrored
    maps = Maps(jnp.asarray(tokens), jnp.ones((1, 1, 4, 4), bool), cut(0.5, (0.5, 1.0), (False, True)), True)
    found, shown = cells.at_positions(maps, jnp.asarray([[0.5, 0.75]], jnp.float32), cfg)
    assert shown.all()
    np.testing.assert_allclose(found[0, 0, 0], [0.5, 0.75], atol=1e-6)
