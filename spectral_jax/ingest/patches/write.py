"""Writes planned patches shard by shard, skips what an earlier run finished, and sums up.

The flags of the store are the record of what is finished. One process sets them, this one, after a shard is in its place under
its name: a worker that dies has written its shard or nothing, and a shard without flags is written again, to the same bytes.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from spectral_jax.addresses import address
from spectral_jax.data.store import Group, Store
from spectral_jax.ingest.patches import crew, plan, shard
from spectral_jax.ingest.raster import geotiff

PROGRESS_SECONDS = 5.0
MOST_TOLD = 20  # granules that could not be read, in the report


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
        run = f"runs/{Path(address.last(store.path) if address.is_address(store.path) else store.path).stem}"
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
    """Sums up what became of tasks, and says where the build is, at most every few seconds."""

    def __init__(self, total: int, skipped: int, report: Callable[[str], None]):
        self.total, self.skipped, self.report = total, skipped, report
        self.written = self.empty = self.clipped = 0
        self.pixels: dict[str, list[int]] = {}
        self.seen: dict[str, np.ndarray] = {}  # which used bands held data in any patch
        self.bands: dict[str, list[str]] = {}
        self.damaged: dict[str, str] = {}
        self.start = self.last = time.monotonic()

    def add(self, task: shard.Task, outcome: shard.Outcome, who: str):
        self.damaged |= outcome.damaged
        if outcome.seen is not None:
            spec, counts = task.group.sensors[task.key], self.pixels.setdefault(task.key, [0, 0])
            self.bands[task.key] = [band.name for band in spec.used]
            self.seen[task.key] = outcome.seen | self.seen.get(task.key, np.zeros(len(outcome.seen), bool))
            counts[0] += outcome.good
            counts[1] += outcome.pixels
        self.empty += outcome.empty
        self.clipped += outcome.clipped
        self.written += int(outcome.written.sum())
        if time.monotonic() - self.last > PROGRESS_SECONDS:
            self.last = time.monotonic()
            self.say(who)

    def say(self, who: str = ""):
        done = self.written + self.skipped
        took = time.monotonic() - self.start
        left = took / max(1, self.written) * (self.total - done)
        self.report(f"{done} of {self.total} patches, {took:.0f} s, about {left:.0f} s to go{who}")


def write(
    store: Store, plans: list[plan.GroupPlan], report: Callable[[str], None] = print, workers: crew.Crew | None = None
) -> BuildSummary:
    """Writes every patch that is not finished yet.

    A patch counts as finished when its flag in `<KEY>_mask` is set, which is written after its pixels.

    Args:
      store: made for these plans.
      plans: what belongs where.
      report: takes one line of progress.
      workers: who writes shards; None: this process.

    Raises:
      ValueError: files are damaged; all others are in the store, and the next run goes on with these.
      OSError: the store cannot be written, or the workers are gone; the next run goes on there.
    """
    workers = workers or crew.Alone()
    total, skipped, shards = _begun(store, plans)
    progress = _Progress(total, skipped, report)
    if skipped < total:
        for group_plan in plans:
            group = store.groups[group_plan.name]
            group.clear_leftovers()
            _write_places(group, group_plan.locations, store.footprint_m)
        for task, outcome in workers.run(_chains(store, plans, workers.longest(shards))):
            if outcome.unwritable:
                raise OSError(outcome.unwritable)
            shard.record(task, outcome)
            progress.add(task, outcome, workers.told)
        progress.say()
    valid = {key: good / total for key, (good, total) in progress.pixels.items()}
    void = {key: tuple(np.array(progress.bands[key])[~seen].tolist()) for key, seen in progress.seen.items() if not seen.all()}
    if progress.damaged:
        raise ValueError(_damaged(store, progress))
    if valid and not any(valid.values()):
        empty = "; ".join(f"{key}: {len(bands)} bands are empty" for key, bands in void.items())
        raise ValueError(
            f"{store.path}: of all {progress.written} patches that were written no pixel holds data in every used band "
            f"({empty or 'never all bands at once'}); nothing can be trained on it. Look at the files' fill values and masks, "
            "and build it again."
        )
    return BuildSummary(store, progress.written, progress.skipped, valid, progress.empty, progress.clipped, void)


def is_unfinished(store: Store, plans: list[plan.GroupPlan]) -> bool:
    """Whether a planned patch is missing."""
    total, finished, _ = _begun(store, plans)
    return finished < total


def _begun(store: Store, plans: list[plan.GroupPlan]) -> tuple[int, int, int]:
    """Planned patches, how many of them are finished, and how many shards all have."""
    total = finished = shards = 0
    for group_plan in plans:
        group = store.groups[group_plan.name]
        for key in group_plan.products:
            planned = np.array([len(place.dates[key]) for place in group_plan.locations])
            total += int(planned.sum())
            finished += int((group.valid(key) & (np.arange(group.dates) < planned[:, None])).sum())
            shards += -(-len(planned) // group.shard_locations(key))
    return total, finished, shards


def _chains(store: Store, plans: list[plan.GroupPlan], longest: int) -> Iterator[list[shard.Task]]:
    """Unfinished shards, those that follow one another and share a granule together, at most `longest` of them."""
    for group_plan in plans:
        for key in group_plan.products:
            chain: list[shard.Task] = []
            for task in shard.tasks(store.groups[group_plan.name], group_plan, key):
                if chain and (len(chain) == longest or not task.granules & chain[-1].granules):
                    yield chain
                    chain = []
                chain.append(task)
            if chain:
                yield chain


def _damaged(store: Store, progress: _Progress) -> str:
    missing = progress.total - progress.written - progress.skipped
    listed = [f"  {text}" for text in list(progress.damaged.values())[:MOST_TOLD]]
    more = len(progress.damaged) - len(listed)
    return "\n".join([
        f"{store.path}: {missing} of {progress.total} patches are missing, and all others are there. What failed:",
        *listed, *([f"  and {more} more."] if more > 0 else []),
        "Put whole files in their places and run the same command again, which writes what is missing.",
    ])  # fmt: skip


def _write_places(group: Group, places: tuple[plan.PlannedLocation, ...], side: float):
    centres = np.zeros((len(places), 2))
    systems = [p.crs for p in places]
    for crs in set(systems):
        rows = [i for i, other in enumerate(systems) if other == crs]
        eastings = np.array([places[i].left + side / 2 for i in rows])
        northings = np.array([places[i].top - side / 2 for i in rows])
        centres[rows] = geotiff.lonlat(crs, eastings, northings)
    squares = [(side, 0.0, p.left, 0.0, -side, p.top) for p in places]
    group.write_locations(0, [p.name for p in places], centres, [p.crs.to_epsg() or 0 for p in places], squares)
