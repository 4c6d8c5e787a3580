"""Feed: host batches to sharded device arrays, ahead of the step."""

import queue
import threading
import time
from collections.abc import Iterable, Iterator

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from spectral_jax.batch import BATCH_AXES, Batch

_POLL_SECONDS = 0.1  # how soon the thread notices that nobody waits for it any more


class Feed:
    """Iterator of device batches, made by a background thread.

    At most `ahead` batches are ready or in the making. An error of the loader is raised in the consumer, in place of the batch
    it belongs to. Use as a context manager, or call `close`; the thread ends with it.

    Attributes:
      wait_seconds: time the consumer has waited for batches so far; 0 when the loader keeps up.
    """

    def __init__(self, batches: Iterable[Batch], mesh: Mesh, ahead: int = 2):
        """Starts the thread.

        Args:
          batches: host batches of this process.
          mesh: with the axes of `BATCH_AXES`; locations are split over both.
          ahead: batches held ready, at least 1.

        Raises:
          ValueError: `ahead` is below 1, or the mesh lacks an axis.
        """
        if ahead < 1:
            raise ValueError(f"data.prefetch: expected at least 1 batch held ready, got {ahead}.")
        lacking = [a for a in BATCH_AXES if a not in mesh.axis_names]
        if lacking:
            raise ValueError(
                f"feed: expected a mesh with axes {BATCH_AXES}, got {mesh.axis_names}; make it with train.partition."
            )
        self.wait_seconds = 0.0
        self._sharding = NamedSharding(mesh, PartitionSpec(BATCH_AXES))
        self._ready: queue.Queue = queue.Queue()
        self._room = threading.Semaphore(ahead)
        self._closed = threading.Event()
        self._finished = False
        self._thread = threading.Thread(target=self._fill, args=(batches,), name="spectral_jax feed", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        if self._finished:
            raise StopIteration
        started = time.monotonic()
        batch, error = self._ready.get()
        self.wait_seconds += time.monotonic() - started
        self._room.release()
        if batch is None:
            self._finished = True
            self._thread.join()
            raise error if error is not None else StopIteration
        return batch

    def __enter__(self) -> "Feed":
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        """Stops the thread and waits for it; the loader's current batch is finished first, and its workers are stopped."""
        self._closed.set()
        self._finished = True
        self._thread.join()

    def _fill(self, batches: Iterable[Batch]):
        iterator = iter(batches)
        last = None
        try:
            while self._wait_for_room():
                batch = next(iterator, None)
                if batch is None or self._closed.is_set():
                    break
                self._ready.put((jax.tree.map(self._place, batch), None))
        except BaseException as error:  # whatever it is, the consumer has to see it: a thread has nobody above it
            last = error
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()
            self._ready.put((None, last))

    def _wait_for_room(self) -> bool:
        while not self._closed.is_set():
            if self._room.acquire(timeout=_POLL_SECONDS):
                return True
        return False

    def _place(self, leaf: np.ndarray) -> jax.Array:
        # On CPU JAX may keep an aligned NumPy array itself as the device buffer. The copy is what the device array may keep;
        # the host array stays its owner's.
        own = np.array(leaf) if self._sharding.mesh.devices.flat[0].platform == "cpu" else leaf
        return jax.make_array_from_process_local_data(self._sharding, own)
