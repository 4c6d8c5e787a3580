"""Miniature products of DLR as they are delivered. Nothing here is observed: names and places of numbers are as published.

Written from the published layouts alone; nothing is taken from the readers.
"""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from spectral_jax.sensors import SensorSpec

rasterio = pytest.importorskip("rasterio", reason="needs the extra spectral-jax[geo]")
ENMAP_NAME = "ENMAP01-____L2A-DT0000165944_20251129T112021Z_002_V010505_20251130T042131Z"


def tif(path: Path, pixels, nodata=None, left=500_000.0, top=5_800_000.0, pixel=30.0, crs="EPSG:32633", **profile):
    """A GeoTIFF with pixels [C H W]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = pixels.shape
    grid = {"crs": crs, "transform": rasterio.Affine(pixel, 0, left, 0, -pixel, top)}
    shape = {"count": count, "height": height, "width": width, "dtype": pixels.dtype, "nodata": nodata}
    with rasterio.open(path, "w", **{"driver": "GTiff"} | shape | grid | profile) as file:
        file.write(pixels)
    return path


def enmap_pixels(side=6):
    """Band k holds 1000 + 10 k + the pixel's number; the last column is outside the swath, one number is missing."""
    pixels = (1000 + 10 * np.arange(224)[:, None, None] + np.arange(side * side).reshape(side, side)).astype(np.int16)
    pixels[:, :, -1] = -32768
    pixels[130:136] = -32768  # 1331-1391 nm are no data everywhere
    return pixels


def enmap_layers(side=6):
    """Rasters of one band: everything is land but a row of water, and each flag is set in one pixel of the first row."""
    layers = {"QL_QUALITY_CLASSES": np.ones((side, side), np.uint8)}
    layers["QL_QUALITY_CLASSES"][-1] = 2
    layers["QL_QUALITY_CLASSES"][:, -1] = 3
    for i, kind in enumerate(("CLOUD", "CLOUDSHADOW", "CIRRUS", "HAZE", "SNOW")):
        layers[f"QL_QUALITY_{kind}"] = np.zeros((side, side), np.uint8)
        layers[f"QL_QUALITY_{kind}"][0, i] = 3 if kind in ("CIRRUS", "HAZE") else 1
    return layers


def enmap_xml(drift=0.3, gain="0.0001", offset="0", bands=None, leave_out=(), **more):
    """METADATA.XML of 224 bands whose wavelengths drifted by `drift` nm. `more` are texts that take the place of others."""
    bands = SensorSpec.load("enmap_l2a").bands if bands is None else bands
    rows = [
        f'<bandID number="{i}"><wavelengthCenterOfBand>{b.centre_nm + drift:.6f}</wavelengthCenterOfBand>'
        f"<FWHMOfBand>{b.fwhm_nm}</FWHMOfBand><GainOfBand>{gain}</GainOfBand><OffsetOfBand>{offset}</OffsetOfBand></bandID>"
        for i, b in enumerate(bands, 1)
    ]
    lists = {d: ",".join(str(i) for i, b in enumerate(bands, 1) if b.detector == d) for d in ("VNIR", "SWIR")}
    quality = "".join(
        f"<{d.lower()}ProductQuality><expectedChannelsList>{channels}</expectedChannelsList></{d.lower()}ProductQuality>"
        for d, channels in lists.items()
        if "channels" not in leave_out
    )
    corners = {"upper_left": (15.001, 52.349), "upper_right": (15.0035, 52.3488), "lower_right": (15.0033, 52.3472)}
    corners |= {"lower_left": (15.0008, 52.3474), "center": (15.002, 52.348)}
    points = "".join(
        f"<point><frame>{frame}</frame><latitude>{lat}</latitude><longitude>{lon}</longitude></point>"
        for frame, (lon, lat) in corners.items()
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><level_X>'
        "<metadata><comment>EnMAP L2A</comment></metadata>"
        "<processing><correctionType>Land_Mode</correctionType></processing>"
        "<base><temporalCoverage><startTime>2025-11-29T11:20:21.123456Z</startTime>"
        "<stopTime>2025-11-29T11:20:25.6Z</stopTime></temporalCoverage>"
        f"<spatialCoverage><boundingPolygon>{points}</boundingPolygon></spatialCoverage></base>"
        "<specific><cloudCover>7</cloudCover><sunElevationAngle><center>16.5</center></sunElevationAngle>"
        f"<bandCharacterisation>{''.join(rows)}</bandCharacterisation>{quality}</specific></level_X>"
    )
    for old, new in more.items():
        text = text.replace(f"<{old}>", f"<{new}>").replace(f"</{old}>", f"</{new}>")
    return text


def write_enmap(
    folder: Path, *, name=ENMAP_NAME, copy="", pixels=None, nodata=-32768, xml=None, leave_out=(), layers=None, **more
):
    """Writes the inner folder of a product, and returns it. `copy` is _COG for the copies that DLR's catalogue links."""
    inner = folder / name
    cube = enmap_pixels() if pixels is None else pixels
    tif(inner / f"{name}-SPECTRAL_IMAGE{copy}.TIF", cube, nodata, **more)
    for kind, values in (enmap_layers(cube.shape[1]) | (layers or {})).items():
        if kind not in leave_out:
            tif(inner / f"{name}-{kind}{copy}.TIF", values[None], **more)
    for quicklook in ("QL_VNIR", "QL_SWIR"):
        tif(inner / f"{name}-{quicklook}.TIF", np.full((3, *cube.shape[1:]), 255, np.uint8), **more)
    if "METADATA" not in leave_out:
        (inner / f"{name}-METADATA.XML").write_text(enmap_xml() if xml is None else xml)
    return inner


def zipped(folder: Path, out: Path):
    """A ZIP that holds a folder, as agencies pack it."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder.parent))
    return out


DESIS_NAME = "DESIS-HSI-L2A-DT0484369744_004-20200814T094433-V0210"


def desis_pixels(side=5):
    """Band k holds 500 + 5 k + the pixel's number; the last row is outside the swath."""
    pixels = (500 + 5 * np.arange(235)[:, None, None] + np.arange(side * side).reshape(side, side)).astype(np.int16)
    pixels[:, -1] = -32768
    return pixels


def desis_quality(side=5):
    """Ten bands; pixel k has flag k only: shadow, land, snow, haze (2), cloud (2), water; then two bands of data."""
    out = np.zeros((10, side, side), np.uint8)
    for k in range(8):
        out[k].flat[k] = 1
    out[8:] = 42
    return out


def desis_xml(drift=0.2, gain="1e-4", background="-32768", leave_out=()):
    bands = SensorSpec.load("desis_l2a").bands
    rows = "".join(
        f"<band><bandNumber>{i}</bandNumber><wavelengthCenterOfBand>{b.centre_nm + drift}</wavelengthCenterOfBand>"
        f"<wavelengthWidthOfBand>{b.fwhm_nm}</wavelengthWidthOfBand><gainOfBand>{gain}</gainOfBand>"
        "<offsetOfBand>0</offsetOfBand></band>"
        for i, b in enumerate(bands, 1)
    )
    start = "" if "startTime" in leave_out else "<startTime>2020-08-14T09:44:33.123Z</startTime>"
    return (
        '<?xml version="1.0"?><hsi_doc><base><temporalCoverage>'
        f"{start}</temporalCoverage></base><specific><backgroundValue>{background}</backgroundValue>"
        "<interiorOrientation><band><bandNumber>1</bandNumber></band><band/></interiorOrientation>"
        f"<percentageClouds>3</percentageClouds><bandCharacterisation>{rows}</bandCharacterisation></specific></hsi_doc>"
    )


def write_desis(folder: Path, *, name=DESIS_NAME, xml=None, nodata=-32768, leave_out=(), quality=None, pixels=None):
    """Writes a product's folder, and returns it."""
    inner = folder / name
    tif(inner / f"{name}-SPECTRAL_IMAGE.tif", desis_pixels() if pixels is None else pixels, nodata)
    if "QL_QUALITY-2" not in leave_out:
        tif(inner / f"{name}-QL_QUALITY-2.tif", desis_quality() if quality is None else quality)
    if "METADATA" not in leave_out:
        (inner / f"{name}-METADATA.xml").write_text(desis_xml() if xml is None else xml)
    return inner
