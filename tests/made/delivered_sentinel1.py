"""Miniature Sentinel-1 RTC products of three producers as they are delivered. Nothing here is observed.

Written from the published names alone; nothing is taken from the reader.
"""

from pathlib import Path

import numpy as np
from made.delivered import tif

COMPUTER = "S1A_IW_GRDH_1SDV_20220718T170045_20220718T170110_044148_054509_rtc"
HYP3 = "S1B_IW_20210105T052349_DVP_RTC30_G_gpuned_A1B2"
OPERA = "OPERA_L2_RTC-S1_T117-249422-IW2_20230831T013125Z_20230831T094513Z_S1A_30_v1.0"
SIDE = 5


def power(polarisation, fill):
    """Linear power 0.01 * the pixel's number + 0.05 (VV) or 0.02 (VH); the first pixel is missing, the second has no echo."""
    out = (0.01 * np.arange(SIDE * SIDE) + (0.05 if polarisation == "vv" else 0.02)).reshape(SIDE, SIDE).astype(np.float32)
    out[0, 0], out[0, 1] = fill, 0.0
    return out


def write(
    folder: Path, producer="computer", *, name=None, polarisations=("vv", "vh"), decibel=False, nodata="own", pixel=None, **more
):
    """Writes the files of a product, and returns their folder."""
    known = {"computer": (COMPUTER, -32768.0, 10.0), "hyp3": (HYP3, 0.0, 30.0), "opera": (OPERA, np.nan, 30.0)}
    own, fill, size = known[producer]
    name = name or own
    folder = folder / name
    for polarisation in polarisations:
        ends = {"computer": f"measurement/iw-{polarisation}.rtc.tiff", "hyp3": f"{name}_{polarisation.upper()}.tif"}
        ends["opera"] = ends["hyp3"]
        values = power(polarisation, fill)
        if decibel:
            there = values > 0
            values = np.where(there, 10 * np.log10(np.where(there, values, 1.0)), values).astype(np.float32)
        tif(folder / ends[producer], values[None], fill if nodata == "own" else nodata, pixel=pixel or size, **more)
    if producer == "hyp3":
        tif(folder / f"{name}_ls_map.tif", np.ones((1, SIDE, SIDE), np.uint8), pixel=size)
    return folder
