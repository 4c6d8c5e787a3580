import sys

import numpy as np
import pytest

from spectral_jax.measure import flops
from spectral_jax.measure.peer import compare, inputs


class Fake:
    """A contestant with made-up numbers: losses 2, 1, 1/2, ..., times a factor; steps of given CPU seconds."""

    def __init__(self, name, folder, turns=None, seconds=(1.0,), factor=1.0, embedding=1.0, norm=3.0):
        self.ready = {"resident_mib": 100.0}
        self.name, self.folder, self.turns = name, folder, turns if turns is not None else []
        self.seconds, self.factor, self.embedding, self.norm, self.made = list(seconds), factor, embedding, norm, 0

    def ask(self, word):
        self.turns.append((word, self.name))
        if word == "embed":
            np.save(self.folder / f"pooled_{self.name}.npy", np.full((2, 3, 4), self.embedding))
            return {}
        if word in ("check", "step"):
            self.made += 1
            loss = self.factor * 2.0 ** (2 - self.made)
            if word == "check":
                return {"loss": loss, "grad_norm": self.norm}
            cpu = self.seconds.pop(0)
            return {"cpu_s": cpu, "wall_s": 2 * cpu, "peak_mib": 150.0, "resident_mib": 120.0, "loss": loss}
        return {"product": {"flops_per_s": 1e9 if self.name == "ours" else 2e9}, "reset_peak": {"reset": True}}[word]


def three(folder, **changed):
    turns = []
    return {name: Fake(name, folder, turns, **changed.get(name, {})) for name in ("ours", "eager", "compile")}, turns


def test_equal_contestants_are_told_how_equal_they_are(tmp_path):
    contestants, turns = three(tmp_path, eager={"factor": 1.0 + 1e-5}, compile={"norm": 3.0003, "embedding": 1.0 + 2e-6})
    found = compare.check_equal(contestants, tmp_path)
    assert found == pytest.approx({"embeddings": 2e-6, "losses": 1e-5, "grad_norms": 1e-4, "steps": 4}, rel=1e-3)
    # The eager one writes the views that the others find.
    assert turns[0] == ("embed", "eager")
    assert turns[3:6] == [("check", "ours"), ("check", "eager"), ("check", "compile")]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"eager": {"embedding": 1.01}},
            r"compare: the embeddings of step 0 of torch, eager differ from ours by 1\.0e-02 of their",
        ),
        (
            {"compile": {"factor": 1.001}},
            r"the losses of step 0 of torch\.compile differ .* rounding explains 1e-04; .* nothing was",
        ),
        ({"eager": {"norm": 3.3}}, "the grad_norms of step 0 of torch, eager differ from ours by 1.0e-01"),
        ({"eager": {"factor": float("nan")}}, "the losses of step 0 of torch, eager differ from ours by nan"),
    ],
)
def test_contestants_that_differ_are_not_timed(tmp_path, changed, sentence):
    contestants, turns = three(tmp_path, **changed)
    with pytest.raises(ValueError, match=sentence):
        compare.check_equal(contestants, tmp_path)
    assert ("step", "ours") not in turns


def test_contestants_take_turns_and_the_ratio_is_of_turns(tmp_path):
    seconds = {"ours": {"seconds": [2.0, 3.0]}, "eager": {"seconds": [1.0, 1.0]}, "compile": {"seconds": [1.5, 4.0]}}
    contestants, turns = three(tmp_path, **seconds)
    cfg = inputs.config("tiny")
    found = compare.time_in_turn(contestants, cfg, repeats=2)
    assert [name for word, name in turns if word == "step"] == ["ours", "eager", "compile"] * 2
    assert found["ratio"] == {"to": "eager", "median": 2.5, "min": 2.0, "max": 3.0}
    sample = flops.training_sample(cfg, inputs.KEYS).total
    assert found["peak"] == 2e9
    assert found["flops_per_sample"] == sample
    assert found["contestants"]["eager"]["share_of_peak"] == pytest.approx(8 * sample / 1.0 / 2e9)
    assert found["contestants"]["ours"]["above_mib"] == 50.0
    assert found["timed_losses"] == 0.0
    assert found["peak_of_steps_alone"]


def test_losses_of_timed_steps_are_compared_too(tmp_path):
    contestants, _ = three(tmp_path, eager={"factor": 1.5})
    assert compare.time_in_turn(contestants, inputs.config("tiny"), 1)["timed_losses"] == pytest.approx(0.5)


def test_a_missing_torch_is_told_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        ImportError, match=r"the comparison of training steps needs PyTorch, .* pip install 'spectral-jax\[compare\]'"
    ):
        compare.compare("tiny")


def test_an_unknown_size_is_told_with_those_there_are(monkeypatch):
    monkeypatch.setattr(compare.importlib.util, "find_spec", lambda _: "found")
    with pytest.raises(
        ValueError, match="--sizes: no size that is compared is called 'smal'; the names are, closest first: small"
    ):
        compare.compare("smal")


def test_no_turn_is_refused(monkeypatch):
    monkeypatch.setattr(compare.importlib.util, "find_spec", lambda _: "found")
    with pytest.raises(ValueError, match=r"--repeats: expected 1 turn or more, got 0\."):
        compare.compare("tiny", repeats=0)
