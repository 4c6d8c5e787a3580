import threading
import time

import jax
import numpy as np
import pytest
from jax.sharding import AxisType

from spectral_jax.batch import Batch, SensorData
from spectral_jax.data import feed
from spectral_jax.data.feed import Feed
from spectral_jax.data.store_read import local


@pytest.fixture
def mesh():
    return jax.make_mesh((4, 2), ("data", "fsdp"), axis_types=(AxisType.Auto,) * 2)


def batch(number: int, size: int = 16) -> Batch:
    pixels = np.full((size, 4, 4, 3), number, np.int16) + np.arange(size, dtype=np.int16)[:, None, None, None]
    data = SensorData(pixels, np.ones(size, bool), np.full(size, number, np.float32))
    return Batch({"S2": data}, np.arange(size, dtype=np.int32), np.zeros(size, np.int32))


def aligned(array: np.ndarray) -> np.ndarray:
    """A copy that begins at a multiple of 64 bytes: JAX takes such an array on CPU as the device buffer itself."""
    raw = np.empty(array.nbytes + 64, np.uint8)
    start = -raw.ctypes.data % 64
    out = raw[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    out[:] = array
    return out


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "spectral_jax feed"]


def test_batches_arrive_in_order_and_then_it_ends(mesh):
    with Feed((batch(i) for i in range(7)), mesh, ahead=2) as found:
        assert [int(b.sensors["S2"].pixels[0, 0, 0, 0]) for b in found] == list(range(7))
        with pytest.raises(StopIteration):
            next(found)
    assert threads() == []


@pytest.mark.multidevice
def test_locations_are_split_over_all_devices(mesh):
    host = batch(3)
    with Feed([host], mesh, ahead=1) as found:
        device = next(found)
    for leaf, expected in zip(jax.tree.leaves(device), jax.tree.leaves(host), strict=True):
        assert leaf.sharding.spec == jax.sharding.PartitionSpec(("data", "fsdp"))
        assert len(leaf.addressable_shards) == 8
        for shard in leaf.addressable_shards:
            place = np.argwhere(mesh.devices == shard.device)[0]
            start = 2 * (2 * place[0] + place[1])
            np.testing.assert_array_equal(np.asarray(shard.data), expected[start : start + 2])
    assert device.sensors["S2"].valid is None
    assert device.sensors["S2"].pixels.dtype == np.int16


def test_device_arrays_do_not_change_with_the_host_arrays(mesh):
    one = jax.make_mesh((1, 1), ("data", "fsdp"), axis_types=(AxisType.Auto,) * 2, devices=jax.devices()[:1])
    for where in (mesh, one):
        host = jax.tree.map(aligned, batch(1, size=64))
        with Feed([host], where) as found:
            device = next(found)
        host.sensors["S2"].pixels[:] = -1
        host.location[:] = -1
        assert int(device.sensors["S2"].pixels.min()) == 1
        assert int(device.location.min()) == 0


def test_no_more_than_ahead_batches_are_made(mesh):
    made, waiting = [], threading.Semaphore(0)

    def source():
        for i in range(10):
            made.append(i)
            waiting.release()
            yield batch(i)

    with Feed(source(), mesh, ahead=3) as found:
        for _ in range(3):
            assert waiting.acquire(timeout=10)
        # Room for a fourth comes only when one is taken.
        assert not waiting.acquire(timeout=0.3)
        assert made == [0, 1, 2]
        next(found)
        assert waiting.acquire(timeout=10)
        assert made == [0, 1, 2, 3]
    assert threads() == []


def test_an_error_of_the_loader_arrives_after_the_batches_before_it(mesh):
    def source():
        yield batch(0)
        raise ValueError("group g, array HY, location 4")

    with Feed(source(), mesh, ahead=4) as found:
        assert int(next(found).sensors["S2"].time[0]) == 0
        with pytest.raises(ValueError, match="group g, array HY, location 4"):
            next(found)
        with pytest.raises(StopIteration):
            next(found)
    assert threads() == []


def test_closing_early_stops_the_thread_and_closes_the_source(mesh):
    closed = threading.Event()

    def source():
        try:
            for i in range(1000):
                yield batch(i)
        finally:
            closed.set()

    found = Feed(source(), mesh, ahead=2)
    next(found)
    found.close()
    found.close()
    assert closed.is_set()
    assert threads() == []


def test_wait_is_the_time_between_asking_and_getting(mesh, monkeypatch):
    """A clock that only the source moves: 5 s for each batch, as the consumer sees it."""
    now, asked = [0.0], threading.Semaphore(0)

    class Clock:
        @staticmethod
        def monotonic():
            value = now[0]
            asked.release()
            return value

    def source():
        for i in range(2):
            assert asked.acquire(timeout=10)  # the consumer has looked at its clock and waits
            now[0] += 5.0
            yield batch(i)
            assert asked.acquire(timeout=10)  # it has looked again

    monkeypatch.setattr(feed, "time", Clock)
    with Feed(source(), mesh, ahead=1) as found:
        assert found.wait_seconds == 0.0
        next(found)
        assert found.wait_seconds == 5.0
        now[0] += 100.0  # the step: not waiting
        next(found)
        assert found.wait_seconds == 10.0


def test_wrong_arguments_are_sentences(mesh):
    with pytest.raises(ValueError, match="data.prefetch: expected at least 1 batch held ready, got 0"):
        Feed([], mesh, ahead=0)
    other = jax.make_mesh((8,), ("x",), axis_types=(AxisType.Auto,))
    with pytest.raises(ValueError, match=r"expected a mesh with axes \('data', 'fsdp'\), got \('x',\)"):
        Feed([], other)
    assert threads() == []


def test_local_part_of_a_device_array_is_in_order(mesh):
    with Feed([batch(0)], mesh) as found:
        device = next(found)
    np.testing.assert_array_equal(local(device.location), np.arange(16))
    np.testing.assert_array_equal(local(np.arange(3)), [0, 1, 2])


def test_thread_is_not_left_when_the_consumer_fails(mesh):
    def consume():
        with Feed((batch(i) for i in range(100)), mesh):
            raise RuntimeError("the step failed")

    with pytest.raises(RuntimeError, match="the step failed"):
        consume()
    deadline = time.monotonic() + 10
    while threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threads() == []
