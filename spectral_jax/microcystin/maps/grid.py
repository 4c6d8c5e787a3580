"""Predictions on the Earth: what a map holds, its checks, and how a swath or a flipped grid becomes a regular one, north up."""

import dataclasses

import numpy as np

from spectral_jax.ingest.raster.earth import EARTH_RADIUS_KM, regular_step

# A swath's pixels lie at most 0.71 of a step from any point between them; this leaves room for the stretched edges. A choice.
WITHIN_STEPS = 1.2
MOST_PIXELS = 50_000_000
_LAYERS = ("mc_now", "lower", "upper", "p_exceed_1_6", "p_exceed_8", "outside", "mc_ahead", "ahead_lower", "ahead_upper")
_AHEAD = _LAYERS[6:]


@dataclasses.dataclass(frozen=True)
class MapPrediction:
    """Predictions of one image, R rows and Q columns.

    Attributes:
      mc_now: [R Q] particulate microcystin, ug/L; NaN where there is no water or a cloud.
      lower: [R Q] lower end of its 90 % interval, ug/L, and `upper` the upper one.
      p_exceed_1_6: [R Q] probability of exceeding 1.6 ug/L, and `p_exceed_8` of 8 ug/L.
      outside: [R Q] True where the spectrum is outside the range of the training spectra.
      lat: degrees north of the pixels' centres: [R] of a regular grid, or [R Q] of a swath.
      lon: degrees east, -180 to 180: [Q], or [R Q].
      mc_ahead: [R Q] microcystin 8 days ahead with `ahead_lower` and `ahead_upper`; all three or none.
      simulated: whether the numbers come from simulated data, or a model fitted on it.
      model: name of the model.
      time: of the image, ISO.

    Raises:
      ValueError: shapes that do not fit, coordinates that are none, a negative concentration, or no valid pixel at all.
    """

    mc_now: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    p_exceed_1_6: np.ndarray
    p_exceed_8: np.ndarray
    outside: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    mc_ahead: np.ndarray | None = None
    ahead_lower: np.ndarray | None = None
    ahead_upper: np.ndarray | None = None
    simulated: bool = False
    model: str = ""
    time: str = ""

    def __post_init__(self):
        _check_shapes(self)
        _check_coordinates(self)
        valid = np.isfinite(self.mc_now)
        if not valid.any():
            raise ValueError(
                f"map: expected at least one predicted pixel, and mc_now is NaN in all {self.mc_now.size}; the image may be "
                "cloud or land, or its masks too strict."
            )
        if (self.mc_now[valid] < 0).any():
            raise ValueError(
                f"map: field mc_now has a concentration of {self.mc_now[valid].min():g}; expected ug/L from 0 (and no log10)."
            )


def _check_shapes(made: MapPrediction) -> None:
    if made.mc_now.ndim != 2:
        raise ValueError(f"map: field mc_now has shape {made.mc_now.shape}; expected [R Q], rows and columns of the image.")
    given = [name for name in _AHEAD if getattr(made, name) is not None]
    if given and len(given) < len(_AHEAD):
        raise ValueError(f"map: expected all of {', '.join(_AHEAD)} or none, got only {', '.join(given)}.")
    for name in _LAYERS:
        layer = getattr(made, name)
        if layer is not None and layer.shape != made.mc_now.shape:
            raise ValueError(f"map: field {name} has shape {layer.shape}, and mc_now {made.mc_now.shape}; expected the same.")
    if made.outside.dtype != bool:
        raise ValueError(f"map: field outside is of type {made.outside.dtype}; expected bool, True outside the training range.")
    rows, columns = made.mc_now.shape
    if min(rows, columns) < 2:
        raise ValueError(f"map: mc_now has shape {(rows, columns)}; expected at least 2 x 2 pixels, so that they have a size.")
    shapes = (made.lat.shape, made.lon.shape)
    if shapes not in (((rows,), (columns,)), ((rows, columns), (rows, columns))):
        raise ValueError(
            f"map: fields lat and lon have shapes {shapes[0]} and {shapes[1]}; expected ({rows},) and ({columns},) of a grid, "
            f"or ({rows}, {columns}) both of a swath."
        )


def _check_coordinates(made: MapPrediction) -> None:
    for name, most in (("lat", 90.0), ("lon", 180.0)):
        values = getattr(made, name)
        found = values[np.isfinite(values)]
        if not found.size or np.abs(found).max() > most:
            shown = "none finite" if not found.size else f"{found.min():g} to {found.max():g}"
            raise ValueError(f"map: field {name} is {shown}; expected degrees within -{most:g} to {most:g}.")
        if values.ndim == 1:
            regular_step(values, f"map: field {name}", ", or give lat and lon of every pixel, [R Q], as of a swath")


def north_up(prediction: MapPrediction) -> tuple[MapPrediction, str]:
    """The same map on a regular grid, first row in the north and first column in the west, and a sentence on how it came."""
    made, how = prediction, "Regular grid of the product."
    if prediction.lat.ndim == 2:
        made, how = gridded(prediction)
    rows = slice(None, None, -1 if made.lat[-1] > made.lat[0] else 1)
    columns = slice(None, None, -1 if made.lon[-1] < made.lon[0] else 1)
    return _moved(made, lambda layer: layer[rows, columns], made.lat[rows].astype(float), made.lon[columns].astype(float)), how


def steps(made: MapPrediction) -> tuple[float, float]:
    """Size of a pixel of a regular grid, degrees of longitude and of latitude, both positive."""
    lat, lon = made.lat.astype(float), made.lon.astype(float)
    return abs(lon[-1] - lon[0]) / (len(lon) - 1), abs(lat[-1] - lat[0]) / (len(lat) - 1)


def gridded(swath: MapPrediction, step_km: float | None = None, within_km: float | None = None) -> tuple[MapPrediction, str]:
    """Puts a swath on a regular grid by nearest neighbour, about square on the ground, and says so in a sentence.

    The grid covers the predicted pixels. The nearest pixel of the swath decides, predicted or not, so clouds stay clouds.

    Args:
      swath: `lat` and `lon` are [R Q]; pixels whose coordinates are NaN are left out.
      step_km: size of a pixel; None: the median distance between neighbours in the swath.
      within_km: grid points with no pixel of the swath this near stay NaN; None: 1.2 steps.

    Raises:
      ValueError: the swath crosses the date line, or its grid would be too large.
    """
    from scipy.spatial import cKDTree

    lat, lon = swath.lat.astype(float), swath.lon.astype(float)
    points = _on_sphere(lat, lon)
    if step_km is None:
        apart = [np.linalg.norm(np.diff(points, axis=axis), axis=-1).ravel() for axis in (0, 1)]
        step_km = float(np.nanmedian(np.concatenate(apart)))
    within_km = WITHIN_STEPS * step_km if within_km is None else within_km
    placed = np.isfinite(lat) & np.isfinite(lon)
    seen = placed & np.isfinite(swath.mc_now)
    if not seen.any() or not step_km > 0:
        raise ValueError("map: no predicted pixel of the swath has finite lat and lon, or all lie in one place.")
    if np.ptp(lon[seen]) > 180:
        raise ValueError("map: the swath crosses the date line (180 degrees east); cut it there and map the two parts.")
    step_lat = np.rad2deg(step_km / EARTH_RADIUS_KM)
    step_lon = step_lat / np.cos(np.deg2rad(np.mean(lat[seen])))
    grid_lat, grid_lon = _centres(lat[seen], step_lat)[::-1], _centres(lon[seen], step_lon)
    if len(grid_lat) * len(grid_lon) > MOST_PIXELS:
        raise ValueError(
            f"map: a grid of {step_km:.3g} km would have {len(grid_lat)} x {len(grid_lon)} pixels, over {MOST_PIXELS}; cut the "
            "image to the water of interest."
        )
    wanted = _on_sphere(*np.meshgrid(grid_lat, grid_lon, indexing="ij"))
    distance, nearest = cKDTree(points[placed]).query(wanted.reshape(-1, 3), distance_upper_bound=within_km)
    near = np.isfinite(distance)
    source = np.flatnonzero(placed.ravel())[np.where(near, nearest, 0)]
    shape = wanted.shape[:2]

    def move(layer):
        blank = False if layer.dtype == bool else np.nan
        return np.where(near, layer.ravel()[source], blank).reshape(shape)

    how = f"Swath put on a regular grid of {step_km:.3g} km by nearest neighbour within {within_km:.3g} km."
    return _moved(swath, move, grid_lat, grid_lon), how


def _moved(made: MapPrediction, move, lat: np.ndarray, lon: np.ndarray) -> MapPrediction:
    layers = {name: move(getattr(made, name)) for name in _LAYERS if getattr(made, name) is not None}
    return dataclasses.replace(made, **layers, lat=lat, lon=lon)


def _centres(values: np.ndarray, step: float) -> np.ndarray:
    """Pixel centres, increasing, at least two, that cover `values`."""
    count = max(2, int(np.ceil(np.ptp(values) / step)) + 1)
    return values.min() + step * np.arange(count)


def _on_sphere(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Places as [... 3], km; straight lines between near ones are distances on the ground."""
    a, b = np.deg2rad(lat), np.deg2rad(lon)
    return EARTH_RADIUS_KM * np.stack([np.cos(a) * np.cos(b), np.cos(a) * np.sin(b), np.sin(a)], axis=-1)
