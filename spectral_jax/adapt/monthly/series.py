"""Monthly series of a labelled task: channels by name in the units that encoders take, months, places and land cover."""

import dataclasses

import numpy as np

from spectral_jax.model.published.presto import inputs
from spectral_jax.model.published.presto.inputs import PrestoInputs
from spectral_jax.tasks.readers import rasters
from spectral_jax.tasks.samples import TaskData
from spectral_jax.tasks.spec import ChannelGroup

# Names of tasks that encoders have another word for, and sensors that are not channels: NDVI is computed from its bands.
NAMES = {"temperature_2m": "temperature"}
DERIVED, COVER = "ndvi", "dynamic_world"
DEGREES = 4326


@dataclasses.dataclass(frozen=True)
class Series:
    """N points over T months.

    Attributes:
      channels: arrays [N T] by name, float64, NaN where a number is missing: dB, reflectance, K, m a day, m, degrees.
      months: int [N T], January 0.
      latlon: degrees [N 2], latitude first; None where the task has no places.
      cover: class of Dynamic World [N T]; None where the task has none.
    """

    channels: dict[str, np.ndarray]
    months: np.ndarray
    latlon: np.ndarray | None
    cover: np.ndarray | None

    def __len__(self) -> int:
        return len(self.months)


def of_task(data: TaskData) -> Series:
    """The series of a task whose samples are points with dates.

    Raises:
      ValueError: samples of several pixels, no months, or places that are not in degrees.
    """
    where = f"task {data.task.name}"
    if data.task.image_px != 1 or data.months is None:
        raise ValueError(
            f"{where}: expected points with the month of each date, and its samples are of {data.task.image_px} px, "
            f"{'with' if data.months is not None else 'without'} months; take a task of points, such as fuel_moisture, or "
            "compare by experiments/configs/adapt_quickstart.py."
        )
    if any(place.epsg != DEGREES for place in data.georeference):
        raise ValueError(f"{where}: expected places in degrees of WGS 84 (EPSG:{DEGREES}); convert the coordinates.")
    stored = np.where(data.valid, data.images, np.nan).astype(np.float64)[:, 0, 0]
    dates = sorted({channel.date for channel in data.channels})
    channels, cover = {}, None
    for first in (c for c in data.channels if c.date == dates[0] and c.sensor != DERIVED):
        index = [i for i, c in enumerate(data.channels) if (c.name, c.sensor) == (first.name, first.sensor)]
        scale, offset = rasters.scale_of(ChannelGroup(first.sensor, unit=first.unit))
        values = stored[:, index] * scale + offset
        if first.sensor == COVER:
            cover = np.where(np.isfinite(values), values, inputs.UNKNOWN_COVER).astype(int)
        else:
            channels[NAMES.get(first.name, first.name)] = values
    places = [(place.transform[5], place.transform[2]) for place in data.georeference]
    return Series(channels, np.asarray(data.months) - 1, np.array(places) if places else None, cover)


def presto_inputs(series: Series) -> PrestoInputs:
    """What Presto sees of series.

    Raises:
      ValueError: what `inputs.build` refuses: power for dB, months out of range, a series longer than 24 steps, no place.
    """
    return inputs.build(series.channels, series.months, series.latlon, series.cover)


def raw_table(series: Series) -> np.ndarray:
    """The columns of the published baselines [N T*17+T+T+2], float64: normalised channels, classes, months, degrees.

    Raises:
      ValueError: what `presto_inputs` refuses, or a number is missing, which these baselines have no way to take.
    """
    found = presto_inputs(series)
    if np.any(found.mask):
        raise ValueError(
            f"the table of raw numbers: {int(np.count_nonzero(found.mask))} of {found.mask.size} are missing; baselines on raw "
            "numbers need all of them: fill them, or leave the rows raw/... out."
        )
    assert series.latlon is not None  # `build` refuses series without a place
    x = np.asarray(found.x, np.float64).reshape(len(series), -1)
    return np.concatenate([x, found.dynamic_world, found.months, series.latlon], axis=1)
