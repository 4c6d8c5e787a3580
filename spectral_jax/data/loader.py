"""Loader: batch i is a pure function of (config, seed, i, process index, process count).

There is no position to save: to resume is to start at i. Only the dates, the crop and the bands that a batch uses are read,
into one array a sensor with bands last. Grain runs it ahead in a thread or in worker processes; a whole batch is one element
there, so the order is the same for any number of workers.
"""

import dataclasses
import os
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import grain
import jax
import numpy as np
from absl import flags

from spectral_jax.batch import Batch, SensorData
from spectral_jax.config import Config
from spectral_jax.data import store, store_complete, store_read
from spectral_jax.data.loader_checks import check_sensors
from spectral_jax.data.schedule import Schedule, words
from spectral_jax.sentences import unknown

TOGETHER = 16  # arrays whose flags are read at once


class Loader:
    """Batches of a store for one process.

    Attributes:
      store: the open store.
      truth_names: ground parameters of a simulated store; empty for observations.
      bands: group -> key -> positions of the used bands in the stored array, of the config's sensors that the group has.
      usable: group -> rows that have a valid date of some sensor, int32.
      left_out: group -> locations that have no valid date of any sensor of the config and are never drawn.
    """

    def __init__(self, cfg: Config, path: str | os.PathLike, *, process_index: int = 0, process_count: int = 1):
        """Opens the store and compares it with the config.

        Args:
          cfg: the run; its sensors, footprint and `data` are used.
          path: the store.
          process_index: which share of each batch this process takes.
          process_count: how many shares there are.

        Raises:
          FileNotFoundError: there is no store at `path`.
          ValueError: the batch does not split over the processes; a group is unknown or has nothing to read; a patch is smaller
            than the footprint; a sensor of the store differs from the config's.
        """
        if cfg.data.batch_size % process_count or not 0 <= process_index < process_count:
            raise ValueError(
                f"data.batch_size: {cfg.data.batch_size} locations do not split over {process_count} processes (this one is "
                f"number {process_index}); take a multiple of {process_count}."
            )
        specs = {s.key: s.spec for s in cfg.sensors}
        self.cfg = cfg
        self._opened_as = {"path": path, "process_index": process_index, "process_count": process_count}
        self.store = store.open_store(path, specs, cfg.data.cache_bytes)
        store_complete.check(self.store)
        self.truth_names = self.store.truth_names
        self._share = cfg.data.batch_size // process_count
        self._first = process_index * self._share
        if self.store.footprint_m < cfg.model.footprint_m:
            raise ValueError(
                f"store {self.store.path}: its patches have a side of {self.store.footprint_m:g} m, and model.footprint_m asks "
                f"for {cfg.model.footprint_m:g} m; lower model.footprint_m or build a store of larger patches."
            )
        self.bands = {name: check_sensors(self.store, self.store.groups[name], cfg) for name in self._chosen()}
        empty = [name for name, bands in self.bands.items() if not bands]
        if len(empty) == len(self.bands) or (empty and cfg.data.groups):
            raise ValueError(
                f"store {self.store.path}: no sensor of the config ({', '.join(specs)}) is in the groups {', '.join(empty)}; "
                f"they hold {', '.join(sorted({k for name in empty for k in self.store.groups[name].sensors}))}."
            )
        self._read_flags()
        store_complete.check_pixels(self.store, self.bands)
        rows = {name: self._usable(name) for name, bands in self.bands.items() if bands}
        self.left_out = {name: self.store.groups[name].locations - len(x) for name, x in rows.items()}
        self.schedule = Schedule(rows, cfg.data.batch_size, cfg.data.seed)
        self.usable = rows
        # In float32 the whole archive's times take 180 MB; a lead is measured exactly.
        self._times = np.float32 if cfg.data.lead_days is None else np.float64
        self._numbers = {name: i for i, name in enumerate(self.store.groups)}
        # Places that a crop can take along a side, in tokens: 1 when the footprint is the store's.
        slack = (self.store.footprint_m - cfg.model.footprint_m) / cfg.model.token_gsd_m
        self._places = int(slack + 1e-6) + 1

    def __reduce__(self):
        """Config and place: another process opens the store itself, instead of getting all flags of it sent."""
        return _open_again, (self.cfg, self._opened_as, self._drawn_from())

    def batch(self, i: int) -> Batch:
        """Batch `i` of this process, NumPy leaves; the sensors of its group that the config has, in the config's order.

        Raises:
          ValueError: stored bytes are missing or corrupt; the sentence names group, array, location and file.
        """
        if i < 0:
            raise ValueError(f"batch: expected a number from 0, got {i}.")
        name = self.group_name(i)
        share = slice(self._first, self._first + self._share)
        seed, size = self.cfg.data.seed, self.cfg.data.batch_size
        draws = {key: words(seed, f"date of {key}", i, size)[share] for key in self.bands[name]}
        others = None
        if self.cfg.views.dates > 1:
            others = {key: words(seed, f"other date of {key}", i, size)[share] for key in self.bands[name]}
        corners = words(seed, "crop", i, 2 * size).reshape(size, 2)[share] % np.uint64(self._places)
        return self._read(name, self.schedule.rows(i)[share], draws, corners.astype(int), others)

    def batches(self, start: int, stop: int, workers: int | None = None) -> Iterator[Batch]:
        """Batches `start` to `stop - 1`, read ahead by Grain.

        Args:
          start: first batch; to resume, the step.
          stop: one past the last batch.
          workers: processes that read; 0: two threads of this one; None: `data.workers`. Scripts with workers need the guard
            `if __name__ == "__main__"`, since processes are spawned.

        Raises:
          RuntimeError: workers are asked for while absl's flags are not parsed, which Grain does not bear.
        """
        workers = self.cfg.data.workers if workers is None else workers
        dataset = grain.MapDataset.source(_Source(self, stop))[start:stop]
        # A worker process reads by itself; the main process in two threads, so that small batches leave no core waiting.
        ahead = 2 if workers == 0 else 0
        dataset = dataset.to_iter_dataset(grain.ReadOptions(num_threads=ahead, prefetch_buffer_size=ahead))
        if workers:
            dataset = dataset.mp_prefetch(grain.MultiprocessingOptions(num_workers=workers))
        try:
            iterator = iter(dataset)
            try:
                # Batches of workers lie in shared memory, which must not outlive Grain: the copy is the caller's own.
                yield from (jax.tree.map(np.array, batch) for batch in iterator) if workers else iterator
            finally:
                iterator.close()
        except flags.UnparsedFlagAccessError as error:
            raise RuntimeError(
                f"data.workers: {workers} worker processes need absl's flags to be parsed; start the script with "
                "absl.app.run(main), or call absl.flags.FLAGS.mark_as_parsed() first, or set data.workers=0."
            ) from error

    def survey(self, date: int = 0) -> Iterator[tuple[Batch, np.ndarray]]:
        """Every usable location once, group by group, with its ground parameters float32 [b K].

        The upper left crop is taken, and the last batch of a group may be smaller.

        Args:
          date: see `each_location`.

        Raises:
          ValueError: the store has no ground parameters.
        """
        if not self.truth_names:
            raise ValueError(f"store {self.store.path}: it has no ground parameters; only simulated stores have them.")
        for name, rows, batch in self.each_location(date):
            truth = self.store.groups[name].truth()
            assert truth is not None  # a store with names of parameters has them in every group
            yield batch, truth[rows]

    def each_location(self, date: int = 0) -> Iterator[tuple[str, np.ndarray, Batch]]:
        """Every usable location once: the group's name, rows [b] of it, and their batch.

        The upper left crop is taken, and the last batch of a group may be smaller.

        Args:
          date: which of the valid dates of each sensor, from 0; where a location has fewer it is counted round.
        """
        for name, usable in self.usable.items():
            for rows in np.split(usable, range(self._share, len(usable), self._share)):
                draws = {key: np.full(len(rows), date, np.uint64) for key in self.bands[name]}
                yield name, rows, self._read(name, rows, draws, np.zeros((len(rows), 2), int))

    def group_name(self, i: int) -> str:
        """Name of the group of batch `i`."""
        return self.schedule.names[self.schedule.group(i)]

    def names(self, batch: Batch) -> list[str]:
        """Identifiers of the locations of a host or device batch, for messages; of a global batch those of this process."""
        return self.names_later(batch)()

    def names_later(self, batch: Batch) -> Callable[[], list[str]]:
        """The function that gives `names`; it holds no pixels, and reads the identifiers when it is called."""
        groups, numbers, rows = list(self.store.groups.values()), batch.group, batch.location

        def read() -> list[str]:
            group, location = store_read.local(numbers), store_read.local(rows)
            out = np.empty(len(location), object)
            for number in np.unique(group):
                out[group == number] = groups[number].ids(location[group == number])
            return out.tolist()

        return read

    def location_names(self, i: int) -> list[str]:
        """Identifiers of the locations of batch `i` over all processes."""
        return self.store.groups[self.group_name(i)].ids(self.schedule.rows(i).tolist())

    def describe(self) -> str:
        """A few lines: what is in the store, how often each group is drawn, and what is left out."""
        kind = "simulated" if self.store.simulated else "observed"
        lines = [f"Store {self.store.path} ({kind}, patches of {self.store.footprint_m:g} m):"]
        for number, (name, rows) in enumerate(self.usable.items()):
            share = 100 * self.schedule.probabilities[number]
            lost = f", {self.left_out[name]} without any valid date are left out" if self.left_out[name] else ""
            lines.append(f"  {name}: {len(rows)} locations, {share:.1f} % of batches, {', '.join(self.bands[name])}{lost}")
        return "\n".join(lines)

    def _read(self, name: str, rows: np.ndarray, draws: dict, corners: np.ndarray, others: dict | None = None) -> Batch:
        """Rows of a group; `draws` are words [b] a sensor for its date, `others` those for another date, if asked for."""
        group, kept = self.store.groups[name], self._times
        plans, later, other = {}, {}, {}
        times = {key: group.ask_times(key, rows, kept) for key in self.bands[name]}
        for key, bands in self.bands[name].items():
            token, valid = self.cfg.token_px(key), group.valid(key, rows)
            present, dates = store_read.choose_dates(valid, draws[key])
            plan = plans[key] = store_read.SensorRead(key, bands, present, dates, corners * token, self.cfg.patch_px(key))
            if others is not None:
                other[key] = dataclasses.replace(plan, dates=store_read.choose_other(valid, others[key], dates))
            if self.cfg.data.lead_days is not None:
                after = store_read.choose_later(valid, times[key](), present, dates, self.cfg.data.lead_days)
                later[key] = dataclasses.replace(plan, present=after[0], dates=after[1])
        sensors = self._read_dates(group, rows, plans, times)
        more = (self._read_dates(group, rows, each, times) if each else None for each in (later, other))
        numbers = np.full(len(rows), self._numbers[name], np.int32)
        return Batch(sensors, _leaf(rows.astype(np.int32)), _leaf(numbers), *more)

    def _read_dates(
        self, group, rows: np.ndarray, plans: dict[str, store_read.SensorRead], times: dict[str, Callable[[], np.ndarray]]
    ) -> dict[str, SensorData]:
        pixels = store_read.read_batch(group, rows, list(plans.values()))
        sensors = {}
        for key, plan in plans.items():
            chosen = times[key]()[np.arange(len(rows)), plan.dates]
            time = np.where(plan.present, chosen, 0.0).astype(np.float32)
            sensors[key] = SensorData(_leaf(pixels[key]), _leaf(plan.present), _leaf(time))
        return sensors

    def _read_flags(self):
        """Reads the flags of all groups and sensors together, which takes a while where every request does."""
        pairs = [(self.store.groups[name], key) for name, bands in self.bands.items() for key in bands]
        with ThreadPoolExecutor(TOGETHER) as threads:
            list(threads.map(lambda pair: pair[0].valid(pair[1], np.zeros(0, int)), pairs))

    def _drawn_from(self) -> dict[str, int]:
        return {name: zlib.crc32(rows.tobytes()) for name, rows in self.usable.items()}

    def _chosen(self) -> list[str]:
        known = list(self.store.groups)
        for name in self.cfg.data.groups:
            if name not in known:
                raise unknown(f"data.groups: store {self.store.path}", "group", name, known)
        return [name for name in known if not self.cfg.data.groups or name in self.cfg.data.groups]

    def _usable(self, name: str) -> np.ndarray:
        group = self.store.groups[name]
        rows = group.rows_with(self.bands[name])
        if not len(rows):
            raise ValueError(
                f"store {self.store.path}: in group {name} all dates of {', '.join(self.bands[name])} are invalid; finish "
                "building the store, or name other groups in data.groups."
            )
        return rows


def _open_again(cfg: Config, opened_as: dict, drawn_from: dict[str, int]) -> Loader:
    made = Loader(cfg, **opened_as)
    if made._drawn_from() != drawn_from:
        raise ValueError(
            f"store {made.store.path}: its flags of valid dates have changed since this run opened it, so its processes would "
            "draw different batches from it; wait until the store is built, and start again."
        )
    return made


def _leaf(array: np.ndarray) -> jax.Array:
    """The array itself: a host batch has NumPy leaves where the fields of a batch name what the feed makes of them."""
    return cast(jax.Array, array)


class _Source:
    """Batches as a random-access source of Grain; its length is the batch it must not reach."""

    def __init__(self, loader: Loader, stop: int):
        self._loader = loader
        self._stop = stop

    def __len__(self) -> int:
        return self._stop

    def __getitem__(self, i: int) -> Batch:
        return self._loader.batch(int(i))
