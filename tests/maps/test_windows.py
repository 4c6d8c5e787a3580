"""Scenes through windows, against what a model that looks at single cells gives of the whole scene at once."""

import numpy as np
import pytest
from made import tiny_scene

from spectral_jax.maps import windows

CELL, WINDOW = 2, 8


def scene(rows=21, columns=35, missing=0.0):
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0.0, 0.5, (rows, columns, 3)).astype(np.float32)
    pixels[rng.uniform(size=(rows, columns)) < missing] = np.nan
    return pixels


def expected(pixels):
    """Means of whole cells; pixels beyond the edges are missing."""
    beyond = [(0, -side % CELL) for side in pixels.shape[:2]]
    return tiny_scene.cell_means(CELL)(np.pad(pixels, [*beyond, (0, 0)], constant_values=np.nan)[None])[0]


def mapped(pixels, function=None, overlap=None):
    seen = tiny_scene.observed(pixels)
    cut = windows.planned(seen, CELL, WINDOW, overlap)
    out = np.zeros((*cut.shape, 3), np.float32)
    seams = windows.Seams(cut)

    def write(rows, columns, values):
        out[rows, columns] = values
        seams.add(rows, values)

    windows.mapped(seen, cut, function or tiny_scene.cell_means(CELL), write)
    return out, cut, seams


@pytest.mark.parametrize("overlap", [None, 0.0, 0.5])
@pytest.mark.parametrize("strip_bytes", [1, 10**7])
def test_a_scene_of_any_size_has_the_cells_of_the_whole(overlap, strip_bytes, monkeypatch):
    monkeypatch.setattr(windows, "STRIP_BYTES", strip_bytes)
    pixels = scene(missing=0.3)
    found, cut, _ = mapped(pixels, overlap=overlap)
    assert cut.shape == (11, 18)
    np.testing.assert_allclose(found, expected(pixels), atol=1e-6)


def test_a_cell_without_a_pixel_is_missing_and_no_other():
    pixels = scene()
    pixels[4:9, 6:20] = np.nan
    found, _, _ = mapped(pixels)
    assert np.isnan(found[2:4, 3:10]).all()
    assert np.isnan(found).any(axis=-1).sum() == 2 * 7


def test_a_block_has_what_the_whole_has_there():
    pixels = scene(missing=0.2)
    whole, cut, _ = mapped(pixels)
    place = (slice(3, 8), slice(5, 14))
    inside = [windows.touched(cut, axis, place[axis], pixels.shape[axis]) for axis in (0, 1)]
    part = windows.of_block(
        pixels[inside[0], inside[1]], (inside[0].start, inside[1].start), place, cut, tiny_scene.cell_means(CELL), 3
    )
    np.testing.assert_allclose(part, whole[3:8, 5:14], atol=1e-6)


def test_a_sample_holds_cells_of_the_whole_scene():
    pixels = scene(64, 64)
    seen = tiny_scene.observed(pixels)
    cut = windows.planned(seen, CELL, WINDOW)
    found = windows.sample(seen, cut, tiny_scene.cell_means(CELL), most=9)
    assert found.shape == (9 * 16, 3)
    whole = {tuple(row) for row in expected(pixels).reshape(-1, 3).round(4)}
    assert {tuple(row) for row in found.round(4)} <= whole


def test_seams_show_where_a_model_says_another_thing_in_every_window():
    rng = np.random.default_rng(1)

    def fickle(pixels):
        return tiny_scene.cell_means(CELL)(pixels) + rng.normal(0, 2.0, (len(pixels), 1, 1, 1)).astype(np.float32)

    _, _, steady = mapped(scene(96, 96))
    _, _, jumping = mapped(scene(96, 96), fickle)
    assert 0.9 < steady.ratio < 1.1
    assert jumping.ratio > 3.0


def test_a_map_of_one_window_has_no_seams():
    seams = mapped(scene(8, 8))[2]
    assert (seams.ratio, seams.text) == (None, "none: no seams")


@pytest.mark.parametrize(
    ("pixels", "overlap", "sentence"),
    [
        (scene(7, 30), None, r"scene.tif: expected at least 8 x 8 pixels, one patch of the encoder, got 7 x 30; take a larger"),
        (scene(), 0.6, "--overlap: expected a share of a window from 0 to 0.5, got 0.6"),
        (
            scene(missing=1.1),
            None,
            "expected a scene with at least one pixel that holds data in all bands, and all 21 x 35 are",
        ),
    ],
)
def test_scenes_that_cannot_be_mapped_are_refused(pixels, overlap, sentence):
    with pytest.raises(ValueError, match=sentence):
        mapped(pixels, overlap=overlap)
