"""Whether the loader feeds steps of a given time through a server that answers after a while, and what it asks of it."""

import time

from spectral_jax.config import Config
from spectral_jax.data.feed import Feed
from spectral_jax.data.loader import Loader
from spectral_jax.measure.reading.bucket import Bucket
from spectral_jax.train import partition

WARM = 2  # steps that are not counted: the first batches are waited for


def feed(
    cfg: Config, folder: str, batches: int = 24, step_s: float = 0.5, latency_ms: float = 20.0, mb_per_s: float = 200.0
) -> dict:
    """Takes a batch, waits as long as a step would last, and so on, as training does.

    Args:
      cfg: the run; all of `data.batch_size` is read by this one process, with `data.workers`.
      folder: the store, on this machine; the server is put before it.
      batches: how many are taken after the first two.
      step_s: seconds of a step.
      latency_ms: from a request to its answer.
      mb_per_s: of all answers together.

    Returns:
      JSON-ready: "opened" and "first" in seconds; "step", the mean seconds from batch to batch, and "waited", the share of them
      spent waiting for the loader; "keeps_up", whether that is below a twentieth; then, reading without steps, seconds of a
      batch, "fastest", and of this process's cores, "cores" (of worker processes nothing), "requests" a location, "bytes" sent
      per byte used, and "mb_per_s".
    """
    with Bucket(folder, latency_ms, mb_per_s) as bucket:
        started = time.perf_counter()
        loader = Loader(cfg, bucket.address)
        out: dict = {"opened": time.perf_counter() - started}
        total = WARM + batches
        with Feed(loader.batches(0, total), partition.make_mesh(cfg), ahead=cfg.data.prefetch) as ready:
            next(ready)
            out["first"] = time.perf_counter() - started
            time.sleep(step_s)
            next(ready)
            begun, waited = time.perf_counter(), ready.wait_seconds
            for _ in range(batches):
                time.sleep(step_s)
                next(ready)
            seconds = time.perf_counter() - begun
            out |= {"step": seconds / batches, "waited": (ready.wait_seconds - waited) / seconds}
        out["keeps_up"] = out["waited"] < 0.05
        before = bucket.counts()
        begun, busy, used = time.perf_counter(), time.process_time(), 0
        for batch in loader.batches(total, total + batches):
            used += sum(int(data.present.sum()) * data.pixels[0].nbytes for data in batch.sensors.values())
        seconds, busy, after = time.perf_counter() - begun, time.process_time() - busy, bucket.counts()
    sent = after["bytes"] - before["bytes"]
    return out | {
        "fastest": seconds / batches,
        "cores": busy / batches,
        "requests": (after["requests"] - before["requests"]) / (batches * cfg.data.batch_size),
        "bytes": sent / used,
        "mb_per_s": sent / seconds / 1e6,
    }
