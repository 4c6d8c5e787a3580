"""Reading what a batch needs, concurrently and no more: patches into arrays with bands last, and few rows of large arrays."""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import tensorstore as ts

from spectral_jax.data import store_format


@dataclasses.dataclass(frozen=True)
class SensorRead:
    """What to read of one sensor for b samples.

    Attributes:
      key: sensor key.
      bands: positions of the used bands in the stored array, increasing.
      present: bool [b], whether there is a date to read.
      dates: int [b], the date.
      corners: int [b 2], row and column of the crop's upper left pixel.
      side: of the crop, pixels.
    """

    key: str
    bands: tuple[int, ...]
    present: np.ndarray
    dates: np.ndarray
    corners: np.ndarray
    side: int


def choose_dates(valid: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One valid date a sample.

    Args:
      valid: bool [b T].
      draws: random words, uint64 [b].

    Returns:
      Whether there is a valid date, bool [b]; and the chosen one, int [b], 0 where there is none.
    """
    count = valid.sum(axis=1)
    nth = (draws % np.maximum(count, 1).astype(np.uint64)).astype(int)
    hit = valid & (np.cumsum(valid, axis=1) - 1 == nth[:, None])
    return count > 0, np.argmax(hit, axis=1)


def choose_later(
    valid: np.ndarray, times: np.ndarray, present: np.ndarray, dates: np.ndarray, lead_days: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """The date nearest to the middle of the lead after each chosen date.

    Args:
      valid: bool [b T].
      times: days [b T].
      present: bool [b], whether a date was chosen.
      dates: int [b], which.
      lead_days: shortest and longest time between the two dates.

    Returns:
      Whether there is one, bool [b]; and it, int [b], 0 where there is none.
    """
    lead = times - np.take_along_axis(times, dates[:, None], axis=1)
    usable = valid & present[:, None] & (lead >= lead_days[0]) & (lead <= lead_days[1])
    off = np.where(usable, np.abs(lead - sum(lead_days) / 2), np.inf)
    return usable.any(axis=1), np.where(usable.any(axis=1), np.argmin(off, axis=1), 0)


def choose_other(valid: np.ndarray, draws: np.ndarray, dates: np.ndarray) -> np.ndarray:
    """A valid date that is not the chosen one, each as likely; the chosen one again where there is no other.

    Args:
      valid: bool [b T].
      draws: random words, uint64 [b].
      dates: int [b], which was chosen.

    Returns:
      int [b].
    """
    others = valid & (np.arange(valid.shape[1]) != dates[:, None])
    there, which = choose_dates(others, draws)
    return np.where(there, which, dates)


def read_batch(group, rows: np.ndarray, plans: list[SensorRead]) -> dict[str, np.ndarray]:
    """Pixels [b h w C] of each sensor in the stored type; nodata where a sample has no date.

    All samples of a sensor that are cropped at one place are one read, as asking for patches one by one takes half of the time;
    the reads run while those of the next sensor are prepared. Their target is the batch array, seen band first, so TensorStore
    writes every pixel once, where it stays.

    Args:
      group: `store.Group`.
      rows: locations [b].
      plans: one a sensor.

    Raises:
      ValueError: stored bytes are missing or corrupt; the sentence names group, array, location and file.
    """
    out, pending = {}, []
    for plan in plans:
        batch = ts.Batch()
        source = group.pixels(plan.key, complete=True)
        fill = store_format.fill_value(group.sensors[plan.key])
        pixels = np.empty((len(rows), plan.side, plan.side, len(plan.bands)), source.dtype.numpy_dtype)
        pixels[~plan.present] = fill
        out[plan.key] = pixels
        runs, target = _runs(plan.bands), ts.array(pixels.transpose(0, 3, 1, 2))
        for (y, x), samples in _by_corner(plan):
            chosen = ts.d[0, 1].vindex[rows[samples].astype(np.int64), plan.dates[samples].astype(np.int64)]
            patches = source[chosen][:, :, y : y + plan.side, x : x + plan.side]
            places = target if len(samples) == len(rows) else target[samples]
            futures = [
                places[:, at : at + stop - start].translate_to[0, 0, 0, 0].write(
                    patches[:, start:stop].translate_to[0, 0, 0, 0], batch=batch
                )
                for at, start, stop in runs
            ]  # fmt: skip
            pending.append((plan, samples, futures))
        batch.submit()
    failed = []
    for plan, samples, futures in pending:  # all are waited for: they write into the batch
        for future in futures:
            try:
                future.result()
            except ValueError as error:
                failed.append((plan, samples, error))
    if failed:
        plan, samples, first = failed[0]
        raise _told(group, plan.key, rows[samples], plan.dates[samples], first) from first
    return out


def _by_corner(plan: SensorRead) -> list[tuple[tuple[int, int], np.ndarray]]:
    """Corners, and for each the samples with a date that are cropped there."""
    there = np.flatnonzero(plan.present)
    corners, which = np.unique(plan.corners[there], axis=0, return_inverse=True)
    return [((int(y), int(x)), there[which.reshape(-1) == i]) for i, (y, x) in enumerate(corners)]


def _told(group, key: str, rows: np.ndarray, dates: np.ndarray, error: ValueError) -> ValueError:
    """The sentence about the first of the patches of a read that cannot be read by itself; of all where none is left."""
    together = group.corrupt(key, rows.tolist(), error)  # raises where no server answers: it is not asked again
    source = group.pixels(key, complete=True)
    for row, date in zip(rows.tolist(), dates.tolist(), strict=True):
        try:
            source[row, date].read().result()
        except ValueError as alone:
            return group.corrupt(key, [row], alone)
    return together


class Rows:
    """Rows of an array [N T], read in blocks when they are first asked for, and then kept.

    A thread may ask while another reads: a block is then read twice, to the same numbers.
    """

    def __init__(self, source: ts.TensorStore, dtype: type):
        """Takes the open array, and the type in which its numbers are kept."""
        self._source = source
        chunk = int(source.chunk_layout.read_chunk.shape[0] or 1)  # type: ignore[index]  # Zarr has chunks
        self._each = chunk * -(-store_format.SMALL_ROWS // chunk)
        self._values: np.ndarray = np.zeros(source.shape, dtype)  # pages that are never written to take no memory
        self._read = np.zeros(-(-source.shape[0] // self._each), bool)

    def ask(self, rows: np.ndarray) -> list[tuple[int, ts.Future]]:
        """Begins to read the blocks of `rows` that are not there yet, for `take`."""
        blocks = np.unique(rows // self._each)
        missing = blocks[~self._read[blocks]].tolist()
        return [(block, self._source[self._span(block)].read()) for block in missing]

    def take(self, rows: np.ndarray, asked: Sequence[tuple[int, ts.Future]]) -> np.ndarray:
        """The values at `rows` [b T], once what `ask` began is there; ValueError where it is corrupt."""
        for block, future in asked:
            if not self._read[block]:
                self._values[self._span(block)] = future.result()
                self._read[block] = True
        return self._values[rows]

    def _span(self, block: int) -> slice:
        return slice(block * self._each, min((block + 1) * self._each, len(self._values)))


def local(array) -> np.ndarray:
    """The part of an array that this process holds, in order: all of a NumPy array, this process's shards of a device array."""
    if isinstance(array, np.ndarray) or array.is_fully_addressable:
        return np.asarray(array)
    shards = {shard.index[0].start or 0: shard.data for shard in array.addressable_shards}
    return np.concatenate([np.asarray(shards[start]) for start in sorted(shards)])


def _runs(bands: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Stretches of consecutive bands as (first place in the output, first band, one past the last band)."""
    out = []
    for _, run in itertools.groupby(range(len(bands)), key=lambda i: bands[i] - i):
        places = list(run)
        out.append((places[0], bands[places[0]], bands[places[-1]] + 1))
    return out
