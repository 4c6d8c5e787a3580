"""A look at some patches of a store before the first step: is anything valid, and can the numbers be the sensor's?"""

import numpy as np

from spectral_jax import plausible
from spectral_jax.data.loader import Loader
from spectral_jax.sensors import SensorSpec

PATCHES = 8  # of a sensor in a group, evenly picked
MORE = 64  # patches looked at before a sensor counts as having nothing
_BYTES = 48 * 2**20  # to be read in all, at least two patches a sensor


def check(loader: Loader) -> list[str]:
    """Looks at evenly picked patches of every group and sensor that a run uses.

    Returns:
      Lines to be told: which share of the pixels is valid.

    Raises:
      ValueError: not one pixel of a group is valid, or the numbers of a sensor cannot be its quantity; the sentence names
        group and sensor.
    """
    places = sum(len(keys) for keys in loader.bands.values())
    lines = []
    for name, keys in loader.bands.items():
        shares = {key: _look(loader, name, key, _BYTES // max(1, places)) for key in keys}
        if not any(shares.values()) and keys:
            raise ValueError(
                f"store {loader.store.path}: in group {name} not one pixel of the patches looked at is valid in any of "
                f"{', '.join(keys)} (nodata, or outside the sensor's valid_range); nothing can be learned from it. Build the "
                "store again, or name other groups in data.groups."
            )
        if keys:
            said = (f"{key} {share:.0%}" if share else f"{key} NOT ONE" for key, share in shares.items())
            lines.append(f"  {name}: of the pixels looked at are valid: {', '.join(said)}")
    return lines


def _look(loader: Loader, name: str, key: str, most_bytes: int) -> float:
    """The share of valid pixels; judges the numbers on the way."""
    group, spec = loader.store.groups[name], loader.cfg.sensor(key).spec
    seen = loader.usable[name][group.valid(key)[loader.usable[name]].any(axis=1)]
    if not len(seen):
        return 0.0
    bands = list(loader.bands[name][key])
    shape = group.pixels(key).shape
    a_patch = int(np.prod(shape[2:])) * np.dtype(group.sensors[key].dtype).itemsize
    count = int(np.clip(most_bytes // a_patch, 2, PATCHES))
    values, good = _read(group, key, spec, bands, _evenly(seen, count))
    if not good.any():
        for row in _evenly(seen, MORE):
            values, good = _read(group, key, spec, bands, [row])
            if good.any():
                break
    plausible.check(
        values, np.broadcast_to(good[:, None], values.shape), spec, f"store {loader.store.path}: group {name}, sensor {key}",
        advice="build the store again, or correct the sensor's spec (scale, offset, unit, dtype)",
    )  # fmt: skip
    return float(good.mean())


def _evenly(rows: np.ndarray, count: int) -> np.ndarray:
    return rows[np.unique(np.linspace(0, len(rows) - 1, count).astype(int))]


def _read(group, key: str, spec: SensorSpec, bands: list[int], rows) -> tuple[np.ndarray, np.ndarray]:
    """Values in the spec's unit [n C H W], and which pixels hold data in every band [n H W], as the model would see them."""
    dates = np.argmax(group.valid(key)[rows], axis=1)
    stored = np.stack([group.read(key, int(row), int(date))[bands] for row, date in zip(rows, dates, strict=True)])
    values = stored.astype(np.float32)
    good: np.ndarray = np.isfinite(values)
    if spec.nodata is not None:
        good &= stored != spec.nodata
    if np.issubdtype(stored.dtype, np.integer):
        values = values * np.float32(spec.scale) + np.float32(spec.offset)
    if spec.valid_range is not None:
        good &= (values >= spec.valid_range[0]) & (values <= spec.valid_range[1])
    return values, np.all(good, axis=1)
