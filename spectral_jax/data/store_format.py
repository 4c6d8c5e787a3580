"""How a store lies on disk: names, shapes and codecs of its arrays, its group nodes, and opening them.

Zarr v3 (zarr-specs, core 3.0; `sharding_indexed` is ZEP 2). Pixels are cut so that one inner chunk is one patch of one date and
a shard is a run of whole locations; inside a chunk the bands are last, as a `[H W C]` read wants them.
"""

import dataclasses
import json
import math
import os
import secrets
import shutil
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import tensorstore as ts

from spectral_jax.addresses import address, bucket
from spectral_jax.sensors import SensorSpec

VERSION = 1
MARK = "spectral_jax_store"  # attribute of the root node that makes a folder a store
NODE = "zarr.json"
ID_BYTES = 64
SMALL_ROWS = 4096  # locations in a chunk of the small arrays: one patch written rewrites a few ten kB, no more
SHARD_ROWS = 512  # most locations in a shard: of four dates its index, read before the first patch, then has 32 kB
ZSTD_LEVEL = 1
# What a killed writer leaves: of `Arrays.put`, and of TensorStore, which writes over its own without cutting it first (0.1.86):
# a shorter file would end in bytes of the longer one before it.
PARTIAL, LOCK = ".partial-", ".__lock"
SERVERS = ("gcs", "s3", "http")
# A request that failed is made again after 1, 2, 4, 8 and then 16 s: for two minutes where nothing answers, and for seven where
# each is silent until `address.SILENT_SECONDS` are over.
MORE_TIMES = 10
RETRIES = {"max_retries": MORE_TIMES, "initial_delay": "1s", "max_delay": "16s"}
REQUESTS = 128  # to an object store at once: at 20 ms each, 6400 a second; a batch of 64 locations of six sensors needs 400


@dataclasses.dataclass(frozen=True)
class ArrayPlan:
    """Shape, type and Zarr metadata of one array."""

    shape: tuple[int, ...]
    dtype: str
    metadata: dict


def plans(
    sensors: Mapping[str, SensorSpec], locations: int, dates: int, footprint_m: float, truths: int, shard_bytes: int
) -> dict[str, ArrayPlan]:
    """All arrays of a group by name.

    Args:
      sensors: key -> what is stored under that key.
      locations: N, rows of every array.
      dates: T, dates a location.
      footprint_m: side of the patch, metres.
      truths: K, simulated ground parameters; 0 for observations.
      shard_bytes: uncompressed size that a shard of pixels stays below, at least one location.
    """
    out = {}
    for key, spec in sensors.items():
        side = round(footprint_m / spec.gsd_m)
        out[key] = _pixels((locations, dates, len(spec.bands), side, side), spec, shard_bytes)
        out[f"{key}_mask"] = _small((locations, dates), "bool", False, ("location", "date"))
        out[f"{key}_time"] = _small((locations, dates), "float64", 0.0, ("location", "date"))
    out["location_id"] = _small((locations, ID_BYTES), "uint8", 0, ("location", "byte"))
    out["centre_lonlat"] = _small((locations, 2), "float64", "NaN", ("location", "axis"))
    out["epsg"] = _small((locations,), "int32", 0, ("location",))
    out["geotransform"] = _small((locations, 6), "float64", "NaN", ("location", "coefficient"))
    if truths:
        out["truth"] = _small((locations, truths), "float32", "NaN", ("location", "parameter"))
    return out


def fill_value(spec: SensorSpec) -> int | float:
    """The stored number of a pixel that was never written: nodata, else 0 for integers and NaN for floats."""
    if spec.nodata is not None:
        return spec.nodata if spec.dtype.startswith("float") else int(spec.nodata)
    return float("nan") if spec.dtype.startswith("float") else 0


def _pixels(shape: tuple[int, ...], spec: SensorSpec, shard_bytes: int) -> ArrayPlan:
    locations, dates, *patch = shape
    a_location = dates * math.prod(patch) * np.dtype(spec.dtype).itemsize
    rows = int(np.clip(shard_bytes // a_location, 1, min(locations, SHARD_ROWS)))
    little = {"name": "bytes", "configuration": {"endian": "little"}}
    inner = [
        {"name": "transpose", "configuration": {"order": [0, 1, 3, 4, 2]}},
        little if np.dtype(spec.dtype).itemsize > 1 else {"name": "bytes"},
        {"name": "zstd", "configuration": {"level": ZSTD_LEVEL, "checksum": False}},
        {"name": "crc32c"},
    ]
    fill = fill_value(spec)
    metadata = {
        "shape": list(shape),
        "data_type": spec.dtype,
        "fill_value": "NaN" if math.isnan(fill) else fill,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [rows, dates, *patch]}},
        "dimension_names": ["location", "date", "band", "row", "column"],
        "codecs": [
            {
                "name": "sharding_indexed",
                "configuration": {
                    "chunk_shape": [1, 1, *patch],
                    "codecs": inner,
                    "index_codecs": [little, {"name": "crc32c"}],
                    "index_location": "end",
                },
            }
        ],
    }
    return ArrayPlan(shape, spec.dtype, metadata)


def _small(shape: tuple[int, ...], dtype: str, fill, names: tuple[str, ...]) -> ArrayPlan:
    order = {"name": "bytes"} if dtype in ("bool", "uint8") else {"name": "bytes", "configuration": {"endian": "little"}}
    metadata = {
        "shape": list(shape),
        "data_type": dtype,
        "fill_value": fill,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [min(SMALL_ROWS, shape[0]), *shape[1:]]}},
        "dimension_names": list(names),
        "codecs": [order, {"name": "zstd", "configuration": {"level": ZSTD_LEVEL, "checksum": False}}, {"name": "crc32c"}],
    }
    return ArrayPlan(shape, dtype, metadata)


class Arrays:
    """The arrays under one folder or address, opened when first used and sharing one cache.

    Open handles do not travel to another process: a pickled copy opens its own.
    """

    def __init__(self, path: str, cache_bytes: int):
        self.path = path
        self.cache_bytes = cache_bytes
        self._forget()

    def __getstate__(self):
        return {"path": self.path, "cache_bytes": self.cache_bytes}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._forget()

    def _forget(self):
        remote: dict = {f"{kind}_request_concurrency": {"limit": REQUESTS} for kind in SERVERS}
        remote |= {f"{kind}_request_retries": RETRIES for kind in SERVERS}
        if address.is_address(self.path):
            address.limit_silence()
        self._context = ts.Context({"cache_pool": {"total_bytes_limit": self.cache_bytes}} | remote)
        self._open: dict[tuple, ts.TensorStore] = {}

    def open(self, name: str, driver: str = "zarr3", complete: bool = False) -> ts.TensorStore:
        """The array called `name`, such as "pair_emit_enmap/S2".

        Args:
          name: path of the array inside the store.
          driver: zarr3, or zarr for version 2.
          complete: read-only use, for reads of what was written: a chunk that is not there is an error instead of fill values,
            and what is cached is not checked against the file again.

        Raises:
          ValueError: the array is missing or its metadata cannot be read.
        """
        if (name, complete) not in self._open:
            spec: dict = {"driver": driver, "kvstore": kvstore(self.path, name)}
            if complete:
                spec |= {"recheck_cached_data": "open"} | ({"fill_missing_data_reads": False} if driver == "zarr3" else {})
            else:
                spec |= {"store_data_equal_to_fill_value": True}
            try:
                self._open[name, complete] = ts.open(spec, open=True, context=self._context).result()
            except ValueError as error:
                expect_answer(self.path, f"the array {name}", error)
                raise ValueError(
                    f"store {self.path}: expected the array {name}, and it cannot be opened ({reason(error)}); the store is "
                    "truncated: copy or build it again."
                ) from error
        return self._open[name, complete]

    def create(self, name: str, plan: ArrayPlan):
        """Makes an array; no pixels are written.

        Raises:
          OSError: it cannot be written.
        """
        spec = {"driver": "zarr3", "kvstore": kvstore(self.path, name), "metadata": plan.metadata}
        try:
            ts.open(spec, create=True, context=self._context).result()
        except ValueError as error:
            raise OSError(write_failure(self.path, f"array {name}", 0, error)) from error

    def read_nodes(self, names: Iterable[str]) -> dict[str, bytes | None]:
        """Contents of small files by name, read together; None where there is none."""
        store = self._kvstore()
        futures = {name: store.read(name) for name in names}
        try:
            results = {name: future.result() for name, future in futures.items()}
        except ValueError as error:
            expect_answer(self.path, "its metadata", error)
            raise OSError(f"store {self.path}: its metadata cannot be read ({reason(error)}).") from error
        return {name: bytes(r.value) if r.state == "value" else None for name, r in results.items()}

    def chunks(self, name: str) -> set[int]:
        """Numbers along the first axis of the chunks of array `name` that are there.

        Raises:
          OSError: they cannot be listed.
        """
        if address.is_address(self.path):
            found = list(bucket.sizes(address.joined(self.path, name)))
        else:
            try:
                keys = ts.KvStore.open(kvstore(self.path, name), context=self._context).result().list().result()
            except ValueError as error:
                raise OSError(f"store {self.path}: the chunks of {name} cannot be listed ({reason(error)}).") from error
            found = [key.decode() for key in keys]
        return {int(key[2:].split("/", 1)[0]) for key in found if key.startswith("c/") and PARTIAL not in key}

    def put(self, name: str, data: bytes):
        """Writes one file, which appears whole or not at all, whoever else writes it at the same time.

        Raises:
          OSError: it cannot be written; nothing is left of it.
        """
        try:
            if address.is_address(self.path):  # an object appears whole, as object stores promise
                self._kvstore().write(name, data).result()
            else:
                _put(Path(self.path, name), data)
        except (ValueError, OSError) as error:
            raise OSError(write_failure(self.path, name, len(data), error)) from error

    def clear(self, names: Iterable[str]):
        """Removes what killed writers left beside files and below folders, such as "S2/c/0/0/0/0/0" or "S2_mask".

        Only for who knows that nobody else is writing these. Buckets have no such leftovers.
        """
        for place in [] if address.is_address(self.path) else [Path(self.path, name) for name in names]:
            beside = place.rglob("*") if place.is_dir() else place.parent.glob(f"{place.name}.*")
            for file in [f for f in beside if PARTIAL in f.name or f.name.endswith(LOCK)]:
                file.unlink(missing_ok=True)

    @property
    def listed(self) -> bool:
        """Whether the files can be listed, which HTTP alone does not know."""
        return not address.is_address(self.path) or address.scheme(self.path) in address.WRITTEN

    def write_node(self, name: str, attributes: dict):
        """Writes a group node with attributes.

        Raises:
          OSError: it cannot be written.
        """
        node = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        try:
            self._kvstore().write(name, json.dumps(node, indent=1).encode()).result()
        except ValueError as error:
            raise OSError(write_failure(self.path, name, 0, error)) from error

    def _kvstore(self) -> ts.KvStore:
        return ts.KvStore.open(kvstore(self.path, ""), context=self._context).result()


def kvstore(path: str, name: str) -> dict | str:
    """TensorStore's description of `name` under a folder, or under an address such as gs://bucket/store."""
    if address.is_address(path):
        return address.kvstore(address.joined(path, name) if name else path)
    return {"driver": "file", "path": f"{path}/{name}/" if name else f"{path}/"}


def _put(file: Path, data: bytes):
    """Under a name of this writer alone, on the disk, then renamed."""
    beside = file.with_name(f"{file.name}{PARTIAL}{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with beside.open("wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def reason(error: Exception) -> str:
    """The first clause of a TensorStore message, without its dump of the spec."""
    return str(error).split(" [", 1)[0].split("\n", 1)[0]


def expect_answer(path: str, what: str, error: Exception) -> None:
    """Tells a server that did not answer, or failed again and again, from bytes that are wrong.

    Args:
      path: of the store.
      what: was read.
      error: TensorStore's.

    Raises:
      OSError: `error` says that all requests failed.
    """
    if "retry attempts failed" in str(error):
        raise OSError(
            f"store {path}: {what} could not be read, because its server did not answer or failed {MORE_TIMES + 1} "
            f"times ({reason(error)}); see that it runs and can be reached, then run the same command again."
        ) from error


def write_failure(path: str, what: str, needed: int, error: Exception) -> str:
    """The sentence for a failed write, with the room left on the disk."""
    room = ""
    if not address.is_address(path):
        free = shutil.disk_usage(path).free
        room = f"; the disk is full: {free / 1e6:.1f} MB free, {needed / 1e6:.1f} MB needed" if free < needed else ""
        room = room or f"; {free / 1e9:.1f} GB are free on its disk"
    return f"store {path}: {what} could not be written ({reason(error)}){room}."
