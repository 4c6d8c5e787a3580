"""GeoTIFFs of tasks: their channels by wavelength, their place, their missing numbers; and an image against its labels."""

import dataclasses
from pathlib import Path

import numpy as np

from spectral_jax.ingest import units
from spectral_jax.ingest.packing import Packing
from spectral_jax.ingest.raster import band_names, numbers, wavelengths
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
    """The channels of an open file in its order: from its own wavelengths or names, else from the sensor that the task names.

    An alpha band beside them is none. Names count where the task's sensor has a table and the file names its bands at all; a
    task states the order of files that say nothing.

    Raises:
      ValueError: another number of bands than the task states, or wavelengths or names that are not understood.
    """
    held = numbers.data_bands(dataset, group.count)
    if group.count and len(held) != group.count:
        raise ValueError(
            f"{path}: expected the {group.count} bands of {group.sensor} that the task states, got {len(held)}; is this "
            "file of another product? Else correct [[channels]]."
        )
    found = wavelengths.of_dataset(dataset, path, held)
    if found is not None:
        names = group.bands or [f"{i + 1}" for i in range(len(held))]
        return tuple(
            Channel(name, group.sensor, float(centre), float(width), group.unit)
            for name, centre, width in zip(names, found.centre_nm, found.fwhm_nm, strict=True)
        )
    known = known_channels(group, len(held))
    order = _named(dataset, path, held, known, group)
    return known if order is None else tuple(known[i] for i in order)


def _named(dataset, path: Path, held: tuple[int, ...], known: tuple[Channel, ...], group: ChannelGroup) -> list[int] | None:
    """For each band of a file the channel that its description names; None where no description names one."""
    if group.sensor not in sensor_names():
        return None
    sensor = SensorSpec.load(group.sensor)
    table = {band.name: band for band in sensor.bands}
    listed = tuple(table[channel.name] for channel in known if channel.name in table)
    descriptions = dataset.descriptions
    texts = [descriptions[band - 1] for band in held]
    spec = (
        dataclasses.replace(sensor, bands=listed, mean=(), std=(), bad_intervals_nm=(), token_edges_nm=()) if listed else None
    )
    if spec is None or len(listed) != len(known) or not band_names.any_known(texts, spec):
        return None
    positions = band_names.positions(texts, spec, path)
    if positions is None:
        return None
    order = [0] * len(held)
    for channel, band in enumerate(positions):
        order[band - 1] = channel
    return order


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


def pixels(
    dataset,
    path: Path,
    missing: tuple[float, ...] = (),
    subtract: float = 0.0,
    group: ChannelGroup | None = None,
    packed: tuple[Packing, ...] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers [C H W] and where they are data [C H W], of an open file without its alpha band.

    Numbers stay as stored, in their type, where the file states no packing and nothing is subtracted; 64-bit floats become
    32-bit ones. Packed ones are unpacked, and brought to the unit that the task states. All that marks a pixel as missing
    counts (`raster.numbers`), and `missing`, and the fill value of the group's sensor.

    Args:
      dataset: an open `rasterio` dataset.
      path: for the sentences.
      missing: stored numbers that mean "no data".
      subtract: taken from the stored numbers, in a type that holds the result.
      group: what the channels are of; None: labels, or nothing with a unit.
      packed: of `packings`, where it was called for this file before; empty: it is called now.

    Raises:
      ValueError: the file is damaged, or its packing or unit is not understood or not the task's.
    """
    held = numbers.data_bands(dataset, 0 if group is None else group.count)
    packed = packed or packings(dataset, path, group)
    own = () if group is None else own_fill(group)
    raw, good = numbers.read(dataset, path, packed, held, None, (*missing, *own))
    # Numbers packed as the task's unit says are in that unit as they stand.
    as_stated = {(1.0, 0.0), (1.0, 0.0) if group is None else scale_of(group)}
    if any((p.scale, p.offset) not in as_stated for p in packed):
        values = numbers.unpacked(raw, packed)
        return (values if group is None else in_unit(values, group)), good
    if subtract:
        return np.where(good, raw.astype(np.float64) - subtract, raw).astype(_wider(raw.dtype)), good
    return (raw.astype(np.float32) if raw.dtype == np.float64 else raw), good


def packings(dataset, path: Path, group: ChannelGroup | None) -> tuple[Packing, ...]:
    """How an open file packs its bands without alpha; their units are compared with that of the group's sensor.

    Raises:
      ValueError: the packing or a unit is not understood, or not the task's.
    """
    held = numbers.data_bands(dataset, 0 if group is None else group.count)
    if group is not None:
        for band, unit in zip(dataset.indexes, dataset.units, strict=True):
            if unit and band in held:
                check_unit(unit, group, f"{path}: band {band}")
    return numbers.packings(dataset, path, held)


def own_fill(group: ChannelGroup) -> tuple[float, ...]:
    """The stored number that the group's sensor has for "no data", below 0, where files may forget to declare it.

    A 0 may be a measurement in a set that was cut and filtered before it was published.
    """
    if group.sensor not in sensor_names():
        return ()
    nodata = SensorSpec.load(group.sensor).nodata
    return () if nodata is None or nodata >= 0 else (nodata,)


def check_unit(stated: str, group: ChannelGroup, where: str) -> None:
    """Compares the unit that a file states with that of the group's sensor.

    Raises:
      ValueError: it is another, or not known.
    """
    if stated and group.sensor in sensor_names():
        units.expect(stated, SensorSpec.load(group.sensor).unit, where)


def in_unit(values: np.ndarray, group: ChannelGroup) -> np.ndarray:
    """Physical numbers in the unit that the task states, float32: as `scale_of` brings them back."""
    scale, offset = scale_of(group)
    return ((values.astype(np.float64) - offset) / scale).astype(np.float32)


def scale_of(group: ChannelGroup) -> tuple[float, float]:
    """From numbers in the unit that a task states to physical ones: number * scale + offset.

    `reflectance * 1e4` says it itself. Numbers whose unit nobody states are as the product of the sensor's table stores them.

    Raises:
      ValueError: the unit is not known.
    """
    if group.sensor not in sensor_names():
        return 1.0, 0.0
    sensor = SensorSpec.load(group.sensor)
    whole = units.per_one(group.unit)
    if whole is not None:
        return 1.0 / whole, 0.0
    if group.unit and group.unit != sensor.unit:
        units.expect(group.unit, sensor.unit, f"[[channels]]: {group.sensor}")
        if units.meaning(group.unit, "") == sensor.unit:
            return 1.0, 0.0
    return (1.0, 0.0) if group.unit else (sensor.scale, sensor.offset)


def _wider(dtype: np.dtype) -> np.dtype:
    """A type that holds differences of numbers of a type: signed, where it was not."""
    return np.dtype({"u1": np.int16, "u2": np.int32, "f8": np.float32}.get(f"{dtype.kind}{dtype.itemsize}", dtype))


def _numbers(band: Band | None) -> tuple[float, float]:
    """Centre and width, nm; NaN where the band is not known or has none."""
    numbers = (None, None) if band is None else (band.centre_nm, band.fwhm_nm)
    centre, width = (float("nan") if number is None else float(number) for number in numbers)
    return centre, width
