"""Writes planned patches shard by shard, skips what an earlier run finished, and sums up."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from spectral_jax.data.store import Group, Store
from spectral_jax.ingest.patches import plan
from spectral_jax.ingest.raster import geotiff

PROGRESS_SECONDS = 5.0


@dataclasses.dataclass(frozen=True)
class BuildSummary:
    """What a build did.

    Attributes:
      store: the store, complete.
      written: patches written by this run.
      skipped: patches that an earlier run had finished.
      valid: sensor key -> part of the pixels written by this run that hold data in every used band.
      empty: patches written by this run in which no pixel does.
      clipped: numbers written by this run that lay outside the range of the store's type and were moved to its ends.
      void: sensor key -> used bands of which no number written by this run holds data; while there is one, no pixel counts.
    """

    store: Store
    written: int
    skipped: int
    valid: dict[str, float]
    empty: int
    clipped: int = 0
    void: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def text(self) -> str:
        """What was done and what to do next, in lines."""
        store = self.store
        if not self.written:
            lines = [f"{store.path} was complete already: {self.skipped} patches; nothing was written."]
        else:
            before = f" ({self.skipped} patches were there from an earlier run)" if self.skipped else ""
            lines = [f"{store.path} is complete: {self.written} patches of {store.footprint_m:g} m written{before}."]
        for group in store.groups.values():
            sensors = ", ".join(f"{key} ({spec.name})" for key, spec in group.sensors.items())
            lines.append(f"  group {group.name}: {group.locations} locations, at most {group.dates} dates, {sensors}")
        lines += [f"  {key}: {part:.1%} of the pixels hold data in every used band" for key, part in self.valid.items()]
        for key, bands in self.void.items():
            lines.append(f"  {key}: {', '.join(bands[:5])} hold no data in any patch, so a model sees no pixel of {key}")
        if self.empty:
            lines.append(f"  {self.empty} patches hold no such pixel; they are stored, and a model sees them as missing")
        if self.clipped:
            lines.append(f"  {self.clipped} numbers lay outside the range of the store's type and were clipped to its ends")
        run = f"runs/{Path(store.path).stem}"
        return "\n".join(
            [
                *lines,
                "",
                "What to do next: pretrain on it, with a config whose sensors are those above:",
                "  uv run python experiments/pretrain.py --config=experiments/configs/real_mini.py \\",
                f"      --config.data.store={store.path} \\",
                f"      --config.model.footprint_m={store.footprint_m:g} --workdir={run}",
            ]
        )


class _Progress:
    """Counts patches, and says where the build is, at most every few seconds."""

    def __init__(self, total: int, report: Callable[[str], None]):
        self.total, self.report = total, report
        self.written = self.skipped = self.empty = self.clipped = 0
        self.pixels: dict[str, list[int]] = {}
        self.seen: dict[str, np.ndarray] = {}  # which used bands held data in any patch
        self.bands: dict[str, list[str]] = {}
        self.start = self.last = time.monotonic()

    def add(self, key: str, spec, pixels: np.ndarray):
        used = pixels[list(spec.used_index)]
        there = used != spec.nodata if spec.nodata is not None else np.ones(used.shape, bool)
        good = int(there.all(axis=0).sum())
        self.bands[key] = [band.name for band in spec.used]
        self.seen[key] = there.any(axis=(1, 2)) | self.seen.get(key, np.zeros(len(used), bool))
        counts = self.pixels.setdefault(key, [0, 0])
        counts[0] += good
        counts[1] += used[0].size
        self.empty += good == 0
        self.written += 1
        if time.monotonic() - self.last > PROGRESS_SECONDS:
            self.last = time.monotonic()
            self.say()

    def say(self):
        done = self.written + self.skipped
        took = time.monotonic() - self.start
        left = took / max(1, self.written) * (self.total - done)
        self.report(f"{done} of {self.total} patches, {took:.0f} s, about {left:.0f} s to go")


def write(store: Store, plans: list[plan.GroupPlan], report: Callable[[str], None] = print) -> BuildSummary:
    """Writes every patch that is not finished yet.

    A patch counts as finished when its flag in `<KEY>_mask` is set, which is written after its pixels.

    Args:
      store: made for these plans.
      plans: what belongs where.
      report: takes one line of progress.

    Raises:
      ValueError: a file is damaged; what was written stays, and the next run goes on there.
      OSError: the store cannot be written.
    """
    total = sum(len(p) for group in plans for place in group.locations for p in place.dates.values())
    progress = _Progress(total, report)
    for group_plan in plans:
        group = store.groups[group_plan.name]
        for key in group_plan.products:
            _write_sensor(group, group_plan, key, store.footprint_m, progress)
    if progress.written:
        progress.say()
    valid = {key: good / total for key, (good, total) in progress.pixels.items()}
    void = {key: tuple(np.array(progress.bands[key])[~seen].tolist()) for key, seen in progress.seen.items() if not seen.all()}
    if valid and not any(valid.values()):
        empty = "; ".join(f"{key}: {len(bands)} bands are empty" for key, bands in void.items())
        raise ValueError(
            f"{store.path}: of all {progress.written} patches that were written no pixel holds data in every used band "
            f"({empty or 'never all bands at once'}); nothing can be trained on it. Look at the files' fill values and masks, "
            "and build it again."
        )
    return BuildSummary(store, progress.written, progress.skipped, valid, progress.empty, progress.clipped, void)


def _write_sensor(group: Group, group_plan: plan.GroupPlan, key: str, footprint_m: float, progress: _Progress):
    """Shard by shard: a shard without a finished patch is written at once, else only its missing patches."""
    spec = group_plan.products[key].spec
    step = group.shard_locations(key)
    for first in range(0, len(group_plan.locations), step):
        places = group_plan.locations[first : first + step]
        planned = np.array([[d < len(x.dates[key]) for d in range(group.dates)] for x in places])
        done = group.valid(key)[first : first + len(places)] & planned
        progress.skipped += int(done.sum())
        if (done == planned).all():
            continue
        _write_places(group, first, places, footprint_m)
        block = {}
        for i, d in np.argwhere(planned & ~done):
            patch = places[i].dates[key][d]
            pixels, clipped = patch.stored()
            progress.clipped += clipped
            if done.any():
                group.write_patch(first + int(i), int(d), key, pixels, patch.chip.time_days or 0.0)
            else:
                block[int(i), int(d)] = pixels
            progress.add(key, spec, pixels)
        if block:
            shape = next(iter(block.values())).shape
            pixels = np.full((*planned.shape, *shape), spec.nodata or 0, spec.dtype)
            times = np.zeros(planned.shape)
            for (i, d), values in block.items():
                pixels[i, d] = values
                times[i, d] = places[i].dates[key][d].chip.time_days or 0.0
            group.write_block(first, key, pixels, planned, times)


def _write_places(group: Group, first: int, places: tuple[plan.PlannedLocation, ...], side: float):
    centres = np.zeros((len(places), 2))
    systems = [p.crs for p in places]
    for crs in set(systems):
        rows = [i for i, other in enumerate(systems) if other == crs]
        eastings = np.array([places[i].left + side / 2 for i in rows])
        northings = np.array([places[i].top - side / 2 for i in rows])
        centres[rows] = geotiff.lonlat(crs, eastings, northings)
    squares = [(side, 0.0, p.left, 0.0, -side, p.top) for p in places]
    group.write_locations(first, [p.name for p in places], centres, [p.crs.to_epsg() or 0 for p in places], squares)
