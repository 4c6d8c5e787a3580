"""Checkpoints: exact, on another mesh, and refused with a sentence when something is wrong."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import optax
import pytest
from made import tiny_run
from orbax.checkpoint import v1 as ocp

import spectral_jax
from spectral_jax import configure
from spectral_jax.addresses import bucket
from spectral_jax.config import Optim, Train
from spectral_jax.train import checkpoint, partition
from spectral_jax.train.checkpoint import CheckpointError, Checkpoints
from spectral_jax.train.checkpoint_files import checksums

POSITION = {"next_batch": 3}


@pytest.fixture(scope="module")
def cfg():
    return tiny_run.lean()


@pytest.fixture(scope="module")
def mesh(cfg):
    return partition.make_mesh(cfg)


@pytest.fixture(scope="module")
def state(cfg, mesh):
    return partition.create_state(cfg, mesh)


@pytest.fixture
def saved(tmp_path, cfg, state):
    with Checkpoints(tmp_path / "checkpoints", cfg) as keeper:
        keeper.save(3, state, POSITION)
    return tmp_path


def equal(a, b):
    return all(
        np.array_equal(np.asarray(x), np.asarray(y)) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


def resume(folder, cfg, mesh):
    with Checkpoints(folder / "checkpoints", cfg) as keeper:
        return keeper.resume(partition.abstract_state(cfg, mesh))


@pytest.mark.slow
def test_a_restored_state_is_bit_identical(saved, cfg, mesh, state):
    restored, step = resume(saved, cfg, mesh)
    assert step == 3
    assert type(restored) is type(state)
    assert equal(restored, state)


@pytest.mark.multidevice
@pytest.mark.slow
def test_what_8_devices_saved_4_restore_onto_their_own_mesh(saved, cfg, state):
    four = dataclasses.replace(cfg, train=Train(fsdp=4, steps=6, log_every=1, save_every=3))
    mesh = partition.make_mesh(four, jax.devices()[:4])
    restored, _ = resume(saved, four, mesh)
    assert equal(restored, state)
    kernel = restored.params["encoder"]["branches"]["MSI"]["stage1"]["block0"]["mlp"]
    first = jax.tree.leaves(kernel)[0]
    assert len(first.sharding.device_set) == 4


def test_an_empty_folder_has_nothing_to_resume(tmp_path, cfg, mesh):
    assert resume(tmp_path, cfg, mesh) is None


@pytest.mark.slow
def test_load_gives_config_and_parameters_from_the_work_folder(saved, cfg, state):
    for path in (saved, saved / "checkpoints", saved / "checkpoints" / "3"):
        read, params = spectral_jax.load(path)
        assert read == cfg
        assert equal(params, state.params)


@pytest.mark.slow
def test_a_checkpoint_says_what_made_it(saved):
    about = checkpoint.about(saved / "checkpoints" / "3")
    assert about["data"] == POSITION
    assert about["versions"]["jax"] == jax.__version__


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: dataclasses.replace(c, model=dataclasses.replace(c.model, width=16)), "model.width: 8 against 16"),
        (
            lambda c: dataclasses.replace(c, optim=Optim(lr=1e-3, warmup_steps=2, betas=(0.5, 0.9))),
            r"optim.betas\[0\]: 0.9 against",
        ),
        (lambda c: dataclasses.replace(c, sensors=tiny_run.config().sensors[:2]), "sensors"),
    ],
)
@pytest.mark.slow
def test_a_checkpoint_of_another_run_is_refused(saved, cfg, mesh, change, sentence):
    with pytest.raises(CheckpointError, match=f"was written by another run: .*{sentence}"):
        resume(saved, change(cfg), mesh)


@pytest.mark.slow
def test_a_change_of_how_often_to_save_is_not_another_run(saved, cfg, mesh):
    other = dataclasses.replace(cfg, train=dataclasses.replace(cfg.train, save_every=1, log_every=2))
    assert resume(saved, other, mesh)[1] == 3


@pytest.mark.slow
def test_a_checkpoint_with_a_part_missing_is_refused(saved, cfg, mesh):
    shutil.rmtree(saved / "checkpoints" / "3" / "state")
    with pytest.raises(CheckpointError, match=r"3 is damaged: file state/\S+: it is missing. No earlier checkpoint"):
        resume(saved, cfg, mesh)


@pytest.mark.slow
def test_a_checkpoint_with_a_truncated_file_is_refused(saved, cfg, mesh):
    files = [p for p in (saved / "checkpoints" / "3" / "state").rglob("*") if p.is_file() and p.stat().st_size > 10_000]
    for file in files:
        file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="3 is damaged: file state/.*: expected [0-9]+ bytes, got 100"):
        resume(saved, cfg, mesh)


@pytest.mark.slow
def test_a_checkpoint_without_its_config_is_refused(saved, cfg, mesh):
    (saved / "checkpoints" / "3" / "_CHECKPOINT_METADATA").unlink()
    with pytest.raises(CheckpointError, match="3 is damaged: file _CHECKPOINT_METADATA: it cannot be read|it is missing"):
        resume(saved, cfg, mesh)


def flip(file: Path, bit: int) -> None:
    """Changes one bit."""
    raw = bytearray(file.read_bytes())
    raw[bit // 8] ^= 1 << bit % 8
    file.write_bytes(raw)


@pytest.mark.slow
def test_one_bit_flipped_anywhere_is_refused_and_its_file_named(saved, cfg, rng):
    folder = saved / "checkpoints" / "3"
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    assert {"CHECKSUMS", "_CHECKPOINT_METADATA", "commit_success.txt"} <= {p.name for p in files}
    for file in files:
        for bit in rng.integers(0, 8 * file.stat().st_size, 30):
            flip(file, int(bit))
            with pytest.raises(CheckpointError, match=f"3 is damaged: file {file.relative_to(folder).as_posix()}: "):
                checkpoint.verify(folder)
            flip(file, int(bit))
    checkpoint.verify(folder)
    flip(folder / "state" / "_METADATA", 1000)
    with pytest.raises(CheckpointError, match="state/_METADATA: expected CRC-32"):
        spectral_jax.load(saved)


@pytest.mark.slow
def test_a_damaged_newest_checkpoint_offers_the_one_before(saved, cfg, mesh, state):
    with Checkpoints(saved / "checkpoints", cfg) as keeper:
        keeper.save(6, state, POSITION)
    data = max((saved / "checkpoints" / "6" / "state").rglob("*"), key=lambda p: p.stat().st_size)
    flip(data, 12_345)
    with pytest.raises(
        CheckpointError, match="6 is damaged: file .* Step 3 is intact: remove the folder .*/6 to continue from it"
    ):
        resume(saved, cfg, mesh)
    shutil.rmtree(saved / "checkpoints" / "6")
    assert resume(saved, cfg, mesh)[1] == 3


@pytest.mark.slow
def test_a_copied_checkpoint_still_verifies_and_a_lost_list_does_not(saved, tmp_path, state):
    copy = shutil.copytree(saved / "checkpoints" / "3", tmp_path / "elsewhere" / "3")
    assert equal(spectral_jax.load(copy)[1], state.params)
    (copy / "CHECKSUMS").unlink()
    with pytest.raises(CheckpointError, match="CHECKSUMS, which it was saved with, is missing"):
        spectral_jax.load(copy)


@pytest.mark.slow
def test_a_checkpoint_of_an_earlier_version_with_clipping_and_no_checksums_is_resumed(tmp_path, cfg, mesh, state):
    """Clipping had an empty place of its own in the optimiser's state."""
    clipped = dataclasses.replace(cfg, optim=dataclasses.replace(cfg.optim, clip_norm=1.0))
    before = dataclasses.replace(state, opt_state=(optax.EmptyState(), state.opt_state))
    said = {"config": json.loads(configure.to_json(clipped)), "data": POSITION, "versions": {}}
    with ocp.training.Checkpointer(tmp_path / "checkpoints") as keeper:
        keeper.save_checkpointables(3, {"state": before}, custom_metadata=said)
    restored, step = resume(tmp_path, clipped, mesh)
    assert step == 3
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    assert equal(restored, state)


def test_what_was_listed_before_a_crash_guards_all_but_the_time_of_completion(tmp_path):
    (tmp_path / "data").write_bytes(b"numbers")
    about = tmp_path / "_CHECKPOINT_METADATA"
    about.write_text('{"custom_metadata": {"checksums": "CRC-32", "lr": 1}}')
    checksums.write(tmp_path)
    about.write_text('{"custom_metadata": {"checksums": "CRC-32", "lr": 1}, "commit_timestamp_nsecs": 5}')
    (tmp_path / "commit_success.txt").write_text("done")
    assert checksums.damage(tmp_path) is None
    checksums.complete(tmp_path)
    assert checksums.damage(tmp_path) is None
    flip(tmp_path / "commit_success.txt", 3)
    assert "commit_success.txt: expected CRC-32" in checksums.damage(tmp_path)
    flip(tmp_path / "commit_success.txt", 3)
    about.write_text('{"custom_metadata": {"checksums": "CRC-32", "lr": 3}, "commit_timestamp_nsecs": 5}')
    assert "_CHECKPOINT_METADATA: expected CRC-32" in checksums.damage(tmp_path)
    assert [checksums.damage(tmp_path, (i, 2)) is None for i in range(2)].count(False) == 1


def test_an_unfinished_save_is_not_a_checkpoint(tmp_path, cfg, mesh):
    (tmp_path / "checkpoints" / "7.orbax-checkpoint-tmp").mkdir(parents=True)
    assert resume(tmp_path, cfg, mesh) is None


def test_load_of_a_folder_without_checkpoints_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="holds no finished checkpoint; expected a run's work folder"):
        spectral_jax.load(tmp_path)


# A process of its own: what Orbax leaves behind of a refused write would fail the tests after it.
FULL_DISK = """
import resource, signal, sys
sys.path.insert(0, {tests!r})
from made import tiny_run
from spectral_jax.train import partition
from spectral_jax.train.checkpoint import CheckpointError, Checkpoints
cfg = tiny_run.lean()
state = partition.create_state(cfg, partition.make_mesh(cfg))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    with Checkpoints({folder!r}, cfg) as keeper:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        keeper.save(6, state, {{}})
except CheckpointError as error:
    sys.stdout.write("SENTENCE " + str(error))
"""


@pytest.mark.slow
def test_a_full_disk_is_a_sentence_and_keeps_the_checkpoint_before(saved, cfg, mesh, state):
    """A limit on file size stands in for the full disk: the write itself is refused by the kernel."""
    script = FULL_DISK.format(tests=str(Path(__file__).parents[1]), folder=str(saved / "checkpoints"))
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=200)
    sentence = found.stdout.partition("SENTENCE ")[2]
    assert re.search("saving step 6 to .* failed: .*File too large.* The checkpoint of step 3 is intact", sentence), (
        found.stderr
    )
    assert "MB are free on its disk)" in sentence
    # Orbax logs a trace of the error that the sentence is about; at the process's end asyncio may print one of its closed loop.
    assert "File too large" not in found.stderr
    restored, step = resume(saved, cfg, mesh)
    assert step == 3
    assert equal(restored, state)


@pytest.mark.slow
def test_a_run_saves_to_a_bucket_and_resumes_from_it(bucket_address, cfg, mesh, state):
    where = f"{bucket_address}/run/checkpoints"
    kept = dataclasses.replace(cfg, train=dataclasses.replace(cfg.train, keep=2))
    with Checkpoints(where, kept) as keeper:
        for step in (3, 6, 9):
            keeper.save(step, state, POSITION)
    half = "commit_success.txt" if where.startswith("gs") else checksums.NAME
    for file in [name for name in bucket.sizes(f"{where}/9") if name != half]:
        bucket.write(f"{where}/12/{file}", b"killed while this was written")
    assert {name.split("/")[0] for name in bucket.sizes(where)} == {"6", "9", "12"}
    with Checkpoints(where, kept) as keeper:
        restored, step = keeper.resume(partition.abstract_state(kept, mesh))
        assert (step, equal(restored, state)) == (9, True)
        keeper.save(12, state, POSITION)
    cfg_read, params = spectral_jax.load(f"{bucket_address}/run")
    assert cfg_read == kept
    assert equal(params, state.params)
    assert {name.split("/")[0] for name in bucket.sizes(where)} == {"9", "12"}
