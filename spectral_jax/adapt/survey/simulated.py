"""What simulated scenes were made of, read off frozen features of EnMAP alone: SIMULATED, no observation.

Ridge regression on mean and deviation over a scene's positions, to the eleven ground parameters of places that no training of
ours draws: their group has a name of its own.
"""

from typing import NamedTuple

import numpy as np

from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.parts.source import source_of
from spectral_jax.adapt.survey import readout, sums
from spectral_jax.adapt.survey.contestants import Contestant
from spectral_jax.adapt.survey.maps import Embedder
from spectral_jax.adapt.survey.sums import Scored
from spectral_jax.sensors import SensorSpec
from spectral_jax.simulate.scenes import store
from spectral_jax.tasks.kinds import KINDS
from spectral_jax.tasks.samples import Channel, TaskData
from spectral_jax.tasks.spec import ChannelGroup, TaskSpec

SENSOR, GROUP, UNIT = "enmap_l2a", "survey", "reflectance * 1e4"
FOOTPRINT_M, PATCH = 240.0, 2


class Scenes(NamedTuple):
    """Scenes of places of their own: images, what they were made of [N K], and how many of them train."""

    part: Part
    truth: np.ndarray
    train: int


def scenes(train: int, test: int) -> Scenes:
    """So many simulated places on each side, one date each.

    Args:
      train: places with labels.
      test: places of the score.
    """
    sensor = SensorSpec.load(SENSOR)
    found = [store.simulate_location(0, GROUP, index, {"ENMAP": sensor}, FOOTPRINT_M, dates=1) for index in range(train + test)]
    images = np.stack([one.pixels["ENMAP"][0][list(sensor.used_index)].transpose(1, 2, 0) for one in found])
    names = tuple(f"place {index}" for index in range(len(found)))
    truth = np.stack([one.truth for one in found])
    spec = TaskSpec(
        name="simulated_ground",
        title="simulated EnMAP scenes, and what they were made of",
        kind=KINDS["image_regression"],
        channels=(ChannelGroup(SENSOR, unit=UNIT),),
        targets=store.GROUND_PARAMETERS,
    )
    data = TaskData(
        task=spec,
        images=images,
        valid=images != sensor.nodata,
        labels=truth,
        channels=tuple(
            Channel(band.name, SENSOR, float(centre), float(width), UNIT)
            for band, centre, width in zip(sensor.used, sensor.centre_nm, sensor.fwhm_nm, strict=True)
        ),
        names=names,
        scene=names,
        block=names,
        split=("",) * len(names),
        simulated=True,
    )
    return Scenes(Part(data, source_of(data), range(len(data))), truth, train)


def bands(task: Scenes) -> np.ndarray:
    """Mean and deviation of every band over a scene's valid pixels [N 2C]."""
    rows = []
    for at in range(len(task.part)):
        image, valid, _ = task.part.sample(at)
        spectra = image[valid]
        rows.append(np.concatenate([spectra.mean(axis=0), spectra.std(axis=0)]))
    return np.stack(rows)


def embedded(task: Scenes, contestant: Contestant, seeds: range) -> list[np.ndarray]:
    """Mean and deviation over a scene's positions [N 2D], of a folder's weights, or one a seed of random ones.

    Raises:
      ValueError: the encoder does not take these bands.
    """
    found = [task.part.sample(at) for at in range(len(task.part))]
    images, valid = np.stack([image[0] for image, _, _ in found]), np.stack([seen[0] for _, seen, _ in found])
    side = images.shape[1]
    embed = Embedder(contestant, task.part, side, PATCH)
    out = []
    for seed in seeds if contestant.random else seeds[:1]:
        maps = embed(embed.params(seed), images, valid, side)
        out.append(np.concatenate([maps.mean(axis=(1, 2)), maps.std(axis=(1, 2))], axis=-1))
    return out


def scored(task: Scenes, features: list[np.ndarray], seeds: range, labels: int) -> Scored:
    """Mean R2 over the parameters on the test places, from so many labelled places; 0: all."""
    rows, test = np.arange(task.train), np.arange(task.train, len(task.truth))
    truth = task.truth.astype(np.float64)
    predicted = []
    for at, seed in enumerate(seeds if labels or len(features) > 1 else seeds[:1]):
        table = features[at if len(features) > 1 else 0]
        train = readout.few(rows, labels, seed) if labels else rows
        scale = truth[train].std(axis=0) + 1e-6
        said = readout.numbers(table[train], truth[train] / scale, table[test]) * scale
        predicted.append(said)
    return sums.mean_r2(truth[test], np.stack(predicted), test)
