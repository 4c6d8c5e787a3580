"""Stores behind a local server: the same batches, what is missing is an error, and answers wait."""

import shutil
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
from made.tiny_store import build, config, same

from spectral_jax.data.loader import Loader
from spectral_jax.measure.reading.bucket import Bucket


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("served")
    (path / "numbers").write_bytes(bytes(range(100)))
    build(path / "s", {"one": 11, "two": 6}, keys={"one": ("HY", "TH"), "two": ("TH",)}, valid_share=0.5)
    shutil.copytree(path / "s", path / "flags")
    shutil.rmtree(path / "flags/one/HY_mask/c")
    shutil.copytree(path / "s", path / "times")
    shutil.rmtree(path / "times/one/HY_time/c")
    return path


@pytest.fixture(scope="module")
def bucket(folder):
    with Bucket(folder, latency_ms=0.0) as served:
        yield served


def read(bucket, span=None):
    request = urllib.request.Request(f"{bucket.address}/numbers", headers={"Range": f"bytes={span}"} if span else {})
    with urllib.request.urlopen(request) as answer:
        return list(answer.read())


def test_files_and_ranges_of_them_are_given_and_counted(bucket):
    before = bucket.counts()
    assert read(bucket) == list(range(100))
    assert read(bucket, "3-5") == [3, 4, 5]
    assert read(bucket, "98-") == [98, 99]
    assert read(bucket, "-4") == [96, 97, 98, 99]
    for wrong, span in (("numbers", "100-"), ("nothing", "0-1"), ("s", "0-1"), ("../../nothing", "0-1")):
        with pytest.raises(urllib.error.HTTPError, match="416|404"):
            urllib.request.urlopen(urllib.request.Request(f"{bucket.address}/{wrong}", headers={"Range": f"bytes={span}"}))
    after = bucket.counts()
    assert {name: after[name] - before[name] for name in after} == {"requests": 8, "bytes": 109, "missing": 3}


def test_an_answer_waits_for_its_latency_and_for_the_bytes_before_it(folder):
    with Bucket(folder, latency_ms=50.0, mb_per_s=0.001) as served:
        started = time.monotonic()
        read(served, "0-0")
        assert time.monotonic() - started >= 0.05
        read(served)
        assert time.monotonic() - started >= 0.1  # 101 bytes at 1000 a second


def test_batches_of_a_server_are_those_of_the_folder(folder, bucket):
    near, far = Loader(config(("HY", "TH")), folder / "s"), Loader(config(("HY", "TH")), f"{bucket.address}/s")
    assert far.left_out == near.left_out
    for i in range(4):
        assert same(near.batch(i), far.batch(i))
        assert near.location_names(i) == far.location_names(i)


def test_chunks_that_a_server_cannot_list_are_missed_when_they_are_read(bucket):
    with pytest.raises(ValueError, match="group one, array HY_mask is corrupt .*missing.*; copy it again"):
        Loader(config(("HY", "TH")), f"{bucket.address}/flags")
    loader = Loader(config(("HY",)), f"{bucket.address}/times")
    with pytest.raises(ValueError, match="group one, array HY_time is corrupt .*missing.*; copy it again"):
        loader.batch(0)


def test_a_patch_is_two_requests_at_most(folder):
    """The index of its shard, and itself; metadata, flags and times are there after the first batch."""
    cfg = config(("HY",))
    with Bucket(folder, latency_ms=0.0) as served:
        loader = Loader(cfg, f"{served.address}/s")
        loader.batch(0)
        before = served.counts()["requests"]
        present = sum(int(np.sum(loader.batch(i).sensors["HY"].present)) for i in range(1, 5))
        assert served.counts()["requests"] - before <= 2 * present
