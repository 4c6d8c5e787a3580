"""One group of a store: locations that have the same sensors, read and written row by row."""

import functools
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorstore as ts

from spectral_jax.data import store_format, store_read, store_write
from spectral_jax.sensors import SensorSpec
from spectral_jax.sentences import unknown


class Group:
    """The locations of a store that share the same sensors.

    Attributes:
      name: name of the Zarr group.
      sensors: key -> spec of what is stored under that key.
      locations: N, number of rows.
      dates: T, dates a location.
      complete: whether a chunk of flags, times or facts that is not there is an error, where chunks cannot be listed.
    """

    def __init__(self, arrays, name: str, sensors: dict[str, SensorSpec], locations: int, dates: int, drivers=None, truths=0):
        self.name = name
        self.sensors = sensors
        self.locations = locations
        self.dates = dates
        self._arrays = arrays
        self._drivers: dict[str, str] | None = drivers  # archives only: array name -> driver, for those that are there
        self._truths = truths
        self.complete = False
        self.forget()

    def __getstate__(self):
        return self.__dict__ | {"_cache": {}, "_times": {}}  # what was read stays: another process reads what it needs

    def forget(self, name: str | None = None):
        """Reads array `name`, or all, again when it is asked for next."""
        if name is None:
            self._cache: dict[str, np.ndarray] = {}
        else:
            self._cache.pop(name, None)
        self._times: dict[tuple[str, type], store_read.Rows] = {}

    def __repr__(self):
        return f"Group({self.name!r}, {', '.join(self.sensors)}, {self.locations} locations, {self.dates} dates)"

    def pixels(self, key: str, complete: bool = False) -> ts.TensorStore:
        """The array [N T C H W] of sensor `key` in its stored type, opened lazily.

        Args:
          key: sensor key.
          complete: for read-only use; reading a patch that was never written is then an error instead of nodata.

        Raises:
          ValueError: no such sensor, or the array is missing.
        """
        self._check_key(key)
        return self._open(key, complete)

    def valid(self, key: str, rows: np.ndarray | None = None) -> np.ndarray:
        """Which dates hold data of sensor `key`, bool [N T] or, of `rows`, [b T]; read once, whole, and kept as bits.

        Raises:
          ValueError: as `pixels`.
        """
        bits = self._bits(key)
        if rows is None:
            out = self._flags(bits)
        else:
            places = np.asarray(rows, np.int64)[:, None] * self.dates + np.arange(self.dates)
            out = (bits[places >> 3] << (places & 7).astype(np.uint8) >> 7).astype(bool)
        out.flags.writeable = False
        return out

    def rows_with(self, keys: Iterable[str]) -> np.ndarray:
        """Rows that have a valid date of some of the sensors `keys`, int32."""
        flags = self._flags(np.bitwise_or.reduce([self._bits(key) for key in keys]))
        # Column by column: a reduction along so short an axis takes ten times as long.
        return np.flatnonzero(functools.reduce(np.logical_or, flags.T)).astype(np.int32)

    def times(self, key: str) -> np.ndarray:
        """Days since 2000-01-01 UTC of the dates of sensor `key`, float64 [N T], read once; 0 in archives without times."""
        self._check_key(key)
        return self._small(f"{key}_time", lambda: np.zeros((self.locations, self.dates)))

    def ask_times(self, key: str, rows: np.ndarray, dtype: type) -> Callable[[], np.ndarray]:
        """Begins to read the times of `rows`, and gives the function that waits for them, [b T]; they are kept as `dtype`.

        For few rows of many, where `times` would read and keep the whole archive's.
        """
        name = f"{key}_time"
        if self._drivers is not None and name not in self._drivers:
            return lambda: np.zeros((len(rows), self.dates), dtype)
        if (key, dtype) not in self._times:
            self._times[key, dtype] = store_read.Rows(self._open(name, self.complete), dtype)
        kept = self._times[key, dtype]
        asked = kept.ask(rows)
        return lambda: self._sound(name, lambda: kept.take(rows, asked))

    def ids(self, rows: Sequence[int] | None = None) -> list[str]:
        """Identifiers of the locations `rows`, or of all; only those are read, each time anew.

        "<group>/<row>" where none was written, and in archives, whose variable-length strings TensorStore does not read.
        """
        rows = range(self.locations) if rows is None else rows
        if self._drivers is not None and "location_id" not in self._drivers:
            stored = np.zeros((len(rows), store_format.ID_BYTES), np.uint8)
        else:
            source = self._open("location_id", self.complete)
            stored = self._sound("location_id", lambda: source[np.asarray(rows, np.int64)].read().result())
        return [bytes(x).rstrip(b"\0").decode() or f"{self.name}/{row}" for x, row in zip(stored, rows, strict=True)]

    def centres(self) -> np.ndarray:
        """Longitude and latitude of the patch centres, degrees, float64 [N 2]; NaN where unknown."""
        return self._small("centre_lonlat", lambda: np.full((self.locations, 2), np.nan))

    def epsg(self) -> np.ndarray:
        """EPSG codes of the patches' coordinate systems, int32 [N]; 0 where unknown."""
        return self._small("epsg", lambda: np.zeros(self.locations, np.int32))

    def geotransform(self) -> np.ndarray:
        """Affine (a, b, c, d, e, f) of the unit square onto the whole patch, float64 [N 6]; NaN where unknown."""
        return self._small("geotransform", lambda: np.full((self.locations, 6), np.nan))

    def truth(self) -> np.ndarray | None:
        """Ground parameters of simulated locations, float32 [N K], by `Store.truth_names`; None for observations."""
        return self._small("truth") if self._truths else None

    @property
    def chunked(self) -> bool:
        """Whether this package wrote the group; of archives nothing is known of chunks that are not there."""
        return self._drivers is None

    @property
    def listed(self) -> bool:
        """Whether the store's place can list its chunks."""
        return self._arrays.listed

    def chunks(self, name: str) -> set[int]:
        """Numbers, along the locations, of the chunks or shards of an array that are there."""
        return self._arrays.chunks(f"{self.name}/{name}")

    def read(self, key: str, location: int, date: int) -> np.ndarray:
        """One patch as stored, [C H W].

        Raises:
          ValueError: the bytes are corrupt; the sentence names group, array, location and file.
        """
        try:
            return self.pixels(key)[location, date].read().result()
        except ValueError as error:
            raise self.corrupt(key, [location], error) from error

    def corrupt(self, key: str, locations: Sequence[int], error: Exception) -> ValueError:
        """The sentence for a read of array `key` that failed at one of `locations`; raises OSError where no server answered."""
        rows = ", ".join(str(int(x)) for x in sorted(set(locations)))
        store_format.expect_answer(self._arrays.path, f"{self.name}/{key} at location {rows}", error)
        where = f"location {rows}" if len(set(locations)) == 1 else f"one of the locations {rows}"
        file = f", file {self.shard_file(key, locations[0])}" if len(set(locations)) == 1 else ""
        return ValueError(
            f"store {self._arrays.path}: group {self.name}, array {key}, {where}{file}: the stored bytes are missing or "
            f"corrupt ({store_format.reason(error)}); copy this file again, or mark the patch invalid in {key}_mask."
        )

    def shard_locations(self, key: str) -> int:
        """Locations in one shard of array `key`; blocks of this many rows are written fastest."""
        return int(self.pixels(key).chunk_layout.write_chunk.shape[0])  # type: ignore[index, arg-type]  # Zarr has chunks

    def shard_file(self, key: str, location: int) -> str:
        """Path of the file, or start of the path of the files, that hold a location's pixels."""
        number = int(location) // self.shard_locations(key)
        folder = f"{self._arrays.path}/{self.name}/{key}"
        return f"{folder}/c/{number}/0/0/0/0" if self._drivers is None else folder

    def write_patch(self, location: int, date: int, key: str, pixels: np.ndarray, time_days: float):
        """Writes one patch of one date: pixels first, then its time, then the flag that makes it valid.

        A crash in between leaves the patch invalid. Rewrites the shard that holds the patch, so `write_block` is much faster
        for whole shards; several processes may write different patches at once.

        Args:
          location: row.
          date: column.
          key: sensor key.
          pixels: [C H W] in the stored type.
          time_days: days since 2000-01-01 UTC.

        Raises:
          ValueError: no such sensor, a wrong shape, a time that is not finite, or an archive, which is read-only.
          TypeError: a wrong type of numbers; nothing is converted silently.
          IndexError: a location or date outside the group.
          OSError: the disk is full or the write failed otherwise.
        """
        store_write.patch(self, location, date, key, pixels, time_days)

    def write_block(self, first_location: int, key: str, pixels: np.ndarray, valid: np.ndarray, times: np.ndarray):
        """Writes all dates of consecutive locations; fastest where the block is made of whole shards (`shard_locations`).

        Args:
          first_location: first row of the block.
          key: sensor key.
          pixels: [n T C H W] in the stored type.
          valid: bool [n T].
          times: days since 2000-01-01 UTC, [n T]; finite where valid.

        Raises:
          ValueError, TypeError, IndexError, OSError: as `write_patch`.
        """
        store_write.block(self, first_location, key, pixels, valid, times)

    def write_shard(self, first_location: int, key: str, pixels: np.ndarray, threads: int | None = None):
        """Writes the pixels of one whole shard, which appears whole or not at all; flags and times stay as they are.

        For several processes, each with shards of its own. What the flags call valid must keep its numbers, and what is new
        becomes valid by `write_dates`.

        Args:
          first_location: first row of the shard.
          key: sensor key.
          pixels: [n T C H W] in the stored type; n is `shard_locations`, or less in the last shard.
          threads: that compress; None: one a core.

        Raises:
          ValueError, TypeError, IndexError, OSError: as `write_patch`.
        """
        store_write.shard(self, first_location, key, pixels, threads)

    def write_dates(self, first_location: int, key: str, valid: np.ndarray, times: np.ndarray):
        """Writes times, then flags [n T] of rows whose pixels are there; one process at a time; errors as `write_patch`."""
        store_write.dates(self, first_location, key, valid, times)

    def clear_leftovers(self, key: str | None = None, location: int = 0):
        """Removes what killed writers left beside a location's shard, or without a key in flags, times and facts.

        Only for who knows that nobody else writes there.
        """
        if key is None:
            small = [f"{k}_{kind}" for k in self.sensors for kind in ("mask", "time")] + list(store_write.RESERVED)
            self._arrays.clear(f"{self.name}/{name}" for name in small)
        else:
            number = int(location) // self.shard_locations(key)
            self._arrays.clear([f"{self.name}/{key}/c/{number}/0/0/0/0"])

    def write_locations(self, first: int, ids: Sequence[str], centre_lonlat, epsg, geotransform, truth=None):
        """Writes what is known of consecutive locations.

        Args:
          first: first row.
          ids: n identifiers, each at most 64 bytes of UTF-8.
          centre_lonlat: longitude and latitude, degrees [n 2].
          epsg: EPSG codes [n].
          geotransform: affine of the unit square onto the whole patch [n 6].
          truth: ground parameters [n K]; only, and always, in simulated stores.

        Raises:
          ValueError, IndexError, OSError: as `write_patch`.
        """
        store_write.locations(self, first, ids, centre_lonlat, epsg, geotransform, truth)

    def _open(self, name: str, complete: bool = False) -> ts.TensorStore:
        driver = "zarr3" if self._drivers is None else self._drivers[name]
        # An archive may rightly leave out chunks that hold nothing but its fill value.
        return self._arrays.open(f"{self.name}/{name}", driver, complete and self._drivers is None)

    def _bits(self, key: str) -> np.ndarray:
        self._check_key(key)
        return self._small(f"{key}_mask", packed=True)

    def _flags(self, bits: np.ndarray) -> np.ndarray:
        return np.unpackbits(bits, count=self.locations * self.dates).view(bool).reshape(self.locations, self.dates)

    def _small(self, name: str, absent=None, packed: bool = False) -> np.ndarray:
        if name not in self._cache:
            if self._drivers is not None and name not in self._drivers:
                value = absent()
            else:
                source = self._open(name, self.complete)
                value = self._sound(name, lambda: source.read().result())
            value = np.packbits(value) if packed else value
            value.flags.writeable = False
            self._cache[name] = value
        return self._cache[name]

    def _sound(self, name: str, read: Callable[[], np.ndarray]) -> np.ndarray:
        try:
            return read()
        except ValueError as error:
            store_format.expect_answer(self._arrays.path, f"{self.name}/{name}", error)
            raise ValueError(
                f"store {self._arrays.path}: group {self.name}, array {name} is corrupt ({store_format.reason(error)}); copy "
                "it again."
            ) from error

    def _check_key(self, key: str):
        if key not in self.sensors:
            raise unknown(f"store {self._arrays.path}: group {self.name}", "sensor", key, self.sensors)
