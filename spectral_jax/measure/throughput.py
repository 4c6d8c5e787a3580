"""How fast the loader is against TensorStore reading the same patches with nothing around it, and whether memory is flat."""

import statistics
import time

import numpy as np

from spectral_jax.config import Config
from spectral_jax.data import store
from spectral_jax.data.loader import Loader


def loader(cfg: Config, path: str, batches: int = 32, repeats: int = 5) -> dict:
    """Bytes a second of the loader and of bare reads of the same patches.

    The bare read asks for all patches of a batch at once and waits; every patch, with all stored bands, becomes a fresh array
    in the order in which it is stored, so it pays neither for a transpose nor for assembling a batch. Both run in this process;
    runs alternate, each with a cache of its own, and the first, unmeasured, run of both fills the page cache. Only the
    bytes of the used bands are counted, for both.

    Args:
      cfg: the run; its `data.store` is not looked at.
      path: the store; its patches must have the footprint of `cfg.model`.
      batches: how many a run reads.
      repeats: runs of each.

    Returns:
      JSON-ready: "loader" and "bare" with "min", "median" and "max" in bytes/s, "ratio" of the medians, "ratios" run by run,
      "bytes" of a run and "batches".

    Raises:
      ValueError: the patches are larger than the footprint, so that the two would not read the same.
    """
    reference = Loader(cfg, path)
    if reference.store.footprint_m != cfg.model.footprint_m:
        raise ValueError(
            f"throughput: expected a store of the config's footprint {cfg.model.footprint_m:g} m, got "
            f"{reference.store.footprint_m:g} m; the bare reads would read more than the loader."
        )
    wanted = [patches(reference, i) for i in range(batches)]
    total = sum(pixels for batch in wanted for *_, pixels in batch)
    speeds: dict[str, list[float]] = {"loader": [], "bare": []}
    for repeat in range(repeats + 1):
        for name, seconds in (
            ("loader", time_loader(cfg, path, batches)),
            ("bare", _time_bare(cfg, path, wanted)),
        ):
            if repeat:
                speeds[name].append(total / seconds)
    out: dict = {name: _spread(values) for name, values in speeds.items()}
    out["ratio"] = out["loader"]["median"] / out["bare"]["median"]
    out["ratios"] = [a / b for a, b in zip(speeds["loader"], speeds["bare"], strict=True)]
    return out | {"bytes": total, "batches": batches}


def memory(cfg: Config, path: str, batches: int = 1000, settled: int = 200) -> dict:
    """Resident memory of this process in bytes at the start, after `settled` batches and at the end.

    Memory grows by design until the cache is full; after `settled` batches it has to stay.

    Args:
      cfg: the run.
      path: the store.
      batches: how many are read.
      settled: after how many memory should not grow any more.

    Returns:
      JSON-ready: "start", "settled", "end" and "batches".
    """
    made = Loader(cfg, path)
    start = middle = resident_bytes()
    for number, _ in enumerate(made.batches(0, batches, workers=0), start=1):
        if number == settled:
            middle = resident_bytes()
    return {"start": start, "settled": middle, "end": resident_bytes(), "batches": batches}


def write_random_store(path, cfg: Config, locations: int, seed: int = 0) -> None:
    """Writes a store of random integers, which no codec makes smaller, with one group that has all of the config's sensors."""
    rng = np.random.default_rng(seed)
    specs = {s.key: s.spec for s in cfg.sensors}
    made = store.create(
        path, [store.GroupLayout("random", specs, locations, 1)], footprint_m=cfg.model.footprint_m, simulated=False
    )
    group = made.groups["random"]
    for key, spec in specs.items():
        px, step = cfg.patch_px(key), group.shard_locations(key)
        for first in range(0, locations, step):
            n = min(step, locations - first)
            pixels = rng.integers(0, 10000, (n, 1, len(spec.bands), px, px)).astype(spec.dtype)
            group.write_block(first, key, pixels, np.ones((n, 1), bool), np.full((n, 1), 9000.0))
    ids = [f"random-{i}" for i in range(locations)]
    square = np.tile([cfg.model.footprint_m, 0, 4e5, 0, -cfg.model.footprint_m, 5e6], (locations, 1))
    group.write_locations(0, ids, np.zeros((locations, 2)), np.full(locations, 32633, np.int32), square)


def resident_bytes() -> int:
    """Resident memory of this process, bytes; from /proc, so on Linux only."""
    with open("/proc/self/status") as file:
        line = next(x for x in file if x.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def patches(made: Loader, i: int) -> list[tuple[str, str, int, int, int]]:
    """Group, key, location, date and stored bytes of every patch that batch `i` takes."""
    name = made.group_name(i)
    group = made.store.groups[name]
    out = []
    batch = made.batch(i)
    assert batch.location is not None  # the loader's batches say where they are from
    for key, data in batch.sensors.items():
        times = group.times(key)[batch.location].astype(np.float32)
        dates = np.argmax(group.valid(key)[batch.location] & (times == data.time[:, None]), axis=1)
        for row, date, present in zip(batch.location, dates, data.present, strict=True):
            if present:
                out.append((name, key, int(row), int(date), data.pixels[0].nbytes))
    return out


def time_loader(cfg: Config, path: str, batches: int) -> float:
    """Seconds in which a new loader, whose cache is empty, gives so many batches."""
    made = Loader(cfg, path)
    started = time.perf_counter()
    for _ in made.batches(0, batches, workers=0):
        pass
    return time.perf_counter() - started


def _time_bare(cfg: Config, path: str, wanted: list) -> float:
    opened = store.open_store(path, {s.key: s.spec for s in cfg.sensors}, cfg.data.cache_bytes)
    started = time.perf_counter()
    for batch in wanted:
        reads = (
            opened.groups[name].pixels(key, complete=True)[row, date].transpose([1, 2, 0]) for name, key, row, date, _ in batch
        )
        for future in [patch.read() for patch in reads]:
            future.result()
    return time.perf_counter() - started


def _spread(values: list[float]) -> dict[str, float]:
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}
