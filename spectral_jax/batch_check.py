"""Whether a batch is what a config expects: shapes and types, which are known while tracing, and numbers, which are not.

`spectral_jax.apply` makes the first check always, and the second one where it is called outside `jit`. Under `jit` numbers are
not looked at; who wants them judged there calls `spectral_jax.check_batch` before.
"""

import jax
import numpy as np

from spectral_jax import plausible
from spectral_jax.batch import Batch, SensorData
from spectral_jax.config import Config
from spectral_jax.sensors import SensorSpec
from spectral_jax.shapes import check

# Of the numbers of a sensor about so many are judged, of so many bands.
JUDGED, JUDGED_BANDS = 1 << 13, 24


def check_batch(batch: Batch, cfg: Config) -> None:
    """Checks a batch whole: shapes and types, and whether its numbers can be what the sensors' specs say.

    Args:
      batch: arrays of NumPy or JAX that hold numbers, none that is being traced.
      cfg: the config; its sensors may be left out of the batch.

    Raises:
      ValueError: as `check_types`; or most numbers of a sensor lie outside what its quantity can be: packed integers given as
        floats, percent, reflectance cast to whole numbers. The sentence names the sensor.
    """
    check_types(batch, cfg)
    for key, data in batch.sensors.items():
        check_numbers(key, data, cfg.sensor(key).spec)


def check_types(batch: Batch, cfg: Config) -> None:
    """Checks what is known while tracing: the keys of the sensors, shapes and types.

    Raises:
      ValueError: the config has no such sensor, something is no array, pixels are bool or of a type that cannot hold what the
        sensor stores, or a shape does not fit the others.
    """
    if not isinstance(batch, Batch):
        raise ValueError(f"batch: expected a spectral_jax.Batch of sensors, got a {type(batch).__name__}.")
    if not batch.sensors:
        raise ValueError(f"batch: expected at least one of the sensors {', '.join(s.key for s in cfg.sensors)}, got none.")
    sizes: dict[str, int] = {}
    for key, data in batch.sensors.items():
        spec = cfg.sensor(key).spec
        for name in ("pixels", "present", "time", "valid"):
            value = getattr(data, name)
            if not hasattr(value, "shape") and not (name == "valid" and value is None):
                raise ValueError(
                    f"{name} of {key}: expected an array of NumPy or JAX, got a {type(value).__name__}; use np.asarray."
                )
        _check_type(key, data, spec)
        b = check(data.pixels, "B H W C", f"pixels of {key}", {"C": len(spec.used), **sizes})
        sizes = {"B": b["B"]}
        check(data.present, "B", f"present of {key}", sizes)
        check(data.time, "B", f"time of {key}", sizes)
        if data.valid is not None:
            check(data.valid, "B H W", f"valid of {key}", b)


def traced(batch: Batch) -> bool:
    """Whether any pixels are being traced, or held by other processes, so that their numbers are not known."""
    arrays = [data.pixels for data in batch.sensors.values() if isinstance(data.pixels, jax.Array)]
    return any(isinstance(pixels, jax.core.Tracer) or not pixels.is_fully_addressable for pixels in arrays)


def check_numbers(key: str, data: SensorData, spec: SensorSpec) -> None:
    """Judges the numbers of one sensor; see `check_batch`."""
    bands = max(1, data.pixels.shape[-1] // JUDGED_BANDS)
    pixels = data.pixels.reshape(-1, data.pixels.shape[-1])
    step = max(1, pixels.shape[0] * min(JUDGED_BANDS, pixels.shape[1]) // JUDGED)
    some = np.asarray(pixels[::step, ::bands])
    there = np.repeat(np.asarray(data.present), pixels.shape[0] // max(1, data.pixels.shape[0]))[::step]
    if data.valid is not None:
        there = there & np.asarray(data.valid).reshape(-1)[::step]
    values = some.astype(np.float64)
    good = np.isfinite(values) & there[:, None]
    packed = some.dtype.kind in "iu"
    if packed:
        good &= some != spec.nodata if spec.nodata is not None else True
        values = values * spec.scale + spec.offset
    if spec.valid_range is not None:
        inside = good & (values >= spec.valid_range[0]) & (values <= spec.valid_range[1])
        # Some numbers out of range are missing ones; most of them are numbers of another unit, which must be judged.
        good = inside if 2 * np.count_nonzero(inside) >= np.count_nonzero(good) else good
    advice = f"give {spec.quantity} in the unit {spec.unit} as floats, or numbers of type {spec.dtype} as they are stored"
    if packed:
        advice = (
            f"give the numbers that the sensor stores (scale {spec.scale:g}, offset {spec.offset:g}), or floats in its unit"
        )
    plausible.check(values, good, spec, f"pixels of {key}", spec.scale if packed else 0.0, advice, stated=True)


def _check_type(key: str, data: SensorData, spec: SensorSpec) -> None:
    kind = np.dtype(data.pixels.dtype)
    if jax.numpy.issubdtype(kind, np.floating):
        pass
    elif kind.kind not in "iu":
        raise ValueError(
            f"pixels of {key}: expected numbers of type {spec.dtype} as the sensor stores them, or floats in the unit "
            f"{spec.unit}, got {kind}."
        )
    else:
        _check_stored(key, kind, spec)
    if np.dtype(data.present.dtype).kind != "b":
        raise ValueError(f"present of {key}: expected bool, got {data.present.dtype}.")
    if not jax.numpy.issubdtype(np.dtype(data.time.dtype), np.floating):
        raise ValueError(f"time of {key}: expected floats, days since 2000-01-01 UTC, got {data.time.dtype}.")
    if data.valid is not None and np.dtype(data.valid.dtype).kind != "b":
        raise ValueError(f"valid of {key}: expected bool, got {data.valid.dtype}.")


def _check_stored(key: str, kind: np.dtype, spec: SensorSpec) -> None:
    """Whole numbers are the sensor's stored ones, of its type or one that holds them all."""
    stored = np.dtype(spec.dtype)
    limits = np.iinfo(kind)
    if stored.kind == "f":
        raise ValueError(f"pixels of {key}: {spec.name} stores {spec.dtype}, and whole numbers of type {kind} were given.")
    if limits.min > np.iinfo(stored).min or limits.max < np.iinfo(stored).max:
        raise ValueError(
            f"pixels of {key}: expected numbers of type {spec.dtype} as {spec.name} stores them, got {kind}, which does not "
            f"hold them all{'' if spec.nodata is None else f' (its nodata is {spec.nodata:g})'}; convert the array, or give "
            f"floats in the unit {spec.unit}."
        )
