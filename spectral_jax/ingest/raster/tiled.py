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


def predict_scene(
    read: Callable[[slice, slice], np.ndarray],
    shape: tuple[int, int],
    function: Callable[[np.ndarray], np.ndarray],
    tile: int,
    overlap: int,
    write: Callable[[slice, slice, np.ndarray], None],
    batch: int = 1,
    margin: int | None = None,
) -> None:
    """Predicts a scene tile by tile; each finished band of rows is written, from the top, and forgotten.

    Held at once are the tiles of one batch, and float32 [tile W K].

    Args:
      read: (rows, columns), slices inside the scene, to pixels [h w C]; `lambda rows, columns: array[rows, columns]` will do.
      shape: H and W of the scene, pixels.
      function: pixels [B tile tile C] to numbers [B tile tile K]; it is called with one shape, so under `jax.jit` it is
        compiled once. What it gives is averaged: give probabilities or quantities, not class numbers.
      tile: pixels of a side of a tile.
      overlap: pixels that neighbouring tiles share, at most half a tile.
      write: (rows, columns, values): a window, slices, of full width, and float32 [h w K].
      batch: B, tiles of one call; the last call of a row is filled up with copies.
      margin: pixels at a tile's border without weight; see `plan`.

    Raises:
      ValueError: sizes that do not fit, or a reader or function that gives another size than asked for.
    """
    if batch < 1:
        raise ValueError(f"batch: expected at least 1 tile, got {batch}.")
    down, across = (plan(side, tile, overlap, margin) for side in shape)
    height, width = shape
    rows = np.zeros((0, 0, 0), np.float32)  # [tile W K] once K is known
    for i, top in enumerate(down.starts):
        for first in range(0, len(across.starts), batch):
            columns = across.starts[first : first + batch]
            values = _call(function, [_tile(read, top, left, tile, shape) for left in columns], batch, tile)
            if not rows.size:
                rows = np.zeros((tile, max(width, tile), values.shape[-1]), np.float32)
            for left, value, weight in zip(columns, values, across.weights[first : first + batch], strict=True):
                share = down.weights[i][:, None] * weight[None]
                rows[:, left : left + tile] += share[..., None] * value
        below = down.starts[i + 1] if i + 1 < len(down.starts) else height
        done = int(min(below, height) - top)
        write(slice(int(top), int(top) + done), slice(0, width), rows[:done, :width].copy())
        rows[: tile - done] = rows[done:].copy()
        rows[tile - done :] = 0.0


def _tile(read, top, left, tile, shape):
    """Pixels [tile tile C] from a corner of the scene on, mirrored where the scene is smaller."""
    rows, columns = (slice(int(a), int(min(a + tile, side))) for a, side in zip((top, left), shape, strict=True))
    pixels = np.asarray(read(rows, columns))
    wanted = (rows.stop - rows.start, columns.stop - columns.start)
    if pixels.ndim != 3 or pixels.shape[:2] != wanted:
        raise ValueError(
            f"read: expected [h w C] with (h, w) = {wanted} for the window rows {rows.start} to {rows.stop}, columns "
            f"{columns.start} to {columns.stop}, got shape {pixels.shape}."
        )
    missing = [(0, tile - side) for side in wanted]
    return np.pad(pixels, [*missing, (0, 0)], mode="symmetric") if wanted != (tile, tile) else pixels


def _call(function, tiles, batch, tile):
    """Predictions of some tiles, from a call with exactly `batch` of them."""
    values = np.asarray(function(np.stack([*tiles, *[tiles[-1]] * (batch - len(tiles))])))
    if values.ndim != 4 or values.shape[:3] != (batch, tile, tile):
        raise ValueError(
            f"function: expected [B H W K] with (B, H, W) = {(batch, tile, tile)}, a number for every pixel, got shape "
            f"{values.shape}; give the head the size of the tile."
        )
    return values[: len(tiles)].astype(np.float32)
