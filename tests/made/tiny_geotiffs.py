"""Tiny GeoTIFFs of EnMAP, Sentinel-2 and Sentinel-1 for the tests of `spectral_jax.ingest`."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from spectral_jax.ingest.patches import build
from spectral_jax.ingest.patches.products import table
from spectral_jax.sensors import SensorSpec

rasterio = pytest.importorskip("rasterio", reason="needs the extra spectral-jax[geo]")
ENMAP = SensorSpec.load("enmap_l2a")
# The order of a VNIR-then-SWIR file: positions in the spec, which is ordered by wavelength.
BY_DETECTOR = [i for name in ("VNIR", "SWIR") for i, b in enumerate(ENMAP.bands) if b.detector == name]


def write_tif(path: Path, pixels, pixel_m, left=500000.0, top=5800000.0, crs="EPSG:32633", tags=None, band_tags=None, **more):
    """A GeoTIFF with pixels [C H W]; `more` are the dataset's scales, offsets and descriptions, or fields of its profile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    after = {k: more.pop(k) for k in ("scales", "offsets", "descriptions", "units") if k in more}
    more.setdefault("transform", rasterio.Affine(pixel_m, 0.0, left, 0.0, -pixel_m, top))
    count, height, width = pixels.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="GTiff", count=count, height=height, width=width, dtype=pixels.dtype, crs=crs, **more
        ) as file:
            file.write(pixels)
            file.update_tags(**(tags or {}))
            for i, one in enumerate(band_tags or []):
                file.update_tags(i + 1, **one)
            for name, value in after.items():
                setattr(file, name, value)
    return path


def enmap_tags(drift=0.0, order=BY_DETECTOR, scale=1.0, **more):
    picked = [ENMAP.bands[i] for i in order]
    return [{"wavelength": f"{(b.centre_nm + drift) * scale:.6f}", "fwhm": f"{b.fwhm_nm * scale:.6f}"} | more for b in picked]


def write_enmap(path: Path, side=4, **more):
    """Band k (in the order of the spec) holds 1000 + 10 * k, plus the pixel's number; the files are ordered by detector."""
    number = np.arange(side * side).reshape(side, side)
    pixels = np.stack([1000.0 + 10 * k + number for k in BY_DETECTOR]).astype(np.float32)
    more = {"band_tags": enmap_tags(), "tags": {"start_time": "2022-07-24T12:00:00"}} | more
    return write_tif(path, more.pop("pixels", pixels), 30.0, **more)


def write_s2(path: Path, side=12, low=1050, seed=0, dtype=np.int16, **more):
    pixels = np.random.default_rng(seed).integers(low, low + 3000, (12, side, side)).astype(dtype)
    write_tif(path, more.pop("pixels", pixels), 10.0, **more)
    return pixels


def write_s1(path: Path, side=12, seed=1, **more):
    pixels = np.random.default_rng(seed).uniform(-25.0, -5.0, (2, side, side))
    write_tif(path, more.pop("pixels", pixels), 10.0, **{"tags": {"datetime": "2020-04-11T23:43:09.000000000"}} | more)
    return pixels


def build_into(out, *products, footprint_m=120.0, lines=None, shard_bytes=64 * 2**20):
    """Builds a store from products as a command names them: `enmap:tiles`, `sentinel2:chips,unit=b`."""
    inputs = build.Inputs(footprint_m, tuple(table.parsed(product) for product in products))
    return build.build(inputs, out, (lines if lines is not None else []).append, shard_bytes)


def pixels_of(store, group, key, location=0, date=0):
    return store.groups[group].pixels(key)[location, date].read().result()


def four_sites(folder):
    """Four chips of Sentinel-2 and of radar, of four patches each, as --product names their folders."""
    for i in range(4):
        write_s2(folder / "s2" / f"{i}.tif", side=24, seed=i, left=500000.0 + 10000 * i)
        write_s1(folder / "rtc" / f"{i}.tif", side=24, seed=9 + i, left=500000.0 + 10000 * i)
    return f"sentinel2:{folder / 's2'}", f"sentinel1:{folder / 'rtc'}"
