"""A made scene of any size, to measure with: random numbers as GeoTIFF."""

from pathlib import Path

import numpy as np

from spectral_jax.ingest.raster.scene import BLOCK_PX


def write_random_scene(path: str | Path, side: int, bands: int, seed: int = 0) -> None:
    """Writes reflectances x 10^4 drawn from 1 to 9999, uint16, pixels of 10 m in UTM 33N; nodata is 0 and never drawn.

    One row of blocks is held at a time, and nothing is compressed: random numbers do not become smaller.

    Args:
      path: of the file; one that exists is replaced.
      side: rows and columns, pixels.
      bands: channels.
      seed: of the numbers.
    """
    import rasterio

    rng = np.random.default_rng(seed)
    profile = {
        "driver": "GTiff", "dtype": "uint16", "nodata": 0, "count": bands, "crs": "EPSG:32633", "height": side, "width": side,
        "transform": rasterio.Affine(10.0, 0.0, 500_000.0, 0.0, -10.0, 5_800_000.0), "tiled": True, "blockxsize": BLOCK_PX,
        "blockysize": BLOCK_PX, "interleave": "pixel",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        for top in range(0, side, BLOCK_PX):
            rows = min(BLOCK_PX, side - top)
            pixels = rng.integers(1, 10_000, (bands, rows, side), np.uint16)
            file.write(pixels, window=rasterio.windows.Window(0, top, side, rows))
