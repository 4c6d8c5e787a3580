"""Two rasters on one grid: the same coordinate system, the same size, the same place."""

from pathlib import Path

import numpy as np

from spectral_jax.ingest.raster.geotiff import PIXEL_TOLERANCE


def check_same_grid(image, image_path: Path, label, label_path: Path, coarser: bool = False) -> None:
    """Compares the grids of an open image and its open label raster.

    Args:
      image: an open `rasterio` dataset.
      image_path: for the sentence.
      label: an open `rasterio` dataset.
      label_path: for the sentence.
      coarser: True where the image may have pixels that are a whole multiple of the label's.

    Raises:
      ValueError: another coordinate system, another size, or another place.
    """

    def fail(what, ours, theirs):
        raise ValueError(
            f"{image_path} and {label_path}: expected one grid, and the {what} differ: {ours} against {theirs}; warp the "
            "labels to the image with the nearest neighbour (gdalwarp -r near)."
        )

    if image.crs != label.crs:
        fail("coordinate systems", _name(image.crs), _name(label.crs))
    rows, columns = label.height / image.height, label.width / image.width
    fits = rows == columns and rows >= 1 and rows == int(rows) if coarser else rows == columns == 1
    if not fits:
        fail("sizes in pixels", f"{image.height} x {image.width}", f"{label.height} x {label.width}")
    if label.crs is None:
        return  # without a coordinate system, bounds count pixels
    ours, theirs = (np.array(tuple(d.bounds)) for d in (image, label))
    pixel = max(abs(label.transform.a), abs(label.transform.e))
    if np.abs(ours - theirs).max() > PIXEL_TOLERANCE * pixel:
        fail("bounds", tuple(map(float, ours.round(3))), tuple(map(float, theirs.round(3))))


def _name(crs) -> str:
    return "none" if crs is None else f"EPSG:{crs.to_epsg()}" if crs.to_epsg() else crs.to_wkt()[:60]
