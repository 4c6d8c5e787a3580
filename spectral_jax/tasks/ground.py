"""Distances on the ground between images, in metres, whatever their coordinate systems."""

from collections.abc import Sequence

import numpy as np

from spectral_jax.ingest.raster.earth import is_utm, utm_epsg
from spectral_jax.sentences import needs
from spectral_jax.tasks.samples import Georeference, TaskData


def places(data: TaskData) -> tuple[Georeference, ...]:
    """The georeferences of a task.

    Raises:
      ValueError: it has none, or one without an EPSG code.
    """
    if not data.georeference:
        raise ValueError(
            f"task {data.task.name}: expected georeferenced images to measure distances, and the files have no coordinate "
            "system; use a split by scene, or by block name."
        )
    for name, place in zip(data.names, data.georeference, strict=True):
        if place.epsg is None:
            raise ValueError(
                f"task {data.task.name}: the coordinate system of {name} has no EPSG code; warp it to one that has."
            )
    return data.georeference


def metric_epsg(place: Georeference) -> int:
    """The image's own coordinate system where it is in metres, else the UTM zone (WGS 84) of its centre."""
    assert place.epsg is not None  # `places` refuses others
    if is_utm(place.epsg):  # what most sets are in; it needs no library
        return place.epsg
    with needs("rasterio", "geo", "measuring distances between images"):
        from rasterio.crs import CRS
        from rasterio.warp import transform
    crs = CRS.from_epsg(place.epsg)
    if crs.is_projected and abs(crs.linear_units_factor[1] - 1.0) < 1e-9:
        return place.epsg
    left, bottom, right, top = place.bounds
    (lon,), (lat,) = transform(crs, "EPSG:4326", [(left + right) / 2], [(bottom + top) / 2])
    return utm_epsg(lon, lat)


def boxes(where: Sequence[Georeference], epsg: int) -> np.ndarray:
    """[N 4] left, bottom, right, top of images in one coordinate system, metres; NaN where it cannot hold an image.

    Images of another system are bounded by their corners and the middles of their sides.
    """
    bounds = np.array([place.bounds for place in where]).reshape(-1, 4)
    codes = np.array([place.epsg for place in where])
    out = bounds.copy()
    others = sorted(set(codes.tolist()) - {epsg})
    if others:
        with needs("rasterio", "geo", "measuring distances between images of several coordinate systems"):
            from rasterio.warp import transform
    for code in others:
        rows = np.flatnonzero(codes == code)
        left, bottom, right, top = bounds[rows].T
        middle, height = (left + right) / 2, (bottom + top) / 2
        x = np.stack([left, middle, right, left, right, left, middle, right])
        y = np.stack([bottom, bottom, bottom, height, height, top, top, top])
        x, y = (
            np.reshape(v, x.shape) for v in transform(f"EPSG:{code}", f"EPSG:{epsg}", x.ravel().tolist(), y.ravel().tolist())
        )
        found = np.stack([x.min(0), y.min(0), x.max(0), y.max(0)], axis=1)
        out[rows] = np.where(np.isfinite(found).all(axis=1, keepdims=True), found, np.nan)
    return out


def nearest_m(ours: Sequence[Georeference], theirs: Sequence[Georeference]) -> np.ndarray:
    """[N] distance in metres from each of our images to the nearest of theirs; 0 where they touch or overlap."""
    out = np.full(len(ours), np.inf)
    systems = np.array([metric_epsg(place) for place in ours])
    for epsg in sorted(set(systems.tolist())):
        rows = np.flatnonzero(systems == epsg)
        others = boxes(theirs, epsg)
        others = others[np.isfinite(others).all(axis=1)]
        for row, box in zip(rows, boxes([ours[int(i)] for i in rows], epsg), strict=True):
            apart = np.maximum(0.0, np.maximum(others[:, :2] - box[2:], box[:2] - others[:, 2:]))
            out[row] = np.hypot(*apart.T).min(initial=np.inf)
    return out
