"""Observations to Galileo's arrays and masks: units checked, numbers normalised, and what is missing masked by whole groups."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.model.published.galileo.channels import GROUPS, KINDS, STATIC, Kind, statistics
from spectral_jax.model.published.monthly import observations
from spectral_jax.model.published.monthly.observations import SENTINEL2, UNUSED
from spectral_jax.sentences import unknown

# Rows of the released table of steps.
STEPS = 24
_AXES = {"space_time": "B H W T", "space": "B H W", "time": "B T", "static": "B"}


class GalileoInputs(NamedTuple):
    """Normalised numbers and masks; a mask is 0 where a group is seen (1 and 2, as published, are both not seen).

    Attributes:
      space_time: float32 [B H W T 13], channels of `channels.SPACE_TIME`; 0 where masked.
      space_time_mask: integers [B H W T 7], one for each group. That of a patch is that of its upper left pixel.
      space: float32 [B H W 16].
      space_mask: [B H W 3].
      time: float32 [B T 6].
      time_mask: [B T 3].
      static: float32 [B 18].
      static_mask: [B 4].
      months: int32 [B T], January 0.
    """

    space_time: jax.Array | np.ndarray
    space_time_mask: jax.Array | np.ndarray
    space: jax.Array | np.ndarray
    space_mask: jax.Array | np.ndarray
    time: jax.Array | np.ndarray
    time_mask: jax.Array | np.ndarray
    static: jax.Array | np.ndarray
    static_mask: jax.Array | np.ndarray
    months: jax.Array | np.ndarray


def blank(batch: int, rows: int, columns: int, steps: int) -> GalileoInputs:
    """Inputs of which nothing is seen; every month is January."""
    parts = {"months": jnp.zeros((batch, steps), jnp.int32)}
    for kind, shape in zip(KINDS, _shapes(batch, rows, columns, steps), strict=True):
        parts[kind.name] = jnp.zeros((*shape, len(kind.channels)), jnp.float32)
        parts[f"{kind.name}_mask"] = jnp.ones((*shape, len(kind.groups)), jnp.uint8)
    return GalileoInputs(**parts)


def build(
    data: Mapping[str, np.ndarray],
    months: np.ndarray | int,
    latlon: np.ndarray | None = None,
    groups: tuple[str, ...] | None = None,
    patch: int = 1,
) -> GalileoInputs:
    """Galileo's inputs from observations of one place each, as the released weights expect them.

    Args:
      data: arrays by channel name, NaN where a number is missing; at least one with pixels. [B H W T]: "VV", "VH" in dB; "B02"
        to "B12" in reflectance (pretraining saw Sentinel-2 L1C with its offset removed; L2A is a shift of domain). B01, B09 and
        B10 are not used. [B H W]: "elevation" in m, "slope" in degrees, Dynamic World's probabilities (`DYNAMIC_WORLD`) from 0
        to 1, WorldCereal (`WORLD_CEREAL`) as 0 or 100. [B T]: "temperature" in K and "precipitation" in m a month (ERA5-Land's
        monthly sum), TerraClimate's integers, "night_lights". [B]: "population", and "mean_..." of the two maps.
      months: of each step [B T], or the first [B] or one for all; January is 0.
      latlon: degrees [B 2], latitude first; None: the place is masked.
      groups: the groups to show, all of which must come; None: all that come.
      patch: side in pixels of the patches that will be cut: one in which a number is missing is masked whole. With 1, as
        published, it is seen where its upper left pixel is, and numbers that are missing elsewhere in it count as 0, which is
        two deviations below the mean.

    Returns:
      Arrays and masks. NDVI is (B08 - B04) / (B08 + B04) of reflectance, 0 where the sum is not above 0, where both bands come.
      A group is masked where any of its channels is missing.

    Raises:
      ValueError: an unknown channel or group, a group of which some channels come, shapes that disagree, sides that the patch
        does not divide, another unit, months out of 0 to 11, a series longer than the table of steps, or coordinates that are
        missing or none.
    """
    arrays = {name: np.asarray(values, np.float64) for name, values in data.items() if name not in UNUSED}
    known = [channel for kind in KINDS for channel in kind.channels if channel not in ("NDVI", *STATIC["location"])]
    for name in arrays:
        if name not in known:
            raise unknown("data", "channel of Galileo", name, known)
    batch, rows, columns, steps = _sizes(arrays)
    _expect_patches(rows, columns, patch)
    observations.units(arrays, SENTINEL2)
    observations.steps(steps, STEPS)
    if {"B04", "B08"} <= arrays.keys():
        arrays["NDVI"] = observations.ndvi(arrays["B08"], arrays["B04"])
    wanted = _wanted(groups, arrays, latlon)
    if "location" in wanted:
        where = observations.place(latlon, batch, "the group location is asked for")
        arrays |= dict(zip(STATIC["location"], where.astype(np.float64).T, strict=True))
    parts = {"months": observations.consecutive_months(months, batch, steps)}
    for kind, shape in zip(KINDS, _shapes(batch, rows, columns, steps), strict=True):
        parts[kind.name], parts[f"{kind.name}_mask"] = _fill(kind, arrays, shape, wanted, patch)
    return GalileoInputs(**parts)


def expect(inputs: GalileoInputs, patch: int, steps: int) -> None:
    """Refuses inputs that do not fit one another, a patch in pixels, or a table of `steps`.

    Raises:
      ValueError: sides that the patch does not divide, shapes that disagree, a longer series, or, outside `jax.jit`, months out
        of 0 to 11.
    """
    batch, rows, columns, count = inputs.space_time.shape[:4]
    _expect_patches(rows, columns, patch)
    observations.steps(count, steps)
    wanted: dict[str, tuple[int, ...]] = {"months": (batch, count)}
    for kind, shape in zip(KINDS, _shapes(batch, rows, columns, count), strict=True):
        wanted |= {kind.name: (*shape, len(kind.channels)), f"{kind.name}_mask": (*shape, len(kind.groups))}
    for name, shape in wanted.items():
        found = getattr(inputs, name).shape
        if found != shape:
            raise ValueError(f"{name}: expected shape {list(shape)}, got {list(found)}; build inputs by inputs.build.")
    if not isinstance(inputs.months, jax.core.Tracer):
        observations.months(np.asarray(inputs.months))


def _expect_patches(rows, columns, patch):
    if patch < 1 or rows < patch or columns < patch or rows % patch or columns % patch:
        raise ValueError(
            f"images: expected H and W multiples of the patch of {patch} px, got {rows} x {columns} px; crop or pad them, or "
            "take another patch."
        )


def _shapes(batch, rows, columns, steps) -> tuple[tuple[int, ...], ...]:
    """Of each kind's array, without its last axis."""
    return (batch, rows, columns, steps), (batch, rows, columns), (batch, steps), (batch,)


def _sizes(arrays) -> tuple[int, int, int, int]:
    """B, H, W and T of all arrays; 1 for the sides of those that none has."""
    sizes: dict[str, tuple[int, str]] = {}
    for kind in KINDS:
        axes = _AXES[kind.name].split()
        for name in (channel for channel in kind.channels if channel in arrays):
            shape = arrays[name].shape
            if len(shape) != len(axes) or 0 in shape:
                raise ValueError(f"{name}: expected [{_AXES[kind.name]}], got shape {list(shape)}; give it these axes.")
            for axis, size in zip(axes, shape, strict=True):
                before, first = sizes.setdefault(axis, (size, name))
                if before != size:
                    raise ValueError(f"{name}: expected {axis} = {before} as of {first}, got {size}; bring them to one grid.")
    if not {"H", "W"} <= sizes.keys():
        raise ValueError(f"data: expected a channel with pixels, such as B02 or VV, got {', '.join(arrays) or 'none'}.")
    batch, rows, columns, steps = (sizes.get(axis, (1, ""))[0] for axis in "BHWT")
    return batch, rows, columns, steps


def _wanted(groups, arrays, latlon) -> list[str]:
    """The groups to show; a sentence about the first that lacks channels."""
    parts = {group: channels for kind in KINDS for group, channels in kind.groups.items()}
    for group in groups or ():
        if group not in parts:
            raise unknown("groups", "group of Galileo", group, GROUPS, most=len(GROUPS))
    found = []
    for group, channels in parts.items():
        missing = [channel for channel in channels if channel not in arrays]
        if group == "location":
            found += [group] if group in (groups or ()) or (groups is None and latlon is not None) else []
        elif groups is not None and group not in groups:
            continue
        elif not missing:
            found.append(group)
        elif groups is not None or (len(missing) < len(channels)):
            came = ", ".join(channel for channel in channels if channel in arrays) or "none of them"
            raise ValueError(
                f"data: the group {group} is seen as a whole and needs {', '.join(channels)}; got {came}. Give "
                f"{', '.join(missing)} too, or leave the group out."
            )
    return found


def _fill(kind: Kind, arrays, shape, wanted, patch) -> tuple[np.ndarray, np.ndarray]:
    """The array [... C] and the mask [... groups] of a kind."""
    values = np.zeros((*shape, len(kind.channels)), np.float32)
    mask = np.ones((*shape, len(kind.groups)), np.uint8)
    shift, divisor = statistics(kind.channels)
    for place, (group, channels) in enumerate(kind.groups.items()):
        if group not in wanted:
            continue
        index = [kind.channels.index(channel) for channel in channels]
        found = (np.stack([arrays[channel] for channel in channels], axis=-1) - shift[index]) / divisor[index]
        seen = np.isfinite(found).all(axis=-1)
        values[..., index] = np.where(seen[..., None], found, 0.0)
        mask[..., place] = ~seen
    if kind.spatial:
        blocks = mask.reshape(shape[0], shape[1] // patch, patch, shape[2] // patch, patch, -1).max(axis=(2, 4), keepdims=True)
        mask = np.broadcast_to(blocks, (*blocks.shape[:2], patch, blocks.shape[3], patch, blocks.shape[5])).reshape(mask.shape)
    return values, mask
