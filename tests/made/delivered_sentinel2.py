"""A miniature Sentinel-2 L2A SAFE as ESA delivers it. Nothing here is observed: names and places of numbers are as published.

Written from the published layout alone; nothing is taken from the reader.
"""

from pathlib import Path

import numpy as np
from made.delivered import tif

NAME = "S2B_MSIL2A_20240131T101109_N0510_R022_T32UQD_20240131T125803"
OLD = "S2A_MSIL2A_20190131T101109_N0211_R022_T32UQD_20190131T125803"
# Band, band_id, centre (nm) as in S2B's metadata, and its native pixel, m.
BANDS = (
    ("B01", 0, 442.3, 60), ("B02", 1, 492.3, 10), ("B03", 2, 558.9, 10), ("B04", 3, 664.9, 10), ("B05", 4, 703.8, 20),
    ("B06", 5, 739.1, 20), ("B07", 6, 779.7, 20), ("B08", 7, 832.9, 10), ("B8A", 8, 864.0, 20), ("B09", 9, 943.2, 60),
    ("B11", 11, 1610.4, 20), ("B12", 12, 2185.7, 20),
)  # fmt: skip
SIDE = 12  # pixels of 10 m
LEFT, TOP = 600_000.0, 5_800_020.0


def image(k, pixel, side=SIDE):
    """Numbers of band k: 1500 + 100 k + the pixel's number in its own grid; the first pixel is no data."""
    n = side * 10 // pixel
    out = (1500 + 100 * k + np.arange(n * n).reshape(n, n)).astype(np.uint16)
    out[0, 0] = 0
    return out


def scl(side=SIDE):
    """Vegetation, but for the first row: one pixel of each class 0 to 5; and the second: 6 to 11."""
    n = side // 2
    out = np.full((n, n), 4, np.uint8)
    out[0, :6], out[1, :6] = range(6), range(6, 12)
    return out


def product_xml(baseline="05.10", offsets=(-1000,) * 13, quantity=10000, centres=None, leave_out=(), saturated=65535):
    listed = "".join(f'<BOA_ADD_OFFSET band_id="{i}">{x}</BOA_ADD_OFFSET>' for i, x in enumerate(offsets or ()))
    add = f"<BOA_ADD_OFFSET_VALUES_LIST>{listed}</BOA_ADD_OFFSET_VALUES_LIST>" if offsets else ""
    # A response of five samples, 10 nm apart: half maximum at 0.5 samples from both ends of the three of 1, so 30 nm wide.
    spectra = "".join(
        f'<Spectral_Information bandId="{number}" physicalBand="{band.replace("B0", "B")}"><RESOLUTION>{pixel}</RESOLUTION>'
        f'<Wavelength><MIN unit="nm">{nm - 20}</MIN><MAX unit="nm">{nm + 20}</MAX>'
        f'<CENTRAL unit="nm">{(centres or {}).get(band, nm)}</CENTRAL></Wavelength>'
        '<Spectral_Response><STEP unit="nm">10</STEP><VALUES>0 1 1 1 0</VALUES></Spectral_Response></Spectral_Information>'
        for band, number, nm, pixel in BANDS
        if band not in leave_out
    )
    return (
        '<?xml version="1.0"?><n1:Level-2A_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/A.xsd">'
        "<n1:General_Info><Product_Info><PRODUCT_START_TIME>2024-01-31T10:11:09.024Z</PRODUCT_START_TIME>"
        f"<PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE></Product_Info><Product_Image_Characteristics>"
        "<Special_Values><SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX>"
        "</Special_Values><Special_Values><SPECIAL_VALUE_TEXT>SATURATED</SPECIAL_VALUE_TEXT>"
        f"<SPECIAL_VALUE_INDEX>{saturated}</SPECIAL_VALUE_INDEX></Special_Values>"
        f'<QUANTIFICATION_VALUES_LIST><BOA_QUANTIFICATION_VALUE unit="none">{quantity}</BOA_QUANTIFICATION_VALUE>'
        f"</QUANTIFICATION_VALUES_LIST>{add}<Spectral_Information_List>{spectra}</Spectral_Information_List>"
        "</Product_Image_Characteristics></n1:General_Info></n1:Level-2A_User_Product>"
    )


def tile_xml(left=LEFT, top=TOP, code="EPSG:32632"):
    places = "".join(
        f'<Geoposition resolution="{r}"><ULX>{left:.0f}</ULX><ULY>{top:.0f}</ULY><XDIM>{r}</XDIM></Geoposition>'
        for r in (10, 20, 60)
    )
    return (
        '<?xml version="1.0"?><n1:Level-2A_Tile_ID xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/B.xsd">'
        f"<n1:Geometric_Info><Tile_Geocoding><HORIZONTAL_CS_CODE>{code}</HORIZONTAL_CS_CODE>{places}</Tile_Geocoding>"
        "</n1:Geometric_Info><n1:Quality_Indicators_Info><Image_Content_QI><CLOUDY_PIXEL_PERCENTAGE>12.5"
        "</CLOUDY_PIXEL_PERCENTAGE></Image_Content_QI></n1:Quality_Indicators_Info></n1:Level-2A_Tile_ID>"
    )


def write(folder: Path, *, name=NAME, xml=None, tile=None, leave_out=(), shift=0.0, end="jp2"):
    """Writes a SAFE, and returns it. `shift` moves the 20 m images east, metres."""
    safe = folder / f"{name}.SAFE"
    granule = safe / "GRANULE" / "L2A_T32UQD_A036002_20240131T101104"
    lossless = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"} if end == "jp2" else {}
    for k, (band, _, _, pixel) in enumerate((*BANDS, ("SCL", None, None, 20))):
        pixels = scl() if band == "SCL" else image(k, pixel)
        path = granule / "IMG_DATA" / f"R{pixel}m" / f"T32UQD_20240131T101109_{band}_{pixel}m.{end}"
        if band not in leave_out:
            left = LEFT + (shift if pixel == 20 else 0.0)
            tif(path, pixels[None], left=left, top=TOP, pixel=float(pixel), crs="EPSG:32632", **lossless)
    if "MTD_MSIL2A.xml" not in leave_out:
        (safe / "MTD_MSIL2A.xml").write_text(product_xml() if xml is None else xml)
    if "MTD_TL.xml" not in leave_out:
        (granule / "MTD_TL.xml").write_text(tile_xml() if tile is None else tile)
    return safe
