import io
import json
import sys

import numpy as np
import pytest

from spectral_jax.measure.peer import contestant


class Counter(contestant.Contestant):
    """Takes steps that do nothing."""

    def __init__(self):
        self.steps = 0

    def embed(self, folder):
        return np.zeros((1, 2, 3))

    def checked_step(self):
        return {"loss": self.step(), "grad_norm": 2.0}

    def step(self):
        self.steps += 1
        print("a word of the step")
        return float(self.steps)

    def product(self, side):
        np.ones((64, 64)) @ np.ones((64, 64))


def answers(monkeypatch, folder, *words):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(word + "\n" for word in words)))
    monkeypatch.setattr(sys, "stdout", out)
    contestant.serve(Counter(), "counter", folder)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_each_word_is_answered_by_a_line_and_nothing_else_is_printed(monkeypatch, tmp_path):
    ready, embedded, checked, stepped, product = answers(monkeypatch, tmp_path, "embed", "check", "step", "product")
    assert ready["ready"]
    assert ready["resident_mib"] > 0
    assert embedded == {}
    assert np.load(tmp_path / "pooled_counter.npy").shape == (1, 2, 3)
    assert checked == {"loss": 1.0, "grad_norm": 2.0}
    assert stepped["loss"] == 2.0
    assert {"cpu_s", "wall_s", "peak_mib"} <= set(stepped)
    assert product["flops_per_s"] > 0


def test_an_error_is_an_answer_and_the_next_word_is_heard(monkeypatch, tmp_path):
    _, wrong, right = answers(monkeypatch, tmp_path, "jump", "check")
    assert wrong == {"error": "ValueError: contestant: expected embed, check, step, product or reset_peak, got 'jump'."}
    assert right["loss"] == 1.0


@pytest.mark.slow
def test_a_process_that_ends_is_told_with_its_name():
    with pytest.raises(ChildProcessError, match="ours: start failed: the process ended with exit code 1; what it printed"):
        contestant.Started("ours", "spectral_jax.measure.peer.nothing", [], [0])
