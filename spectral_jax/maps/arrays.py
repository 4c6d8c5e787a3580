"""Embeddings of an xarray DataArray: the same windows as of a file, block by block where it is Dask's."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spectral_jax import lazy_arrays, plausible
from spectral_jax.config import Config
from spectral_jax.ingest import units
from spectral_jax.ingest.raster import wavelengths
from spectral_jax.ingest.raster.wavelengths import UNITS_NM, UNSTATED, Wavelengths
from spectral_jax.maps import bands, embedder, provenance, windows
from spectral_jax.maps.embedder import Embedder
from spectral_jax.maps.observed import Observed
from spectral_jax.maps.windows import Windows
from spectral_jax.sensors import SensorSpec

WAVELENGTH, FWHM, MAPPING, VECTOR = "wavelength", "fwhm", "spatial_ref", "embedding"
# Coordinates count as equally spaced within this part of a step.
SPACING = 1e-3


def embed(
    data_array: Any,
    encoder: str | tuple[Config, dict] = "spectral-mini",
    level: str | None = None,
    overlap: float | None = None,
) -> Any:
    """Embeds a scene that is an xarray DataArray.

    Args:
      data_array: two axes of places and one of bands, in any order: physical numbers (reflectance, 0 to 1), NaN where missing.
        The axis of bands has the coordinate `wavelength`, in nm unless its attribute `units` says otherwise, and may have
        `fwhm`; the others have coordinates in metres, centres of pixels, equally spaced. One that is Dask's is read and
        embedded block by block, when values are asked for.
      encoder: a model of the package by name, a run's folder, or what `load` gave.
      level: of the encoder, of `readout.NAMES`; None: the finest that it has of these bands.
      overlap: share of a window's side that neighbouring windows share; None: a quarter.

    Returns:
      A DataArray float32 with the axes of places, whose coordinates are the centres of the encoder's cells, and "embedding";
      NaN for cells that hold no pixel with data. The coordinate `spatial_ref` (the CRS, as rioxarray has it) is kept.

    Raises:
      ImportError: xarray is not installed.
      TypeError: it is no DataArray.
      ValueError: no coordinate `wavelength`, another unit, degrees for metres, axes that are not equally spaced, bands or
        pixels that the encoder does not take, no such level, or a scene smaller than a patch.
    """
    xarray = lazy_arrays.library("embedding a DataArray")
    if not isinstance(data_array, xarray.DataArray):
        raise TypeError(f"data_array: expected an xarray.DataArray, got a {type(data_array).__name__}.")
    where = f"data_array {data_array.name}" if data_array.name else "data_array"
    axis, told = _wavelengths(data_array, where)
    down, across = (dim for dim in data_array.dims if dim != axis)
    pixel_m = _pixel_m(data_array, (down, across), where)
    cfg, params = encoder if isinstance(encoder, tuple) else embedder.loaded(encoder)
    known = bands.of_wavelengths(cfg, params, told, pixel_m, where)
    if "units" in data_array.attrs:
        units.expect(str(data_array.attrs["units"]), known.spec.unit, where)
    index = list(bands.by_wavelength(told, known.spec, where))
    made = embedder.of_level(known, level)
    pixels = data_array.transpose(down, across, axis).data[..., index]
    seen = Observed(Path(where), known.spec, pixels.shape[:2], None, None, lambda rows, columns: pixels[rows, columns], "")
    cut = windows.planned(seen, made.cell_px, made.window_px, overlap, made.alone)
    chunked = hasattr(pixels, "dask")
    values = _blocks(pixels, cut, made, known.spec, where) if chunked else _block(pixels, cut, made, known.spec, where)
    coordinates = {
        dim: _centres(data_array[dim], cut.cell_px, side) for dim, side in zip((down, across), cut.shape, strict=True)
    }
    attributes = {
        "long_name": f"embedding, {made.level}", "units": "1", "encoder": encoder if isinstance(encoder, str) else cfg.name,
        "encoder_sha256": provenance.digest(known.params["encoder"]), "level": made.level, "sensor": known.spec.name,
        "windows": cut.text, "software": f"spectral_jax {provenance.version()}",
    }  # fmt: skip
    out = xarray.DataArray(values, coordinates, (down, across, VECTOR), name=VECTOR, attrs=attributes)
    if MAPPING in data_array.coords:
        out = out.assign_coords({MAPPING: _mapping(data_array, (down, across), cut.cell_px)})
    return out


def _wavelengths(data_array: Any, where: str) -> tuple[str, Wavelengths]:
    """The axis of bands, and what they are."""
    if data_array.ndim != 3:
        raise ValueError(f"{where}: expected two axes of places and one of bands, got {data_array.dims}; take one date of it.")
    if WAVELENGTH not in data_array.coords or data_array.coords[WAVELENGTH].ndim != 1:
        raise ValueError(
            f"{where}: expected a coordinate 'wavelength' (nm) along its axis of bands, and its coordinates are "
            f"{', '.join(map(str, data_array.coords)) or 'none'}; give it, such as by assign_coords(wavelength=('band', nm))."
        )
    coordinate = data_array.coords[WAVELENGTH]
    (axis,) = coordinate.dims
    unit = str(coordinate.attrs.get("units", "")).strip().lower()
    if unit not in UNITS_NM and unit not in UNSTATED:
        raise ValueError(
            f"{where}: the coordinate 'wavelength' has the units {unit!r}, which are no length; give it in nanometres, with "
            "the attribute units 'nm'."
        )
    factor = UNITS_NM.get(unit)
    widths = data_array.coords.get(FWHM)
    fwhm = np.full(coordinate.shape, np.nan) if widths is None else np.broadcast_to(widths.values, coordinate.shape)
    numbers = tuple(range(1, len(coordinate) + 1))
    centres, spread = ([(float(x), factor) for x in values] for values in (coordinate.values, fwhm))
    return axis, wavelengths.in_nm(centres, spread, f"{where}: wavelength of band", numbers)


def _pixel_m(data_array: Any, dims: tuple[str, str], where: str) -> float:
    """Side of a pixel, metres."""
    steps = []
    for dim in dims:
        if dim not in data_array.coords or len(data_array.coords[dim]) < 2:
            raise ValueError(f"{where}: expected a coordinate of metres along the axis {dim!r}, and it has none; give centres.")
        coordinate = data_array.coords[dim]
        unit = str(coordinate.attrs.get("units", "")).lower()
        step = np.diff(coordinate.values.astype(np.float64))
        if "deg" in unit or _geographic(data_array):
            raise ValueError(
                f"{where}: expected places in metres, and the axis {dim!r} is in degrees; reproject it (rio.reproject) to UTM."
            )
        if np.abs(step - step[0]).max() > SPACING * abs(step[0]) or step[0] == 0:
            raise ValueError(f"{where}: expected equal steps along the axis {dim!r}, got {step.min():g} to {step.max():g}.")
        steps.append(float(abs(step.mean())))
    if abs(steps[0] - steps[1]) > SPACING * steps[0]:
        raise ValueError(f"{where}: expected square pixels, got {steps[0]:g} x {steps[1]:g} m; resample it.")
    return round(steps[0], 6)


def _geographic(data_array: Any) -> bool:
    about = data_array.coords[MAPPING].attrs if MAPPING in data_array.coords else {}
    text = str(about.get("crs_wkt", about.get("spatial_ref", ""))).lstrip().upper()
    return text.startswith(("GEOGCS", "GEOGCRS", "GEODCRS"))


def _centres(coordinate: Any, cell_px: int, cells: int) -> tuple:
    """The coordinate of cells: their centres, also of a last one that the scene does not fill."""
    first, step = float(coordinate.values[0]), float(np.diff(coordinate.values.astype(np.float64)).mean())
    at = first + step * (cell_px * np.arange(cells) + (cell_px - 1) / 2)
    return coordinate.dims[0], at, dict(coordinate.attrs)


def _mapping(data_array: Any, dims: tuple[str, str], cell_px: int) -> Any:
    """The CRS, with the affine of the cells where it has one."""
    kept = data_array.coords[MAPPING].copy()
    if "GeoTransform" in kept.attrs:
        y, x = (data_array.coords[dim].values.astype(np.float64) for dim in dims)
        (y0, dy), (x0, dx) = ((float(at[0]), float(np.diff(at).mean())) for at in (y, x))
        kept.attrs["GeoTransform"] = f"{x0 - dx / 2} {dx * cell_px} 0.0 {y0 - dy / 2} 0.0 {dy * cell_px}"
    return kept


def _block(pixels: Any, cut: Windows, made: Embedder, spec: SensorSpec, where: str) -> np.ndarray:
    """All cells of pixels in memory."""
    return _embedded(np.asarray(pixels), (0, 0), (slice(0, cut.shape[0]), slice(0, cut.shape[1])), cut, made, spec, where)


def _blocks(pixels: Any, cut: Windows, made: Embedder, spec: SensorSpec, where: str) -> Any:
    """A Dask array with about the blocks of the pixels: each is computed from the windows that touch it."""
    import dask
    import dask.array

    edges = [_edges(chunks, cut.cell_px, side) for chunks, side in zip(pixels.chunks[:2], cut.shape, strict=True)]
    task = dask.delayed(partial(_embedded, cut=cut, made=made, spec=spec, where=where), pure=False)
    rows = []
    for top, bottom in zip(edges[0], edges[0][1:], strict=False):
        row = []
        for left, right in zip(edges[1], edges[1][1:], strict=False):
            place = (slice(top, bottom), slice(left, right))
            inside = [windows.touched(cut, axis, place[axis], pixels.shape[axis]) for axis in (0, 1)]
            part = pixels[inside[0], inside[1]].rechunk(-1)
            made_of = task(part, (inside[0].start, inside[1].start), place)
            shape = (bottom - top, right - left, made.width)
            row.append(dask.array.from_delayed(made_of, shape, np.float32))
        rows.append(row)
    return dask.array.concatenate([dask.array.concatenate(row, axis=1) for row in rows], axis=0)


def _edges(chunks: tuple[int, ...], cell_px: int, cells: int) -> list[int]:
    """Where blocks of cells begin and end, near to where those of pixels do."""
    ends = np.cumsum(chunks) // cell_px
    return sorted({0, *(int(end) for end in ends if 0 < end < cells), cells})


def _embedded(
    pixels: np.ndarray,
    first: tuple[int, int],
    place: tuple[slice, slice],
    cut: Windows,
    made: Embedder,
    spec: SensorSpec,
    where: str,
) -> np.ndarray:
    """Cells of a block [h w D], float32.

    Args:
      pixels: that its windows need [H W C].
      first: row and column of their first one in the scene.
      place: the cells.
      cut: how the scene is cut.
      made: the encoder's level.
      spec: the sensor, for what its numbers can be.
      where: for the sentence.
    """
    pixels = pixels.astype(np.float32)
    some = pixels[:: max(1, pixels.shape[0] // 128), :: max(1, pixels.shape[1] // 128)]
    plausible.check(some, np.isfinite(some), spec, where, advice=f"convert the numbers to {spec.quantity}")
    pixels = np.where(np.isfinite(pixels).all(axis=-1, keepdims=True), pixels, np.float32(np.nan))
    return windows.of_block(pixels, first, place, cut, made.function, made.width)
