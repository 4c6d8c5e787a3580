"""Which sensor a task's images are of, by wavelength, and where its bands are among the channels of the files."""

import dataclasses
from pathlib import Path

import numpy as np

from spectral_jax import plausible
from spectral_jax.sensors import CENTRE_TOLERANCE_NM, Band, SensorSpec
from spectral_jax.sensors import names as sensor_names
from spectral_jax.sentences import unknown
from spectral_jax.tasks.readers import rasters
from spectral_jax.tasks.samples import Channel, TaskData
from spectral_jax.tasks.spec import ChannelGroup

# Samples that are looked at before anything is trained; the others are judged when they are read.
LOOKED_AT = 6
# Of a sample about so many numbers are judged, of so many bands.
JUDGED, JUDGED_BANDS = 1 << 12, 24


@dataclasses.dataclass(frozen=True)
class Source:
    """The sensor that a task's channels are of, and where its bands are among them.

    Attributes:
      sensor: bands as the files state them, in the order of wavelength, without the bad intervals of the sensor's table and
        without channels that hold no data.
      index: for each date, the position of each band among the channels [T C].
      scale: stored number * scale + offset is the physical value.
      offset: see `scale`.
    """

    sensor: SensorSpec
    index: tuple[tuple[int, ...], ...]
    scale: float
    offset: float = 0.0

    @property
    def dates(self) -> int:
        """T, how many dates a sample has."""
        return len(self.index)


def source_of(data: TaskData, sensor: str = "") -> Source:
    """The source sensor of a task, from its channels and the table of `data_specs/sensors`.

    Channels are matched by wavelength, not by position. A band of the table's bad intervals is left out, and so is a channel
    without a single valid pixel on any date of samples from the whole set. A width that the files do not give is that of the
    table. Some samples are judged, so that a wrong unit is told before anything is trained.

    Args:
      data: the task.
      sensor: which of the task's sensors; empty: the only one.

    Raises:
      ValueError: several sensors and none is chosen, a sensor without a table, a channel without a wavelength, dates of
        different bands, no pixel that holds data in all bands, or numbers that cannot be in the unit that the task states.
    """
    chosen = _channels_of(data, sensor)
    name = data.channels[chosen[0]].sensor
    if name not in sensor_names():
        raise ValueError(
            f"task {data.task.name}: its channels are of {name!r}, which has no file in data_specs/sensors and so no "
            "unit and no bad bands; add one, or name a known sensor in [[channels]]."
        )
    table = SensorSpec.load(name)
    looked_at = {row: np.asarray(data.valid[row]) for row in _spread(len(data))}
    holds = np.any([valid.any(axis=(0, 1)) for valid in looked_at.values()], axis=0)
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
    unit = data.channels[index[0][0]].unit
    source = Source(spec, tuple(map(tuple, index)), *rasters.scale_of(ChannelGroup(name, unit=unit)))
    _judge(data, source, looked_at)
    return source


def judge(image: np.ndarray, seen: np.ndarray, source: Source, data: TaskData, row: int) -> None:
    """Refuses a sample whose numbers cannot be its sensor's quantity.

    Args:
      image: physical numbers [T H W C].
      seen: valid [T H W].
      source: of the task.
      data: the task, whose file the sentence names.
      row: number of the sample.

    Raises:
      ValueError: they cannot.
    """
    bands = slice(None, None, max(1, image.shape[-1] // JUDGED_BANDS))
    some = image.reshape(-1, image.shape[-1])[:: max(1, seen.size * JUDGED_BANDS // JUDGED), bands]
    there = np.broadcast_to(seen.reshape(-1, 1)[:: max(1, seen.size * JUDGED_BANDS // JUDGED)], some.shape)
    advice = f"correct the numbers, or the unit in [[channels]] of {data.task.path or data.task.name}"
    step = source.scale if source.scale != 1.0 else 0.0
    plausible.check(some, there, source.sensor, f"task {data.task.name}: {where(data, row)}", step, advice, stated=True)


def where(data: TaskData, row: int) -> str:
    """A sample, with its file where it is read from one."""
    files = getattr(data.images, "files", None)
    at = files[row] if files is not None else None
    at = at[0] if isinstance(at, tuple) else at
    paths = getattr(at, "images", at if isinstance(at, Path) else None)
    file = paths[0] if isinstance(paths, tuple) and paths else paths
    return f"sample {data.names[row]}{f' ({file})' if file is not None else ''}"


def _judge(data: TaskData, source: Source, looked_at: dict[int, np.ndarray]) -> None:
    empty = []
    for row, valid in looked_at.items():
        seen = np.stack([valid[..., list(one)].all(axis=-1) for one in source.index])
        if not seen.any():
            empty.append(row)
            continue
        whole = np.asarray(data.images[row])
        image = np.stack([whole[..., list(one)] for one in source.index]).astype(np.float32)
        judge(image * np.float32(source.scale) + np.float32(source.offset), seen, source, data, row)
    if len(empty) == len(looked_at):
        valid = looked_at[empty[0]]
        void = [i + 1 for i in source.index[0] if not valid[..., i].any()]
        raise ValueError(
            f"task {data.task.name}: no pixel of {len(empty)} samples from the whole set holds data in every band of "
            f"{source.sensor.name}; in {where(data, empty[0])} {len(void)} channels are empty (the first is {void[:1]}). Look "
            "at the fill values, or take these channels out."
        )


def _spread(count: int) -> list[int]:
    """At most `LOOKED_AT` numbers of samples from the first to the last, evenly spaced."""
    return sorted({round(i) for i in np.linspace(0, count - 1, min(count, LOOKED_AT))}) if count else []


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
