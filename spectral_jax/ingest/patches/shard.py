"""One shard of a store as one task: what is to be written into it, and writing it, in whichever process that is.

A task writes its shard and nothing else: tasks need not know of one another, and one that is done twice leaves the same bytes.
"""

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

from spectral_jax.data import store_format
from spectral_jax.data.store import Group
from spectral_jax.ingest.patches import plan


@dataclasses.dataclass(frozen=True)
class Task:
    """A shard of one sensor: n locations of T dates.

    Attributes:
      group: of the store.
      key: of the sensor.
      first: the first location.
      done: bool [n T], patches that an earlier run finished; they stay as they are.
      wanted: row, date and patch of those to be written, patches of one granule one after another.
    """

    group: Group
    key: str
    first: int
    done: np.ndarray
    wanted: tuple[tuple[int, int, plan.Patch], ...]

    @property
    def granules(self) -> set[str]:
        """What has to be opened for it."""
        return {patch.granule for _, _, patch in self.wanted}

    @property
    def name(self) -> str:
        """For sentences and for the pages of Dask."""
        return f"{self.group.name} {self.key} {self.first}"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes:
      written: bool [n T], patches that are in the shard now and were not before.
      pixels: of those that were written.
      good: how many of these hold data in every used band.
      empty: patches without such a pixel.
      clipped: numbers moved to the ends of the store's type.
      seen: bool [used bands], whether a band held data in any patch.
      damaged: granule -> why it could not be read.
      unwritable: why the shard could not be written, which the next one cannot either; empty where it was.
    """

    written: np.ndarray
    pixels: int = 0
    good: int = 0
    empty: int = 0
    clipped: int = 0
    seen: np.ndarray | None = None
    damaged: dict[str, str] = dataclasses.field(default_factory=dict)
    unwritable: str = ""


def tasks(group: Group, group_plan: plan.GroupPlan, key: str) -> Iterator[Task]:
    """The unfinished shards of a sensor; a patch is finished when its flag in `<KEY>_mask` is set."""
    step = group.shard_locations(key)
    valid = group.valid(key)
    for first in range(0, len(group_plan.locations), step):
        dates = [place.dates[key] for place in group_plan.locations[first : first + step]]
        planned = np.array([[d < len(patches) for d in range(group.dates)] for patches in dates])
        done = valid[first : first + len(dates)] & planned
        todo = [(int(i), int(d), dates[i][d]) for i, d in np.argwhere(planned & ~done)]
        if todo:
            yield Task(group, key, first, done, tuple(sorted(todo, key=lambda one: (one[2].granule, one[:2]))))


def fill(task: Task, threads: int | None = None) -> Outcome:
    """Reads the patches of a task and writes its shard; a granule that cannot be read is left out, with its sentence.

    Args:
      task: what to write.
      threads: that compress; None: one a core.

    Raises:
      ImportError: a library that the files need is not installed.
    """
    spec = task.group.sensors[task.key]
    c, h, w = task.group.pixels(task.key).shape[2:]
    block = np.full((*task.done.shape, c, h, w), spec.nodata or 0, spec.dtype)
    written = np.zeros_like(task.done)
    good, empty, clipped, seen = 0, 0, 0, np.zeros(len(spec.used_index), bool)
    damaged: dict[str, str] = {}
    for granule, patches in itertools.groupby(task.wanted, key=lambda one: one[2].granule):
        for i, d, patch in patches:
            try:
                pixels, moved = patch.stored()
            except (ValueError, OSError) as error:
                damaged[granule] = str(error)
                break
            used = pixels[list(spec.used_index)]
            there = used != spec.nodata if spec.nodata is not None else np.ones(used.shape, bool)
            whole = int(there.all(axis=0).sum())
            block[i, d], written[i, d] = pixels, True
            good, empty, clipped = good + whole, empty + (whole == 0), clipped + moved
            seen |= there.any(axis=(1, 2))
    count = int(written.sum())
    if not count:
        return Outcome(written, damaged=damaged)
    try:
        if task.done.any():
            rows = slice(task.first, task.first + len(block))
            block[task.done] = task.group.pixels(task.key)[rows].read().result()[task.done]
        task.group.write_shard(task.first, task.key, block, threads)
    except (ValueError, OSError) as error:
        return Outcome(np.zeros_like(written), damaged=damaged, unwritable=store_format.reason(error))
    return Outcome(written, count * h * w, good, empty, clipped, seen, damaged)


def record(task: Task, outcome: Outcome) -> None:
    """Notes in the store which patches of a shard are there: times, then flags. For one process, which hears of all shards.

    Raises:
      OSError: it cannot be written.
    """
    if not outcome.written.any():
        return
    rows = slice(task.first, task.first + len(outcome.written))
    # Of a store of millions of locations all times are read for a shard that an earlier run began, and for no other.
    times = np.array(task.group.times(task.key)[rows]) if task.done.any() else np.zeros(task.done.shape)
    for i, d, patch in task.wanted:
        if outcome.written[i, d]:
            times[i, d] = patch.time_days
    task.group.write_dates(task.first, task.key, task.done | outcome.written, times)
    task.group.clear_leftovers(task.key, task.first)
