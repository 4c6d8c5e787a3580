"""Whom a run probes."""

import pytest
from made import tiny_run

from spectral_jax.pretrain import run


def test_a_run_without_a_probe_asks_for_no_parameters():
    """One that goes on would draw them for nobody."""
    cfg = tiny_run.lean()
    assert not cfg.probe.enabled
    assert run._probe(lambda: pytest.fail("drawn for nobody"), cfg, None, "untrained") is None
