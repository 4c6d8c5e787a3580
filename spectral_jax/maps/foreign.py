"""An encoder of others as a function of windows: those that a comparison knows, with converted weights, before any task."""

import contextlib
import dataclasses
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.adapt.bands import ADAPTATIONS, FIXED, NONE
from spectral_jax.adapt.encoders import ours, sentinels
from spectral_jax.adapt.encoders.encoder import Encoder, Size
from spectral_jax.adapt.encoders.table import ENCODERS
from spectral_jax.adapt.fit import adapted
from spectral_jax.adapt.fit.adapted import Adapted
from spectral_jax.adapt.fit.prepared import ReadEncoder, read_encoder
from spectral_jax.ingest.raster import geotiff
from spectral_jax.maps import bands, observed, windows
from spectral_jax.maps.embedder import Embedder
from spectral_jax.maps.observed import Observed
from spectral_jax.model.heads.task_heads import HeadConfig
from spectral_jax.sensors import SensorSpec
from spectral_jax.sentences import unknown

# Sensor whose bands projections go to, where the scene's own is no Sentinel-2.
TARGET = "sentinel2a_l2a"
# Side of a window of encoders that take any side: tokens, or pixels where a token is one, or where there are strides. Choice.
TOKENS, PIXELS, UNPATCHED_PX = 8, 16, 64
# Pixels along a cell of the coarsest stage of a ResNet.
STRIDE_PX = 32
# Windows of one call: attention of large encoders over so many of 200 tokens takes some 100 MB.
MOST_WINDOWS = 16
# Side of the windows of which the statistics of a scene are taken, pixels.
SAMPLED_PX = 16
# What reads no map does not matter; a model has one.
_HEAD = HeadConfig("linear", 1)


class Named(NamedTuple):
    """What a user asked for: an encoder, what is done to bands (empty: the least that it needs), and its folder of weights."""

    encoder: Encoder
    adaptation: str
    folder: str


def named(text: str, folder: str) -> Named:
    """An encoder from `encoder` or `encoder/adaptation`, as rows of a comparison begin.

    Raises:
      ValueError: there is no such encoder, it is one of ours, or the adaptation is unknown or has to be trained.
    """
    name, _, adaptation = text.partition("/")
    if name not in ENCODERS:
        raise unknown("--encoder (with --weights)", "encoder", name, ENCODERS, most=len(ENCODERS))
    if name in (one.name for one in ours.ENCODERS):
        raise ValueError(
            f"--encoder={text}: an encoder of ours is named by its model or by the folder of its run alone, such as "
            "--encoder=spectral-mini, without --weights; --level chooses what it gives."
        )
    if adaptation and adaptation not in ADAPTATIONS:
        raise unknown("--encoder", "adaptation", adaptation, ADAPTATIONS, most=len(ADAPTATIONS))
    if adaptation not in ("", NONE, *FIXED):
        raise ValueError(
            f"--encoder={text}: {adaptation} learns from the labels of a task; without one there are {NONE}, "
            f"{' and '.join(FIXED)}. Fit it by spectral-jax adapt, and map with that model: spectral-jax predict."
        )
    return Named(ENCODERS[name], adaptation, folder)


@contextlib.contextmanager
def opened(path: Path, sensor: str | None = None, offset: str | None = None) -> Iterator[Observed]:
    """Opens a scene whose sensor is found without an encoder.

    Args:
      path: of the scene.
      sensor: a name of data_specs/sensors; None: found by the bands.
      offset: of Sentinel-2, see `observed.opened`.

    Raises:
      FileNotFoundError, ImportError, ValueError: as `observed.opened`, or `bands.sensor_of`.
    """
    observed.expect_file(path)
    with geotiff.opened(path) as dataset:
        spec = bands.sensor_of(dataset, path, sensor)
        yield observed.of_dataset(dataset, path, spec.name, spec, offset, by_position=sensor is not None)


def made(asked: Named, seen: Observed) -> tuple[Embedder, dict]:
    """The finest map of an encoder's last layer for a scene, and the encoder's parameters.

    Raises:
      ValueError: the encoder does not take the scene's bands, the scene is smaller than its tokens, or its map has no whole
        number of pixels for a cell; or the weights are of another encoder.
      FileNotFoundError: the folder has no weights.
    """
    # As a comparison has them: encoders that know bands by their order were trained in that of wavelengths.
    order = np.argsort(seen.spec.centre_nm, kind="stable") if seen.spec.kind == "optical" else np.arange(len(seen.spec.bands))
    source = dataclasses.replace(seen.spec, bands=tuple(seen.spec.bands[i] for i in order), mean=(), std=(), srf_file="")
    adaptation, read = _read(asked, source)
    config, params, statistics = read.loaded
    assert params is not None  # there is a folder of weights
    window_px = _window_px(asked.encoder, config, seen)
    target = read.bands.target if read.start else None
    model = Adapted(
        asked.encoder, config, adaptation, source, target, read.bands.kept, _HEAD, asked.encoder.taps(config), window_px
    )
    buffers = {} if read.start is None else {"matrix": jnp.asarray(read.start.matrix, jnp.float32)}
    mean, std = _of_scene(seen, order, buffers.get("matrix")) if statistics is None else statistics
    buffers |= {"mean": jnp.asarray(mean, jnp.float32), "std": jnp.asarray(std, jnp.float32)}
    run = partial(_mapped, params, buffers, order=jnp.asarray(order), model=model)
    shape = jax.eval_shape(run, jax.ShapeDtypeStruct((1, window_px, window_px, len(order)), jnp.float32)).shape
    if shape[1] > window_px or window_px % shape[1]:
        raise ValueError(
            f"--encoder={asked.encoder.name}: its map has {shape[1]} cells along a window of {window_px} pixels, which are no "
            "whole pixels; take another encoder for a map."
        )
    tags = {
        "ADAPTATION": adaptation if target is None else f"{adaptation}, {len(read.bands.kept)} bands of {target.name}",
        "STATISTICS": "what the weights were trained with" if statistics is not None else (
            "mean and deviation of a sample of this scene, as those of the weights are not published: maps of two scenes are "
            "not comparable"
        ),
    }  # fmt: skip
    cell_px = window_px // shape[1]
    level = f"{asked.encoder.name}, last map"
    function = lambda pixels: np.asarray(run(jnp.asarray(pixels)))  # noqa: E731
    embedder = Embedder(level, function, window_px, cell_px, shape[3], cell_px == 1 and _alone(config), MOST_WINDOWS, tags)
    return embedder, params


def _read(asked: Named, source: SensorSpec) -> tuple[str, ReadEncoder]:
    """The encoder, as asked for or by the first adaptation that it takes these bands by."""
    own = source.name in sentinels.OPTICAL
    target = SensorSpec.load(source.name if own else TARGET)
    fixed = ("nearest", "srf") if own else ("srf", "nearest")  # of Sentinel-2 the nearest band is the band itself
    ways = [way for way in (NONE, *fixed) if way in asked.encoder.takes]
    refused: ValueError | None = None
    for way in [asked.adaptation] if asked.adaptation else ways:
        try:
            return way, read_encoder(asked.encoder, way, source, target, "leave_out", asked.folder, Size())
        except ValueError as error:
            refused = refused or error
    assert refused is not None  # every encoder takes something
    raise ValueError(f"--encoder={asked.encoder.name}: it cannot map these bands: {refused}") from refused


def _alone(config: Any) -> bool:
    """Whether an encoder that takes images of any side, a pixel a token, sees no neighbours: it has no patches."""
    return not hasattr(config, "patch")


def _window_px(encoder: Encoder, config: Any, seen: Observed) -> int:
    """Side of a window, pixels: that of the encoder's input, or as many pixels a token as the scene has room for."""
    side, patch = encoder.side(config), getattr(config, "patch", None)
    if side is None:
        strided = patch is None and hasattr(config, "depths")
        if strided:
            return min(UNPATCHED_PX, min(seen.shape) // STRIDE_PX * STRIDE_PX or UNPATCHED_PX)
        return TOKENS * patch if patch else PIXELS
    tokens = side // patch if patch else side
    if min(seen.shape) >= side or min(seen.shape) < tokens:
        return side
    # A smaller scene is enlarged to the input, as a comparison does with smaller images.
    return tokens * (min(seen.shape) // tokens)


def _of_scene(seen: Observed, order: np.ndarray, matrix: jax.Array | None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation [K] of the bands that an encoder sees, of pixels spread over a scene."""
    px = min(SAMPLED_PX, *seen.shape)
    cut = windows.planned(seen, 1, px, alone=True)
    spectra = windows.sample(seen, cut, lambda pixels: pixels)
    if not len(spectra):
        raise ValueError(
            f"{seen.path}: an encoder without statistics of its own takes those of the scene, and no window of a sample holds "
            "data; look at its nodata value and masks."
        )
    spectra = spectra[:, order].astype(np.float64)
    if matrix is not None:
        spectra = spectra @ np.asarray(matrix, np.float64).T
    return spectra.mean(axis=0), np.maximum(spectra.std(axis=0), 1e-6)


@partial(jax.jit, static_argnames="model")
def _mapped(params: dict, buffers: dict, pixels: jax.Array, *, order: jax.Array, model: Adapted) -> jax.Array:
    pixels = pixels[..., order]
    valid = jnp.isfinite(pixels).all(axis=-1)
    shown = jnp.where(valid[..., None], pixels, 0.0)
    maps, _ = adapted.embed({"encoder": params, "projection": {}}, buffers, shown[:, None], valid[:, None], model)
    found = _finest(maps)
    count, side, cells = len(pixels), pixels.shape[1], found.shape[1]
    if side % cells:
        return found
    holds = valid.reshape(count, cells, side // cells, cells, side // cells).any(axis=(2, 4))
    return jnp.where(holds[..., None], found.astype(jnp.float32), jnp.nan)


def _finest(maps: tuple[jax.Array, ...]) -> jax.Array:
    """Of maps [B h w D] the last one of the finest resolution."""
    most = max(one.shape[1] for one in maps)
    return [one for one in maps if one.shape[1] == most][-1]
