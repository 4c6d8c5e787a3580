"""What a run leaves to look at, and what it says where a library for that is missing."""

import sys

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
