import dataclasses

import numpy as np
import pytest
from made import tiny_matchups

from spectral_jax import matchups
from spectral_jax.microcystin import splits


@pytest.mark.parametrize("split", splits.SPLITS)
@pytest.mark.parametrize("target", matchups.TARGETS)
def test_on_real_data_no_scene_and_no_sample_stands_on_both_sides(real_data, split, target):
    data = matchups.load(real_data / "pace_erie" / "pace_glerl_matchups.npz")
    day = np.round(np.nan_to_num(getattr(data, f"mc_{target}_dt_days"))).astype("timedelta64[D]")
    sample = [f"{s}{d}" for s, d in zip(data.station, data.time.astype("datetime64[D]") + day, strict=True)]
    tested = []
    for fold in splits.folds(data, target, split):
        for key in (sample, list(zip(data.station, data.time, strict=True))):
            assert not {key[i] for i in fold.train} & {key[i] for i in fold.test}
        if split == "week":
            assert not set(data.iso_week[fold.train]) & set(data.iso_week[fold.test])
        if split != "random":
            assert not set(data.time[fold.train]) & set(data.time[fold.test])
        if split == "station":
            assert not set(data.station[fold.train]) & set(data.station[fold.test])
        tested.extend(fold.test)
    assert sorted(tested) == list(np.flatnonzero(np.isfinite(data.label(target)[0])))


def test_a_sample_that_labels_two_weeks_is_not_trained_on():
    data = tiny_matchups.make(weeks=3, stations=1)
    # The second image's sample was taken 7 days before it: it is the first image's sample.
    data = dataclasses.replace(data, mc_now_dt_days=np.array([0.0, -7.0, 0.0]))
    first = splits.folds(data, "now", "week")[0]
    assert list(first.test) == [0]
    assert list(first.train) == [2]


def test_rows_without_label_or_pixel_are_in_no_fold():
    data = tiny_matchups.make(weeks=3, stations=2)
    data.mc_now[0] = np.nan
    data.rrs[3] = np.nan
    assert list(splits.labelled(data, "now")) == [1, 2, 4, 5]


def test_the_random_split_depends_on_the_seed_alone():
    data = tiny_matchups.make()
    a, b, c = ([list(f.test) for f in splits.folds(data, "now", "random", seed)] for seed in (0, 0, 1))
    assert a == b != c


def test_bad_input_is_a_sentence():
    with pytest.raises(ValueError, match="split: no split of match-ups is called 'year'; the names are, closest first: week"):
        splits.folds(tiny_matchups.make(), "now", "year")
    with pytest.raises(ValueError, match=r"4 labelled rows in 1 part\(s\); at least two are needed"):
        splits.folds(tiny_matchups.make(weeks=1), "now", "week")
