"""GeoTIFFs of tasks: their channels by wavelength, their place, their missing numbers; and an image against its labels."""

from pathlib import Path

import numpy as np

from spectral_jax.ingest.raster import geotiff, wavelengths
from spectral_jax.sensors import Band, SensorSpec
from spectral_jax.sensors import names as sensor_names
from spectral_jax.tasks.samples import Channel, Georeference
from spectral_jax.tasks.spec import ChannelGroup, TaskSpec


def existing(path: Path, spec: TaskSpec, what: str) -> Path:
    """The path itself.

    Raises:
      FileNotFoundError: it does not exist.
    """
    if not path.exists():
        raise FileNotFoundError(
            f"task {spec.name}: expected {what} at {path}, and nothing is there; fetch it, or correct [layout] of "
            f"{spec.path or spec.name}."
        )
    return path


def place(dataset) -> Georeference | None:
    """The place of an open `rasterio` dataset; None where it has no coordinate system."""
    if dataset.crs is None:
        return None
    return Georeference(tuple(dataset.transform)[:6], dataset.crs.to_epsg(), dataset.height, dataset.width)


def channels(dataset, path: Path, group: ChannelGroup) -> tuple[Channel, ...]:
    """The channels of an open file: from its own tags, else from the sensor that the task names.

    Raises:
      ValueError: another number of bands than the task states.
    """
    if group.count and dataset.count != group.count:
        raise ValueError(
            f"{path}: expected the {group.count} bands of {group.sensor} that the task states, got {dataset.count}; is this "
            "file of another product? Else correct [[channels]]."
        )
    found = wavelengths.of_dataset(dataset, path)
    if found is None:
        return known_channels(group, dataset.count)
    names = group.bands or [f"{i + 1}" for i in range(dataset.count)]
    return tuple(
        Channel(name, group.sensor, float(centre), float(width), group.unit)
        for name, centre, width in zip(names, found.centre_nm, found.fwhm_nm, strict=True)
    )


def known_channels(group: ChannelGroup, count: int, date: int = 0) -> tuple[Channel, ...]:
    """Channels by what the task states of them: wavelengths of the sensor's table where a band is in it, else NaN."""
    names = group.bands or tuple(f"{i + 1}" for i in range(count))
    if group.sensor not in sensor_names():
        return tuple(Channel(name, group.sensor, unit=group.unit, date=date) for name in names)
    sensor = SensorSpec.load(group.sensor)
    if not group.bands:
        listed = {len(sensor.used): sensor.used, len(sensor.bands): sensor.bands}.get(count, ())
        names = tuple(b.name for b in listed) or names
    table = {b.name: b for b in sensor.bands}
    rows = [(name, table.get(name)) for name in names]
    return tuple(Channel(name, group.sensor, *_numbers(b), group.unit, date) for name, b in rows)


def pixels(dataset, path: Path, missing: tuple[float, ...] = (), subtract: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Numbers [C H W] and where they are data [C H W], of an open file.

    Numbers stay as stored; 64-bit floats become 32-bit ones. NaN, the file's nodata and `missing` are no data; from the others
    `subtract` is taken.
    """
    raw = geotiff.read(dataset, path, tuple(range(1, dataset.count + 1)))
    gap = ~np.isfinite(raw)
    for number in {*missing, dataset.nodata} - {None}:
        gap |= raw == number
    if raw.dtype == np.float64:
        raw = raw.astype(np.float32)
    if subtract:
        raw = np.where(gap, raw, raw - np.asarray(subtract, raw.dtype))
    return raw, ~gap


def _numbers(band: Band | None) -> tuple[float, float]:
    """Centre and width, nm; NaN where the band is not known or has none."""
    numbers = (None, None) if band is None else (band.centre_nm, band.fwhm_nm)
    centre, width = (float("nan") if number is None else float(number) for number in numbers)
    return centre, width
