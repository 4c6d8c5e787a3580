"""PRISMA L2D as ASI delivers it: two cubes of one HDF-EOS5 file, each scaled between its own ends."""

import contextlib
import re
from collections.abc import Sequence

import numpy as np

from spectral_jax.ingest.downloaded import agreement
from spectral_jax.ingest.downloaded.files import rasters
from spectral_jax.ingest.downloaded.files.archive import Files
from spectral_jax.ingest.downloaded.files.hdf5 import Hdf5
from spectral_jax.ingest.downloaded.product import DownloadedProduct, Pixels, Window
from spectral_jax.ingest.facts import facts
from spectral_jax.ingest.packing import Packing
from spectral_jax.ingest.raster import earth, geotiff
from spectral_jax.sensors import Band

KIND = "PRISMA L2D"
NAME = re.compile(r"PRS_(?P<level>L\w{1,2})_STD_(?:[A-Z]+_)?\d{14}_\d{14}_\d{4}")
_SWATH = "HDFEOS/SWATHS/PRS_L2D_HCO"
# Bands beyond which a window is read whole: numbers of a row's bands stand one behind the other.
_FEW = 16
# Pixels whose places are compared with the grid.
_COMPARED = 200


def opened(files: Files, name: str, stack: contextlib.ExitStack, sensor: str | None = None) -> DownloadedProduct:
    """Opens a product; channels that were never acquired, of centre 0 or flag 0, are left out.

    Args:
      files: its own, and perhaps others.
      name: of the product.
      stack: closes what is opened.
      sensor: the spec of a store; there is one only, and another is refused.

    Raises:
      ImportError: h5py is not installed.
      ValueError: it is of another level, a cube's scale has no extent, or the places in the file are not those of its grid.
    """
    about, parts = facts("prisma_l2d"), NAME.fullmatch(name)
    assert parts is not None  # it was recognised by this expression
    agreement.expect_level(parts["level"], ("L2D",), KIND, name, str(files.given), "L2D product")
    spec = agreement.spec_of(about["sensor"], sensor, name, str(files.given))
    file = Hdf5(files.local(files.one(rf"{name}\.he5", f"{name}.he5"), stack), stack)
    level = file.text("Processing_Level").upper().removeprefix("L")
    if level != "2D":
        raise ValueError(
            f"{file.path}: expected {KIND}, and its attribute Processing_Level is {level}; it was renamed: fetch L2D."
        )
    cubes = {arm: file.array(f"{_SWATH}/Data Fields/{arm}_Cube", 3) for arm in ("VNIR", "SWIR")}
    errors = {arm: file.array(f"{_SWATH}/Data Fields/{arm}_PIXEL_L2_ERR_MATRIX", 3) for arm in cubes}
    found, packed, place = _channels(file, cubes, errors, about)
    order = agreement.positions(found, spec, f"{file.path}, List_Cw_Vnir and List_Cw_Swir")
    bands, packings = tuple(found[i] for i in order), tuple(packed[i] for i in order)
    places = [place[i] for i in order]
    shape = (int(cubes["VNIR"].shape[0]), int(cubes["VNIR"].shape[2]))
    sun = file.array(f"{_SWATH}/Geometric Fields/Solar_Zenith_Angle", 2)
    crs = geotiff.crs_of(f"EPSG:{int(file.attribute('Epsg_Code')[0])}", f"{file.path}: attribute Epsg_Code")
    transform = _transform(file, crs, shape, sun, about)
    wrong = sum(int(bit) for bit in about["errors"])

    def numbers(chosen: Sequence[int], window: Window) -> np.ndarray:
        return _read(file, cubes, [places[i] for i in chosen], window)

    def trusted(chosen: Sequence[int], window: Window) -> np.ndarray:
        return _read(file, errors, [places[i] for i in chosen], window) & wrong == 0

    def flags(window: Window) -> dict[str, np.ndarray]:
        with file.readable(sun.name):
            return {"outside": sun[window] == 0}

    said = {key: float(file.attribute(key)[0]) for key in ("Cloudy_pixels_percentage", "Sun_zenith_angle") if file.has(key)}
    return DownloadedProduct(
        kind=KIND, name=name, spec=spec, bands=bands, packings=packings, unit=spec.unit, crs=crs, geotransform=transform,
        shape=shape, outline=rasters.corners(crs, transform, shape),
        time=geotiff.moment(file.text("Product_StartTime"), str(file.path), "attribute Product_StartTime"),
        flags={"outside": "outside the swath"}, dropped=("outside",),
        provenance={"product": name, "level": "L2D", "scene": said},
        notes=(*agreement.widths(bands, spec, str(file.path)), *_ends_told(file), f"{file.path}: L2D has no cloud mask."),
        source=Pixels(numbers, flags, trusted), closing=stack,
    )  # fmt: skip


def _channels(file: Hdf5, cubes: dict, errors: dict, about: dict) -> tuple[list[Band], list[Packing], list[tuple[str, int]]]:
    """Acquired channels: band, packing, and where it stands: cube, and position along its axis of bands."""
    bands, packed, place = [], [], []
    for arm, cube in cubes.items():
        word = arm.capitalize()
        centre, width, flag = (file.attribute(f"List_{what}") for what in (f"Cw_{word}", f"Fwhm_{word}", f"Cw_{word}_Flags"))
        if errors[arm].shape != cube.shape or cube.dtype != np.uint16:
            raise ValueError(
                f"{file.path}: expected {arm}_Cube of uint16 and its error matrix of one shape, got {cube.dtype} {cube.shape} "
                f"and {errors[arm].shape}; is it of another level?"
            )
        if not len(centre) == len(width) == len(flag) == cube.shape[1]:
            raise ValueError(
                f"{file.path}: expected {cube.shape[1]} numbers in List_Cw_{word}, List_Fwhm_{word} and List_Cw_{word}_Flags, "
                f"one for each band of {arm}_Cube, got {len(centre)}, {len(width)} and {len(flag)}; the file is damaged."
            )
        low, high = _ends(file, word, about)
        for i in np.flatnonzero((centre > 0) & (flag != 0)):
            bands.append(Band(f"{arm} {i + 1}", float(centre[i]), float(width[i]), arm))
            packed.append(Packing((high - low) / about["steps"], low, (float(about["fill"]),), stated=True))
            place.append((arm, int(i)))
    if cubes["VNIR"].shape[::2] != cubes["SWIR"].shape[::2]:
        raise ValueError(
            f"{file.path}: expected two cubes of one size, got {cubes['VNIR'].shape} and {cubes['SWIR'].shape} (rows, bands, "
            "columns); the file is damaged."
        )
    return bands, packed, place


def _ends(file: Hdf5, word: str, about: dict) -> tuple[float, float]:
    """What the lowest and the highest number of a cube stand for."""
    low, high = (float(file.attribute(f"L2Scale{word}{end}")[0]) for end in ("Min", "Max"))
    least, most = about["possible"]
    if not least <= low < high <= most:
        raise ValueError(
            f"{file.path}: expected L2Scale{word}Min below L2Scale{word}Max, both from {least:g} to {most:g}, got {low:g} and "
            f"{high:g}; what the numbers of its cube stand for is lost: fetch it again."
        )
    return low, high


def _ends_told(file: Hdf5) -> tuple[str, ...]:
    """A sentence where numbers / 65535, as some programs read them, are not the reflectance."""
    ends = [float(file.attribute(f"L2Scale{arm}{end}")[0]) for arm in ("Vnir", "Swir") for end in ("Min", "Max")]
    if ends == [0.0, 1.0, 0.0, 1.0]:
        return ()
    return (f"{file.path}: its cubes are scaled between {ends[:2]} and {ends[2:]}, not 0 and 1, and were read so.",)


def _read(file: Hdf5, arrays: dict, places: list[tuple[str, int]], window: Window) -> np.ndarray:
    """Numbers [C h w] of arrays [rows bands columns]."""
    rows, columns = window
    out = np.empty((len(places), rows.stop - rows.start, columns.stop - columns.start), next(iter(arrays.values())).dtype)
    for arm, array in arrays.items():
        mine = [(k, i) for k, (of, i) in enumerate(places) if of == arm]
        with file.readable(array.name):
            if len(mine) > _FEW:
                block = array[rows, :, columns]
                out[[k for k, _ in mine]] = block[:, [i for _, i in mine]].transpose(1, 0, 2)
            else:
                for k, i in mine:
                    out[k] = array[rows, i, columns]
    return out


def _transform(file: Hdf5, crs, shape: tuple[int, int], sun, about: dict) -> tuple[float, ...]:
    """The grid in GDAL's order: of two readings of the corners, centres or edges of pixels, that which the places confirm."""
    ends = [float(file.attribute(f"Product_{key}")[0]) for key in (
        "ULcorner_easting", "ULcorner_northing", "LRcorner_easting", "LRcorner_northing",
    )]  # fmt: skip
    left, top, right, bottom = ends
    of_centres = ((right - left) / (shape[1] - 1), (top - bottom) / (shape[0] - 1))
    of_edges = ((right - left) / shape[1], (top - bottom) / shape[0])
    readings = [
        (left - of_centres[0] / 2, of_centres[0], 0.0, top + of_centres[1] / 2, 0.0, -of_centres[1]),
        (left, of_edges[0], 0.0, top, 0.0, -of_edges[1]),
    ]
    inside = np.argwhere(sun[()] != 0)
    if not len(inside):
        raise ValueError(f"{file.path}: expected a pixel in the swath, and Solar_Zenith_Angle is 0 everywhere; fetch it again.")
    some = inside[:: max(1, len(inside) // _COMPARED)]
    lat, lon = (
        file.whole(f"{_SWATH}/Geolocation Fields/{name}", 2)[some[:, 0], some[:, 1]] for name in ("Latitude", "Longitude")
    )
    said = np.stack([lon, lat], axis=-1).astype(np.float64)
    off = []
    for x, across, _, y, _, down in readings:
        placed = geotiff.lonlat(crs, x + (some[:, 1] + 0.5) * across, y + (some[:, 0] + 0.5) * down)
        off.append(float(np.median(earth.distance_m(said, placed))) / abs(across))
    best = int(np.nanargmin(off)) if np.isfinite(off).any() else 0
    if not off[best] <= about["off_grid"]:
        raise ValueError(
            f"{file.path}: Latitude and Longitude lie {off[0]:.2f} pixels from the grid of Product_ULcorner and "
            f"Product_LRcorner taken as centres of pixels, {off[1]:.2f} taken as edges, and at most {about['off_grid']:g} is "
            "expected; the corners are damaged."
        )
    return readings[best]
