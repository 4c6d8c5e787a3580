"""Our own encoder on all bands of a source: a fresh one, or a checkpoint of a pretraining run.

`ours` gives an image its pooled embedding, as published; `ours_finest` mean and deviation of its finest level, which keep more
of a spectrum (docs/encoder.md), and maps that begin there; `ours_pixels` the finest level and nothing else.
"""

from typing import NamedTuple

import einops
import jax
import numpy as np

from spectral_jax import api
from spectral_jax.adapt.bands import NONE
from spectral_jax.adapt.encoders.encoder import Bands, Encoder, Loaded, Maps, Pixels, Size
from spectral_jax.config import Config, SensorInput, model_size
from spectral_jax.model.encoder import encode, readout
from spectral_jax.model.encoder.branch import BranchOutput
from spectral_jax.model.initialise import frozen
from spectral_jax.model.published.contract import unchanged
from spectral_jax.sensors import CENTRE_TOLERANCE_NM, SensorSpec

NAME, FINEST, PIXELS = "ours", "ours_finest", "ours_pixels"
# Key of the one sensor of a fresh encoder.
IMAGE_KEY = "IMAGE"


class SensorConfig(NamedTuple):
    """A config of ours, and the key of the sensor of it that the images are of."""

    config: Config
    key: str


def init(key: jax.Array, cfg: SensorConfig) -> dict:
    """Fresh parameters, float32."""
    return encode.init_encoder(key, cfg.config)


def trainable(params: dict, cfg: SensorConfig) -> dict:
    """Every parameter trains but what is given, such as whitenings."""
    del cfg
    return jax.tree_util.tree_map_with_path(lambda path, _: not frozen(path), params)


def fresh(size: Size, bands: Bands) -> SensorConfig:
    """One sensor, in groups of wavelengths where its table has them; half the width in the first stage, twice in the last."""
    source = bands.source
    side = size.grid * size.patch
    model = model_size(
        "tiny", footprint_m=side * source.gsd_m, token_gsd_m=size.patch * source.gsd_m, width=size.width // 2,
        spectral_width=size.width // 2, fusion_width=size.width,
    )  # fmt: skip
    tokenizer = "grouped" if source.token_edges_nm else "linear"
    return SensorConfig(Config("adapt", (SensorInput(IMAGE_KEY, source, tokenizer),), model), IMAGE_KEY)


def read(folder: str, bands: Bands) -> Loaded:
    """The encoder of a run or, by name, of the package, and the statistics of its sensor that has the bands of the source.

    Where none has them and the encoder takes any optical sensor, it is told of this one.
    """
    cfg, params = api.load(folder)
    sensor = _sensor(cfg, folder, bands.source)
    if sensor is None:
        cfg, params = api.with_sensor(cfg, params, IMAGE_KEY, bands.source)
        sensor = cfg.sensor(IMAGE_KEY)
    mean, std = (np.asarray(x or default) for x, default in ((sensor.spec.mean, (0.0,)), (sensor.spec.std, (1.0,))))
    span, ones = sensor.spec.high - sensor.spec.low, np.ones(len(bands.source.used))
    statistics = (ones * (sensor.spec.low + mean * span), ones * std * span)
    return Loaded(SensorConfig(cfg, sensor.key), params["encoder"], statistics)


def features(params: dict, pixels: Pixels, cfg: SensorConfig, taps: tuple[int, ...]) -> Maps:
    """Maps of the three stages, and the pooled embedding."""
    del taps
    return _stages(params, pixels, cfg)[1]


def _stages(params: dict, pixels: Pixels, cfg: SensorConfig) -> tuple[BranchOutput, Maps]:
    """What the sensor's branch gives, and `features`."""
    branch = encode.encode_branch(params, cfg.key, pixels.values, pixels.valid, cfg.config)
    shared = encode.encode_shared(params, branch.stage2[:, None], branch.valid2[:, None], (cfg.key,), cfg.config)
    side = branch.stage2.shape[1] // 2
    last = einops.rearrange(shared.tokens, "b (r q) d -> b r q d", r=side)
    return branch, ((branch.stage1, branch.stage2, last), shared.pooled)


def finest(params: dict, pixels: Pixels, cfg: SensorConfig, taps: tuple[int, ...]) -> Maps:
    """Maps of the stages, before them that of a stem's pixels; for an image mean and deviation of the first."""
    del taps
    out, (maps, _) = _stages(params, pixels, cfg)
    if out.pixels is None or out.valid_pixels is None:
        return maps, readout.summary(readout.Level(out.stage1, out.valid1))
    return (out.pixels, *maps), readout.summary(readout.Level(out.pixels, out.valid_pixels))


def pixels_alone(params: dict, pixels: Pixels, cfg: SensorConfig, taps: tuple[int, ...]) -> Maps:
    """The first map of `finest` alone: the stem's pixels, or stage 1 of an encoder without a stem; for an image as there."""
    maps, vector = finest(params, pixels, cfg, taps)
    return maps[:1], vector


def no_taps(cfg: SensorConfig) -> tuple[int, ...]:
    """Its three stages are given always."""
    del cfg
    return ()


def side(cfg: SensorConfig) -> int:
    """Pixels of the sensor in a footprint."""
    return cfg.config.patch_px(cfg.key)


def _sensor(cfg: Config, folder: str, source: SensorSpec) -> SensorInput | None:
    """The sensor of a checkpoint that has the bands of the source; None where it can be added."""
    for sensor in cfg.sensors:
        centre = sensor.spec.centre_nm
        if len(centre) == len(source.used) and (np.abs(centre - source.centre_nm) <= CENTRE_TOLERANCE_NM).all():
            return sensor
    if any(s.any_sensor for s in cfg.sensors):
        return None
    listed = ", ".join(f"{s.key} ({len(s.spec.used)} bands)" for s in cfg.sensors)
    raise ValueError(
        f"{folder}: expected a sensor with the {len(source.used)} bands of {source.name} in this run, and it has {listed}; "
        "pretrain on these bands, or adapt another encoder."
    )


ENCODERS: tuple[Encoder, ...] = tuple(
    Encoder(name, (NONE,), fresh, read, init, of, trainable, unchanged, no_taps, side)
    for name, of in ((NAME, features), (FINEST, finest), (PIXELS, pixels_alone))
)
