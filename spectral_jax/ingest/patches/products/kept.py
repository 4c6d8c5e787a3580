"""The GeoTIFF that was read last, which stays open between the patches of a file."""

import contextlib
from pathlib import Path
from typing import Any

from spectral_jax.ingest.raster import geotiff


class Kept:
    """Opens GeoTIFFs, the last of which stays open; a pickled copy has none open."""

    def __init__(self):
        """Opens nothing yet."""
        self._path: Path | None = None
        self._dataset: Any = None
        self._stack = contextlib.ExitStack()

    def __reduce__(self):
        return Kept, ()

    def of(self, path: Path) -> Any:
        """An open `rasterio` dataset; errors as `geotiff.opened`."""
        if path != self._path:
            self.close()
            self._dataset, self._path = self._stack.enter_context(geotiff.opened(path)), path
        return self._dataset

    def close(self) -> None:
        """Closes what is open."""
        self._stack.close()
        self._path = self._dataset = None
