"""The loop as a user runs it: kill and resume, SIGTERM, non-finite losses, records. A tiny run through the real entry point."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest
from made import tiny_run

import spectral_jax
from spectral_jax.addresses import bucket, lease
from spectral_jax.addresses.work import Work
from spectral_jax.config import Data, Train
from spectral_jax.data.loader import Loader
from spectral_jax.train import loop, partition, record
from spectral_jax.train.checkpoint_files.place import newest

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
import sys
sys.path.insert(0, {tests!r})
from made import tiny_run
from spectral_jax.config import Data, Train
def config():
    return tiny_run.lean(data=Data(store={store!r}, batch_size=8), train=Train(steps={steps}, log_every=1, save_every=3))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a store and a config file."""
    folder = tmp_path_factory.mktemp("run")
    tiny_run.write_store(folder / "store.zarr", tiny_run.lean())
    text = CONFIG.format(tests=str(ROOT / "tests"), store=str(folder / "store.zarr"), steps=12)
    (folder / "config.py").write_text(text)
    return folder


def start(place, workdir, *more):
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONUNBUFFERED": "1"}
    command = [
        sys.executable,
        str(ROOT / "experiments" / "pretrain.py"),
        f"--config={place / 'config.py'}",
        f"--workdir={workdir}",
    ]
    return subprocess.Popen([*command, *more], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process):
    text, _ = process.communicate(timeout=300)
    return process.returncode, text


def wait_for(process, condition, seconds=0.02):
    deadline = time.monotonic() + 240
    while not condition():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(seconds)


@pytest.fixture(scope="module")
def undisturbed(place):
    code, text = finish(start(place, place / "undisturbed"))
    assert code == 0, text
    return place / "undisturbed", text


def parameters(workdir):
    return [np.asarray(x) for x in jax.tree.leaves(spectral_jax.load(workdir)[1])]


@pytest.mark.slow
def test_a_run_leaves_what_it_promises(undisturbed):
    workdir, text = undisturbed
    assert {"config.json", "metrics.jsonl", "checkpoints", "curves.png", "tensorboard"} <= {p.name for p in workdir.iterdir()}
    rows = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    assert [r["step"] for r in rows] == list(range(1, 13))
    wanted = {"loss", "invariance", "sigreg", "embedding_std", "embedding_rank", "samples_per_second", "input_wait_fraction",
              "grad_norm", "param_norm", "update_norm"}  # fmt: skip
    assert wanted <= set(rows[0])
    assert (workdir / "curves.png").read_bytes()[:4] == b"\x89PNG"
    assert "What to do next" in text


@pytest.mark.slow
def test_a_run_killed_and_resumed_ends_bit_identical(place, undisturbed):
    workdir = place / "killed"
    process = start(place, workdir)
    wait_for(process, lambda: (workdir / "checkpoints" / "3").is_dir())
    process.send_signal(signal.SIGKILL)
    finish(process)
    assert not (workdir / "checkpoints" / "12").exists()
    code, text = finish(start(place, workdir))
    assert code == 0, text
    assert "Continuing from the checkpoint of step" in text
    for a, b in zip(parameters(workdir), parameters(undisturbed[0]), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [r["step"] for r in record.read_metrics(workdir)] == list(range(1, 13))


@pytest.mark.slow
@pytest.mark.parametrize("bucket_address", ["gs"], indirect=True)
def test_a_run_in_a_bucket_is_killed_and_resumed_and_ends_as_one_in_a_folder(place, undisturbed, bucket_address):
    """In one kind of bucket; test_checkpoint, tests/addresses and tests/data have what a run does there in either kind."""
    store, workdir = f"{bucket_address}/store.zarr", f"{bucket_address}/runs/one"
    for file in (p for p in (place / "store.zarr").rglob("*") if p.is_file()):
        bucket.send(file, f"{store}/{file.relative_to(place / 'store.zarr').as_posix()}")
    process = start(place, workdir, f"--config.data.store={store}")
    wait_for(process, lambda: newest(f"{workdir}/checkpoints") is not None, seconds=0.2)
    process.send_signal(signal.SIGKILL)
    finish(process)
    bucket.remove(f"{workdir}/{lease.NAME}")  # the second run would watch for half a minute whether the first is alive
    code, text = finish(start(place, workdir, f"--config.data.store={store}"))
    assert code == 0, text
    assert "Continuing from the checkpoint of step" in text
    assert f"look at    {workdir}/curves.png" in text
    for a, b in zip(parameters(workdir), parameters(undisturbed[0]), strict=True):
        np.testing.assert_array_equal(a, b)
    files = set(bucket.sizes(workdir))
    assert {"config.json", "metrics.jsonl", "curves.png"} <= files
    assert any(name.startswith("tensorboard/") for name in files)
    assert lease.NAME not in files
    rows = [json.loads(line) for line in bucket.read(f"{workdir}/metrics.jsonl").splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 13))


@pytest.mark.slow
def test_sigterm_saves_and_says_how_to_continue(place):
    workdir = place / "preempted"
    process = start(place, workdir, "--config.train.steps=100000", "--config.train.save_every=100000")
    wait_for(process, lambda: len(record.read_metrics(workdir)) > 2)
    process.send_signal(signal.SIGTERM)
    code, text = finish(process)
    assert code == 143
    assert "Ended by SIGTERM after step" in text
    assert "Run the same command again to continue" in text
    assert len(list((workdir / "checkpoints").glob("[0-9]*"))) == 1


@pytest.mark.slow
def test_another_config_in_the_same_folder_is_refused(place, undisturbed):
    before = (undisturbed[0] / "metrics.jsonl").read_bytes()
    code, text = finish(start(place, undisturbed[0], "--config.data.seed=5"))
    assert code == 1
    assert "holds another run: data.seed: 0 against 5" in text
    assert "Traceback" not in text
    assert (undisturbed[0] / "metrics.jsonl").read_bytes() == before


@pytest.mark.slow
def test_a_missing_store_is_a_sentence(place):
    code, text = finish(start(place, place / "none", "--config.data.store=/nowhere/real.zarr"))
    assert code == 1
    assert "/nowhere/real.zarr" in text
    assert "Traceback" not in text
    assert not (place / "none").exists()


def test_a_run_of_the_old_order_of_batches_is_told_from_where_it_is_another(tmp_path, capsys):
    """Twelve locations in batches of eight: more than half a group, which is drawn otherwise since order 2."""
    cfg = tiny_run.config(data=Data(store="x", batch_size=8))
    loader = Loader(cfg, tiny_run.write_store(tmp_path / "store.zarr", cfg, locations=12))
    loop._tell_order(loader, {"next_batch": 6, "batch_size": 8, "seed": 0, "processes": 1})
    assert "From step 6 on the locations of all come in another order than before, each as often" in capsys.readouterr().out
    loop._tell_order(loader, None)
    loop._tell_order(loader, loop._position(cfg, 6))
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_a_non_finite_loss_names_step_and_locations_and_keeps_the_checkpoint(tmp_path, monkeypatch):
    cfg = tiny_run.lean(data=Data(store="x", batch_size=8), train=Train(steps=6, log_every=1, save_every=1))
    loader = Loader(cfg, tiny_run.write_store(tmp_path / "store.zarr", cfg))
    monkeypatch.setattr(partition, "place_step", partial(tiny_run.idle_step, spoiled_step=3))
    sites = sorted(loader.names(loader.batch(2)))
    with pytest.raises(loop.NonFiniteLoss, match="loss is nan at step 3. The batch holds 8 locations: ") as caught:
        loop.train(cfg, loader, Work(tmp_path / "run"))
    assert all(site in str(caught.value) for site in sites)
    assert sorted(p.name for p in (tmp_path / "run" / "checkpoints").glob("[0-9]*")) == ["1", "2"]
    assert [r["step"] for r in record.read_metrics(tmp_path / "run")] == [1, 2]
