"""A miniature Landsat 8 Collection 2 Level 2 product as USGS delivers it. Nothing here is observed.

Written from the published layout alone; nothing is taken from the reader.
"""

import json
from pathlib import Path

import numpy as np
from made.delivered import tif

NAME = "LC08_L2SP_193023_20220724_20220802_02_T1"
SIDE = 5


def quality(side=SIDE):
    """QA_PIXEL: clear land (bit 6) but for the first row: fill, dilated cloud, cirrus, cloud, shadow; second: snow, water."""
    out = np.full((side, side), 1 << 6, np.uint16)
    out[0] = [1, 1 << 1 | 1 << 6, 1 << 2 | 1 << 6, 1 << 3, 1 << 4 | 1 << 6][:side]
    out[1, :2] = 1 << 5 | 1 << 6, 1 << 7 | 1 << 6
    return out


def reflectance(k, side=SIDE):
    """DN of band k: 8000 + 100 k + the pixel's number; the first pixel is fill."""
    out = (8000 + 100 * k + np.arange(side * side).reshape(side, side)).astype(np.uint16)
    out[0, 0] = 0
    return out


def temperature(side=SIDE):
    """DN of 44,000 + the pixel's number, about 299.4 K; the first pixel is fill."""
    out = (44000 + np.arange(side * side).reshape(side, side)).astype(np.uint16)
    out[0, 0] = 0
    return out


def mtl(name=NAME, mult="2.75e-05", add="-0.2", leave_out=()):
    """Sections of the MTL. Level 1 has keys of the same names with other numbers."""
    numbers = range(1, 8)
    sr = {f"REFLECTANCE_MULT_BAND_{n}": mult for n in numbers} | {f"REFLECTANCE_ADD_BAND_{n}": add for n in numbers}
    l1 = {f"REFLECTANCE_MULT_BAND_{n}": "2.0000E-05" for n in numbers}
    sections = {
        "PRODUCT_CONTENTS": {"LANDSAT_PRODUCT_ID": name, "PROCESSING_LEVEL": name[5:9], "COLLECTION_NUMBER": "02"},
        "IMAGE_ATTRIBUTES": {
            "CLOUD_COVER": "12.34", "SUN_ELEVATION": "54.5", "DATE_ACQUIRED": "2022-07-24",
            "SCENE_CENTER_TIME": "10:09:41.1234560Z",
        },
        "LEVEL1_RADIOMETRIC_RESCALING": l1 | {f"REFLECTANCE_ADD_BAND_{n}": "-0.100000" for n in numbers},
        "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS": sr,
        "LEVEL2_SURFACE_TEMPERATURE_PARAMETERS": {
            "TEMPERATURE_MULT_BAND_ST_B10": "0.00341802", "TEMPERATURE_ADD_BAND_ST_B10": "149.0",
        },
    }  # fmt: skip
    return {k: v for k, v in sections.items() if k not in leave_out}


def text_of(sections, end):
    if end == "json":
        return json.dumps({"LANDSAT_METADATA_FILE": sections})
    if end == "xml":
        rows = "".join(f"<{s}>{''.join(f'<{k}>{v}</{k}>' for k, v in keys.items())}</{s}>" for s, keys in sections.items())
        return f'<?xml version="1.0"?><LANDSAT_METADATA_FILE>{rows}</LANDSAT_METADATA_FILE>'
    lines = ["GROUP = LANDSAT_METADATA_FILE"]
    for section, keys in sections.items():
        lines += [f"  GROUP = {section}", *(f'    {k} = "{v}"' for k, v in keys.items()), f"  END_GROUP = {section}"]
    return "\n".join([*lines, "END_GROUP = LANDSAT_METADATA_FILE", "END"])


def write(folder: Path, *, name=NAME, sections=None, end="json", leave_out=(), nodata=0, saturated=None, shift=0.0):
    """Writes a product's folder, and returns it."""
    folder = folder / name
    bands = {f"SR_B{k}": reflectance(k) for k in range(1, 8)} | ({"ST_B10": temperature()} if "_L2SP_" in name else {})
    radsat = np.zeros((SIDE, SIDE), np.uint16) if saturated is None else saturated
    for kind, pixels in (bands | {"QA_PIXEL": quality(), "QA_RADSAT": radsat}).items():
        if kind not in leave_out:
            fill = nodata if kind[:2] in ("SR", "ST") else None
            left = 300_000.0 + (shift if kind == "SR_B2" else 0.0)
            tif(folder / f"{name}_{kind}.TIF", pixels[None], fill, left=left, top=5_700_000.0, crs="EPSG:32633")
    if "MTL" not in leave_out:
        (folder / f"{name}_MTL.{end}").write_text(text_of(mtl(name) if sections is None else sections, end))
    return folder
