"""An encoder with its adaptation and head, ready to be fitted: a fresh one of a size, or that of a folder of weights.

Nothing here has weights of its own. What starts from random numbers says so in `Prepared.weights`, which goes into every row.
"""

from typing import NamedTuple

import numpy as np

from spectral_jax.adapt.bands import CONVOLUTIONAL, fixed_projection
from spectral_jax.adapt.encoders.encoder import Bands, Encoder, Loaded, Size
from spectral_jax.adapt.encoders.table import ENCODERS
from spectral_jax.adapt.fit.adapted import Adapted, head_of, merging
from spectral_jax.adapt.lines import Line
from spectral_jax.adapt.parts.source import Source
from spectral_jax.adapt.settings import Comparison
from spectral_jax.sensors import SensorSpec
from spectral_jax.spectral.project import Projection
from spectral_jax.tasks.spec import TaskSpec

RANDOM = "random initialisation"


class Prepared(NamedTuple):
    """An encoder that is ready to be fitted.

    Attributes:
      model: encoder, adaptation and head.
      params: of the encoder; None: fresh ones, drawn with each seed.
      start: the fixed projection that the adaptation is or starts from; None without one.
      statistics: mean and std [K] that the encoder was trained with, in physical units; None: those of the training part.
      weights: where they are from, or `RANDOM`.
    """

    model: Adapted
    params: dict | None
    start: Projection | None
    statistics: tuple[np.ndarray, np.ndarray] | None
    weights: str


class ReadEncoder(NamedTuple):
    """An encoder for the bands of a sensor, before any task.

    Attributes:
      bands: source, target and what the encoder sees.
      start: the fixed projection that the adaptation is or starts from; None without one.
      loaded: config, parameters (None: fresh ones) and statistics.
    """

    bands: Bands
    start: Projection | None
    loaded: Loaded


def read_encoder(
    encoder: Encoder, adaptation: str, source: SensorSpec, target: SensorSpec, uncovered: str, folder: str, size: Size
) -> ReadEncoder:
    """An encoder with its adaptation, of a folder of weights or, without one, of a size.

    Raises:
      ValueError: the encoder does not take the adaptation, or the source's bands do not do for it.
      FileNotFoundError: a folder of weights without weights.
    """
    # An encoder that cannot take the adaptation says so before its weights are read.
    refusal = encoder.refuses(adaptation, len(source.used))
    if refusal:
        raise ValueError(refusal)
    start = fixed_projection(adaptation, source, target, uncovered)
    bands = Bands(source, target, () if start is None else start.kept_index)
    loaded = encoder.read(folder, bands) if folder else Loaded(encoder.fresh(size, bands), None)
    return ReadEncoder(bands, start, loaded)


def prepare(line: Line, cfg: Comparison, task: TaskSpec, source: Source) -> Prepared:
    """The encoder of a line with its adaptation, for a task.

    Raises:
      ValueError: the encoder does not take the adaptation, or the source's bands do not do for it.
      FileNotFoundError: a folder of weights without weights.
    """
    encoder, adaptation = ENCODERS[line.encoder], line.adaptation
    target, folder = SensorSpec.load(cfg.target), getattr(cfg.weights, line.encoder)
    bands, start, loaded = read_encoder(encoder, adaptation, source.sensor, target, cfg.uncovered, folder, cfg.size)
    config, params, statistics = loaded
    if adaptation == CONVOLUTIONAL:
        # What it gives is no reflectance: statistics of the encoder's own bands do not belong to it.
        statistics = None
    model = Adapted(
        encoder=encoder,
        config=config,
        adaptation=adaptation,
        source=source.sensor,
        target=target if start else None,
        kept=bands.kept,
        head=head_of(task, line.protocol),
        taps=encoder.taps(config),
        px=(encoder.side(config) if folder else None) or cfg.size.px,
        temporal=None if line.probe else merging(task, line.protocol, source.dates),
    )
    return Prepared(model, params, start, statistics, folder or RANDOM)
