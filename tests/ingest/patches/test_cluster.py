"""Workers: what they do is what one process does; one that lacks something, dies or cannot be reached is a sentence."""

import contextlib
import dataclasses
import functools
import os
import signal
import socket
import sys
import time

import pytest
from made.tiny_geotiffs import build_into, four_sites

from spectral_jax.data.store import open_store
from spectral_jax.ingest.patches import build, cluster, needed, shard
from spectral_jax.ingest.patches.products import product, table
from spectral_jax.measure import building

distributed = pytest.importorskip("distributed", reason="needs the extra spectral-jax[dask]")
A_SHARD = 2 * 12 * 12 * 12 * 2  # bytes of two locations


@pytest.fixture(scope="module")
def client():
    """A scheduler and two workers in this process, so that what is patched here is patched there."""
    cluster._hush()
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None, protocol="inproc://"
        ) as local,
        distributed.Client(local) as made,
    ):
        yield made


@pytest.fixture
def sites(tmp_path):
    return four_sites(tmp_path)


@pytest.fixture
def together(client, monkeypatch):
    """Builds with the workers of `client`."""

    def build_with(out, *folders, lines=None, **changes):
        report = (lines if lines is not None else []).append
        what = dataclasses.replace(needed.Needed(needed.version(), str(out), ()), **changes)
        with monkeypatch.context() as patch:
            patch.setattr(build.Help, "gathered", lambda *about: _gathered(client, what, report))
            inputs = build.Inputs(120.0, tuple(table.parsed(folder) for folder in folders))
            return build.build(inputs, out, report, A_SHARD, build.Help(workers=2))

    return build_with


def _gathered(client, what, say):
    made = cluster.Cluster(client, "the scheduler of this machine", what, say)
    made.check()
    return contextlib.nullcontext(made)


def files(store):
    return {p.relative_to(store).as_posix(): p.read_bytes() for p in sorted(store.rglob("*")) if p.is_file()}


def test_two_workers_write_what_one_process_writes(sites, tmp_path, together):
    build_into(tmp_path / "one.zarr", *sites, shard_bytes=A_SHARD)
    done = together(tmp_path / "two.zarr", *sites)
    assert (done.written, done.skipped, done.empty) == (32, 0, 0)
    assert done.valid == {"S2": 1.0, "S1": 1.0}
    assert files(tmp_path / "two.zarr") == files(tmp_path / "one.zarr")


def test_a_build_that_one_process_began_is_continued_by_workers(sites, tmp_path, together, monkeypatch):
    stored, calls = product.stored, []

    def interrupted(chip, window):
        calls.append(chip.name)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return stored(chip, window)

    out = tmp_path / "out.zarr"
    with monkeypatch.context() as patch:
        patch.setattr(product, "stored", interrupted)
        with pytest.raises(KeyboardInterrupt):
            build_into(out, *sites, shard_bytes=A_SHARD)
    assert open_store(out).groups["s2_s1"].valid("S2").sum() == 6
    done = together(out, *sites)
    assert (done.written, done.skipped) == (26, 6)
    build_into(tmp_path / "one.zarr", *sites, shard_bytes=A_SHARD)
    assert files(out) == files(tmp_path / "one.zarr")


def test_shards_of_one_file_are_written_by_one_worker(sites, tmp_path, together, monkeypatch):
    where, fill = {}, shard.fill

    def watched(task, threads):
        time.sleep(0.02)  # long enough for both workers to be busy
        where.setdefault((task.key, *sorted(task.granules)), set()).add(distributed.get_worker().address)
        return fill(task, threads)

    monkeypatch.setattr(shard, "fill", watched)
    monkeypatch.setattr(cluster.Cluster, "longest", lambda self, shards: 4)
    together(tmp_path / "out.zarr", *sites)
    of_s2 = [workers for (key, *_), workers in where.items() if key == "S2"]
    assert len(of_s2) == 4
    assert sum(len(workers) == 1 for workers in of_s2) >= 3  # by preference, not by force
    assert len(set().union(*of_s2)) == 2


def test_a_task_that_waits_for_a_worker_that_has_ended_is_given_to_any(sites, tmp_path, together, client, monkeypatch):
    """Dask keeps a task for the worker that it prefers when no other was there as that one ended."""
    given, submit, fill, ended = [], client.submit, shard.fill, []

    def watched(function, task, *others, **how):
        given.append((task.name, how.get("workers")))
        return submit(function, task, *others, **how)

    def look(self, now=False):
        self._workers = self._workers or dict(client.nthreads())
        preferred = [where[0] for _, where in given if where]
        ended.extend(preferred[:1] if not ended else [])
        return set(preferred[:1])

    def slow(task, threads=None):
        time.sleep(0.05)
        return fill(task, threads)

    monkeypatch.setattr(client, "submit", watched)
    monkeypatch.setattr(cluster.Cluster, "_look", look)
    monkeypatch.setattr(cluster.Cluster, "longest", lambda self, shards: 4)
    monkeypatch.setattr(shard, "fill", slow)
    assert together(tmp_path / "out.zarr", *sites).written == 32
    assert ended
    again = [name for name, where in given if where is None and (name, ended) in given]
    assert again
    build_into(tmp_path / "one.zarr", *sites, shard_bytes=A_SHARD)
    assert files(tmp_path / "out.zarr") == files(tmp_path / "one.zarr")


def test_what_a_worker_cannot_read_is_told_at_the_end_and_all_others_are_there(sites, tmp_path, together, monkeypatch):
    stored = product.stored

    def read(chip, window):
        if chip.product.key == "S2" and chip.name == "2":
            raise ValueError(f"{chip.path}: expected a whole GeoTIFF, and it is truncated.")
        return stored(chip, window)

    with monkeypatch.context() as patch:
        patch.setattr(product, "stored", read)
        with pytest.raises(ValueError, match="4 of 32 patches are missing.*\n  .*2.tif: expected a"):
            together(tmp_path / "out.zarr", *sites)
    assert together(tmp_path / "out.zarr", *sites).written == 4


def test_a_disk_that_is_full_for_a_worker_ends_the_build(sites, tmp_path, together, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(shard.Group, "write_shard", functools.partialmethod(_full))
        with pytest.raises(OSError, match=r"s2_s1/S[12]/c/\d+ could not be written \(no room"):
            together(tmp_path / "out.zarr", *sites)
    assert together(tmp_path / "out.zarr", *sites).written == 32


def _full(group, first, key, pixels, threads):
    raise OSError(f"store: {group.name}/{key}/c/{first} could not be written (no room).")


def test_a_passing_failure_is_tried_again_and_a_lasting_one_leaves_the_rest_done(sites, tmp_path, together, monkeypatch):
    failures, fill = [], shard.fill

    def failing(task, threads):
        if task.key == "S1" or (task.first == 4 and len(failures) < cluster.RETRIES):
            failures.append(task.first)
            raise MemoryError("no memory left")
        return fill(task, threads)

    with monkeypatch.context() as patch:
        patch.setattr(shard, "fill", failing)
        with pytest.raises(ValueError, match=r"16 of 32 patches are missing.*\n  s2_s1 S1 \d+: no memory"):
            together(tmp_path / "out.zarr", *sites)
    assert open_store(tmp_path / "out.zarr").groups["s2_s1"].valid("S2").all()


def test_workers_that_lack_something_are_refused_before_the_first_shard(sites, tmp_path, together):
    with pytest.raises(ValueError, match="worker inproc:.*: it has spectral_jax .*, and this process 0.0.1; install the same"):
        together(tmp_path / "out.zarr", *sites, version="0.0.1")
    with pytest.raises(
        ValueError, match="worker .*: it sees no store at /elsewhere; give an --out on a disk that all machines"
    ):
        together(tmp_path / "out.zarr", *sites, store="/elsewhere")
    with pytest.raises(
        ValueError, match="worker .*: it does not see the folder /elsewhere; products must lie on a disk that all"
    ):
        together(tmp_path / "out.zarr", *sites, folders=("/elsewhere",))
    assert not open_store(tmp_path / "out.zarr").groups["s2_s1"].valid("S2").any()


def test_a_worker_that_joins_later_and_lacks_something_ends_the_build(sites, tmp_path, together, monkeypatch):
    monkeypatch.setattr(cluster.Cluster, "check", lambda self: self._look(True))
    with pytest.raises(ValueError, match="worker inproc:.*: it has spectral_jax .*, and this process 0.0.1"):
        together(tmp_path / "out.zarr", *sites, version="0.0.1")


def test_a_scheduler_that_cannot_be_reached_is_refused_in_time(sites, tmp_path, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        where = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.3)
    inputs = build.Inputs(120.0, tuple(table.parsed(folder) for folder in sites))
    with pytest.raises(OSError, match=f"--scheduler: {where} did not answer within 0.3 s; see that it runs"):
        build.build(inputs, tmp_path / "out.zarr", lambda line: None, help=build.Help(scheduler=where))
    with pytest.raises(ValueError, match="--scheduler: expected an address such as tcp://10.0.0.5:8786, got nonsense://x"):
        build.build(inputs, tmp_path / "out.zarr", lambda line: None, help=build.Help(scheduler="nonsense://x"))


def test_help_of_two_kinds_and_fewer_than_no_workers_are_refused():
    with pytest.raises(ValueError, match="--workers starts workers on this machine, and --scheduler takes .*; give one of"):
        build.Help(workers=2, scheduler="tcp://a:1")
    with pytest.raises(ValueError, match="--workers: expected a number of processes, 0 for this one alone, got -1"):
        build.Help(workers=-1)


def test_a_scheduler_without_workers_is_waited_for_and_then_told(monkeypatch, client):
    monkeypatch.setattr(cluster, "ALONE_SECONDS", 0.05)
    monkeypatch.setattr(client, "wait_for_workers", lambda n, timeout: (_ for _ in ()).throw(TimeoutError()))
    monkeypatch.setattr(client, "nthreads", dict)
    lines = []
    made = cluster.Cluster(client, "--scheduler: tcp://a:1", needed.Needed(needed.version(), "/", ()), lines.append)
    with pytest.raises(OSError, match="--scheduler: tcp://a:1 has had no worker for 0.05 s; start some"):
        made.check()
    made._workers = {"tcp://b:2": 1}
    made._look(True)
    assert lines == ["worker tcp://b:2 has ended; what it was writing is given to another."]
    time.sleep(0.1)
    with pytest.raises(OSError, match="all workers have ended, and none came back in 0.05 s; .* it continues where it stopped"):
        made._look(True)


def test_without_dask_the_extra_is_named(sites, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    inputs = build.Inputs(120.0, tuple(table.parsed(folder) for folder in sites))
    for about in (build.Help(workers=2), build.Help(scheduler="tcp://a:1")):
        with pytest.raises(ImportError, match=r"needs distributed, and it is not installed; install the extra dask"):
            build.build(inputs, tmp_path / "out.zarr", lambda line: None, help=about)


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_nothing(sites, tmp_path):
    """Processes of their own; one is killed as the tasks are given out, and another comes into its place."""
    lines = []

    def report(line):
        lines.append(line)
        if "dashboard" in line:
            os.kill(building.workers_of(os.getpid())[0], signal.SIGKILL)

    build_into(tmp_path / "one.zarr", *sites, shard_bytes=1)
    inputs = build.Inputs(120.0, tuple(table.parsed(folder) for folder in sites))
    done = build.build(inputs, tmp_path / "two.zarr", report, 1, build.Help(workers=2))
    assert [line for line in lines if "2 workers on this machine; Dask's dashboard: http://127.0.0.1:" in line]
    assert done.written == 32
    assert files(tmp_path / "two.zarr") == files(tmp_path / "one.zarr")
