"""A folder of products as agencies deliver them: found, opened one at a time, and cut into a store's numbers."""

from pathlib import Path

import numpy as np

from spectral_jax.ingest.downloaded.product import DownloadedProduct, Stored
from spectral_jax.ingest.downloaded.recognise import open_product
from spectral_jax.ingest.masks.finder import CloudFinder

# What a product in a folder can be: folders, and files with these endings.
_ENDS = (".zip", ".gz", ".tgz", ".tar", ".he5")


class Deliveries:
    """Opens the products of a folder; the last one stays open, as its patches follow one another.

    A pickled copy has none open.
    """

    def __init__(self, sensor: str | None, unclear: str, masked: CloudFinder | None = None):
        """Takes no product yet.

        Args:
          sensor: the spec whose numbers a store gets; None: the one that a product's name says.
          unclear: `missing` or `keep`, what becomes of pixels that a product's own quality layers call unclear.
          masked: gives products the flags of models; None: their own alone.
        """
        self._sensor, self._unclear, self._masked = sensor, unclear, masked or CloudFinder()
        self._path: Path | None = None
        self._open: DownloadedProduct | None = None

    def __reduce__(self):
        return Deliveries, (self._sensor, self._unclear, self._masked)

    def files(self, folder: str | Path, flag: str) -> list[Path]:
        """The products of a folder, by name.

        Raises:
          FileNotFoundError: no such folder, or nothing in it that could be a product.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise FileNotFoundError(f"--{flag}: expected a folder of products, and {folder} is not a folder.")
        listed = (p for p in folder.iterdir() if not p.name.startswith((".", "__")))
        paths = sorted(p for p in listed if p.is_dir() or p.suffix.lower() in _ENDS)
        if not paths:
            raise FileNotFoundError(f"--{flag}: {folder} holds no product: no folder, and no file of {', '.join(_ENDS)}.")
        return paths

    def of(self, path: Path) -> DownloadedProduct:
        """An open product.

        Raises:
          FileNotFoundError, ValueError: as `open_product`.
        """
        if self._path != path or self._open is None:
            self.close()
            self._open, self._path = self._masked(open_product(path, sensor=self._sensor)), path
        return self._open

    def stored(self, path: Path, window: tuple[int, int, int]) -> Stored:
        """A square of a product, first row, first column and side, in the store's numbers.

        Raises:
          ValueError: as `DownloadedProduct.stored`.
        """
        product = self.of(path)
        rows, columns = slice(window[0], window[0] + window[2]), slice(window[1], window[1] + window[2])
        found = product.stored(rows, columns)
        nodata = product.spec.nodata
        if self._unclear == "keep" or nodata is None:
            return found
        clear = product.clear(rows, columns)
        return found._replace(pixels=np.where(clear, found.pixels, np.asarray(nodata, found.pixels.dtype)))

    def close(self) -> None:
        """Closes what is open."""
        if self._open is not None:
            self._open.close()
        self._open = self._path = None
