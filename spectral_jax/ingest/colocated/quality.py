"""How much of a cell holds data and is clear, from a product's quality layers alone, and one band of radar and temperature."""

from typing import NamedTuple

import numpy as np

from spectral_jax.ingest.colocated import warp
from spectral_jax.ingest.colocated.cells import Cell
from spectral_jax.ingest.colocated.footprints import Footprint
from spectral_jax.ingest.downloaded.product import DownloadedProduct
from spectral_jax.ingest.masks.finder import BLANK

# What has no quality layer of its own, or gaps that it does not tell: one band is read.
_READ = ("radar", "thermal")


class Quality(NamedTuple):
    """Of a cell in a product.

    Attributes:
      valid: share of its pixels that hold data.
      clear: share that holds data and has none of the flags that the product's guides drop.
      how: the product's pixels come to the cell, as `warp.Onto` has it.
    """

    valid: float
    clear: float
    how: str


UNMEASURED = Quality(float("nan"), float("nan"), "")


def measured(product: DownloadedProduct, footprint: Footprint, cell: Cell) -> Quality:
    """Measures a cell.

    Raises:
      ValueError: a quality layer is damaged.
    """
    seen = warp.onto(product, footprint, cell)
    flags = seen.product.flagged(*seen.window)
    size = tuple(cut.stop - cut.start for cut in seen.window)
    valid = ~_any(flags, [flag for flag in BLANK if flag in flags], size)
    if product.spec.kind in _READ:
        valid &= seen.product.good(*seen.window, bands=[0])[0]
    clear = valid & ~_any(flags, product.dropped, size)
    return Quality(float(valid.mean()), float(clear.mean()), seen.how)


def _any(flags, names, size: tuple[int, ...]) -> np.ndarray:
    return np.logical_or.reduce([flags[name] for name in names]) if names else np.zeros(size, bool)
