"""A product on the grid of a cell: its own pixels where they lie on it, else warped once.

Spectra and flags are those of the nearest pixel. All else is bilinear: of power where the unit is power or its decibels, and of
pixels that hold data alone, with their weights made to sum to one; a pixel is missing where the nearest one is. Places are
exact to a thousandth of a pixel: GDAL's `reproject` would allow itself an eighth.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from spectral_jax.ingest import packing
from spectral_jax.ingest.colocated import cells
from spectral_jax.ingest.colocated.cells import Cell
from spectral_jax.ingest.colocated.footprints import Footprint
from spectral_jax.ingest.colocated.wanted import SPECTRA
from spectral_jax.ingest.downloaded.product import DownloadedProduct, Pixels, Window
from spectral_jax.ingest.patches.products.delivered import KEYS
from spectral_jax.ingest.raster.geotiff import PIXEL_TOLERANCE

# Places are carried exactly at nodes that lie no farther apart, and between them along straight lines: on 480 m a line of
# another system is bent by some millimetres.
NODE_M = 480.0


class Onto(NamedTuple):
    """A product as a cell has it.

    Attributes:
      product: the product itself, or the same on the cell's grid; closing it is left to who opened it.
      window: of the cell in it.
      how: `own grid`, `nearest` or `bilinear`.
    """

    product: DownloadedProduct
    window: Window
    how: str


def onto(product: DownloadedProduct, footprint: Footprint, cell: Cell, trusting: bool = True) -> Onto:
    """A product on the grid of a cell, with the pixels of its sensor.

    Args:
      product: open.
      footprint: its own.
      cell: wholly inside the product.
      trusting: whether pixels that the product calls unclear are averaged with others; False: they are missing to all.
    """
    pixel_m = product.spec.gsd_m
    side = round(cell.side_m / pixel_m)
    own = _own(footprint, cell, pixel_m)
    if own is not None:
        return Onto(product, (slice(own[0], own[0] + side), slice(own[1], own[1] + side)), "own grid")
    nearest = KEYS[product.spec.name] in SPECTRA
    at = _Places(footprint, cell, pixel_m, side)
    made = dataclasses.replace(
        product, crs=cells.crs(cell.epsg), geotransform=(cell.left, pixel_m, 0.0, cell.top, 0.0, -pixel_m),
        shape=(side, side), source=_nearest(product, at) if nearest else _bilinear(product, at, trusting),
        packings=product.packings if nearest else tuple(
            dataclasses.replace(one, missing=(), low=-math.inf, high=math.inf) for one in product.packings
        ),
    )  # fmt: skip
    return Onto(made, (slice(0, side), slice(0, side)), "nearest" if nearest else "bilinear")


def _own(footprint: Footprint, cell: Cell, pixel_m: float) -> tuple[int, int] | None:
    """Row and column of a cell's first pixel in a product that lies on its grid; None where it does not."""
    left, across, _, top, _, down = footprint.geotransform
    if footprint.crs != cells.crs(cell.epsg) or abs(across - pixel_m) > 1e-9 or abs(down + pixel_m) > 1e-9:
        return None
    row, column = (top - cell.top) / pixel_m, (cell.left - left) / pixel_m
    off = max(abs(row - round(row)), abs(column - round(column)))
    return (round(row), round(column)) if off <= PIXEL_TOLERANCE else None


class _Places:
    """Where the centres of a cell's pixels lie in a product, as rows and columns counted from the centre of its first."""

    def __init__(self, footprint: Footprint, cell: Cell, pixel_m: float, side: int):
        nodes = max(2, math.ceil(cell.side_m / NODE_M) + 1)
        ends = np.linspace(0.0, cell.side_m, nodes)
        x, y = np.meshgrid(cell.left + ends, cell.top - ends)
        rows, columns = footprint.places(cells.crs(cell.epsg), x.ravel(), y.ravel())
        at = (np.arange(side) + 0.5) * pixel_m / (ends[1] - ends[0])
        low = np.minimum(at.astype(int), nodes - 2)
        part = at - low
        self.row, self.column = (_between(z.reshape(nodes, nodes), low, part) - 0.5 for z in (rows, columns))
        # The window that is read, with a pixel around for the neighbours.
        self.rows, self.columns = (
            slice(max(0, int(np.floor(z.min()))), min(most, int(np.floor(z.max())) + 2))
            for z, most in zip((self.row, self.column), footprint.shape, strict=True)
        )
        self.window = self.rows, self.columns
        self.near = self._in(np.floor(self.row + 0.5), np.floor(self.column + 0.5))

    def _in(self, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Positions [h w] in the window that is read; at the edge of the product the last pixel stands for its neighbour."""
        height, width = (cut.stop - cut.start for cut in self.window)
        row = np.clip(row.astype(np.intp) - self.rows.start, 0, height - 1)
        return row * width + np.clip(column.astype(np.intp) - self.columns.start, 0, width - 1)

    def corners(self):
        """Position in the window and weight [h w] of each of the four neighbours."""
        top, left = np.floor(self.row), np.floor(self.column)
        down, right = self.row - top, self.column - left
        for i in (0, 1):
            for j in (0, 1):
                yield self._in(top + i, left + j), np.abs(1 - i - down) * np.abs(1 - j - right)


def _picked(layers: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Numbers [... h w] at some positions of layers of a window."""
    return layers.reshape(*layers.shape[:-2], -1).take(at, axis=-1)


def _between(nodes: np.ndarray, low: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Numbers [n n] of a square grid of nodes, `part` of the way from node `low` to the next along both axes."""
    along = nodes[low] * (1.0 - part[:, None]) + nodes[low + 1] * part[:, None]
    return along[:, low] * (1.0 - part) + along[:, low + 1] * part


def _flags(product: DownloadedProduct, at: _Places) -> Callable:
    def flags(window: Window):
        return {name: _picked(layer, at.near[window]) for name, layer in product.source.flags(at.window).items()}

    return flags


def _nearest(product: DownloadedProduct, at: _Places) -> Pixels:
    before = product.source

    def picked(read: Callable) -> Callable:
        def layers(chosen: Sequence[int], window: Window) -> np.ndarray:
            return _picked(read(chosen, at.window), at.near[window])

        return layers

    return Pixels(picked(before.numbers), _flags(product, at), None if before.trusted is None else picked(before.trusted))


def _bilinear(product: DownloadedProduct, at: _Places, trusting: bool) -> Pixels:
    decibels = product.unit == "dB"

    def numbers(chosen: Sequence[int], window: Window) -> np.ndarray:
        raw, good = _with_good(product, chosen, at.window)
        if not trusting:
            good &= product.clear(*at.window)
        if decibels:
            raw = 10.0 ** (np.where(good, raw, 0.0) / 10.0)
        whole = bool(good.all())
        raw = raw if whole else np.where(good, raw, 0.0)
        mean = np.zeros((len(raw), *at.row.shape))
        weight = np.zeros(0 if whole else mean.shape)
        for place, share in at.corners():
            mean += _picked(raw, place) * share
            if not whole:
                weight += _picked(good, place) * share
        if not whole:
            # The nearest of four has a quarter of the weight at least.
            there = _picked(good, at.near)
            mean = np.divide(mean, weight, out=np.full(mean.shape, np.nan), where=there)
        return (10.0 * np.log10(mean) if decibels else mean)[:, *window]

    return Pixels(numbers, _flags(product, at))


def _with_good(product: DownloadedProduct, chosen: Sequence[int], window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of a product's own window as floats of 64 bits, and where they are data."""
    raw = product.source.numbers(chosen, window)
    good = np.stack([packing.present(band, product.packings[i]) for band, i in zip(raw, chosen, strict=True)])
    if product.unit == "linear power":
        good &= raw > 0
    if product.source.trusted is not None:
        good &= product.source.trusted(chosen, window)
    return raw.astype(np.float64), good
