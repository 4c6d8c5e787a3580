"""Distances on the ground between images, in metres, whatever their coordinate systems."""

from collections.abc import Sequence

import numpy as np

from spectral_jax.ingest.raster import earth, geotiff
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


# Step over which the scale of a projection is looked at, metres.
STEP_M = 100.0
# Eastings that a UTM zone is meant for, metres: far outside of it lengths grow.
UTM_EASTINGS = (100e3, 900e3)


def metric_epsg(place: Georeference) -> int:
    """The image's own coordinate system where its metres are those of the ground there, else UTM, or UPS near the poles.

    Web Mercator is in metres, of which 1.6 are one at 50 N; so is UTM far outside its zone.

    Raises:
      ValueError: the image's centre is no place on the Earth.
    """
    assert place.epsg is not None  # `places` refuses others
    left, bottom, right, top = place.bounds
    # What most sets are in; it needs no library.
    if earth.is_utm(place.epsg) and UTM_EASTINGS[0] <= left <= right <= UTM_EASTINGS[1]:
        return place.epsg
    with needs("rasterio", "geo", "measuring distances between images"):
        from rasterio.crs import CRS
    crs = CRS.from_epsg(place.epsg)
    x, y = (left + right) / 2, (bottom + top) / 2
    if crs.is_projected and abs(crs.linear_units_factor[1] - 1.0) < 1e-9:
        off = max(abs(length - STEP_M) for length in geotiff.ground_m(crs, x, y, STEP_M))
        if off <= earth.SCALE_TOLERANCE * STEP_M:
            return place.epsg
    lon, lat = geotiff.lonlat(crs, np.array([x]), np.array([y]))[0]
    if not (np.isfinite([lon, lat]).all() and abs(lat) <= 90.0):
        raise ValueError(
            f"expected images on the Earth, and a centre of {x:g} {y:g} in EPSG:{place.epsg} is no place on it; correct the "
            "coordinate system or the transform."
        )
    return earth.metric_epsg(lon, lat)


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
