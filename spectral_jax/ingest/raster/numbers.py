"""The numbers of an open file and which of them are data: nodata, masks, alpha, fill values, scale and offset.

All that GDAL and CF know to mark a missing pixel counts: the nodata of each band, masks inside the file or beside it, an alpha
band, `NODATA_VALUES`, `_FillValue`, `missing_value` and a valid range in the tags, and NaN.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spectral_jax.ingest import packing
from spectral_jax.ingest.packing import Packing
from spectral_jax.ingest.raster import geotiff

# Of the tags of a GeoTIFF only these names are CF's; others, such as SCALE, may be of a map.
_CF = ("scale_factor", "add_offset", "_fillvalue", "missing_value", "valid_range", "valid_min", "valid_max", "_unsigned")


def data_bands(dataset, expected: int = 0) -> tuple[int, ...]:
    """The bands of an open file counted from 1, without its alpha band.

    Four bands of 8 bits are written as red, green, blue and alpha unless told otherwise, whatever they are: with as many bands
    as `expected` (0: not known) there is no alpha among them.
    """
    alpha = None if dataset.count == expected else _alpha(dataset)
    return tuple(band for band in dataset.indexes if band != alpha)


def packings(dataset, path: Path, bands: Sequence[int] = ()) -> tuple[Packing, ...]:
    """How the numbers of some bands are packed.

    Args:
      dataset: an open `rasterio` dataset.
      path: for the sentences.
      bands: counted from 1; empty: all but alpha.

    Raises:
      ValueError: GDAL's scale and offset and the tags say two things, or something that is no packing.
    """
    of_file = {name: text for name, text in dataset.tags().items() if name.lower() in _CF}
    bands = tuple(bands) or data_bands(dataset)
    masked = _masked(dataset, bands)
    # Each of these reads all bands, and most bands say the same.
    scales, offsets, nodata, dtypes = dataset.scales, dataset.offsets, dataset.nodatavals, dataset.dtypes
    read: dict[tuple, Packing] = {}
    out = []
    for band in bands:
        i = band - 1
        of_band = tuple((name, text) for name, text in dataset.tags(band).items() if name.lower() in _CF)
        key = (of_band, scales[i], offsets[i], str(nodata[i]), dtypes[i])
        if key not in read:
            said: dict[str, object] = {name: _listed(text) for name, text in (of_file | dict(of_band)).items()}
            if (scales[i], offsets[i]) != (1.0, 0.0):
                said |= {"scale": scales[i], "offset": offsets[i]}
            if nodata[i] is not None:
                said["nodata"] = nodata[i]
            found = packing.of_attributes(said, f"{path}: band {band}", dtypes[i])
            read[key] = dataclasses.replace(found, masked=masked)
        out.append(read[key])
    return tuple(out)


def read(
    dataset, path: Path, packed: Sequence[Packing], bands: Sequence[int], window=None, missing: tuple[float, ...] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers as the file holds them, and where they are data.

    Args:
      dataset: an open `rasterio` dataset.
      path: for the sentences.
      packed: of `packings`, one for each of `bands`.
      bands: counted from 1, in the order wanted.
      window: first row, first column and side of a square, or a `rasterio` window; None: the whole file.
      missing: further stored numbers that mean "no data".

    Returns:
      Numbers [C H W] in the file's type (of several types, the one that holds all), and bool [C H W].

    Raises:
      ValueError: the file is damaged.
    """
    raw = geotiff.read(dataset, path, tuple(bands), window)
    rules = dict.fromkeys((p.missing, p.low, p.high, p.unsigned) for p in packed)
    if len(rules) == 1:
        good = packing.present(_unsigned(raw, packed[0]), packed[0], missing)
    else:
        good = np.stack([packing.present(_unsigned(band, p), p, missing) for band, p in zip(raw, packed, strict=True)])
    return raw, good & _mask(dataset, path, bands, window) if packed[0].masked else good


def unpacked(raw: np.ndarray, packed: Sequence[Packing]) -> np.ndarray:
    """Physical numbers of stored ones [C H W], float32; in their own type where nothing is packed."""
    if all(p.plain for p in packed):
        return raw
    scale = np.array([p.scale for p in packed])[:, None, None]
    offset = np.array([p.offset for p in packed])[:, None, None]
    wide = np.stack([_unsigned(band, p) for band, p in zip(raw, packed, strict=True)]).astype(np.float64)
    return (wide * scale + offset).astype(np.float32)


def _unsigned(raw: np.ndarray, packed: Packing) -> np.ndarray:
    return raw.view(raw.dtype.str.replace("i", "u")) if packed.unsigned and raw.dtype.kind == "i" else raw


def _alpha(dataset) -> int | None:
    from rasterio.enums import ColorInterp

    kinds = dataset.colorinterp
    return kinds.index(ColorInterp.alpha) + 1 if ColorInterp.alpha in kinds and dataset.count > 1 else None


def _masked(dataset, bands: Sequence[int]) -> bool:
    """Whether a mask, or an alpha band beside the bands, says which pixels count."""
    from rasterio.enums import MaskFlags

    alpha, flags = _alpha(dataset), dataset.mask_flag_enums[0]
    if alpha is not None:
        return alpha not in bands
    return MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags


def _mask(dataset, path: Path, bands: Sequence[int], window) -> np.ndarray:
    """Where masks and alpha let a pixel count, bool [1 H W]."""
    alpha = _alpha(dataset)
    if alpha is not None:
        return geotiff.read(dataset, path, (alpha,), window) > 0
    return geotiff.read(dataset, path, (bands[0],), window, masks=True) > 0


def _listed(value: object) -> object:
    """A tag of several numbers, `{-9999, 0}` or `-9999, 0`, as a list of texts."""
    if isinstance(value, str) and ("," in value or value.strip().startswith("{")):
        return [part.strip() for part in value.strip().strip("{}[]").split(",") if part.strip()]
    return value
