"""Which sensor a task's images are of, by wavelength, and where its bands are among the channels of the files."""

import dataclasses

import numpy as np

from spectral_jax.sensors import CENTRE_TOLERANCE_NM, Band, SensorSpec
from spectral_jax.sensors import names as sensor_names
from spectral_jax.sentences import unknown
from spectral_jax.tasks.samples import Channel, TaskData


@dataclasses.dataclass(frozen=True)
class Source:
    """The sensor that a task's channels are of, and where its bands are among them.

    Attributes:
      sensor: bands as the files state them, in the order of wavelength, without the bad intervals of the sensor's table and
        without channels that hold no data.
      index: for each date, the position of each band among the channels [T C].
      scale: stored number times this is the physical value.
    """

    sensor: SensorSpec
    index: tuple[tuple[int, ...], ...]
    scale: float

    @property
    def dates(self) -> int:
        """T, how many dates a sample has."""
        return len(self.index)


def source_of(data: TaskData, sensor: str = "") -> Source:
    """The source sensor of a task, from its channels and the table of `data_specs/sensors`.

    Channels are matched by wavelength, not by position. A band of the table's bad intervals is left out, and so is a channel
    without a single valid pixel on any date of the first sample. A width that the files do not give is that of the table.

    Args:
      data: the task.
      sensor: which of the task's sensors; empty: the only one.

    Raises:
      ValueError: several sensors and none is chosen, a sensor without a table, a channel without a wavelength, or dates of
        different bands.
    """
    chosen = _channels_of(data, sensor)
    name = data.channels[chosen[0]].sensor
    if name not in sensor_names():
        raise ValueError(
            f"task {data.task.name}: its channels are of {name!r}, which has no file in data_specs/sensors and so no "
            "unit and no bad bands; add one, or name a known sensor in [[channels]]."
        )
    table = SensorSpec.load(name)
    holds = np.asarray(np.asarray(data.valid[0]).any(axis=(0, 1)))
    of_channel = {i: _band(data.channels[i], table, data.task.name) for i in chosen}
    centre = {i: data.channels[i].centre_nm for i in chosen}
    held_nm = {centre[i] for i in chosen if holds[i]}
    bad = [i for i in chosen if any(low <= centre[i] <= high for low, high in table.bad_intervals_nm)]
    good = [i for i in chosen if centre[i] in held_nm and i not in bad]
    if not good:
        raise ValueError(f"task {data.task.name}: no channel of {name} holds data outside its bad intervals.")
    dates = sorted({data.channels[i].date for i in good})
    # By wavelength, as encoders that know bands by their order were trained; files may give one detector after the other.
    index = [sorted((i for i in good if data.channels[i].date == d), key=lambda i: centre[i]) for d in dates]
    for date, row in zip(dates, index, strict=True):
        if [centre[i] for i in row] != [centre[i] for i in index[0]]:
            raise ValueError(
                f"task {data.task.name}: expected the same bands of {name} on every date, got {len(index[0])} on date "
                f"{dates[0]} and {len(row)} on date {date}; correct the channels of its reader."
            )
    bands = tuple(dataclasses.replace(of_channel[i], name=f"{i + 1}") for i in index[0])
    spec = dataclasses.replace(
        table, bands=bands, bad_intervals_nm=(), mean=(), std=(), srf_file="", dtype="float32", scale=1.0, offset=0.0,
        nodata=None, valid_range=None,
    )  # fmt: skip
    # A unit of 1 says that the numbers are reflectance already; anything else is stored as the sensor's product stores it.
    stored = data.channels[index[0][0]].unit not in ("1", table.unit)
    return Source(spec, tuple(map(tuple, index)), table.scale if stored else 1.0)


def _channels_of(data: TaskData, sensor: str) -> list[int]:
    names = list(dict.fromkeys(c.sensor for c in data.channels))
    if sensor and sensor not in names:
        raise unknown("data.sensor", f"sensor of task {data.task.name}", sensor, names)
    if not sensor and len(names) > 1:
        raise ValueError(
            f"task {data.task.name}: expected one sensor to adapt, and it has {', '.join(names)}; choose one by "
            f"--config.data.sensor={names[0]}."
        )
    return [i for i, c in enumerate(data.channels) if c.sensor == (sensor or names[0])]


def _band(channel: Channel, table: SensorSpec, task: str) -> Band:
    """The band of a channel; its width from the table where the file has none."""
    width = channel.fwhm_nm
    if np.isfinite(channel.centre_nm) and not np.isfinite(width):
        # Bands of radar have neither.
        known = [(b.centre_nm, b.fwhm_nm) for b in table.bands if b.centre_nm is not None and b.fwhm_nm is not None]
        near = min(known, key=lambda band: abs(band[0] - channel.centre_nm), default=(np.inf, np.nan))
        if abs(near[0] - channel.centre_nm) <= CENTRE_TOLERANCE_NM:
            width = near[1]
    if not (np.isfinite(channel.centre_nm) and np.isfinite(width)):
        raise ValueError(
            f"task {task}: channel {channel.name} of {channel.sensor} has no wavelength; a spectral adaptation needs "
            "centre and width of every band."
        )
    return Band(channel.name, channel.centre_nm, width)
