"""Presto's channels and groups, and observations to its arrays and masks: units checked, numbers scaled, missing ones masked.

Source: arXiv 2304.14065 and the code of nasaharvest/presto at commit 13173d0. No statistics are fitted: channels are shifted
and divided by constants. Sentinel-2's bands have the names of `data_specs/sensors`.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np

from spectral_jax.model.published.monthly import observations
from spectral_jax.model.published.monthly.observations import SENTINEL2, SENTINEL_GROUPS, UNUSED
from spectral_jax.sentences import unknown

# In the order of tokens and of the rows of the channel table, dynamic world after them. Checkpoints hold three of them in
# another order, that of older code: what belongs to a group is told by its name.
GROUPS: Mapping[str, tuple[str, ...]] = {
    **SENTINEL_GROUPS,
    "ERA5": ("temperature", "precipitation"),
    "SRTM": ("elevation", "slope"),
    "NDVI": ("NDVI",),
}
# The group that is the same at every step and has one token.
ONCE = "SRTM"
CHANNELS = tuple(channel for channels in GROUPS.values() for channel in channels)
# Classes of dynamic world, and the number that says that none is known.
DYNAMIC_WORLD_CLASSES, UNKNOWN_COVER = 9, 9
# Rows of the released table of steps.
STEPS = 24
# (shift, divisor) of a channel, from dB, K, m a day, m and degrees; reflectance and NDVI stay. The shift of kelvin is as
# published.
NORMALISATION: Mapping[str, tuple[float, float]] = {
    "VV": (-25.0, 25.0),
    "VH": (-25.0, 25.0),
    "temperature": (272.15, 35.0),
    "precipitation": (0.0, 0.03),
    "elevation": (0.0, 2000.0),
    "slope": (0.0, 50.0),
}


class PrestoInputs(NamedTuple):
    """Series of pixels.

    Attributes:
      x: float32 [B T 17], normalised channels `CHANNELS`; 0 where masked.
      mask: [B T 17], 0 where a number is there. A group is seen at a step where all of its channels are.
      dynamic_world: int32 [B T], class 0 to 8, or 9 where it is not known.
      place: float32 [B 3], x, y and z on the unit sphere. None: without its token, which published code never leaves out.
      months: int32 [B T], January 0.
    """

    x: jax.Array | np.ndarray
    mask: jax.Array | np.ndarray
    dynamic_world: jax.Array | np.ndarray
    place: jax.Array | np.ndarray | None
    months: jax.Array | np.ndarray


def build(
    data: Mapping[str, np.ndarray],
    months: np.ndarray | int,
    latlon: np.ndarray | None,
    dynamic_world: np.ndarray | None = None,
) -> PrestoInputs:
    """Presto's inputs from observations of one pixel each.

    Args:
      data: arrays [B T] by channel name, NaN where a number is missing: "VV", "VH" in dB; "B02" to "B12" in reflectance (B01,
        B09 and B10 are not used); "temperature" in K; "precipitation" in m a day, the mean of the month's days (Galileo has the
        month's sum); "elevation" in m and "slope" in degrees, of which the first step counts.
      months: of each step [B T], or the first [B] or one for all; January is 0.
      latlon: degrees [B 2], latitude first.
      dynamic_world: class of each step [B T], 9 where it is not known; None: nowhere.

    Returns:
      Arrays and masks. NDVI is (B08 - B04) / (B08 + B04), 0 where the sum is not above 0, where both come.

    Raises:
      ValueError: an unknown channel, shapes that disagree, another unit, months out of 0 to 11, a series longer than the table
        of steps, no coordinates or such as there are none, or an unknown class.
    """
    arrays = {name: np.asarray(values, np.float64) for name, values in data.items() if name not in UNUSED}
    for name in arrays:
        if name not in CHANNELS or name == "NDVI":
            raise unknown("data", "channel of Presto", name, [channel for channel in CHANNELS if channel != "NDVI"])
    if not arrays:
        raise ValueError(f"data: expected at least one of {', '.join(CHANNELS[:-1])}, got none.")
    first, shape = next((name, values.shape) for name, values in arrays.items())
    for name, values in arrays.items():
        if values.ndim != 2 or values.shape != shape or 0 in shape:
            raise ValueError(
                f"{name}: expected [B T] as of {first}, {list(shape)}, got shape {list(values.shape)}; one row a pixel."
            )
    batch, count = shape
    observations.units(arrays, SENTINEL2)
    observations.steps(count, STEPS)
    if {"B04", "B08"} <= arrays.keys():
        arrays["NDVI"] = observations.ndvi(arrays["B08"], arrays["B04"])
    absent = np.full(shape, np.nan)
    shift, divisor = statistics(CHANNELS)
    x = (np.stack([arrays.get(name, absent) for name in CHANNELS], axis=-1) - shift) / divisor
    seen = np.isfinite(x)
    return PrestoInputs(
        x=np.where(seen, x, 0.0).astype(np.float32),
        mask=(~seen).astype(np.uint8),
        dynamic_world=_cover(dynamic_world, (batch, count)),
        place=observations.place(latlon, batch, "Presto's first token is the place, and it is never masked"),
        months=observations.consecutive_months(months, batch, count),
    )


def statistics(names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Shift and divisor [C] of channels in physical units; (0, 1) of those without."""
    shift, divisor = np.array([NORMALISATION.get(name, (0.0, 1.0)) for name in names]).T
    return shift, divisor


def expect(inputs: PrestoInputs, steps: int) -> None:
    """Refuses inputs that do not fit one another or a table of `steps`.

    Raises:
      ValueError: shapes that disagree, a longer series, or, outside `jax.jit`, months out of 0 to 11 or an unknown class.
    """
    batch, count = inputs.x.shape[:2]
    observations.steps(count, steps)
    wanted = {"x": (batch, count, len(CHANNELS)), "mask": (batch, count, len(CHANNELS)), "place": (batch, 3)}
    for name, shape in (wanted | dict.fromkeys(("dynamic_world", "months"), (batch, count))).items():
        found = getattr(inputs, name)
        if found is not None and found.shape != shape:
            raise ValueError(f"{name}: expected shape {list(shape)}, got {list(found.shape)}; build inputs by inputs.build.")
    if not isinstance(inputs.months, jax.core.Tracer):
        observations.months(np.asarray(inputs.months))
    if not isinstance(inputs.dynamic_world, jax.core.Tracer):
        _cover(np.asarray(inputs.dynamic_world), (batch, count))


def _cover(classes, shape) -> np.ndarray:
    if classes is None:
        return np.full(shape, UNKNOWN_COVER, np.int32)
    classes = np.asarray(classes)
    wrong = classes[~np.isin(classes, np.arange(UNKNOWN_COVER + 1))]
    if wrong.size or classes.shape != shape:
        got = f"class {wrong.flat[0]}" if wrong.size else f"shape {list(classes.shape)}"
        raise ValueError(
            f"dynamic_world: expected a class from 0 (water) to 8 (snow and ice), or 9 where it is not known, of each step "
            f"{list(shape)}, got {got}."
        )
    return classes.astype(np.int32)
