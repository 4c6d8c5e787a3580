"""How processes find one another, and which errors say that one is gone. Whole runs are in `tests/multiprocess`."""

import socket

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


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((None, 2, None), "--processes=2 needs --coordinator=HOST:PORT, an address of process 0"),
        ((None, None, 0), "--process=0 needs --coordinator=HOST:PORT"),
        (("host", 2, 0), "--coordinator: expected HOST:PORT with a port of 1 to 65535, got 'host'."),
        (("host:70000", 2, 0), "got 'host:70000'"),
        ((":4000", 2, 0), "got ':4000'"),
        (("host:4000", 2, None), "--processes and --process go together"),
        (("host:4000", 0, 0), "--processes: expected 1 or more, got 0."),
        (("host:4000", 2, 2), "--process: expected 0 to 1, since --processes=2, got 2."),
        (("host:4000", 2, -1), "--process: expected 0 to 1, since --processes=2, got -1."),
        (("host:4000", 3, 1), "data.batch_size: 8 locations do not split over --processes=3; take a multiple of 3"),
    ],
)
def test_numbers_that_make_no_run_are_refused(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        peers.check_numbers(*given, batch_size=8)


@pytest.mark.parametrize("given", [(None, None, None), ("host:4000", 4, 3), ("[::1]:4000", 1, 0), ("host:4000", None, None)])
def test_numbers_that_make_one_are_not(given):
    assert peers.check_numbers(*given, batch_size=8) is None


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_port_that_is_taken_is_told(family):
    with socket.socket(family) as other:
        other.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port} is in use on this machine. Take another one, the same for all"):
            peers.meet(f"localhost:{port}", 2, 0, 1.0, pytest.fail)
