"""EMIT L2A as NASA delivers it: a swath, its lookup table (GLT), and the mask in a file of its own.

Pixels are given on the lookup table's grid, in degrees: each is the one of the swath that the table names, so that no spectra
are mixed.
"""

import contextlib
import re
from collections.abc import Sequence

import numpy as np

from spectral_jax.ingest.downloaded import agreement
from spectral_jax.ingest.downloaded.files import hdf5
from spectral_jax.ingest.downloaded.files.archive import Files
from spectral_jax.ingest.downloaded.files.hdf5 import Hdf5
from spectral_jax.ingest.downloaded.product import DownloadedProduct, Pixels, Window
from spectral_jax.ingest.facts import facts
from spectral_jax.ingest.packing import Packing
from spectral_jax.ingest.raster import geotiff
from spectral_jax.sensors import Band, SensorSpec

KIND = "EMIT L2A"
NAME = re.compile(r"EMIT_(?P<level>L\w\w)_(?:RFL|RAD)_(?P<version>\d{3})_(?P<scene>\d{8}T\d{6}_\d{7}_\d{3})")
# Rows of the grid that are looked up at once, so that a window of any size needs little of the swath in memory.
_ROWS = 64
# Pixels of the grid whose places are compared with those of the swath, and how far off most may be, pixels: the table names the
# nearest, which is at most 0.71 away, and 1 where it fills holes. Choice.
_COMPARED, _OFF = 256, 1.5


def opened(files: Files, name: str, stack: contextlib.ExitStack, sensor: str | None = None) -> DownloadedProduct:
    """Opens a product, with the mask of the same time, orbit and scene; of several the one of the newest version.

    Args:
      files: its own, and perhaps others.
      name: of the reflectance file.
      stack: closes what is opened.
      sensor: the spec of a store; there is one only, and another is refused.

    Raises:
      ImportError: h5py is not installed.
      FileNotFoundError: there is no mask.
      ValueError: it is of another level, its mask has layers that are not known, or its lookup table does not fit its swath.
    """
    about, parts = facts("emit_l2a"), NAME.fullmatch(name)
    assert parts is not None  # it was recognised by this expression
    agreement.expect_level(parts["level"], ("L2A",), f"{KIND} reflectance", name, str(files.given), "L2A")
    spec = agreement.spec_of(about["sensor"], sensor, name, str(files.given))
    file = Hdf5(files.local(files.one(rf"{name}\.nc", f"{name}.nc"), stack), stack)
    cube = file.array("reflectance", 3)
    table = _Table(file, cube.shape[:2])
    mask = _Mask(_mask_file(files, parts["scene"], stack), cube.shape[:2], about)
    found, kept = _bands(file, cube.shape[2])
    order = agreement.positions(found, spec, f"{file.path}, sensor_band_parameters/wavelengths")
    bands = tuple(found[i] for i in order)
    packing = _packing(cube, spec, about, str(file.path))

    def numbers(chosen: Sequence[int], window: Window) -> np.ndarray:
        return table.looked_up(file, cube, [order[i] for i in chosen], window, about["fill"])

    def trusted(chosen: Sequence[int], window: Window) -> np.ndarray:
        size = [cut.stop - cut.start for cut in window]
        good = np.array([kept[order[i]] for i in chosen])
        return np.broadcast_to(good[:, None, None], (len(chosen), *size))

    def flags(window: Window) -> dict[str, np.ndarray]:
        layers = table.looked_up(mask.file, mask.layers, list(range(len(mask.names))), window, about["fill"])
        return {"outside": ~table.seen(window)} | mask.flags(layers)

    return DownloadedProduct(
        kind=KIND, name=name, spec=spec, bands=bands, packings=(packing,) * len(bands), unit=spec.unit, crs=table.crs,
        geotransform=table.transform, shape=table.shape, outline=_outline(file),
        time=geotiff.moment(file.text("time_coverage_start"), str(file.path), "attribute time_coverage_start"),
        flags={"outside": "no pixel of the swath"} | mask.meanings, dropped=mask.dropped,
        provenance={"product": name, "level": "L2A", "version": parts["version"], "mask": mask.file.path.stem},
        notes=(*agreement.widths(bands, spec, str(file.path)), *_bad_bands(bands, kept[list(order)], spec, str(file.path))),
        source=Pixels(numbers, flags, trusted), closing=stack,
    )  # fmt: skip


class _Table:
    """The lookup table of a swath: of each pixel of a grid in degrees, line and sample."""

    def __init__(self, file: Hdf5, swath: tuple[int, int]):
        samples, lines = file.whole("location/glt_x", 2), file.whole("location/glt_y", 2)
        for name, found, most in (("glt_x", samples, swath[1]), ("glt_y", lines, swath[0])):
            if found.shape != samples.shape or found.min() < 0 or found.max() > most:
                raise ValueError(
                    f"{file.path}: expected location/{name} from 0 (none) to {most}, the size of the swath, got {found.min()} "
                    f"to {found.max()} of shape {found.shape}; is it the table of another granule, or of a part of this one?"
                )
        self._there = (samples > 0) & (lines > 0)
        if not self._there.any():
            raise ValueError(
                f"{file.path}: expected a pixel of the swath in location/glt_x and glt_y, and all are 0; fetch it again."
            )
        # The table counts from 1, once.
        self._lines, self._samples = lines - 1, samples - 1
        self.shape = (int(lines.shape[0]), int(lines.shape[1]))
        self.crs = geotiff.crs_of(file.text("spatial_ref"), f"{file.path}: attribute spatial_ref")
        numbers = file.attribute("geotransform")
        if numbers.shape != (6,) or not numbers[1] > 0 > numbers[5]:
            raise ValueError(
                f"{file.path}: expected the attribute geotransform with 6 numbers, north up, got {numbers.tolist()}."
            )
        self.transform = tuple(map(float, numbers))
        self._check_place(file)

    def seen(self, window: Window) -> np.ndarray:
        """Where a pixel of the grid has one of the swath, bool [h w]."""
        return self._there[window]

    def looked_up(self, file: Hdf5, source, bands: Sequence[int], window: Window, fill: float) -> np.ndarray:
        """Numbers [C h w] of the swath's array [lines samples C] at a window of the grid; `fill` where there is none."""
        rows, columns = window
        out = np.full((len(bands), rows.stop - rows.start, columns.stop - columns.start), fill, source.dtype)
        for start in range(rows.start, rows.stop, _ROWS):
            part = slice(start, min(start + _ROWS, rows.stop)), columns
            there = self._there[part]
            if not there.any():
                continue
            lines, samples = self._lines[part][there], self._samples[part][there]
            top, left = lines.min(), samples.min()
            with file.readable(source.name):
                block = source[top : lines.max() + 1, left : samples.max() + 1, :]
            picked = block[lines - top, samples - left][:, list(bands)]
            out[:, start - rows.start : part[0].stop - rows.start][:, there] = picked.T
        return out

    def _check_place(self, file: Hdf5) -> None:
        """Compares places of the grid with those of the swath's pixels that stand in them."""
        rows, columns = np.nonzero(self._there)
        some = slice(None, None, max(1, len(rows) // _COMPARED))
        rows, columns = rows[some], columns[some]
        lines, samples = self._lines[rows, columns], self._samples[rows, columns]
        left, across, _, top, _, down = self.transform
        for name, centre, step in (
            ("lon", left + (columns + 0.5) * across, across), ("lat", top + (rows + 0.5) * down, -down),
        ):  # fmt: skip
            off = float(np.median(np.abs(file.whole(f"location/{name}", 2)[lines, samples] - centre))) / step
            if not off <= _OFF:
                raise ValueError(
                    f"{file.path}: location/{name} of the swath's pixels is {off:.1f} pixels from where geotransform and the "
                    "lookup table place them; one of them is of another granule."
                )


class _Mask:
    """The mask of a swath: its layers by name, and which flag each is."""

    def __init__(self, file: Hdf5, swath: tuple[int, int], about: dict):
        self.file, self.layers, self._fill = file, file.array("mask", 3), about["fill"]
        self.names = [hdf5.as_text(name).lower() for name in file.whole("sensor_band_parameters/mask_bands", 1)]
        if self.layers.shape != (*swath, len(self.names)):
            raise ValueError(
                f"{file.path}: expected mask of shape {(*swath, len(self.names))}, that of the reflectance and of mask_bands, "
                f"got {self.layers.shape}; is it of another granule?"
            )
        for name in self.names:
            if name not in about["layers"]:
                raise ValueError(
                    f"{file.path}: the layer {name!r} in sensor_band_parameters/mask_bands is not known; expected "
                    f"{', '.join(about['layers'])}."
                )
        self._rules = [about["layers"][name] for name in self.names]
        self.meanings = {"no_mask": "the mask has no number"} | {flag: words for flag, _, words in self._rules if flag}
        version = "v002" if "spectf-cloud flag" in self.names else "v001"
        self.dropped = tuple(about["quality"][version])
        missing = [flag for flag in self.dropped if flag not in ("outside", *self.meanings)]
        if missing:
            raise ValueError(
                f"{file.path}: expected a layer for the flag {missing[0]} in mask_bands, got {', '.join(self.names)}."
            )

    def flags(self, layers: np.ndarray) -> dict[str, np.ndarray]:
        """Flag -> bool [h w] of layers [K h w]."""
        known = np.isfinite(layers) & (layers != self._fill)
        found = {"no_mask": ~known.all(axis=0)}
        for layer, (flag, rule, _) in zip(layers, self._rules, strict=True):
            if flag:
                found[flag] = layer > 0.5 if rule == "set" else layer >= 0
        return found


def _mask_file(files: Files, scene: str, stack: contextlib.ExitStack) -> Hdf5:
    names = sorted(files.like(rf"EMIT_L2A_MASK_\d{{3}}_{scene}\.nc"))
    if not names:
        raise FileNotFoundError(
            f"{files.given}: expected the mask EMIT_L2A_MASK_..._{scene}.nc beside the reflectance, and there is none; fetch "
            "it (collection EMITL2AMASK 002, or EMITL2ARFL 001)."
        )
    return Hdf5(files.local(names[-1], stack), stack)


def _bands(file: Hdf5, count: int) -> tuple[list[Band], np.ndarray]:
    """The bands of the cube, and which the product calls good."""
    room = "sensor_band_parameters"
    centre, width, good = (file.whole(f"{room}/{name}", 1) for name in ("wavelengths", "fwhm", "good_wavelengths"))
    if not len(centre) == len(width) == len(good) == count:
        raise ValueError(
            f"{file.path}: expected {count} numbers in {room}/wavelengths, fwhm and good_wavelengths, one for each band, got "
            f"{len(centre)}, {len(width)} and {len(good)}; the file is damaged."
        )
    bands = [Band(f"B{i}", float(nm), float(fwhm)) for i, (nm, fwhm) in enumerate(zip(centre, width, strict=True), 1)]
    return bands, good.astype(bool)


def _bad_bands(bands: Sequence[Band], kept: np.ndarray, spec: SensorSpec, where: str) -> tuple[str, ...]:
    """A sentence where the product drops other bands than the spec."""
    used = set(spec.used_index)
    off = [band.name for i, (band, good) in enumerate(zip(bands, kept, strict=True)) if good != (i in used)]
    if not off:
        return ()
    return (
        f"{where}: good_wavelengths and the bad intervals of {spec.name} differ in {len(off)} bands, the first being {off[0]}.",
    )


def _packing(cube, spec: SensorSpec, about: dict, where: str) -> Packing:
    declared = cube.attrs.get("_FillValue")
    fill = agreement.fill([None if declared is None else float(np.ravel(declared)[0])], about["fill"], where, KIND)
    if cube.dtype.kind != "f":
        raise ValueError(f"{where}: expected reflectance in floats, got {cube.dtype}; it was packed by a tool: fetch it again.")
    return Packing(about["scale"], about["offset"], (fill,))


def _outline(file: Hdf5) -> np.ndarray:
    """Corners of the swath, in the order that it was seen in."""
    lon, lat = (file.array(f"location/{name}", 2) for name in ("lon", "lat"))
    ends = [(0, 0), (0, -1), (-1, -1), (-1, 0)]
    return np.array([(lon[i, j], lat[i, j]) for i, j in ends])
