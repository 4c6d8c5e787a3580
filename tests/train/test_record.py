"""What a run leaves to look at, and what it says where a library for that is missing."""

import errno
import sys
from pathlib import Path

import pytest

from spectral_jax.train import record


def test_rows_after_the_step_of_a_resumed_run_are_dropped_and_written_again(tmp_path):
    first = record.Recorder(tmp_path, 0)
    for step in (1, 2, 3):
        first.write({"step": step, "loss": 1.0 / step})
    first.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')  # cut off by a kill
    assert [row["step"] for row in record.read_metrics(tmp_path)] == [1, 2, 3]
    resumed = record.Recorder(tmp_path, 2)
    resumed.write({"step": 3, "loss": 0.5})
    resumed.close()
    assert record.read_metrics(tmp_path) == [{"step": 1, "loss": 1.0}, {"step": 2, "loss": 0.5}, {"step": 3, "loss": 0.5}]


def test_without_its_libraries_a_run_goes_on_and_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    recorder = record.Recorder(tmp_path, 0)
    recorder.write({"step": 1, "loss": 1.0})
    recorder.close()
    assert record.draw_curves(tmp_path) is None
    assert len(record.read_metrics(tmp_path)) == 1
    assert capsys.readouterr().out.splitlines() == [
        "writing TensorBoard events needs tensorboardX, and it is not installed; install the extra tensorboard: pip install "
        "'spectral-jax[tensorboard]'.",
        "drawing curves.png needs matplotlib, and it is not installed; install the extra plot: pip install "
        "'spectral-jax[plot]'.",
    ]


def test_a_record_that_finds_no_room_says_so_and_leaves_what_was_there(tmp_path, monkeypatch):
    first = record.Recorder(tmp_path, 0)
    first.write({"step": 1, "loss": 1.0})
    first.close()
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(
        OSError, match=r"metrics.jsonl could not be written \(No space left on device\); \d+\.\d MB are free on its"
    ):
        record.Recorder(tmp_path, 1)
    assert record.read_metrics(tmp_path) == [{"step": 1, "loss": 1.0}]


def test_curves_that_find_no_room_do_not_hide_what_ended_a_run(tmp_path, monkeypatch):
    recorder = record.Recorder(tmp_path, 0)
    recorder.write({"step": 1, "loss": 1.0})
    monkeypatch.setattr(record, "draw_curves", full)
    with pytest.raises(ValueError, match="this ended it"), record.closed(recorder, tmp_path, ""):
        raise ValueError("this ended it")
    with pytest.raises(OSError, match="No space left"), record.closed(recorder, tmp_path, ""):
        pass


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")
