"""Writing into a store: checks, and the order of writes that never leaves a half-written patch valid."""

from collections.abc import Sequence

import numpy as np
import tensorstore as ts

from spectral_jax.data import store_format
from spectral_jax.shapes import check

RESERVED = ("location_id", "centre_lonlat", "epsg", "geotransform", "truth")


def patch(group, location: int, date: int, key: str, pixels: np.ndarray, time_days: float):
    """See `store.Group.write_patch`."""
    where = f"write_patch({group.name}, location {location}, date {date}, {key})"
    _inside(where, group, location, location + 1)
    if not 0 <= date < group.dates:
        raise IndexError(f"{where}: expected a date from 0 to {group.dates - 1}.")
    array = _pixel_array(where, group, key, pixels, pixels.shape, "C H W")
    if not np.isfinite(time_days):
        raise ValueError(f"{where}: time_days is {time_days}; expected days since 2000-01-01 UTC.")
    _store(where, group, key, array, (location, date), pixels, np.array(True), np.array(time_days, np.float64))


def block(group, first: int, key: str, pixels: np.ndarray, valid: np.ndarray, times: np.ndarray):
    """See `store.Group.write_block`."""
    stop = first + len(pixels)
    where = f"write_block({group.name}, locations {first} to {stop - 1}, {key})"
    _inside(where, group, first, stop)
    sizes = {"N": len(pixels), "T": group.dates}
    check(pixels, "N T C H W", f"{where}: pixels", sizes)
    check(valid, "N T", f"{where}: valid", sizes)
    check(times, "N T", f"{where}: times", sizes)
    array = _pixel_array(where, group, key, pixels, pixels.shape[2:], "N T C H W")
    if valid.dtype != np.bool_:
        raise TypeError(f"{where}: valid is {valid.dtype}; expected bool.")
    if not np.isfinite(times[valid]).all():
        raise ValueError(f"{where}: a valid date has a time that is not finite; expected days since 2000-01-01 UTC.")
    times = np.where(valid, times, 0.0)
    _store(where, group, key, array, (slice(first, stop),), pixels, valid, times)


def shard(group, first: int, key: str, pixels: np.ndarray, threads: int | None):
    """See `store.Group.write_shard`."""
    stop = first + len(pixels)
    where = f"write_shard({group.name}, locations {first} to {stop - 1}, {key})"
    _inside(where, group, first, stop)
    array = _pixel_array(where, group, key, pixels, pixels.shape[2:], "N T C H W")
    check(pixels, "N T C H W", f"{where}: pixels", {"T": group.dates})
    rows = group.shard_locations(key)
    if first % rows or stop != min(first + rows, group.locations):
        raise ValueError(f"{where}: expected one whole shard, which begins at a multiple of {rows} and has as many locations.")
    # TensorStore would write into a file of a name that all writers share, and would not cut what a killed one left there.
    alone = array.spec().to_json()["metadata"] | {"shape": list(pixels.shape)}
    spec = {"driver": "zarr3", "kvstore": {"driver": "memory"}, "metadata": alone, "store_data_equal_to_fill_value": True}
    context = ts.Context({} if threads is None else {"data_copy_concurrency": {"limit": threads}})
    ts.open(spec, create=True, context=context).result().write(pixels).result()
    data = ts.KvStore.open({"driver": "memory"}, context=context).result().read(b"c/0/0/0/0/0").result().value
    group._arrays.put(f"{group.name}/{key}/c/{first // rows}/0/0/0/0", data)


def dates(group, first: int, key: str, valid: np.ndarray, times: np.ndarray):
    """See `store.Group.write_dates`."""
    where = f"write_dates({group.name}, locations {first} to {first + len(valid) - 1}, {key})"
    _inside(where, group, first, first + len(valid))
    sizes = {"N": len(valid), "T": group.dates}
    check(valid, "N T", f"{where}: valid", sizes)
    check(times, "N T", f"{where}: times", sizes)
    rows = slice(first, first + len(valid))
    _write(where, group, f"{key}_time", group._open(f"{key}_time")[rows], np.where(valid, times, 0.0))
    _write(where, group, f"{key}_mask", group._open(f"{key}_mask")[rows], valid)


def locations(group, first: int, ids: Sequence[str], centre_lonlat, epsg, geotransform, truth=None):
    """See `store.Group.write_locations`."""
    n = len(ids)
    where = f"write_locations({group.name}, locations {first} to {first + n - 1})"
    _inside(where, group, first, first + n)
    if (truth is not None) != bool(group._truths):
        expected = f"{group._truths} ground parameters a location" if group._truths else "no ground parameters"
        raise ValueError(f"{where}: this store has {expected}; {'got none' if truth is None else 'got some'}.")
    columns = {
        "location_id": _encode_ids(where, ids),
        "centre_lonlat": np.asarray(centre_lonlat, np.float64),
        "epsg": np.asarray(epsg, np.int32),
        "geotransform": np.asarray(geotransform, np.float64),
    }
    if truth is not None:
        columns["truth"] = np.asarray(truth, np.float32)
    widths = {"centre_lonlat": (2,), "epsg": (), "geotransform": (6,), "truth": (group._truths,)}
    for name, width in widths.items():
        if name in columns and columns[name].shape != (n, *width):
            raise ValueError(f"{where}: {name} has shape {columns[name].shape}; expected {(n, *width)}.")
    for name, values in columns.items():
        _write(where, group, name, group._open(name)[first : first + n], values)


def check_layouts(groups, footprint_m: float, simulated: bool, truth_names: Sequence[str]):
    """Checks what `store.create` was asked for.

    Raises:
      ValueError: a rule is broken; the sentence names group and sensor.
    """
    names = [g.name for g in groups]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"create: expected at least one group, each name once; got {names}.")
    if truth_names and not simulated:
        raise ValueError("create: truth_names need simulated=True; observations have no known ground parameters.")
    for group in groups:
        where = f"create: group {group.name!r}"
        if not group.name or "/" in group.name or group.name.startswith("."):
            raise ValueError(f"{where}: a group's name is a folder's name.")
        if not group.sensors or group.locations < 1 or group.dates < 1:
            raise ValueError(f"{where}: expected at least one sensor, location and date.")
        for key, spec in group.sensors.items():
            if key in RESERVED or "/" in key or key.endswith(("_mask", "_time")):
                raise ValueError(f"{where}: {key!r} is the name of another array or no name; choose another sensor key.")
            side = footprint_m / spec.gsd_m
            if side < 1 or abs(side - round(side)) > 1e-6:
                raise ValueError(
                    f"{where}, sensor {key}: a footprint of {footprint_m:g} m is not a whole number of pixels of "
                    f"{spec.gsd_m:g} m."
                )


def _store(where: str, group, key: str, array, index: tuple, pixels, valid, times):
    flags = group._open(f"{key}_mask")[index]
    if flags.read().result().any():
        _write(where, group, f"{key}_mask", flags, np.zeros_like(valid))
    _write(where, group, key, array[index], pixels)
    _write(where, group, f"{key}_time", group._open(f"{key}_time")[index], times)
    _write(where, group, f"{key}_mask", flags, valid)


def _write(where: str, group, name: str, target, values: np.ndarray):
    group.forget(name)
    try:
        target.write(values).result()
    except ValueError as error:
        text = store_format.write_failure(group._arrays.path, f"array {name} of {where}", values.nbytes, error)
        raise OSError(text) from error


def _pixel_array(where: str, group, key: str, pixels: np.ndarray, patch_shape: tuple[int, ...], letters: str):
    if group._drivers is not None:
        raise ValueError(
            f"{where}: this store is an archive without attributes and is read-only; write into one made by create."
        )
    array = group.pixels(key)
    if pixels.dtype != array.dtype.numpy_dtype:
        raise TypeError(f"{where}: pixels are {pixels.dtype}; {key} is stored as {array.dtype.name}, convert explicitly.")
    c, h, w = array.shape[2:]
    if tuple(patch_shape) != (c, h, w):
        raise ValueError(f"{where}: pixels [{letters}] have shape {pixels.shape}; expected C H W = {c}, {h}, {w}.")
    return array


def _inside(where: str, group, start: int, stop: int):
    if not 0 <= start < stop <= group.locations:
        raise IndexError(f"{where}: expected at least one location within 0 to {group.locations - 1}.")


def _encode_ids(where: str, ids: Sequence[str]) -> np.ndarray:
    out = np.zeros((len(ids), store_format.ID_BYTES), np.uint8)
    for row, name in zip(out, ids, strict=True):
        raw = name.encode()
        if len(raw) > store_format.ID_BYTES:
            raise ValueError(f"{where}: the id {name!r} has {len(raw)} bytes; at most {store_format.ID_BYTES} are stored.")
        row[: len(raw)] = np.frombuffer(raw, np.uint8)
    return out
