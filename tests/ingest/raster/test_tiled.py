"""Tiled inference: weights, agreement with the scene in one piece, seams, and memory."""

import functools
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from spectral_jax.ingest.raster import tiled
from spectral_jax.measure import scene_memory
from spectral_jax.model.convolutions import Conv
from spectral_jax.model.heads.task_heads import HeadConfig, call_head, init_head
from spectral_jax.model.published import terramind
from spectral_jax.model.published.terramind import Modality, TerraMindConfig


def predict(scene, function, tile, overlap, batch=1, margin=None):
    """The whole prediction [H W K], and the row slices in which it came."""
    out, bands = {}, []

    def write(rows, columns, values):
        assert (columns.start, columns.stop) == (0, scene.shape[1])
        bands.append((rows.start, rows.stop))
        out.update(zip(range(rows.start, rows.stop), values, strict=True))

    read = lambda rows, columns: scene[rows, columns]  # noqa: E731
    tiled.predict_scene(read, scene.shape[:2], function, tile, overlap, write, batch, margin)
    return np.stack([out[i] for i in range(scene.shape[0])]), bands


@pytest.mark.parametrize("margin", [None, 0, "half"])
@pytest.mark.parametrize(
    ("length", "tile", "overlap"),
    [(64, 16, 4), (65, 16, 8), (17, 16, 8), (31, 16, 5), (16, 16, 8), (7, 16, 8), (40, 8, 0), (41, 8, 0), (100, 32, 16)],
)
def test_weights_add_up_to_one_exactly_and_tiles_stay_inside(length, tile, overlap, margin):
    made = tiled.plan(length, tile, overlap, overlap // 2 if margin == "half" else margin)
    total = np.zeros(max(length, tile), np.float32)
    for start, weights in zip(made.starts, made.weights, strict=True):
        total[start : start + tile] += weights
        assert (weights >= 0).all()
    np.testing.assert_array_equal(total, 1.0)
    np.testing.assert_array_equal(np.outer(total, total), 1.0)
    assert made.starts[0] == 0
    assert made.starts[-1] == max(length - tile, 0)
    assert all(0 < b - a <= tile - overlap for a, b in zip(made.starts, made.starts[1:], strict=False))


def test_a_tile_has_no_weight_in_its_margin_but_at_the_edges_of_the_scene():
    made = tiled.plan(40, 16, 8, 3)  # tiles from 0, 8, 16 and 24 on; ramps over 2 pixels
    assert made.starts.tolist() == [0, 8, 16, 24]
    np.testing.assert_array_equal(made.weights[0], [1] * 11 + [0.75, 0.25] + [0] * 3)
    np.testing.assert_array_equal(made.weights[1], [0] * 3 + [0.25, 0.75] + [1] * 6 + [0.75, 0.25] + [0] * 3)
    np.testing.assert_array_equal(made.weights[3], [0] * 3 + [0.25, 0.75] + [1] * 11)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("shape", [(50, 41), (20, 33), (12, 70), (9, 7)])
def test_a_function_of_single_pixels_gives_what_it_gives_for_the_scene(rng, shape, batch):
    scene = rng.integers(0, 1000, (*shape, 3)).astype(np.uint16)
    shapes = []

    def function(x):
        shapes.append((x.shape, x.dtype))
        return np.stack([x.sum(-1), x[..., 0] * 2.0], axis=-1)

    got, bands = predict(scene, function, 20, 6, batch)
    expected = np.stack([scene.sum(-1), scene[..., 0] * 2.0], axis=-1)
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert got.dtype == np.float32
    assert set(shapes) == {((batch, 20, 20, 3), np.dtype("uint16"))}  # one shape: compiled once
    assert bands[0][0] == 0
    assert bands[-1][1] == shape[0]
    assert all(a[1] == b[0] for a, b in zip(bands, bands[1:], strict=False))


def test_a_scene_smaller_than_a_tile_is_mirrored():
    seen = []
    predict(np.arange(6.0).reshape(2, 3, 1), lambda x: seen.append(x) or x, 6, 0)
    np.testing.assert_array_equal(seen[0][0, :4, :, 0], [[0, 1, 2, 2, 1, 0], [3, 4, 5, 5, 4, 3]] + [[3, 4, 5, 5, 4, 3],
                                                                                             [0, 1, 2, 2, 1, 0]])  # fmt: skip


class TwoConvolutions:
    """Two 5x5 convolutions with GELU: a pixel depends on those up to 4 away, a field of 9."""

    def __init__(self):
        self.first, self.second = (Conv(width, 5, jnp.dtype("float32")) for width in (8, 2))
        a, b = jax.random.split(jax.random.key(0))
        self.p = self.first.init(a, jnp.zeros((1, 5, 5, 3))), self.second.init(b, jnp.zeros((1, 5, 5, 8)))

    def __call__(self, x):
        return self.second.apply(self.p[1], jax.nn.gelu(self.first.apply(self.p[0], x)))


def test_a_convolutional_model_has_no_seams(rng):
    scene = rng.normal(size=(83, 64, 3)).astype(np.float32)
    function = jax.jit(TwoConvolutions())
    whole = np.asarray(function(scene[None])[0])
    spread = whole.std()
    assert spread > 0.02
    default, _ = predict(scene, function, 32, 12, batch=2)  # margin 4
    np.testing.assert_allclose(default, whole, atol=1e-4 * spread)
    narrow, _ = predict(scene, function, 32, 10, batch=2, margin=4)  # an overlap of 10 for a field of 9
    np.testing.assert_allclose(narrow, whole, atol=1e-4 * spread)
    bare, _ = predict(scene, function, 32, 0)
    assert np.abs(bare - whole).max() > 0.1 * spread


def vision_transformer():
    """A small vision transformer with a linear head, and its positions: (images [B 32 32 3]) to [B 32 32 2]."""
    cfg = TerraMindConfig(16, 2, 2, "gelu", (Modality("S2", "untok", ("a", "b", "c")),), patch=8, grid=4)
    head = HeadConfig("linear", 2)
    keys = jax.random.split(jax.random.key(1), 3)
    params = terramind.init(keys[0], cfg)
    leaves, tree = jax.tree.flatten(params)
    draws = [leaf + 0.3 * jax.random.normal(k, leaf.shape) for leaf, k in
             zip(leaves, jax.random.split(keys[1], len(leaves)), strict=True)]  # fmt: skip
    params, last = tree.unflatten(draws), init_head(keys[2], head, ((4, 4, 16),), 16)

    def function(x):
        features = terramind.apply(params, {"S2": x}, cfg)
        return call_head(last, head, features.maps, features.pooled, (32, 32))

    return jax.jit(function)


@pytest.mark.slow
def test_seams_of_a_vision_transformer_are_spread_by_blending(rng):
    smooth = np.stack([scipy.ndimage.gaussian_filter(rng.normal(size=(112, 112)), 6.0) for _ in range(3)], axis=-1)
    scene, function = (smooth / smooth.std()).astype(np.float32), vision_transformer()
    ratio = {}
    for margin in (None, 8):
        got, _ = predict(scene, function, 32, 16, batch=4, margin=margin)
        at_seams, elsewhere = scene_memory.seam_steps(got, 32, 16, margin)
        ratio[margin] = at_seams / elsewhere
    # Cut in the middle of the overlap, neighbouring tiles differ by 5.0 ordinary steps; blended, by 1.3 a pixel of the ramp.
    assert ratio[8] > 3.5
    assert 0.5 < ratio[None] < 1.7


def test_seam_steps_are_those_between_tiles():
    made = np.repeat(np.arange(4.0), 8)  # 0 to 3, a step of 1 at every eighth column
    got = np.broadcast_to(made[None, :, None], (32, 32, 2))
    # Without overlap tiles of 8 meet at columns 8, 16 and 24: steps of 1; rows have none.
    assert scene_memory.seam_steps(got, 8, 0) == (0.5, 0.0)
    with pytest.raises(ValueError, match=r"a scene of \(32, 32\) px is a single tile of 32 px and has no seams."):
        scene_memory.seam_steps(got, 32, 0)


def test_memory_is_bounded_by_a_row_of_tiles():
    side, tile, outputs = 1024, 64, 3

    def read(rows, columns):
        return np.ones((rows.stop - rows.start, columns.stop - columns.start, 4), np.uint16)

    def peak(height):
        tracemalloc.start()
        function = lambda x: np.zeros((*x.shape[:3], outputs), np.float32)  # noqa: E731
        tiled.predict_scene(read, (height, side), function, tile, 16, lambda *_: None)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    row = side * tile * outputs * 4
    tall = peak(side)
    assert row < tall < 4 * row  # the whole prediction is 16 rows of tiles
    assert tall < 1.1 * peak(side // 4)


def test_memory_of_a_scene_on_disk_is_measured(tmp_path):
    pytest.importorskip("rasterio", reason="needs the extra spectral-jax[geo]")
    function = jax.jit(functools.partial(jnp.mean, axis=-1, keepdims=True))
    found = scene_memory.scene_memory(
        tmp_path, lambda x: function(jnp.asarray(x, jnp.float32)), side=512, bands=4, tile=128, overlap=32
    )
    assert found["above"] == found["peak"] - found["before"]
    assert 0 <= found["above"] < 500e6
    assert found["written"] > 512 * 512 / 4
    assert found["seconds"] > 0


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (dict(overlap=9), "overlap: expected 0 to 8 px, half of the tile of 16 px, got 9 px."),
        (dict(overlap=-1), "overlap: expected 0 to 8 px, half of the tile of 16 px, got -1 px."),
        (dict(margin=3), "margin: expected 0 to 2 px, half of the overlap of 4 px, got 3 px."),
        (dict(batch=0), "batch: expected at least 1 tile, got 0."),
        (dict(shape=(0, 20)), "shape and tile: expected at least 1 pixel, got a scene of 0 px and tiles of 16 px."),
        (dict(read=lambda r, c: np.zeros((16, 15, 2))),
         r"with \(h, w\) = \(16, 16\) for the window rows 0 to 16, columns 0 to 16, got shape \(16, 15, 2\)."),
        (dict(function=lambda x: x[:, ::2, ::2]),
         r"with \(B, H, W\) = \(1, 16, 16\), a number for every pixel, got shape \(1, 8, 8, 2\); give the head the size of"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(fields, sentence):
    fields = dict(
        read=lambda rows, columns: np.zeros((20, 20, 2))[rows, columns], shape=(20, 20), function=lambda x: x, tile=16,
        overlap=4, write=lambda *_: None,
    ) | fields  # fmt: skip
    with pytest.raises(ValueError, match=sentence):
        tiled.predict_scene(**fields)
