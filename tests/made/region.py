"""Miniature products of several sensors around one place, on grids and at times as asked. Nothing here is observed.

Written with the texts of the other writers of `made`; nothing is taken from the readers. Numbers of Sentinel-2's 10 m bands,
Landsat and power are ramps along rows and columns of the product, so that a bilinear mean of them is known exactly.
"""

import contextlib
from pathlib import Path

import numpy as np
from made import delivered, delivered_hdf5, delivered_landsat, delivered_sentinel2
from made.delivered import rasterio, tif

from spectral_jax.ingest.downloaded.product import DownloadedProduct, Pixels
from spectral_jax.ingest.packing import Packing
from spectral_jax.sensors import SensorSpec

LEFT, TOP = 499_920.0, 5_800_080.0  # multiples of 240 m
SIDE_M = 720


def lonlat_of(crs, x, y):
    from rasterio.warp import transform

    return np.stack(transform(crs, "EPSG:4326", np.asarray(x, float), np.asarray(y, float)), axis=-1)


def _iso(stamp):
    return f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:11]}:{stamp[11:13]}:{stamp[13:]}"


def enmap_numbers(side=24, seed=0):
    """Any numbers from 200 to 5000; 1331-1391 nm are no data everywhere."""
    out = np.random.default_rng(seed).integers(200, 5000, (224, side, side)).astype(np.int16)
    out[130:136] = -32768
    return out


def enmap(
    folder: Path, time="20240615T101112", *, left=LEFT, top=TOP, side=24, crs="EPSG:32633", cloud=0.0, seed=0, version="010505",
    processed="20240701T000000", tile="002",
):  # fmt: skip
    """Writes a product, and returns its folder; `cloud` is the share of its rows, from the upper one, that are cloud."""
    name = f"ENMAP01-____L2A-DT0000165944_{time}Z_{tile}_V{version}_{processed}Z"
    right, bottom = left + 30.0 * side, top - 30.0 * side
    corners = lonlat_of(crs, [left, right, right, left], [top, top, bottom, bottom])
    xml = delivered.enmap_xml().replace("2025-11-29T11:20:21.123456Z", _iso(time) + "Z")
    before, _, after = xml.partition("<boundingPolygon>")
    points = "".join(
        f"<point><frame>{frame}</frame><latitude>{lat:.9f}</latitude><longitude>{lon:.9f}</longitude></point>"
        for frame, (lon, lat) in zip(("upper_left", "upper_right", "lower_right", "lower_left"), corners, strict=True)
    )
    xml = f"{before}<boundingPolygon>{points}</boundingPolygon>{after.partition('</boundingPolygon>')[2]}"
    layers = {
        f"QL_QUALITY_{kind}": np.zeros((side, side), np.uint8) for kind in ("CLOUD", "CLOUDSHADOW", "CIRRUS", "HAZE", "SNOW")
    }
    layers["QL_QUALITY_CLASSES"] = np.ones((side, side), np.uint8)
    layers["QL_QUALITY_CLOUD"][: round(cloud * side)] = 1
    return delivered.write_enmap(
        folder, name=name, pixels=enmap_numbers(side, seed), xml=xml, layers=layers, left=left, top=top, crs=crs
    )


def ramp(rows, columns, start, across, down):
    """start + across * column + down * row, [rows columns]."""
    return start + across * np.arange(columns)[None, :] + down * np.arange(rows)[:, None]


def sentinel2(
    folder: Path, time="20240617T101021", *, left=LEFT, top=TOP, side=72, crs="EPSG:32633", cloud=0.0, unit="B",
    baseline="0510", tile="T33UVT", processed="20240617T150000",
):  # fmt: skip
    """Writes a SAFE, and returns it. Band k at 10 m is the ramp 1500 + 100 k + 7 column + 3 row; `cloud` as of `enmap`."""
    name = f"S2{unit}_MSIL2A_{time}_N{baseline}_R022_{tile}_{processed}"
    safe = folder / f"{name}.SAFE"
    granule = safe / "GRANULE" / f"L2A_{tile}_A036002_{time}"
    for k, (band, _, _, pixel) in enumerate((*delivered_sentinel2.BANDS, ("SCL", None, None, 20))):
        n = side * 10 // pixel
        pixels = np.full((n, n), 4, np.uint8) if band == "SCL" else ramp(n, n, 1500 + 100 * k, 7, 3).astype(np.uint16)
        if band == "SCL":
            pixels[: round(cloud * n)] = 9
        tif(granule / "IMG_DATA" / f"R{pixel}m" / f"{tile}_{time}_{band}_{pixel}m.tif", pixels[None], left=left, top=top,
            pixel=float(pixel), crs=crs)  # fmt: skip
    text = delivered_sentinel2.product_xml(baseline=f"{baseline[:2]}.{baseline[2:]}")
    (safe / "MTD_MSIL2A.xml").write_text(text.replace("2024-01-31T10:11:09.024Z", _iso(time) + ".024Z"))
    (granule / "MTD_TL.xml").write_text(delivered_sentinel2.tile_xml(left, top, crs))
    return safe


def landsat(
    folder: Path, date="20240620", *, left=LEFT, top=TOP, side=24, crs="EPSG:32633", cloud=0.0, processed="20240701",
    mission="LC08",
):  # fmt: skip
    """Writes reflectance and temperature; bands are ramps 8000 + 100 k + 11 column + 5 row, temperature begins at 44000."""
    name = f"{mission}_L2SP_193023_{date}_{processed}_02_T1"
    quality = np.full((side, side), 1 << 6, np.uint16)
    quality[: round(cloud * side)] = 1 << 3
    layers = {f"SR_B{k}": ramp(side, side, 8000 + 100 * k, 11, 5).astype(np.uint16) for k in range(1, 8)}
    layers["ST_B10"] = ramp(side, side, 44_000, 11, 5).astype(np.uint16)
    for kind, pixels in (layers | {"QA_PIXEL": quality, "QA_RADSAT": np.zeros((side, side), np.uint16)}).items():
        fill = 0 if kind[:2] in ("SR", "ST") else None
        tif(folder / name / f"{name}_{kind}.TIF", pixels[None], fill, left=left, top=top, crs=crs)
    sections = delivered_landsat.mtl(name)
    sections["IMAGE_ATTRIBUTES"]["DATE_ACQUIRED"] = f"{date[:4]}-{date[4:6]}-{date[6:]}"
    (folder / name / f"{name}_MTL.json").write_text(delivered_landsat.text_of(sections, "json"))
    return folder / name


def radar(folder: Path, time="20240616T165445", *, left=LEFT, top=TOP, side=72, crs="EPSG:32633", values=None):
    """Writes power of Planetary Computer, VV and VH, a ramp 0.02 + 0.001 column + 0.002 row, or `values` [2 H W]."""
    name = f"S1A_IW_GRDH_1SDV_{time}_{time[:-2]}59_044148_054509_rtc"
    made = np.stack([ramp(side, side, 0.02 * k, 0.001, 0.002) for k in (2, 1)]) if values is None else values
    for polarisation, power in zip(("vv", "vh"), made.astype(np.float32), strict=True):
        path = folder / name / "measurement" / f"iw-{polarisation}.rtc.tiff"
        tif(path, power[None], -32768.0, left=left, top=top, pixel=10.0, crs=crs)
    return folder / name


def emit(folder: Path, time="20240618T093000", *, left=14.995, top=52.354, lines=24, samples=36, cloud=0.0):
    """Writes reflectance and mask of a swath whose lines go south and its samples east, and returns the reflectance's path.

    Reflectance is 0.1 + 0.01 line + 0.001 sample in all bands; the first `cloud` of the lines are cloud in the mask.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scene, step = f"{time}_2319507_003", delivered_hdf5.STEP
    line, sample = np.mgrid[0:lines, 0:samples]
    path = folder / f"EMIT_L2A_RFL_001_{scene}.nc"
    bands = SensorSpec.load("emit_l2a").bands
    with delivered_hdf5.h5py.File(path, "w") as file:
        file.attrs["time_coverage_start"] = np.bytes_(f"{_iso(time)}+0000")
        file.attrs["spatial_ref"] = np.bytes_(rasterio.crs.CRS.from_epsg(4326).to_wkt())
        file.attrs["geotransform"] = np.array([left, step, 0.0, top, 0.0, -step])
        cube = np.broadcast_to((0.1 + 0.01 * line + 0.001 * sample)[..., None], (lines, samples, 285)).astype(np.float32)
        cube[..., ~delivered_hdf5.emit_good()] = -0.01
        made = file.create_dataset("reflectance", data=cube)
        made.attrs["_FillValue"] = np.array([-9999.0], np.float32)
        room = file.create_group("sensor_band_parameters")
        room["wavelengths"] = np.array([b.centre_nm for b in bands], np.float32)
        room["fwhm"] = np.array([b.fwhm_nm for b in bands], np.float32)
        room["good_wavelengths"] = delivered_hdf5.emit_good().astype(np.uint8)
        place = file.create_group("location")
        place["lon"], place["lat"] = left + (sample + 0.5) * step, top - (line + 0.5) * step
        place["elev"] = np.full((lines, samples), 30.0)
        place["glt_x"], place["glt_y"] = (sample + 1).astype(np.int32), (line + 1).astype(np.int32)
    with delivered_hdf5.h5py.File(folder / f"EMIT_L2A_MASK_002_{scene}.nc", "w") as file:
        names = delivered_hdf5.LAYERS_2
        layers = np.zeros((lines, samples, len(names)), np.float32)
        layers[..., names.index("SpecTf-Buffer Distance")] = -1.0
        layers[: round(cloud * lines), :, names.index("SpecTf-Cloud Flag")] = 1.0
        file["mask"] = layers
        file.create_group("sensor_band_parameters")["mask_bands"] = np.array(names, dtype=delivered_hdf5.h5py.string_dtype())
    return path


def in_memory(
    sensor, numbers, geotransform, crs="EPSG:32633", *, packing=None, unit=None, flags=None, dropped=(), outline=None
):
    """An open product whose numbers [C H W] and flags [H W] are in memory, as one that was read."""
    spec, crs, flags = SensorSpec.load(sensor), rasterio.crs.CRS.from_string(crs), flags or {}
    left, across, _, top, _, down = geotransform
    height, width = numbers.shape[1:]
    corners = [
        (left, top),
        (left + width * across, top),
        (left + width * across, top + height * down),
        (left, top + height * down),
    ]
    return DownloadedProduct(
        kind="made", name=f"made {sensor}", spec=spec, bands=spec.bands, unit=unit or spec.unit, crs=crs,
        packings=(packing or Packing(spec.scale, spec.offset, (float(spec.nodata),), stated=True),) * len(spec.bands),
        geotransform=geotransform, shape=(height, width), outline=lonlat_of(crs, *zip(*corners, strict=True)) if outline is None
        else outline, time=np.datetime64("2024-06-15T10:11:12", "ns"), flags=dict.fromkeys(flags, "made"), dropped=dropped,
        provenance={}, notes=(), closing=contextlib.ExitStack(),
        source=Pixels(lambda chosen, w: numbers[list(chosen)][:, w[0], w[1]], lambda w: {k: v[w] for k, v in flags.items()}),
    )  # fmt: skip
