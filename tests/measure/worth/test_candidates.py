import dataclasses
from pathlib import Path

import pytest
from made import tiny_run

from spectral_jax.measure.worth import candidates
from spectral_jax.measure.worth.candidates import Run


def run(seed=0, lr=1e-3, folder=None, name="tiny"):
    cfg = tiny_run.config(name=name)
    cfg = dataclasses.replace(
        cfg, train=dataclasses.replace(cfg.train, seed=seed), optim=dataclasses.replace(cfg.optim, lr=lr),
        data=dataclasses.replace(cfg.data, store=f"store{seed}"),
    )  # fmt: skip
    return Run(Path(folder or f"run{seed}"), cfg, Path("store"))


def test_runs_that_differ_in_their_seeds_alone_are_one_candidate():
    found = candidates.by_recipe([run(0), run(0, lr=2e-3, folder="other", name="fast"), run(1), run(2)])
    assert [(c.name, c.seeds) for c in found] == [("tiny", (0, 1, 2)), ("fast", (0,))]


def test_recipes_of_one_name_are_told_apart_by_their_folders():
    found = candidates.by_recipe([run(0, folder="a"), run(0, lr=2e-3, folder="b")])
    assert [c.name for c in found] == ["tiny (a)", "tiny (b)"]


def test_a_seed_twice_is_told():
    with pytest.raises(
        ValueError, match="--runs: a, b are runs of one recipe with the training seeds 0, 0; expected each seed once"
    ):
        candidates.by_recipe([run(0, folder="a"), run(0, folder="b")])
