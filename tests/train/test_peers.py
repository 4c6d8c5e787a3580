"""Which errors say that another process of a run is gone. The whole run is in `tests/multiprocess`."""

import jax
import pytest

from spectral_jax.train import peers

GLOO = "UNKNOWN: Gloo AllGather failed: [external/gloo/gloo/transport/tcp/pair.cc:538] Read error: Connection reset by peer"


@pytest.mark.parametrize(
    "error",
    [
        jax.errors.JaxRuntimeError("INTERNAL: Barrier failed"),
        TimeoutError("deadline_exceeded"),
        ValueError(GLOO),  # as it was seen while a checkpoint was written
        peers.ProcessLost("gone"),
    ],
)
def test_a_lost_process_is_known_by_what_jax_says(error):
    assert peers.is_lost(error)


@pytest.mark.parametrize(
    "error",
    [
        None,
        ValueError("the barrier of the model is 3"),
        ValueError("UNKNOWN: a disk is full"),
        jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory"),
    ],
)
def test_other_errors_are_not_mistaken_for_one(error):
    assert not peers.is_lost(error)


def test_what_caused_an_error_counts():
    error = RuntimeError("saving step 10 failed")
    error.__cause__ = ValueError(GLOO)
    assert peers.is_lost(error)


def test_one_process_alone_loses_none(tmp_path):
    with pytest.raises(ValueError, match="Gloo"), peers.watched(lambda: None):
        raise ValueError(GLOO)
