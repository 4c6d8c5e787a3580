"""The encoders that adaptations are compared on: fresh ones of a size, or those of a folder of weights.

Nothing here has weights of its own. What starts from random numbers says so in `Made.weights`, which goes into every row.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from spectral_jax import api, interop
from spectral_jax.adapt.bands import CONVOLUTIONAL, check_pair, fixed_projection
from spectral_jax.adapt.fit.adapted import Adapted, Encoder, head_of, merging
from spectral_jax.adapt.lines import Line
from spectral_jax.adapt.parts.source import Source
from spectral_jax.adapt.settings import Adapt
from spectral_jax.config import Config, SensorInput, model_size
from spectral_jax.interop import terramind_bands
from spectral_jax.interop.terramind import select_bands
from spectral_jax.model.published import dofa, spectralearth, terramind
from spectral_jax.model.published.spectralearth_resnet import SpectralEarthResNetConfig
from spectral_jax.model.published.terramind import Modality
from spectral_jax.sensors import CENTRE_TOLERANCE_NM, SensorSpec
from spectral_jax.spectral.project import Projection
from spectral_jax.tasks.spec import TaskSpec

RANDOM = "random initialisation"
# TerraMind's modality of Sentinel-2 L2A, and what its statistics are of: reflectance times this.
MODALITY, DIGITAL = "S2L2A", 1e4
OURS = "IMAGE"
# Class of each encoder's config.
KINDS = {
    "terramind": terramind.TerraMindConfig,
    "spectralearth": spectralearth.SpectralEarthConfig,
    "spectralearth_resnet": SpectralEarthResNetConfig,
    "dofa": dofa.DofaConfig,
    "ours": Config,
}


class Made(NamedTuple):
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


def make(line: Line, cfg: Adapt, task: TaskSpec, source: Source) -> Made:
    """The encoder of a line with its adaptation, for a task.

    Raises:
      ValueError: the encoder does not take the adaptation, or the source's bands do not do for it.
      FileNotFoundError: a folder of weights without weights.
    """
    name, adaptation = line.encoder, line.adaptation
    target = SensorSpec.load(cfg.target)
    # An encoder that cannot take the adaptation says so before its weights are read.
    check_pair(name, KINDS[name], adaptation, len(source.sensor.used))
    start = fixed_projection(adaptation, source.sensor, target, cfg.uncovered)
    kept = () if start is None else start.kept_index
    folder, key = getattr(cfg.weights, name), ""
    if folder:
        encoder, params, key, statistics = _read(name, folder, target, kept, source.sensor)
    else:
        encoder, params, statistics = _fresh(name, cfg, target, kept, source.sensor), None, None
        key = OURS if name == "ours" else ""
    if adaptation == CONVOLUTIONAL:
        # What it gives is no reflectance: statistics of the encoder's own bands do not belong to it.
        statistics = None
    temporal = None if line.probe else merging(task, line.protocol, source.dates)
    model = Adapted(
        encoder, adaptation, source.sensor, target if start else None, kept, head_of(task, line.protocol),
        _taps(encoder), cfg.size.px, key, temporal,
    )  # fmt: skip
    if folder:
        model = dataclasses.replace(model, px=model.side)
    return Made(model, params, start, statistics, folder or RANDOM)


def _taps(encoder: Encoder) -> tuple[int, ...]:
    """Blocks at each quarter of the depth, as the published TerraMind configs choose them ([2, 5, 8, 11] of 12); all stages."""
    if isinstance(encoder, Config):
        return ()
    if isinstance(encoder, SpectralEarthResNetConfig):
        return tuple(range(len(encoder.depths)))
    return tuple(sorted({max(0, round(encoder.depth * quarter / 4) - 1) for quarter in range(1, 5)}))


def _fresh(name: str, cfg: Adapt, target: SensorSpec, kept: tuple[int, ...], source: SensorSpec) -> Encoder:
    size = cfg.size
    grid = size.px // size.patch
    if grid * size.patch != size.px:
        raise ValueError(f"size.px: expected a multiple of size.patch = {size.patch} px, got {size.px}.")
    own = dict(width=size.width, depth=size.depth, heads=size.heads)
    if name == "terramind":
        modality = _modality(target, kept)
        if size.name:
            return terramind.config(size.name, (modality,), patch=size.patch, grid=grid)
        return terramind.TerraMindConfig(**own, mlp="gelu", modalities=(modality,), patch=size.patch, grid=grid)
    if name == "spectralearth":
        if size.name:
            return spectralearth.config(size.name, patch=size.patch, grid=grid)
        return spectralearth.SpectralEarthConfig(**own, patch=size.patch, grid=grid)
    if name == "spectralearth_resnet":
        if size.name:
            return SpectralEarthResNetConfig()
        return SpectralEarthResNetConfig(max(1, size.width // 4), (max(1, size.depth // 4),) * 4)
    if name == "dofa":
        # Its padding gives a token too many for patches below 3 px: the image is resized so that its patches are as large.
        patch = size.patch * -(-(2 * dofa.PADDING + 1) // size.patch)
        if size.name:
            return dataclasses.replace(dofa.config(size.name, "new"), patch=patch, grid=grid)
        return dofa.DofaConfig(**own, layout="new", patch=patch, grid=grid)
    tokenizer = "grouped" if source.token_edges_nm else "linear"
    model = model_size(
        "tiny", footprint_m=size.px * source.gsd_m, token_gsd_m=size.patch * source.gsd_m, width=size.width // 2,
        spectral_width=size.width // 2, fusion_width=size.width,
    )  # fmt: skip
    return Config("adapt", (SensorInput(OURS, source, tokenizer),), model)


def _modality(target: SensorSpec, kept: tuple[int, ...]) -> Modality:
    full = terramind_bands.modality(MODALITY)
    if len(target.used) != len(full.bands):
        raise ValueError(
            f"target: TerraMind's {MODALITY} has the {len(full.bands)} bands of Sentinel-2 L2A, and {target.name} has "
            f"{len(target.used)}; take sentinel2a_l2a, sentinel2b_l2a or sentinel2c_l2a."
        )
    return dataclasses.replace(full, bands=tuple(full.bands[i] for i in kept))


def _read(name: str, folder: str, target: SensorSpec, kept: tuple[int, ...], source: SensorSpec):
    """Config, parameters, key of the sensor and statistics of a folder of weights."""
    if name == "ours":
        encoder, params = api.load(folder)
        sensor = _sensor(encoder, folder, source)
        mean, std = (np.asarray(x or default) for x, default in ((sensor.spec.mean, (0.0,)), (sensor.spec.std, (1.0,))))
        span = sensor.spec.high - sensor.spec.low
        ones = np.ones(len(source.used))
        return encoder, params["encoder"], sensor.key, (ones * (sensor.spec.low + mean * span), ones * std * span)
    encoder, params = interop.load(folder)
    if not isinstance(encoder, KINDS[name]):
        raise ValueError(
            f"weights.{name}: {folder} holds a {type(encoder).__name__}, expected weights of {name}; convert those, or name "
            "the folder under its own encoder."
        )
    if name != "terramind":
        return encoder, params, "", None
    bands = _modality(target, kept).bands
    encoder, params = select_bands(encoder, params, {MODALITY: bands})
    others = [m.name for m in encoder.modalities if m.name != MODALITY]
    encoder = dataclasses.replace(encoder, modalities=tuple(m for m in encoder.modalities if m.name == MODALITY))
    params = {k: v for k, v in params.items() if k not in [f"embed_{name}" for name in others]}
    mean, std = (np.array(x) / DIGITAL for x in terramind_bands.statistics(MODALITY, bands))
    return encoder, params, "", (mean, std)


def _sensor(encoder: Config, folder: str, source: SensorSpec) -> SensorInput:
    """The sensor of a checkpoint that has the bands of the source."""
    for sensor in encoder.sensors:
        centre = sensor.spec.centre_nm
        if len(centre) == len(source.used) and (np.abs(centre - source.centre_nm) <= CENTRE_TOLERANCE_NM).all():
            return sensor
    listed = ", ".join(f"{s.key} ({len(s.spec.used)} bands)" for s in encoder.sensors)
    raise ValueError(
        f"weights.ours: expected a sensor with the {len(source.used)} bands of {source.name} in {folder}, and it has {listed}; "
        "pretrain on these bands, or adapt another encoder."
    )
