"""GeoTIFFs of tasks: their channels by wavelength, their place, their missing numbers; and an image against its labels."""

from pathlib import Path

import numpy as np

from spectral_jax.ingest import bands, geotiff
from spectral_jax.ingest.tasks.data import Channel, Georeference
from spectral_jax.ingest.tasks.spec import ChannelGroup, TaskSpec
from spectral_jax.sensors import SensorSpec
from spectral_jax.sensors import names as sensor_names


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


def check_same_grid(image, image_path: Path, label, label_path: Path, coarser: bool = False) -> None:
    """Compares the grids of an open image and its open label raster.

    Args:
      image: an open `rasterio` dataset.
      image_path: for the sentence.
      label: an open `rasterio` dataset.
      label_path: for the sentence.
      coarser: True where the image may have pixels that are a whole multiple of the label's.

    Raises:
      ValueError: another coordinate system, another size, or another place.
    """

    def fail(what, ours, theirs):
        raise ValueError(
            f"{image_path} and {label_path}: expected one grid, and the {what} differ: {ours} against {theirs}; warp the "
            "labels to the image with the nearest neighbour (gdalwarp -r near)."
        )

    if image.crs != label.crs:
        fail("coordinate systems", _name(image.crs), _name(label.crs))
    rows, columns = label.height / image.height, label.width / image.width
    fits = rows == columns and rows >= 1 and rows == int(rows) if coarser else rows == columns == 1
    if not fits:
        fail("sizes in pixels", f"{image.height} x {image.width}", f"{label.height} x {label.width}")
    if label.crs is None:
        return  # without a coordinate system, bounds count pixels
    ours, theirs = (np.array(tuple(d.bounds)) for d in (image, label))
    pixel = max(abs(label.transform.a), abs(label.transform.e))
    if np.abs(ours - theirs).max() > geotiff.PIXEL_TOLERANCE * pixel:
        fail("bounds", tuple(map(float, ours.round(3))), tuple(map(float, theirs.round(3))))


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
    found = bands.wavelengths(dataset, path)
    if found is None:
        return known_channels(group, dataset.count)
    names = group.bands or [f"{i + 1}" for i in range(dataset.count)]
    return tuple(
        Channel(name, group.sensor, float(centre), float(width), group.unit)
        for name, centre, width in zip(names, *found, strict=True)
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
    return tuple(
        Channel(name, group.sensor, _number(b and b.centre_nm), _number(b and b.fwhm_nm), group.unit, date) for name, b in rows
    )


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


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _name(crs) -> str:
    return "none" if crs is None else f"EPSG:{crs.to_epsg()}" if crs.to_epsg() else crs.to_wkt()[:60]
