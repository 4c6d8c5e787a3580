"""A scene through overlapping windows, cell by cell, in memory that its size does not change.

A map has a cell for every position of an encoder's level, k x k pixels of the scene. The tiles of `raster.tiled` are counted in
cells, so they start on the encoder's grid; pixels beyond the scene's lower and right edge, which fill up the last cells, are
missing ones.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from spectral_jax.ingest.raster import tiled
from spectral_jax.maps.observed import Observed

# Floats of a strip that is read at once: windows beside each other are cut from it. GDAL reads few large windows fastest.
STRIP_BYTES = 16 * 2**20
# Pixels of one call of the model, over all bands and windows, bytes; and at most so many windows.
CALL_BYTES, MOST_WINDOWS = 16 * 2**20, 256
# Numbers of a cell of which seams are measured.
SEAM_NUMBERS = 8


@dataclasses.dataclass(frozen=True)
class Windows:
    """How a scene is cut.

    Attributes:
      shape: H and W of the map, cells.
      cell_px: side of a cell, pixels of the scene.
      tile: side of a window, cells.
      overlap: that neighbouring windows share, cells.
      batch: windows of one call.
    """

    shape: tuple[int, int]
    cell_px: int
    tile: int
    overlap: int
    batch: int

    @property
    def text(self) -> str:
        """For tags and pages."""
        return (
            f"windows of {self.tile} x {self.tile} cells, {self.overlap} cells shared with neighbours and blended; a cell "
            f"is {self.cell_px} x {self.cell_px} pixels"
        )


def planned(
    observed: Observed, cell_px: int, window_px: int, overlap: float | None = None, alone: bool = False,
    most_windows: int = MOST_WINDOWS,
) -> Windows:  # fmt: skip
    """How a scene is cut for an encoder's level.

    Args:
      observed: the scene.
      cell_px: side of a cell, pixels.
      window_px: side of the encoder's patch, pixels; a multiple of `cell_px`.
      overlap: share of a window's side that neighbours share, 0 to 0.5; None: a quarter, or one cell where that is less, and
        nothing of a window of one cell.
      alone: whether what a cell gets is made of its own pixels alone, so that nothing need be shared unless asked for.
      most_windows: of one call at most.

    Raises:
      ValueError: the scene is smaller than a window, or there is no such overlap.
    """
    if min(observed.shape) < window_px:
        raise ValueError(
            f"{observed.path}: expected at least {window_px} x {window_px} pixels, one patch of the encoder, got "
            f"{observed.shape[0]} x {observed.shape[1]}; take a larger scene."
        )
    if overlap is not None and not 0.0 <= overlap <= 0.5:
        raise ValueError(f"--overlap: expected a share of a window from 0 to 0.5, got {overlap:g}.")
    tile = window_px // cell_px
    if overlap is None and alone:
        overlap = 0.0
    shared = max(1, tile // 4) if overlap is None else round(tile * overlap)
    shape = (-(-observed.shape[0] // cell_px), -(-observed.shape[1] // cell_px))
    shared = min(shared, tile // 2)
    # A call holds windows of one row, and the last of a row is filled up: calls of about equal size waste least.
    row = len(tiled.plan(shape[1], tile, shared).starts)
    most = max(1, min(most_windows, CALL_BYTES // (window_px * window_px * len(observed.spec.bands) * 4)))
    return Windows(shape, cell_px, tile, shared, -(-row // -(-row // most)))


def cells_affine(transform, cell_px: int):
    """The affine of cells, from that of the pixels that they hold."""
    a, b, c, d, e, f = tuple(transform)[:6]
    return type(transform)(a * cell_px, b * cell_px, c, d * cell_px, e * cell_px, f)


class Seams:
    """How visible windows are: steps between neighbouring cells where one window fades into the next, over those elsewhere."""

    def __init__(self, windows: Windows):
        plans = [tiled.plan(side, windows.tile, windows.overlap) for side in windows.shape]
        self._fading = [tiled.fading(plan, side) for plan, side in zip(plans, windows.shape, strict=True)]
        self._sums, self._counts = np.zeros(2), np.zeros(2)
        self._last: np.ndarray | None = None

    def add(self, rows: slice, values: np.ndarray) -> None:
        """Takes rows [h W K] below those before."""
        some = values[..., :: max(1, values.shape[-1] // SEAM_NUMBERS)].astype(np.float64)
        self._take(
            np.abs(np.diff(some, axis=1)).mean(axis=-1), np.broadcast_to(self._fading[1], (len(some), some.shape[1] - 1))
        )
        if self._last is not None:
            some, first = np.concatenate([self._last, some]), rows.start - 1
        else:
            first = rows.start
        down = np.abs(np.diff(some, axis=0)).mean(axis=-1)
        self._take(down, np.broadcast_to(self._fading[0][first : first + len(down), None], down.shape))
        self._last = some[-1:]

    @property
    def ratio(self) -> float | None:
        """Mean step at the seams over the mean step elsewhere: 1 where nothing shows; None where there is no seam."""
        if not self._counts.all() or not self._sums[0]:
            return None
        elsewhere, seam = self._sums / self._counts
        return float(seam / elsewhere)

    @property
    def text(self) -> str:
        """For tags and pages: the ratio, or why there is none."""
        if self.ratio is not None:
            return f"{self.ratio:.3f}"
        return "none: every step lies at a seam" if self._counts[1] else "none: no seams"

    def _take(self, steps: np.ndarray, fading: np.ndarray) -> None:
        there = np.isfinite(steps)
        for kind in (0, 1):
            chosen = steps[there & (fading == bool(kind))]
            self._sums[kind] += chosen.sum()
            self._counts[kind] += chosen.size


def mapped(
    observed: Observed,
    windows: Windows,
    function: Callable[[np.ndarray], np.ndarray],
    write: Callable[[slice, slice, np.ndarray], None],
) -> None:
    """A whole scene, band of rows by band of rows.

    Args:
      observed: the scene.
      windows: how it is cut.
      function: pixels float32 [B S S C], NaN where missing, to numbers [B tile tile K], NaN where there is none.
      write: (rows, columns, values), cells of full width from the top, float32 [h W K].

    Raises:
      ValueError: the scene holds no data, or what its reader refuses.
    """
    strips = _Strips(observed, windows)
    try:
        tiled.predict_scene(
            strips.packed, windows.shape, lambda packed: function(_unpacked(packed, windows.cell_px)), windows.tile,
            windows.overlap, write, windows.batch, valid=strips.valid,
        )  # fmt: skip
    except tiled.NothingSeen as error:
        raise ValueError(
            f"{observed.path}: expected a scene with at least one pixel that holds data in all bands, and all "
            f"{observed.shape[0]} x {observed.shape[1]} are missing; look at its nodata value and masks."
        ) from error


def sample(observed: Observed, windows: Windows, function: Callable[[np.ndarray], np.ndarray], most: int = 64) -> np.ndarray:
    """What the model says of some windows, spread evenly over a scene.

    Args:
      observed: the scene.
      windows: how it is cut.
      function: as in `mapped`.
      most: windows at most.

    Returns:
      Numbers of the cells that have some [N K], float32; N is 0 where these windows hold no data.
    """
    strips = _Strips(observed, windows)
    starts = [tiled.plan(side, windows.tile, windows.overlap).starts for side in windows.shape]
    each = max(1, round(most**0.5))
    rows, columns = (np.unique(one[np.linspace(0, len(one) - 1, min(each, len(one))).round().astype(int)]) for one in starts)
    found, waiting = [], []
    for top in rows:
        for left in columns:
            place = (slice(int(top), int(top) + windows.tile), slice(int(left), int(left) + windows.tile))
            if strips.valid(*place).any():
                waiting.append(strips.packed(*place))
    for start in range(0, len(waiting), windows.batch):
        some = waiting[start : start + windows.batch]
        filled = np.stack([*some, *[some[-1]] * (windows.batch - len(some))])
        values = np.asarray(function(_unpacked(filled, windows.cell_px)))[: len(some)]
        values = values.reshape(-1, values.shape[-1])
        found.append(values[np.isfinite(values).all(axis=-1)])
    return np.concatenate(found).astype(np.float32) if found else np.zeros((0, 0), np.float32)


class _Strips:
    """Cells of a scene with the pixels that they hold, cut from strips of rows that are read as a whole."""

    def __init__(self, observed: Observed, windows: Windows):
        self._observed, self._windows = observed, windows
        self._place: tuple[int, int, int, int] = (0, 0, 0, 0)
        self._pixels = np.zeros((0, 0, 0), np.float32)

    def packed(self, rows: slice, columns: slice) -> np.ndarray:
        """The pixels of each cell as one long vector [h w k*k*C]."""
        k, pixels = self._windows.cell_px, self._cut(rows, columns)
        height, width, bands = pixels.shape
        split = pixels.reshape(height // k, k, width // k, k, bands).transpose(0, 2, 1, 3, 4)
        return split.reshape(height // k, width // k, k * k * bands)

    def valid(self, rows: slice, columns: slice) -> np.ndarray:
        """Cells that hold a pixel with data, bool [h w]."""
        k, seen = self._windows.cell_px, np.isfinite(self._cut(rows, columns)[..., 0])
        return seen.reshape(seen.shape[0] // k, k, seen.shape[1] // k, k).any(axis=(1, 3))

    def _cut(self, rows: slice, columns: slice) -> np.ndarray:
        """Pixels [h*k w*k C] of cells."""
        top, bottom, left, right = self._place
        if (rows.start, rows.stop) != (top, bottom) or columns.start < left or columns.stop > right:
            self._read(rows, columns)
            left = self._place[2]
        k = self._windows.cell_px
        return self._pixels[:, (columns.start - left) * k : (columns.stop - left) * k]

    def _read(self, rows: slice, columns: slice) -> None:
        k, (height, width) = self._windows.cell_px, self._observed.shape
        each = (rows.stop - rows.start) * k * k * len(self._observed.spec.bands) * 4
        stop = min(self._windows.shape[1], max(columns.stop, columns.start + STRIP_BYTES // each))
        cells = (rows, slice(columns.start, stop))
        self._pixels = np.zeros((0, 0, 0), np.float32)  # the last strip goes before the next one comes
        inside = tuple(slice(c.start * k, min(c.stop * k, side)) for c, side in zip(cells, (height, width), strict=True))
        pixels = self._observed.read(*inside)
        beyond = [(0, (c.stop - c.start) * k - n) for c, n in zip(cells, pixels.shape[:2], strict=True)]
        if any(after for _, after in beyond):
            pixels = np.pad(pixels, [*beyond, (0, 0)], constant_values=np.nan)
        self._pixels, self._place = pixels, (rows.start, rows.stop, columns.start, stop)


def _unpacked(packed: np.ndarray, k: int) -> np.ndarray:
    """Windows of cells [B h w k*k*C] as pixels [B h*k w*k C]."""
    count, height, width, long = packed.shape
    split = packed.reshape(count, height, width, k, k, long // (k * k)).transpose(0, 1, 3, 2, 4, 5)
    return split.reshape(count, height * k, width * k, long // (k * k))


def touched(windows: Windows, axis: int, cells: slice, pixels: int) -> slice:
    """Pixels along an axis, of so many, in the windows that touch some cells."""
    starts = tiled.plan(windows.shape[axis], windows.tile, windows.overlap).starts
    there = [s for s in starts if s < cells.stop and s + windows.tile > cells.start]
    return slice(int(there[0]) * windows.cell_px, min(int(there[-1] + windows.tile) * windows.cell_px, pixels))


def of_block(
    pixels: np.ndarray,
    first: tuple[int, int],
    place: tuple[slice, slice],
    windows: Windows,
    function: Callable[[np.ndarray], np.ndarray],
    width: int,
) -> np.ndarray:
    """Cells of a block of a scene, from the windows that touch it: what `mapped` gives of the whole, to rounding.

    Args:
      pixels: in those windows, float32 [H W C], NaN where missing.
      first: row and column of their first pixel in the scene.
      place: rows and columns of the cells.
      windows: how the scene is cut.
      function: as in `mapped`.
      width: K.

    Returns:
      Float32 [h w K], NaN for cells without a pixel that holds data.
    """
    k, tile = windows.cell_px, windows.tile
    down, across = (tiled.plan(side, tile, windows.overlap) for side in windows.shape)
    top, left = first[0] // k, first[1] // k
    shape = (-(-pixels.shape[0] // k) * k, -(-pixels.shape[1] // k) * k)
    beyond = [(0, whole - side) for whole, side in zip(shape, pixels.shape[:2], strict=True)]
    pixels = np.pad(pixels, [*beyond, (0, 0)], constant_values=np.nan)
    seen = np.isfinite(pixels[..., 0]).reshape(shape[0] // k, k, shape[1] // k, k).any(axis=(1, 3))
    total, weight = np.zeros((*seen.shape, width), np.float32), np.zeros((*seen.shape, width), np.float32)
    inside = [
        (int(y) - top, int(x) - left, a[:, None] * b[None])
        for y, a in zip(down.starts, down.weights, strict=True)
        for x, b in zip(across.starts, across.weights, strict=True)
        if _within(int(y) - top, tile, seen.shape[0]) and _within(int(x) - left, tile, seen.shape[1])
    ]
    full = [one for one in inside if seen[one[0] : one[0] + tile, one[1] : one[1] + tile].any()]
    for start in range(0, len(full), windows.batch):
        group = full[start : start + windows.batch]
        shown = [pixels[y * k : (y + tile) * k, x * k : (x + tile) * k] for y, x, _ in group]
        values = np.asarray(function(np.stack([*shown, *[shown[-1]] * (windows.batch - len(shown))])))
        for (y, x, share), value in zip(group, values, strict=False):
            finite = np.isfinite(value)
            total[y : y + tile, x : x + tile] += share[..., None] * np.where(finite, value, np.float32(0.0))
            weight[y : y + tile, x : x + tile] += share[..., None] * finite
    out = np.where((weight > 0) & seen[..., None], total / np.where(weight > 0, weight, 1.0), np.float32(np.nan))
    return out[place[0].start - top : place[0].stop - top, place[1].start - left : place[1].stop - left].astype(np.float32)


def _within(start: int, tile: int, side: int) -> bool:
    return start >= 0 and start + tile <= side
