"""Whitening: a sensor's spectra by their principal components over a store, each of about the same variance, once and for all.

What is whitened is what the stem tokenizer sees of a cell (`stem_input`). A table in `data_specs/whitening` holds a matrix and
an offset for values scaled to 0..1, the standardisation folded in; `tools/band_statistics.py --whitening` measures it. The
principal components are those of standardised bands, with a floor of the variances.
"""

import csv
import dataclasses
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax import spec_files
from spectral_jax.batch import Batch, decode
from spectral_jax.config import SensorInput, Whitening
from spectral_jax.sensors import SensorSpec
from spectral_jax.spectral.band_statistics import row_of

# Added to a component's variance (of standardised bands): what varies less is noise, and is not blown up. Choice.
LEAST_VARIANCE = 2e-3
# A number whose deviation (of values scaled to 0..1) is not above this says nothing, and has no weight.
LEAST_DEVIATION = 1e-6
MEASURED_BY = "tools/band_statistics.py --whitening"
STATISTICS = ("mean", "deviation")
_COLUMNS = ("name", "centre_nm", "statistic", "cell_px", "mean", "std")


class Table(NamedTuple):
    """A whitening y = x @ kernel + offset of the N numbers of a cell."""

    kernel: np.ndarray  # [N K]
    offset: np.ndarray  # [K]


class Scaled(NamedTuple):
    """A table as its file has it, for values scaled to 0..1, with the mean and deviation of each number; float64."""

    table: Table
    mean: np.ndarray  # [N]
    std: np.ndarray  # [N]


class Moments(NamedTuple):
    """Number of cells, their mean [N], and the sum of products of deviations from it [N N]; float64."""

    number: int
    mean: np.ndarray
    products: np.ndarray

    @property
    def covariance(self) -> np.ndarray:
        """[N N], over all cells."""
        return self.products / self.number

    @property
    def std(self) -> np.ndarray:
        """Standard deviations [N]."""
        return np.sqrt(np.maximum(np.diag(self.products), 0.0) / self.number)


def cell_px(spec: SensorSpec, stem_gsd_m: float) -> int:
    """Pixels along a side of a stem cell: 1 where the sensor's pixels are as large as `stem_gsd_m` or larger."""
    return max(1, round(stem_gsd_m / spec.gsd_m))


def inputs(spec: SensorSpec, cell_px: int) -> int:
    """How many numbers N the stem sees of a cell: C of a pixel, 2C of several."""
    return len(spec.used) * (1 if cell_px == 1 else 2)


def stem_input(pixels: jax.Array, valid: jax.Array, cell_px: int) -> tuple[jax.Array, jax.Array]:
    """What the stem sees: the pixels themselves, or mean and deviation over the valid pixels of each cell.

    Args:
      pixels: [B H W C]; what invalid ones hold (NaN too) does not matter.
      valid: bool [B H W].
      cell_px: pixels along a side of a cell; H and W are multiples.

    Returns:
      float32 [B h w N] with 0 where invalid, N = C, or 2C: means, then deviations; and which cells have a valid pixel,
      bool [B h w].
    """
    x = jnp.where(valid[..., None], pixels.astype(jnp.float32), 0.0)
    if cell_px == 1:
        return x, valid
    b, height, width, bands = x.shape
    shape = (b, height // cell_px, cell_px, width // cell_px, cell_px)
    x, share = x.reshape(*shape, bands), valid.reshape(*shape, 1).astype(jnp.float32)
    count = jnp.sum(share, axis=(2, 4))
    mean = jnp.sum(x, axis=(2, 4)) / jnp.maximum(count, 1.0)
    apart = (x - mean[:, :, None, :, None]) * share
    variance = jnp.sum(apart * apart, axis=(2, 4)) / jnp.maximum(count, 1.0)
    varies = variance > 0  # the root has no slope at 0
    deviation = jnp.where(varies, jnp.sqrt(jnp.where(varies, variance, 1.0)), 0.0)
    return jnp.concatenate([mean, deviation], axis=-1), count[..., 0] > 0


def measure(spec: SensorSpec, key: str, batches: Iterable[Batch], cell_px: int) -> Moments:
    """Moments of what the stem sees of sensor `key`, of values scaled to 0..1, in one pass over any number of batches.

    Chunks are merged by the formula of Chan, Golub and LeVeque (1979), so nothing is lost where means are large.

    Raises:
      ValueError: no batch has a valid pixel of this sensor.
    """
    size = inputs(spec, cell_px)
    found = Moments(0, np.zeros(size), np.zeros((size, size)))
    for cells in _cells(spec, key, batches, cell_px):
        found = merged(found, cells)
    if not found.number:
        raise ValueError(f"no valid pixel of {key} was read; expected a store that holds this sensor.")
    return found


def merged(before: Moments, cells: np.ndarray) -> Moments:
    """Moments of what was seen before, and of more cells [n N], float64, together."""
    if not len(cells):
        return before
    mean = cells.mean(axis=0)
    apart = cells - mean
    count, step = before.number + len(cells), mean - before.mean
    products = before.products + apart.T @ apart + np.outer(step, step) * (before.number * len(cells) / count)
    return Moments(count, before.mean + step * (len(cells) / count), products)


def fit(moments: Moments, components: int) -> Table:
    """The whitening U / sqrt(l + 2e-3) of standardised numbers, with the largest eigenvalues l of their correlation.

    Args:
      moments: of N numbers a cell, scaled to 0..1.
      components: K, or all N where that is fewer.

    Returns:
      Float64, for the numbers as they are. A component's largest weight (of standardised numbers) is above 0.

    Raises:
      ValueError: no number varies.
    """
    varies = moments.std > LEAST_DEVIATION
    if not varies.any():
        raise ValueError(
            f"whitening: expected cells that differ, and all {moments.number} are alike in each of their {len(varies)} "
            "numbers; read more of the store."
        )
    rate = np.where(varies, 1.0 / np.where(varies, moments.std, 1.0), 0.0)
    variance, vectors = np.linalg.eigh(moments.covariance * rate[:, None] * rate[None])
    vectors = vectors[:, ::-1][:, :components]
    variance = np.maximum(variance[::-1][:components], 0.0)
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
    kernel = rate[:, None] * vectors / np.sqrt(variance + LEAST_VARIANCE)
    return Table(kernel, -moments.mean @ kernel)


def write(path: Path, spec: SensorSpec, moments: Moments, table: Table, cell_px: int, origin: str) -> None:
    """Writes the CSV that `read` reads: the offset, then a row a number of the cell; `origin` is one line or several.

    With `mean` and `std` beside the weights, the variances of the components can be had from the file too: weights times `std`
    are eigenvectors over the root of variance + 2e-3.
    """
    rows = [(band, statistic) for statistic in STATISTICS[: table.kernel.shape[0] // len(spec.used)] for band in spec.used]
    with path.open("w", newline="", encoding="utf-8") as file:
        file.writelines(f"# {line}\n" for line in origin.splitlines())
        out = csv.writer(file, lineterminator="\n")
        out.writerow([*_COLUMNS, *(f"w{k + 1}" for k in range(table.kernel.shape[1]))])
        out.writerow(["offset", "", "", cell_px, "", "", *(f"{x:.6g}" for x in table.offset)])
        for (band, statistic), mean, std, weights in zip(rows, moments.mean, moments.std, table.kernel, strict=True):
            centre = "" if band.centre_nm is None else f"{band.centre_nm:g}"
            out.writerow([band.name, centre, statistic, cell_px, *(f"{x:.6g}" for x in (mean, std, *weights))])


def read(spec: SensorSpec, name: str, cell_px: int) -> Table:
    """The whitening of a sensor for what `stem_input` makes of values that `batch.decode` gives, standardised or not.

    Args:
      spec: the sensor; its bands are found by wavelength (by name where they have none).
      name: of `data_specs/whitening/<name>.csv`, or the path of a CSV file.
      cell_px: pixels along a side of a cell.

    Returns:
      float32.

    Raises:
      FileNotFoundError: there is no file at the path.
      ValueError: no table has the name; or it is of other bands, of cells of another size, or no table of a whitening.
    """
    return for_standardised(read_scaled(spec, name, cell_px).table, spec)


def read_scaled(spec: SensorSpec, name: str, cell_px: int) -> Scaled:
    """What `read` reads, not standardised, and what it was measured with; arguments and errors as there."""
    path = spec_files.find("whitening", name, "whitening", "table", suffix=".csv")
    rows = spec_files.read_table(path)
    columns = [column for column in (rows[0] if rows else {}) if column not in _COLUMNS]
    if not columns or rows[0].get("name") != "offset" or not set(_COLUMNS) <= set(rows[0]):
        raise ValueError(
            f"{path}: expected the columns {', '.join(_COLUMNS)}, w1, w2, ... and first the row called offset; measure it with "
            f"{MEASURED_BY}."
        )
    found, side = len(rows) - 1, rows[0]["cell_px"]
    if side != str(cell_px):
        raise ValueError(
            f"{path}: it was measured on cells of {side} x {side} pixels, and model.stem_gsd_m makes cells of {cell_px} x "
            f"{cell_px} pixels of {spec.name}; measure this sensor with tools/band_statistics.py --whitening, or change "
            "model.stem_gsd_m."
        )
    if found != inputs(spec, cell_px):
        raise ValueError(
            f"{path}: it has {found} rows, and a cell of {cell_px} x {cell_px} pixels of the {len(spec.used)} bands that "
            f"{spec.name} uses has {inputs(spec, cell_px)} numbers; measure this sensor with {MEASURED_BY}."
        )
    picked = []
    for statistic in STATISTICS[: found // len(spec.used)]:
        own = [row for row in rows[1:] if row["statistic"] == statistic]
        picked += [row_of(band, own, spec, path, MEASURED_BY) for band in spec.used]
    try:
        kernel, offset = (np.array([[float(row[c]) for c in columns] for row in part]) for part in (picked, rows[:1]))
        mean, std = (np.array([float(row[c]) for row in picked]) for c in ("mean", "std"))
    except ValueError as error:
        raise ValueError(
            f"{path}: expected numbers in the columns mean, std and {columns[0]} to {columns[-1]} ({error})."
        ) from error
    if not all(np.isfinite(x).all() for x in (kernel, offset, mean, std)):
        raise ValueError(
            f"{path}: expected finite numbers in the columns mean, std and {columns[0]} to {columns[-1]}; measure it again."
        )
    return Scaled(Table(kernel, offset[0]), mean, std)


def digest(kernel: np.ndarray, offset: np.ndarray) -> str:
    """Sixteen hexadecimal digits of the float32 numbers that parameters hold of a whitening."""
    parts = [np.ascontiguousarray(x, "<f4") for x in (kernel, offset)]
    return hashlib.sha256(b"".join(str(x.shape).encode() + x.tobytes() for x in parts)).hexdigest()[:16]


def whitened(sensor: SensorInput, name: str, stem_gsd_m: float = 30.0, tokenizer: str = "stem") -> SensorInput:
    """The same sensor of a run with a whitening, for the stem tokenizer, or for the skip of the grouped one.

    Args:
      sensor: of a run.
      name: of the table, as `read` takes it.
      stem_gsd_m: that of the model.
      tokenizer: of the sensor.

    Raises:
      FileNotFoundError, ValueError: see `read`.
    """
    table = read(sensor.spec, name, cell_px(sensor.spec, stem_gsd_m))
    made = Whitening(name, table.kernel.shape[1], digest(*table))
    return dataclasses.replace(sensor, tokenizer=tokenizer, whitening=made)


def _cells(spec: SensorSpec, key: str, batches: Iterable[Batch], cell_px: int) -> Iterator[np.ndarray]:
    """What the stem sees of the valid cells of each batch, float64 [n N]."""
    plain = dataclasses.replace(spec, mean=(), std=())
    for batch in batches:
        if key in batch.sensors:
            values, valid = (np.asarray(x) for x in stem_input(*decode(batch.sensors[key], plain), cell_px))
            yield values[valid].astype(np.float64)


def for_standardised(table: Table, spec: SensorSpec) -> Table:
    """The whitening of values in 0..1 for values z = (x - mean) / std of the spec, float32: x = z std + mean.

    Summed row by row, so that the digits are the same on every machine.
    """
    mean, std = (np.array(part or (default,) * len(spec.used)) for part, default in ((spec.mean, 0.0), (spec.std, 1.0)))
    times = len(table.kernel) // len(spec.used)
    shift = np.concatenate([mean, np.zeros(len(mean) * (times - 1))])  # deviations have none
    offset = table.offset.copy()
    for row, by in zip(table.kernel, shift, strict=True):
        offset = offset + row * by
    kernel = table.kernel * np.tile(std, times)[:, None]
    return Table(kernel.astype(np.float32), offset.astype(np.float32))
