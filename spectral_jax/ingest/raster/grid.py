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
    _check_other_places(image, label, fail)
    if label.crs is None:
        return  # without a coordinate system, bounds count pixels
    ours, theirs = _corners(image), _corners(label)
    pixel = max(np.hypot(label.transform.a, label.transform.d), np.hypot(label.transform.b, label.transform.e))
    if np.abs(ours - theirs).max() > PIXEL_TOLERANCE * pixel:
        one, other = (np.concatenate([x.min(axis=0), x.max(axis=0)]) for x in (ours, theirs))
        if np.abs(one - other).max() > PIXEL_TOLERANCE * pixel:
            fail("bounds", tuple(map(float, one.round(3))), tuple(map(float, other.round(3))))
        fail("corners (one is turned or flipped)", ours.round(3).tolist(), theirs.round(3).tolist())


def _corners(dataset) -> np.ndarray:
    """Coordinates [4 2] of the upper left, upper right, lower left and lower right corner of the pixels."""
    a, b, c, d, e, f = tuple(dataset.transform)[:6]
    ends = [(0, 0), (dataset.width, 0), (0, dataset.height), (dataset.width, dataset.height)]
    return np.array([(c + a * column + b * row, f + d * column + e * row) for column, row in ends])


def _check_other_places(image, label, fail) -> None:
    """Compares ground control points and RPCs where both have them; labels without are in the image's pixels."""
    ours, theirs = ([(p.row / d.height, p.col / d.width, p.x, p.y, p.z or 0.0) for p in d.gcps[0]] for d in (image, label))
    if ours and theirs and (len(ours) != len(theirs) or not np.allclose(ours, theirs) or image.gcps[1] != label.gcps[1]):
        fail("ground control points", f"{len(ours)} points", f"{len(theirs)} points")
    one, other = image.rpcs, label.rpcs
    if image.crs is None and one is not None and other is not None and image.shape == label.shape and one != other:
        fail("rational polynomials (RPC)", f"{one.lat_off:g} N {one.long_off:g} E", f"{other.lat_off:g} N {other.long_off:g} E")


def _name(crs) -> str:
    return "none" if crs is None else f"EPSG:{crs.to_epsg()}" if crs.to_epsg() else crs.to_wkt()[:60]
