"""What a run leaves to look at, and what it says where a library for that is missing."""

import errno
import struct
import sys
import time
from pathlib import Path

import pytest
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto import event_pb2

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
    monkeypatch.setitem(sys.modules, "tensorboardX.event_file_writer", None)
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


def test_events_hold_every_number_and_a_resumed_run_drops_what_it_writes_again(tmp_path):
    for start, rows in ((0, (1, 2, 3)), (2, (3, 4))):
        recorder = record.Recorder(tmp_path, start)
        for step in rows:
            recorder.write({"step": step, "loss": step + start / 10.0, "embedding_rank": 2.0})
        recorder.close()
        time.sleep(1.1)  # files are told apart by the second
    found = {}
    for file in sorted((tmp_path / "tensorboard").iterdir()):
        for event in events(file.read_bytes()):
            if event.session_log.status == event.session_log.START:
                found = {key: value for key, value in found.items() if key[0] < event.step}
            found |= {(event.step, value.tag): value.simple_value for value in event.summary.value}
    losses = {step: value for (step, tag), value in found.items() if tag == "loss"}
    assert losses == {1: 1.0, 2: 2.0, 3: pytest.approx(3.2), 4: pytest.approx(4.2)}
    assert {step for step, tag in found if tag == "embedding_rank"} == {1, 2, 3, 4}


def test_events_that_find_no_room_end_the_run_and_do_not_hold_it(tmp_path, monkeypatch):
    recorder = record.Recorder(tmp_path, 0)
    recorder.write({"step": 1, "loss": 1.0})
    monkeypatch.setattr(EventsWriter, "write_event", full)
    with pytest.raises(OSError, match=r"tensorboard.events could not be written \(No space left on device\); .* MB are free"):
        recorder.write({"step": 2, "loss": 1.0})
    recorder.close()


def events(data):
    """The records of a file in TFRecord's form: length, its checksum, bytes, their checksum."""
    while data:
        (size,) = struct.unpack("<Q", data[:8])
        yield event_pb2.Event.FromString(data[12 : 12 + size])
        data = data[16 + size :]


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")
