"""The parts of a comparison: the published split completed, the same one for each seed, and a share of the labels."""

import dataclasses

import numpy as np
import pytest
from made.tiny_tasks import in_memory, square

from spectral_jax.adapt.parts import splits
from spectral_jax.adapt.settings import AdaptData

CFG = AdaptData(split="published", fractions=(0.6, 0.2, 0.2))


def task(split, scene=None, places=False):
    """A sample a word of `split`, two neighbours of one scene; half of the classes 0."""
    split = split.split()
    scene = [f"scene {i // 2}" for i in range(len(split))] if scene is None else scene
    where = [square(3000 * i, 0) for i in range(len(split))] if places else ()
    data = in_memory(np.arange(len(split)) // 2 % 2, where, scene=scene, kind="classification", codes=((1,), (2,)))
    return dataclasses.replace(data, split=tuple("" if part == "-" else part for part in split))


def rows(parts):
    return tuple(sorted(int(i) for i in getattr(parts, name)) for name in ("train", "val", "test"))


def test_a_published_split_of_three_parts_is_as_published():
    data = task("val train test train - test train val")
    for seed in (0, 5):
        assert rows(splits.parts(CFG, data, seed)) == ([1, 3, 6], [0, 7], [2, 5])
    assert splits.parts(CFG, data, 0).kind == "published"


@pytest.mark.parametrize(("held", "word"), [("test", "test"), ("val", "validation")])
def test_a_missing_third_part_is_a_share_of_the_training_scenes(held, word):
    data = task(" ".join(["train"] * 16 + [held] * 4 + ["-"] * 2))
    drawn = set()
    for seed in range(4):
        parts = splits.parts(CFG, data, seed)
        train, val, test = rows(parts)
        assert test == [16, 17, 18, 19]
        assert sorted(train + val) == list(range(16))
        # 0.2 of 0.6 + 0.2: a quarter of the eight scenes, two samples each.
        assert len(val) == 4
        assert not {data.scene[i] for i in train} & {data.scene[i] for i in val}
        assert f"{word} part as the test; 25% of the training scenes as validation, seed {seed}" in parts.kind
        assert rows(splits.parts(CFG, data, seed)) == (train, val, test)
        drawn.add(tuple(val))
    assert len(drawn) > 1


def test_the_share_of_validation_is_that_of_the_fractions():
    data = task(" ".join(["train"] * 20 + ["test"] * 4))
    parts = splits.parts(dataclasses.replace(CFG, fractions=(0.4, 0.4, 0.2)), data, 0)
    assert (len(parts.train), len(parts.val)) == (10, 10)


def test_a_split_without_training_or_without_anything_to_test_on_is_refused():
    for split, part in (("- - - -", "train"), ("test test val val", "train"), ("train train train train", "(val|test)")):
        with pytest.raises(ValueError, match=f"part '{part}' of the published split is empty"):
            splits.parts(CFG, task(split), 0)
    with pytest.raises(ValueError, match="expected at least 2 scenes"):
        splits.parts(CFG, task("train train test"), 0)


@pytest.mark.parametrize("split", ["published", "scene", "block"])
def test_a_share_of_the_labels_is_of_the_training_part_alone(split):
    data = task(" ".join(["train"] * 16 + ["test"] * 4), places=True)
    cfg = dataclasses.replace(CFG, split=split)
    whole, half = (rows(splits.parts(cfg, data, 3, fraction)) for fraction in (1.0, 0.5))
    assert whole[1:] == half[1:]
    assert set(half[0]) < set(whole[0])
    assert len(half[0]) == round(len(whole[0]) / 2)
    # Both classes keep their share.
    assert abs(2 * int(sum(data.labels[half[0]])) - int(sum(data.labels[whole[0]]))) <= 2


@pytest.mark.slow
@pytest.mark.parametrize("split", ["published", "scene", "block"])
def test_splits_vary_with_the_seed_unless_they_must_not(split):
    data = task(" ".join(["train"] * 20 + ["test"] * 4), places=True)
    fixed, varied = (
        [rows(splits.parts(dataclasses.replace(CFG, split=split, vary=vary), data, s)) for s in range(4)]
        for vary in (False, True)
    )
    assert fixed[1:] == fixed[:1] * 3
    assert any(one != varied[0] for one in varied[1:])
    assert varied[0] == fixed[0]


def test_a_task_without_a_folder_is_refused_and_the_simulated_one_needs_none():
    with pytest.raises(ValueError, match="data.root: task 'samson' needs the folder of its files; .* data.task 'simulated'"):
        splits.read(AdaptData(task="samson"))
    data = splits.read(AdaptData(tiles=3, footprint_m=120.0))
    assert (len(data), data.simulated) == (3, True)
