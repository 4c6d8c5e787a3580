import dataclasses

import pytest
from made import tiny_run

from spectral_jax.config import Data, Train
from spectral_jax.measure.pod import fit
from spectral_jax.measure.pod.program import Compiled

CHIPS = 8
CFG = tiny_run.config(data=Data(store="none", batch_size=4 * CHIPS))
CFG = dataclasses.replace(CFG, model=dataclasses.replace(CFG.model, remat="none"))
GIB = 2**30


def needs(state_gib, sample_gib, fails=()):
    """A compiler for which a state and a sample take so much; remat `blocks` halves a sample, `branches` quarters it."""

    def compile_step(cfg):
        if cfg.train.fsdp in fails:
            raise ValueError(f"partition: a leaf cannot be split over fsdp = {cfg.train.fsdp} devices")
        factor = {"none": 1.0, "blocks": 0.5, "branches": 0.25}[cfg.model.remat]
        total = state_gib / cfg.train.fsdp + cfg.data.batch_size / CHIPS * sample_gib * factor
        return Compiled(total <= 16, round(total * GIB), 16 * GIB if total > 16 else 0)

    return compile_step


def test_what_is_missing_is_told_and_each_kind_ends_with_what_fits():
    tried = fit.ways_in(CFG, CHIPS, 15 * GIB, needs(2.0, 5.0))
    assert [(one.what, one.fits) for one in tried] == [
        ("model.remat=blocks", True), ("train.fsdp=2", False), ("train.fsdp=8", False),
        ("data.batch_size=16 (2 a chip)", True),
    ]  # fmt: skip
    assert tried[1].missing_bytes == (1 + 20 - 16) * GIB  # the compiler's word on the memory there is
    assert tried[0].missing_bytes == (2 + 10 - 15) * GIB  # the data sheet's


def test_all_together_is_tried_where_nothing_alone_brings_it_in():
    tried = fit.ways_in(CFG, CHIPS, 15 * GIB, needs(30.0, 8.0, fails=(8,)))
    assert tried[-1].what == "model.remat=branches, train.fsdp=2, data.batch_size=8 (1 a chip)"
    assert not tried[-1].fits
    refused = next(one for one in tried if one.what == "train.fsdp=8")
    assert refused.refused == "partition: a leaf cannot be split over fsdp = 8 devices"


def test_a_run_that_has_all_changes_already_has_none_left():
    cfg = fit.with_batch(dataclasses.replace(CFG, train=Train(fsdp=CHIPS)), 1, CHIPS)
    cfg = dataclasses.replace(cfg, model=dataclasses.replace(cfg.model, remat="branches"))
    assert fit.changes(cfg, CHIPS) == [[], [], []]
    assert fit.ways_in(cfg, CHIPS, 15 * GIB, needs(99.0, 1.0)) == []


@pytest.mark.parametrize("most", [1, 2, 3, 7, 11, 16])
@pytest.mark.parametrize("start", [1, 2, 5, 16])
def test_the_largest_batch_is_found(most, start):
    best, tried = fit.largest_batch(lambda n: n <= most, start, most_tries=20)
    assert best == most
    assert all(good == (n <= most) for n, good in tried)
    assert len({n for n, _ in tried}) == len(tried)


def test_a_search_ends_after_its_tries_and_where_nothing_fits():
    best, tried = fit.largest_batch(lambda n: n <= 1000, 1, most_tries=4)
    assert (best, len(tried)) == (8, 4)
    assert fit.largest_batch(lambda n: False, 4) == (0, [(4, False), (2, False), (1, False)])
