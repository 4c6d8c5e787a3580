"""A cell of a product that reads itself: it holds no open file, so that any process can read it."""

import collections
import dataclasses
from pathlib import Path

import numpy as np

from spectral_jax.ingest.colocated import warp
from spectral_jax.ingest.colocated.cells import Cell
from spectral_jax.ingest.colocated.survey import THERMAL, Sighting
from spectral_jax.ingest.downloaded.product import DownloadedProduct
from spectral_jax.ingest.downloaded.recognise import open_product
from spectral_jax.ingest.masks.finder import CloudFinder
from spectral_jax.ingest.patches.products.product import Stored


class Openings:
    """The products that were opened last; a process opens its own."""

    def __init__(self, most: int = 6, masked: CloudFinder | None = None):
        """Keeps at most `most` products open, and gives each the flags of `masked`; None: its own alone."""
        self._most, self._masked = most, masked or CloudFinder()
        self._open: collections.OrderedDict[tuple[Path, str], DownloadedProduct] = collections.OrderedDict()

    def __getstate__(self):
        return self.__dict__ | {"_open": collections.OrderedDict()}

    def of(self, sighting: Sighting) -> DownloadedProduct:
        """An open product, its numbers those of the sensor that the store has.

        Raises:
          FileNotFoundError, ValueError: as `open_product`.
        """
        at = sighting.path, sighting.key
        if at not in self._open:
            while len(self._open) >= self._most:
                self._open.popitem(last=False)[1].close()
            self._open[at] = self._masked(open_product(sighting.path, sensor=THERMAL if sighting.key == "LT" else None))
        self._open.move_to_end(at)
        return dataclasses.replace(self._open[at], spec=sighting.spec)

    def close(self) -> None:
        """Closes what is open."""
        while self._open:
            self._open.popitem()[1].close()


@dataclasses.dataclass(frozen=True)
class CellPatch:
    """What a product saw of a cell; it is written as `patches.plan.Patch` is.

    Attributes:
      chip: the product.
      cell: wholly inside it.
      keep: whether pixels that the product calls unclear are kept; else they are missing.
      openings: shared by all patches of a plan.
    """

    chip: Sighting
    cell: Cell
    keep: bool
    openings: Openings = dataclasses.field(compare=False, repr=False)

    def stored(self) -> Stored:
        """Its numbers as the store holds them.

        Raises:
          FileNotFoundError, ValueError: the product is gone, or damaged.
        """
        product = self.openings.of(self.chip)
        seen = warp.onto(product, self.chip.footprint, self.cell, trusting=self.keep)
        found = seen.product.stored(*seen.window)
        nodata = product.spec.nodata
        if self.keep or nodata is None:
            return Stored(*found)
        clear = seen.product.clear(*seen.window)
        return Stored(np.where(clear, found.pixels, np.asarray(nodata, found.pixels.dtype)), found.clipped)

    @property
    def granule(self) -> str:
        """What is opened to read it."""
        return str(self.chip.path)

    @property
    def time_days(self) -> float:
        """Days since 2000-01-01 UTC."""
        return self.chip.time_days

    def close(self) -> None:
        """Closes what stayed open after reading."""
        self.openings.close()

    def said(self) -> list:
        """What makes it another patch where it changes, as JSON has it."""
        return [self.chip.path.name, self.chip.name, self.chip.time_days, self.cell.name, self.keep, self.chip.spec.name]
