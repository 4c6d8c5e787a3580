"""Predictions for scenes of any size: overlapping tiles, blended, in memory that a row of tiles bounds.

Tiles start every `tile - overlap` pixels; the last one of a row or column is shifted to end with the scene, so that all have
one size and one compiled program serves them. A scene smaller than a tile is mirrored at its lower and right edge, and the
mirror image is cut off the prediction.

Along each axis a tile's weight is 0 in the outermost `margin` pixels (not at the edges of the scene), rises linearly over the
rest of the overlap, and is 1 inside; its weight at a pixel is the product of both. Weights are multiples of 1/64 along an axis,
so those of all tiles add up to 1 exactly, in float32 too.

A model whose output looks at most `margin` pixels away gives what it would give for the scene in one piece (provided that tiles
start on its grid: `tile` and `overlap` multiples of its patch or stride, as the sides of the scene). The default margin is
enough for a receptive field of three quarters of the overlap; half of the overlap is for one as wide as it. A vision
transformer looks at its whole tile, so that there is no such prediction to agree with: what a pixel gets depends on the tile.
There a seam is the difference between what two neighbouring tiles say of the same pixel; blending spreads it over the ramp. A
margin of a quarter of the overlap hid it best (a small transformer with random weights: longer ramps reach pixels near a tile's
border, which are the worst). `measure.scene_memory.seam_steps` measures it.

A gap stays where it is. What a tile says where it has no weight does not count, be it NaN; where one tile gives NaN and others
give a number, the others' weights are scaled up to 1; and a pixel that is missing in the scene is NaN in the prediction,
whatever the model makes of it. A transformer that is shown one NaN gives NaN in its whole tile: let `fill` put a number there.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# Steps of a weight: weights of at most three tiles along each of two axes then have at most 24 bits.
LEVELS = 64


class Axis(NamedTuple):
    """Tiles along one axis of a scene.

    Attributes:
      starts: [n] first pixel of each tile.
      weights: [n tile] float32, weight of each of its pixels; over the tiles that hold a pixel they add up to 1.
    """

    starts: np.ndarray
    weights: np.ndarray


def plan(length: int, tile: int, overlap: int, margin: int | None = None) -> Axis:
    """Places the tiles of one axis.

    Args:
      length: pixels of the scene.
      tile: pixels of a tile.
      overlap: pixels that neighbouring tiles share, at least; at most half a tile.
      margin: pixels at a tile's border without weight, at most half of the overlap; None: three eighths of the overlap.

    Raises:
      ValueError: sizes that do not allow this.
    """
    if length < 1 or tile < 1:
        raise ValueError(f"shape and tile: expected at least 1 pixel, got a scene of {length} px and tiles of {tile} px.")
    if not 0 <= overlap <= tile // 2:
        raise ValueError(f"overlap: expected 0 to {tile // 2} px, half of the tile of {tile} px, got {overlap} px.")
    margin = 3 * overlap // 8 if margin is None else margin
    if not 0 <= margin <= overlap // 2:
        raise ValueError(f"margin: expected 0 to {overlap // 2} px, half of the overlap of {overlap} px, got {margin} px.")
    last = max(length - tile, 0)
    starts = np.unique(np.minimum(np.arange(0, last + tile - overlap, tile - overlap), last))
    weights = np.ones((len(starts), tile))
    for i, start in enumerate(starts[1:], start=1):
        low, high = start + margin, starts[i - 1] + tile - margin
        # Half a pixel where there is no ramp: a step from 0 to 1 at `low`.
        rise = np.clip((np.arange(last + tile) - low + 0.5) / max(high - low, 0.5), 0.0, 1.0)
        rise = np.round(rise * LEVELS) / LEVELS
        weights[i] *= rise[start : start + tile]
        # Earlier tiles give up what this one takes.
        for before in range(i):
            weights[before] *= 1.0 - rise[starts[before] : starts[before] + tile]
    return Axis(starts, weights.astype(np.float32))


class NothingSeen(ValueError):
    """A scene has no valid pixel."""


def fading(plan: Axis, length: int) -> np.ndarray:
    """Where, along an axis, neighbouring pixels have other weights: one tile fades into the next there, bool [length - 1]."""
    out = np.zeros(length - 1, bool)
    tile = plan.weights.shape[1]
    for start, weights in zip(plan.starts, plan.weights, strict=True):
        whole = np.zeros(max(length, tile))
        whole[start : start + tile] = weights
        out |= np.diff(whole[:length]) != 0
    return out


def predict_scene(
    read: Callable[[slice, slice], np.ndarray],
    shape: tuple[int, int],
    function: Callable[[np.ndarray], np.ndarray],
    tile: int,
    overlap: int,
    write: Callable[[slice, slice, np.ndarray], None],
    batch: int = 1,
    margin: int | None = None,
    valid: Callable[[slice, slice], np.ndarray] | None = None,
    fill: float | None = None,
) -> None:
    """Predicts a scene tile by tile; each finished band of rows is written, from the top, and forgotten.

    Held at once are the tiles of one batch, and float32 [tile W K].

    Args:
      read: (rows, columns), slices inside the scene, to pixels [h w C]; `lambda rows, columns: array[rows, columns]` will do.
        Of a masked array, a pixel is missing where any channel is masked.
      shape: H and W of the scene, pixels.
      function: pixels [B tile tile C] to numbers [B tile tile K]; it is called with one shape, so under `jax.jit` it is
        compiled once. What it gives is averaged: give probabilities or quantities, not class numbers.
      tile: pixels of a side of a tile.
      overlap: pixels that neighbouring tiles share, at most half a tile.
      write: (rows, columns, values): a window, slices, of full width, and float32 [h w K], NaN where there is no prediction.
        `classes` makes class numbers of it.
      batch: B, tiles of one call; the last call of a row is filled up with copies.
      margin: pixels at a tile's border without weight; see `plan`.
      valid: (rows, columns) to bool [h w], where the scene holds data, such as `Scene.valid`; elsewhere the prediction is NaN,
        and tiles without any are not shown to the model. None: the mask of what `read` gives, if it has one.
      fill: what the model is shown in all channels of a missing pixel; None: what `read` gives there, NaN or the nodata number.
        Without `valid` and masks, pixels with a channel that is not finite are then the missing ones.

    Raises:
      ValueError: sizes that do not fit, a reader or function that gives another size than asked for, a `fill` that the pixels'
        type cannot hold, or (`NothingSeen`) a scene without one valid pixel.
    """
    if batch < 1:
        raise ValueError(f"batch: expected at least 1 tile, got {batch}.")
    down, across = (plan(side, tile, overlap, margin) for side in shape)
    height, width = shape
    rows = np.zeros((0, 0, 0), np.float32)  # [tile W K] once K is known
    # Share of a number's weight that went to tiles without a number; and where the scene holds data.
    lost, good = rows, np.ones((tile, max(width, tile)), bool)
    waiting: list[slice] = []  # bands without data, which are written once K is known
    for i, top in enumerate(down.starts):
        seen = (
            (left, weight, *_tile(read, valid, fill, top, left, tile, shape))
            for left, weight in zip(across.starts, across.weights, strict=True)
        )
        for group in _groups(seen, good, batch, tile):
            values = _call(function, [pixels for _, _, pixels in group], batch, tile)
            if not rows.size:
                rows = np.zeros((tile, max(width, tile), values.shape[-1]), np.float32)
                lost = np.zeros_like(rows)
                for band in waiting:
                    write(band, slice(0, width), np.full((band.stop - band.start, width, rows.shape[-1]), np.nan, np.float32))
            for (left, weight, _), value in zip(group, values, strict=True):
                share = (down.weights[i][:, None] * weight[None])[..., None]
                if np.isfinite(value.sum()):  # so is every one of them, found without an array
                    rows[:, left : left + tile] += share * value
                else:
                    finite = np.isfinite(value)
                    rows[:, left : left + tile] += share * np.where(finite, value, np.float32(0.0))
                    lost[:, left : left + tile] += np.where(finite, np.float32(0.0), share)
        below = down.starts[i + 1] if i + 1 < len(down.starts) else height
        done = int(min(below, height) - top)
        band = slice(int(top), int(top) + done)
        if rows.size:
            write(band, slice(0, width), _finished(rows[:done, :width], lost[:done, :width], good[:done, :width]))
        else:
            waiting.append(band)
        for held, empty in ((rows, 0.0), (lost, 0.0), (good, True)):
            if held is lost and not lost.any():
                continue
            held[: tile - done] = held[done:].copy()
            held[tile - done :] = empty
    if not rows.size:
        raise NothingSeen(f"expected a scene of {height} x {width} px with at least one valid pixel, and all are missing.")


def classes(values: np.ndarray, nodata: int, dtype: str = "uint8") -> np.ndarray:
    """The most probable class of each pixel, and `nodata` where there is no prediction.

    Args:
      values: [h w K], as `predict_scene` writes them; NaN where there is none.
      nodata: a number that no class has.
      dtype: of the result.

    Returns:
      Class numbers from 0 on, [h w 1].

    Raises:
      ValueError: `nodata` is the number of a class, or the type cannot hold it or them.
    """
    count, limits = values.shape[-1], np.iinfo(dtype)
    if 0 <= nodata < count or not limits.min <= nodata <= limits.max or count - 1 > limits.max:
        raise ValueError(f"nodata: expected a number of {dtype} beside the classes 0 to {count - 1}, got {nodata}.")
    there = np.isfinite(values).all(axis=-1)
    best = np.where(there[..., None], values, 0.0).argmax(axis=-1)
    return np.where(there, best, nodata).astype(dtype)[..., None]


def _groups(seen, good, batch, tile):
    """Lists of at most `batch` tiles (left, weight, pixels) that hold data; `good` [tile W] gets where."""
    group = []
    for left, weight, pixels, valid in seen:
        if valid is not None:
            good[:, left : left + tile] &= valid
            if not valid.any():
                continue
        group.append((left, weight, pixels))
        if len(group) == batch:
            yield group
            group = []
    if group:
        yield group


def _finished(rows, lost, good):
    """A band of predictions: what NaN took of the weights is given back, and missing pixels are NaN."""
    out = rows.copy()
    if lost.any():
        # Weights are multiples of 1/4096, so what is lost whole is exactly 1.
        left = np.where(lost < 1.0, 1.0 - lost, np.float32(np.nan))
        np.divide(rows, left, out=out, where=lost > 0.0)
    if not good.all():
        out[~good] = np.nan
    return out


def _tile(read, valid, fill, top, left, tile, shape):
    """Pixels [tile tile C] from a corner of the scene on, mirrored where the scene is smaller; and where they are data."""
    rows, columns = (slice(int(a), int(min(a + tile, side))) for a, side in zip((top, left), shape, strict=True))
    pixels = read(rows, columns)
    masked = np.ma.is_masked(pixels)
    good = ~np.ma.getmaskarray(pixels).any(axis=-1) if masked else None
    pixels = np.asarray(np.ma.getdata(pixels))
    wanted = (rows.stop - rows.start, columns.stop - columns.start)
    where = f"for the window rows {rows.start} to {rows.stop}, columns {columns.start} to {columns.stop}"
    if pixels.ndim != 3 or pixels.shape[:2] != wanted:
        raise ValueError(f"read: expected [h w C] with (h, w) = {wanted} {where}, got shape {pixels.shape}.")
    if valid is not None:
        told = np.asarray(valid(rows, columns))
        if told.shape != wanted or told.dtype != bool:
            raise ValueError(f"valid: expected bool [h w] of {wanted} {where}, got {told.dtype} of shape {told.shape}.")
        good = told if good is None else good & told
    if fill is not None:
        if good is None and pixels.dtype.kind == "f":
            good = np.isfinite(pixels).all(axis=-1)
        if pixels.dtype.kind in "iu" and not _holds(pixels.dtype, fill):
            raise ValueError(f"fill: expected a number that the pixels' type {pixels.dtype} can hold, got {fill}.")
        if good is not None and not good.all():
            pixels = np.where(good[..., None], pixels, np.asarray(fill, pixels.dtype))
    if wanted == (tile, tile):
        return pixels, good
    missing = [(0, tile - side) for side in wanted]
    pixels = np.pad(pixels, [*missing, (0, 0)], mode="symmetric")
    return pixels, None if good is None else np.pad(good, missing, mode="symmetric")


def _holds(dtype, number):
    limits = np.iinfo(dtype)
    return float(number).is_integer() and limits.min <= number <= limits.max


def _call(function, tiles, batch, tile):
    """Predictions of some tiles, from a call with exactly `batch` of them."""
    values = np.asarray(function(np.stack([*tiles, *[tiles[-1]] * (batch - len(tiles))])))
    if values.ndim != 4 or values.shape[:3] != (batch, tile, tile):
        raise ValueError(
            f"function: expected [B H W K] with (B, H, W) = {(batch, tile, tile)}, a number for every pixel, got shape "
            f"{values.shape}; give the head the size of the tile."
        )
    return values[: len(tiles)].astype(np.float32)
