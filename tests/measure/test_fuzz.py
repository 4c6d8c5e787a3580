"""Damaged files for readers: what is done to them, and that a fault of a reader is found."""

import subprocess
import sys

import numpy as np
import pytest

from spectral_jax.measure import fuzz
from spectral_jax.measure.fuzz import Kind


def test_a_damaged_file_is_a_function_of_its_seed_and_differs_from_the_valid_one():
    content = bytes(range(256)) * 8 + b"a\nb\nc\n" * 20
    made = [fuzz.damaged(content, np.random.default_rng([0, i])) for i in range(200)]
    assert made == [fuzz.damaged(content, np.random.default_rng([0, i])) for i in range(200)]
    assert sum(one != content for one in made) > 180
    assert {len(one) < len(content) for one in made} == {True, False}


def test_of_a_folder_one_file_is_damaged_or_left_out(tmp_path):
    for name in ("a", "b/c", "b/d"):
        (tmp_path / "valid" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "valid" / name).write_bytes(name.encode() * 50)
    for i in range(20):
        fuzz.write_damaged(tmp_path / "valid", tmp_path / f"{i}", np.random.default_rng(i))
        same = [
            (tmp_path / f"{i}" / name).exists() and (tmp_path / f"{i}" / name).read_bytes() == name.encode() * 50
            for name in ("a", "b/c", "b/d")
        ]
        assert sum(same) >= 2


def of(use, tmp_path):
    (tmp_path / "x.txt").write_bytes(b"0123456789" * 5)
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    return fuzz.outcome_of(Kind("text", lambda folder: None, use), 3, 0, tmp_path / "x.txt", scratch, (ValueError,))


def test_a_sentence_is_a_refusal_and_everything_else_a_fault(tmp_path, monkeypatch):
    def refuses(path, out):
        raise ValueError(f"{path}: expected digits, and it holds others; mend it.")

    def stutters(path, out):
        raise ValueError("bad")

    def breaks(path, out):
        raise KeyError("images")

    assert of(lambda path, out: path.read_bytes(), tmp_path).what == "given"
    assert of(refuses, tmp_path).what == "refused"
    assert of(stutters, tmp_path).said.startswith("no sentence: 'bad'")
    assert of(breaks, tmp_path).what == "fault"
    assert "KeyError: 'images'" in of(breaks, tmp_path).said


RUN = """
import os, sys, time
from pathlib import Path
from spectral_jax.measure import fuzz

def make(folder):
    (folder / "x.txt").write_bytes(b"0123456789" * 5)
    return folder / "x.txt"

def dies(path, out):
    if "valid" not in str(path) and path.stat().st_size % 2:
        os._exit(3)

def hangs(path, out):
    if "valid" not in str(path):
        time.sleep(0.3)

fuzz.LIMIT_S = 0.1
kinds = [fuzz.Kind("dies", make, dies), fuzz.Kind("hangs", make, hangs)]
for o in fuzz.run(kinds, 24, 0, Path(sys.argv[1]), lambda: (ValueError,), told=lambda line: None):
    print(o.number, o.kind, o.what, o.said.replace("\\n", " ")[:40])
"""


@pytest.mark.slow
def test_workers_that_die_or_hang_are_replaced_and_their_inputs_are_faults(tmp_path):
    """In a process of its own: workers are forked, which a process that runs JAX should not do."""
    done = subprocess.run([sys.executable, "-c", RUN, str(tmp_path)], capture_output=True, text=True, timeout=120, check=True)
    lines = [line.split(" ", 3) for line in done.stdout.splitlines()]
    assert [int(line[0]) for line in lines] == list(range(24))
    assert {line[2] for line in lines if line[1] == "hangs"} == {"fault"}
    died = {line[3].strip() for line in lines if line[1] == "dies" and line[2] == "fault"}
    assert died == {"the process died (3)"}
