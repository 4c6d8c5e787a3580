"""Miniature EMIT L2A and PRISMA L2D products as they are delivered. Nothing here is observed.

Written from the published layouts alone; nothing is taken from the readers.
"""

from pathlib import Path

import numpy as np
import pytest

from spectral_jax.sensors import SensorSpec

h5py = pytest.importorskip("h5py", reason="needs the extra spectral-jax[products]")
rasterio = pytest.importorskip("rasterio", reason="needs the extra spectral-jax[products]")
SCENE = "20230714T101112_2319507_003"
LAYERS_1 = (
    "Cloud flag", "Cirrus flag", "Water flag", "Spacecraft Flag", "Dilated Cloud Flag", "AOD550", "H2O (g cm-2)",
    "Aggregate Flag",
)  # fmt: skip
LAYERS_2 = (
    "Cloud Flag", "Cirrus Flag", "Water Flag", "Spacecraft Flag", "Dilated Cloud Flag", "AOD550", "H2O (g cm-2)",
    "Aggregate Flag", "SpecTf-Cloud Probability", "SpecTf-Cloud Flag", "SpecTf-Buffer Distance",
)  # fmt: skip
STEP = 0.000542232520256367  # degrees, the pixel of EMIT's grids
LINES, SAMPLES = 5, 4


def emit_reflectance():
    """Line, sample and band in one number: 0.1 + line * 0.02 + sample * 0.004 + band * 0.0001; -0.01 in the bad bands."""
    line, sample, band = np.indices((LINES, SAMPLES, 285))
    out = (0.1 + 0.02 * line + 0.004 * sample + 0.0001 * band).astype(np.float32)
    out[..., ~emit_good()] = -0.01
    out[4, 3] = -9999.0
    return out


def emit_good():
    nm = np.array([b.centre_nm for b in SensorSpec.load("emit_l2a").bands])
    return ~(((nm >= 1325) & (nm <= 1435)) | ((nm >= 1770) & (nm <= 1962)))


def emit_mask(names):
    """No flag but where one is told: pixel (line, sample) (0, k) has the k-th of four flags. Data layers hold 3 everywhere."""
    out = np.zeros((LINES, SAMPLES, len(names)), np.float32)
    for k, name in enumerate(names):
        if name.lower() in ("aod550", "h2o (g cm-2)", "spectf-cloud probability"):
            out[..., k] = 3.0
        if name.lower() == "spectf-buffer distance":
            out[..., k] = -1.0
    order = ("cloud flag", "cirrus flag", "water flag", "spectf-cloud flag")
    for k, name in enumerate(n.lower() for n in names):
        if name in order:
            out[0, order.index(name), k] = 1.0
        if name == "spectf-buffer distance":
            out[1, 0, k] = 0.0
        if name == "dilated cloud flag":
            out[1, 1, k] = 1.0
        if name == "spacecraft flag":
            out[1, 2, k] = 1.0
    out[2, 0] = -9999.0
    return out


def emit_table():
    """The swath's lines go south and its samples east, one grid row and column of nothing around it; [rows columns] from 1."""
    glt_x, glt_y = np.zeros((LINES + 2, SAMPLES + 2), np.int32), np.zeros((LINES + 2, SAMPLES + 2), np.int32)
    glt_y[1:-1, 1:-1], glt_x[1:-1, 1:-1] = np.mgrid[1 : LINES + 1, 1 : SAMPLES + 1]
    return glt_x, glt_y


def write_emit(
    folder: Path, *, version=2, mask_version=None, names=None, table=None, cube=None, leave_out=(), fill=-9999.0, drift=0.1,
    left=15.0, top=52.0, mask_shape=None, good=None, turned=False,
):  # fmt: skip
    """Writes reflectance and mask of a granule, and returns the path of the reflectance."""
    folder.mkdir(parents=True, exist_ok=True)
    mask_version = mask_version or version
    names = (LAYERS_1 if mask_version == 1 else LAYERS_2) if names is None else names
    path = folder / f"EMIT_L2A_RFL_001_{SCENE}.nc"
    spec = SensorSpec.load("emit_l2a")
    glt_x, glt_y = emit_table() if table is None else table
    with h5py.File(path, "w") as file:
        file.attrs["time_coverage_start"] = np.bytes_("2023-07-14T10:11:12+0000")
        file.attrs["spatial_ref"] = np.bytes_(rasterio.crs.CRS.from_epsg(4326).to_wkt())
        file.attrs["geotransform"] = np.array([left, STEP, 0.0, top, 0.0, -STEP])
        # As the writer leaves them: not to be trusted.
        file.attrs["easternmost_longitude"], file.attrs["westernmost_longitude"] = 52.0, 51.9
        made = file.create_dataset("reflectance", data=emit_reflectance() if cube is None else cube)
        if fill is not None:
            made.attrs["_FillValue"] = np.array([fill], np.float32)
        bands = file.create_group("sensor_band_parameters")
        for name, values in (
            ("wavelengths", np.array([b.centre_nm + drift for b in spec.bands], np.float32)),
            ("fwhm", np.array([b.fwhm_nm for b in spec.bands], np.float32)),
            ("good_wavelengths", (emit_good() if good is None else good).astype(np.uint8)),
        ):
            if name not in leave_out:
                bands[name] = values
        place = file.create_group("location")
        line, sample = np.mgrid[0:LINES, 0:SAMPLES]
        line, sample = (sample, line) if turned else (line, sample)  # rows and columns of the grid
        place["lon"], place["lat"] = 15.0 + (sample + 1.5) * STEP, 52.0 - (line + 1.5) * STEP
        place["elev"] = np.full((LINES, SAMPLES), 30.0)
        place["glt_x"], place["glt_y"] = glt_x, glt_y
    if "MASK" not in leave_out:
        with h5py.File(folder / f"EMIT_L2A_MASK_{mask_version:03d}_{SCENE}.nc", "w") as file:
            layers = emit_mask(names)[: (mask_shape or (LINES,))[0]]
            file.create_dataset("mask", data=layers, chunks=(1, SAMPLES, len(names)), compression="gzip", compression_opts=9)
            file.create_group("sensor_band_parameters")["mask_bands"] = np.array(list(names), dtype=h5py.string_dtype())
            if mask_version == 1:
                file["band_mask"] = np.zeros((LINES, SAMPLES, 36), np.uint8)
    return path


PRISMA_NAME = "PRS_L2D_STD_20200814101112_20200814101116_0001"


def prisma_numbers(side=6):
    """[rows bands columns] of 66 and of 173 bands: 10000 + 100 * band + pixel; 0 in the first column, outside the swath."""
    out = []
    for count in (66, 173):
        row, band, column = np.indices((side, count, side))
        cube = (10000 + 100 * band + side * row + column).astype(np.uint16)
        cube[:, :, 0] = 0
        out.append(cube)
    return out


def prisma_centres(drift=0.2):
    """Wavelengths and widths as the file has them: descending, three and two channels never acquired."""
    bands = SensorSpec.load("prisma_l2d").bands
    out = []
    for arm, gaps in (("VNIR", 3), ("SWIR", 2)):
        mine = sorted((b for b in bands if b.detector == arm), key=lambda b: -b.centre_nm)
        out.append((
            np.array([b.centre_nm + drift for b in mine] + [0.0] * gaps), np.array([b.fwhm_nm for b in mine] + [0.0] * gaps),
            np.array([1] * len(mine) + [0] * gaps),
        ))  # fmt: skip
    return out


def write_prisma(
    folder: Path, *, name=PRISMA_NAME, level="2D", vnir=(0.0, 1.0), swir=(0.0, 1.0), corners="centres", move=0.0, leave_out=(),
    centres=None, errors=None,
):  # fmt: skip
    """Writes a file, and returns its path. `move` shifts the places in the file east, metres."""
    folder.mkdir(parents=True, exist_ok=True)
    path, side = folder / f"{name}.he5", 6
    left, top = 500_000.0, 5_800_000.0  # of the centre of the first pixel
    row, column = np.mgrid[0:side, 0:side]
    from rasterio.warp import transform

    x, y = left + 30.0 * column + move, top - 30.0 * row
    lon, lat = (np.array(z).reshape(side, side) for z in transform("EPSG:32633", "EPSG:4326", x.ravel(), y.ravel()))
    half = 0.0 if corners == "centres" else 15.0
    with h5py.File(path, "w") as file:
        said = {
            "Processing_Level": np.bytes_(level), "Product_StartTime": np.bytes_("2020-08-14T10:11:12.345678"),
            "Epsg_Code": np.uint32(32633), "L2ScaleVnirMin": vnir[0], "L2ScaleVnirMax": vnir[1], "L2ScaleSwirMin": swir[0],
            "L2ScaleSwirMax": swir[1], "Product_ULcorner_easting": left - half, "Product_ULcorner_northing": top + half,
            "Product_LRcorner_easting": left + 150.0 + half, "Product_LRcorner_northing": top - 150.0 - half,
            "Product_LLcorner_easting": left - half, "Product_LLcorner_northing": top - 150.0 - half,
            "Cloudy_pixels_percentage": 3.5, "Sun_zenith_angle": 40.0,
        }  # fmt: skip
        swath = file.create_group("HDFEOS/SWATHS/PRS_L2D_HCO")
        fields = swath.create_group("Data Fields")
        numbers = zip(("VNIR", "SWIR"), prisma_numbers(side), prisma_centres() if centres is None else centres, strict=True)
        for arm, cube, (nm, fwhm, flags) in numbers:
            word = arm.capitalize()
            said |= {f"List_Cw_{word}": nm, f"List_Fwhm_{word}": fwhm, f"List_Cw_{word}_Flags": flags}
            fields[f"{arm}_Cube"] = cube
            matrix = np.zeros(cube.shape, np.uint8)
            for (r, b, c), value in (errors or {}).get(arm, {}).items():
                matrix[r, b, c] = value
            fields[f"{arm}_PIXEL_L2_ERR_MATRIX"] = matrix
        for key, value in said.items():
            if key not in leave_out:
                file.attrs[key] = value
        place = swath.create_group("Geolocation Fields")
        place["Latitude"], place["Longitude"] = lat.astype(np.float32), lon.astype(np.float32)
        swath.create_group("Geometric Fields")["Solar_Zenith_Angle"] = np.where(column == 0, 0.0, 40.0).astype(np.float32)
    return path
