"""Splits that share no scene or no ground: disjoint, deterministic, balanced, and refused where a part would be empty."""

import numpy as np
import pytest
from made.tiny_tasks import in_memory, square

from spectral_jax.adapt.parts.blocks import block_disjoint, published, scene_disjoint

PARTS = ("train", "val", "test")


def rows(parts):
    return [getattr(parts, name) for name in PARTS]


def of_scenes(scenes=30, each=4, seed=0):
    """Scenes of tiles; each scene mostly has one of two classes."""
    rng = np.random.default_rng(seed)
    names = np.repeat([f"s{i:02d}" for i in range(scenes)], each)
    main = np.repeat(rng.integers(0, 2, scenes), each)
    labels = np.where(rng.random((len(names), 2, 2)) < 0.9, main[:, None, None], 1 - main[:, None, None]).astype(np.int16)
    return in_memory(labels, scene=names)


def on_a_grid(side=10, spacing=100.0, **more):
    places = [square(500000 + spacing * i, 5800000 + spacing * j) for i in range(side) for j in range(side)]
    labels = np.random.default_rng(3).integers(0, 2, (side * side, 2, 2)).astype(np.int16)
    return in_memory(labels, places, **more)


def test_a_scene_is_in_one_part_and_every_sample_in_one():
    data = of_scenes()
    parts = scene_disjoint(data, seed=1)
    np.testing.assert_array_equal(np.sort(np.concatenate(rows(parts))), np.arange(120))
    train, val, test = ({data.scene[i] for i in part} for part in rows(parts))
    assert len(train) + len(val) + len(test) == 30
    assert len(train | val | test) == 30


def test_same_seed_same_parts_and_another_seed_others():
    data = of_scenes()
    again = [np.concatenate(rows(scene_disjoint(data, seed=s))).tolist() for s in (4, 4, 5)]
    assert again[0] == again[1]
    assert again[0] != again[2]


@pytest.mark.parametrize("seed", range(5))
def test_parts_are_roughly_balanced_in_samples_and_classes(seed):
    data = of_scenes(seed=seed)
    parts = scene_disjoint(data, seed=seed, fractions=(0.6, 0.2, 0.2))
    labels = np.asarray(data.labels)
    for part, fraction in zip(rows(parts), (0.6, 0.2, 0.2), strict=True):
        assert len(part) / 120 == pytest.approx(fraction, abs=0.07)
        for k in range(2):
            assert (labels[part] == k).sum() / (labels == k).sum() == pytest.approx(fraction, abs=0.07)


@pytest.mark.parametrize("seed", range(5))
def test_ignored_pixels_do_not_weigh_in_the_balance(seed):
    labels = np.full((24, 2, 2), -1, np.int16)
    labels[:8, 0, 0] = [0] * 4 + [1] * 4
    parts = scene_disjoint(in_memory(labels), seed=seed, fractions=(0.5, 0.0, 0.5))
    assert [(labels[parts.test] == k).sum() for k in range(2)] == [2, 2]


def test_regression_and_label_sets_are_balanced_too():
    rng = np.random.default_rng(0)
    scene = np.repeat(np.arange(40).astype(str), 3)
    target = np.repeat(rng.normal(size=40), 3)[:, None].astype(np.float32)
    target[:6] = np.nan
    data = in_memory(target, scene=scene, kind="image_regression", codes=(), ignored=(), targets=("carbon",))
    parts = scene_disjoint(data, fractions=(0.5, 0.0, 0.5))
    lower = target[:, 0] < np.nanquantile(target, 1 / 3)
    assert lower[parts.test].sum() / lower.sum() == pytest.approx(0.5, abs=0.1)
    several = rng.random((120, 2)) < 0.3
    parts = scene_disjoint(in_memory(several, scene=scene, kind="multilabel"), fractions=(0.5, 0.0, 0.5))
    assert several[parts.test].sum(axis=0) / several.sum(axis=0) == pytest.approx([0.5, 0.5], abs=0.1)


def test_sites_can_be_kept_apart_instead_of_scenes():
    labels = np.zeros((12, 2, 2), np.int16)
    data = in_memory(labels, scene=["one"] * 12, block=[f"site {i // 2}" for i in range(12)])
    parts = scene_disjoint(data, by="block")
    assert not {data.block[i] for i in parts.train} & {data.block[i] for i in parts.test}
    with pytest.raises(ValueError, match="by: expected 'scene' or 'block', got 'site'"):
        scene_disjoint(data, by="site")


def test_a_block_of_ground_is_in_one_part():
    data = on_a_grid()
    parts = block_disjoint(data, 250.0, seed=2)
    part = np.zeros(100, int)
    for number, chosen in enumerate(rows(parts)):
        part[chosen] = number
    # Tile centres are at 50, 150, 250 ... metres: the corner of the grid lies on a multiple of 250.
    column, row = (np.floor((50 + 100 * k) / 250) for k in divmod(np.arange(100), 10))
    for c in range(4):
        for r in range(4):
            assert len(set(part[(column == c) & (row == r)])) == 1
    assert set(part) == {0, 1, 2}


def test_a_buffer_keeps_the_distance_and_says_what_it_dropped():
    data = on_a_grid()
    free, kept = block_disjoint(data, 300.0, seed=2), block_disjoint(data, 300.0, seed=2, buffer_m=150.0)
    np.testing.assert_array_equal(kept.test, free.test)
    x, y = (np.array([place.bounds[k] for place in data.georeference]) for k in (0, 1))

    def apart(a, b):
        gap = [np.maximum(0, np.abs(v[a][:, None] - v[b][None]) - 100) for v in (x, y)]
        return np.hypot(*gap).min(axis=1)

    others = np.concatenate([kept.test, free.val])
    assert apart(free.train, others).min() == 0.0
    assert apart(kept.train, others).min() >= 150.0
    assert apart(kept.val, kept.test).min() >= 150.0
    dropped = np.concatenate([free.train[apart(free.train, others) < 150], free.val[apart(free.val, kept.test) < 150]])
    np.testing.assert_array_equal(kept.dropped, np.sort(dropped))


@pytest.mark.slow
def test_degrees_are_split_in_metres():
    places = [square(13.0 + 0.01 * i, 52.0, side=0.001, epsg=4326) for i in range(40)]
    data = in_memory(np.zeros((40, 2, 2), np.int16), places)
    parts = block_disjoint(data, 3000.0)
    # A hundredth of a degree of longitude is 685 m at 52 degrees north, so a block of 3 km holds four or five places.
    part = np.zeros(40, int)
    for number, chosen in enumerate(rows(parts)):
        part[chosen] = number
    changes = np.flatnonzero(np.diff(part)) + 1
    runs = np.diff([0, *changes, 40])
    assert len(changes) >= 2
    assert all(run >= 4 for run in runs[1:-1])


def test_published_splits_and_their_empty_parts():
    data = in_memory(np.zeros((4, 2, 2), np.int16), split=["train", "test", "train", ""])
    parts = published(data)
    assert (parts.train.tolist(), parts.val.tolist(), parts.test.tolist()) == ([0, 2], [], [1])
    with pytest.raises(ValueError, match="task tiny: part 'val' of the published split is empty; the files give no such split"):
        published(data, ("train", "val"))


def test_splits_with_an_empty_part_are_refused():
    labels = np.zeros((8, 2, 2), np.int16)
    one = in_memory(labels, scene=["same"] * 8)
    with pytest.raises(ValueError, match="at least 3 scenes, one for each of train, val, test, and its 8 samples are of 1"):
        scene_disjoint(one)
    with pytest.raises(ValueError, match="expected georeferenced images to measure distances"):
        block_disjoint(one, 100.0)
    two = in_memory(labels, scene=["a"] * 4 + ["b"] * 4)
    assert [len(part) for part in rows(scene_disjoint(two, fractions=(0.8, 0.0, 0.2)))] == [4, 0, 4]
    with pytest.raises(
        ValueError, match=r"part 'train' of the block-disjoint, 500 m, buffer 5000 m, seed 0, split is empty; the buffer"
    ):
        block_disjoint(on_a_grid(), 500.0, buffer_m=5000.0)


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.5, 0.1, 0.1), (1.0, 0.0, 0.0), (1.2, -0.4, 0.2)])
def test_fractions_are_shares_of_one(fractions):
    with pytest.raises(ValueError, match="fractions: expected three shares of 1"):
        scene_disjoint(of_scenes(), fractions=fractions)


def test_sizes_out_of_range_are_refused():
    with pytest.raises(ValueError, match="block_m above 0 and buffer_m of at least 0 metres, got 0 and 0"):
        block_disjoint(on_a_grid(), 0.0)
