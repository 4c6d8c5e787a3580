"""An encoder, what is done to a sensor's bands before it, and a head after it: one pure function of parameters."""

import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.adapt.bands import CONVOLUTIONAL, LINEAR, NONE
from spectral_jax.adapt.encoders.encoder import Encoder, Maps, Pixels
from spectral_jax.adapt.parts.part import Samples
from spectral_jax.adapt.protocols import Protocol
from spectral_jax.ingest.raster.tiled import plan
from spectral_jax.model import projection
from spectral_jax.model.heads import task_heads, temporal
from spectral_jax.model.heads.task_heads import HeadConfig
from spectral_jax.model.heads.temporal import TemporalConfig
from spectral_jax.sensors import SensorSpec
from spectral_jax.spectral import project
from spectral_jax.spectral.project import Projection
from spectral_jax.tasks.spec import TaskSpec


@dataclasses.dataclass(frozen=True)
class Adapted:
    """What is fitted to a task; hashable, a static argument of `jax.jit`.

    Attributes:
      encoder: its record.
      config: its structure, as its record made or read it.
      adaptation: of `adapt.bands.ADAPTATIONS`.
      source: sensor of the images, C used bands.
      target: sensor that the adaptation goes to; None without one.
      kept: positions of the target's used bands that the encoder sees, see `Projection.kept_index`.
      head: what follows the encoder.
      taps: layers whose maps the head gets.
      px: side of what the encoder reads of an image at once, pixels of the image, for protocols with a window.
      temporal: how features of several dates become those of a sample; None where a sample has one date.
    """

    encoder: Encoder
    config: Any
    adaptation: str
    source: SensorSpec
    target: SensorSpec | None
    kept: tuple[int, ...]
    head: HeadConfig
    taps: tuple[int, ...]
    px: int
    temporal: TemporalConfig | None = None

    @property
    def side(self) -> int:
        """Pixels along a side of the encoder's input; what it reads is resized to it."""
        return self.encoder.side(self.config) or self.px

    @property
    def dates(self) -> int:
        """How many dates a sample has."""
        return self.temporal.dates if self.temporal else 1

    @property
    def bands(self) -> int:
        """How many bands the encoder sees."""
        return len(self.kept) if self.target else len(self.source.used)

    @property
    def centre_nm(self) -> np.ndarray:
        """Centres of the bands that the encoder sees, nm."""
        return self.target.centre_nm[list(self.kept)] if self.target else self.source.centre_nm


def head_of(task: TaskSpec, protocol: Protocol) -> HeadConfig:
    """The head that a protocol puts on a task."""
    outputs = task.classes or len(task.targets)
    if task.kind.of == "pixels":
        return HeadConfig(protocol.head, outputs, width=protocol.head_width, dropout=protocol.dropout)
    if task.kind.labels == "numbers":
        return HeadConfig("regression", outputs, width=protocol.regression_width, dropout=protocol.dropout)
    return HeadConfig("classification", outputs, dropout=protocol.dropout)


def merging(task: TaskSpec, protocol: Protocol, dates: int) -> TemporalConfig | None:
    """How a protocol merges the dates of a task's samples; None where they have one."""
    if dates == 1:
        return None
    return TemporalConfig(protocol.series if task.kind.dates == 1 else protocol.change, dates)


def init(
    key: jax.Array,
    model: Adapted,
    start: Projection | None,
    image_px: int,
    encoder: dict | None = None,
    spectra: np.ndarray | None = None,
) -> dict:
    """Parameters `{"encoder", "projection", "head"}`, and `"temporal"` where samples have several dates; float32.

    Args:
      key: random key.
      model: what they are of.
      start: of `adapt.bands.fixed_projection`; the learned linear map starts as its matrix.
      image_px: side of the images.
      encoder: parameters of an encoder that was read; None: fresh ones.
      spectra: [N C] valid spectra of the training part, for the convolutional adapter, whose norms start from them.
    """
    encoder_key, head_key = jax.random.split(key)
    temporal_key = jax.random.fold_in(head_key, 1)
    params = {"encoder": model.encoder.init(encoder_key, model.config) if encoder is None else encoder, "projection": {}}
    if model.adaptation in LINEAR:
        assert start is not None  # every adaptation but "none" starts from a fixed projection
        params["projection"] = projection.init_linear(start)
    elif model.adaptation == "wavelength_attention":
        assert model.target is not None
        params["projection"] = projection.init_attention(model.target)
    elif model.adaptation == CONVOLUTIONAL:
        adapter_key = jax.random.fold_in(encoder_key, 1)
        params["projection"] = projection.init_adapter(adapter_key, jnp.asarray(spectra), model.source, model.bands)
    image = jax.ShapeDtypeStruct((1, image_px, image_px, model.bands), jnp.float32)
    valid = jax.ShapeDtypeStruct((1, image_px, image_px), jnp.bool_)
    maps, pooled = jax.eval_shape(lambda p, x, v: features(p, x, v, model), params["encoder"], image, valid)
    shapes, width = tuple(m.shape[1:] for m in maps), pooled.shape[-1]
    merging_dates = model.temporal
    if merging_dates:
        # The embedding of an image is a map of one position.
        shapes = shapes if model.head.of_maps else ((1, 1, width),)
        params["temporal"] = temporal.init_temporal(temporal_key, merging_dates, shapes)
        merged = jax.eval_shape(
            lambda p, x, seen: temporal.call_temporal(p, merging_dates, x, seen),
            params["temporal"],
            tuple(jax.ShapeDtypeStruct((1, model.dates, *shape), jnp.float32) for shape in shapes),
            jax.ShapeDtypeStruct((1, model.dates), jnp.bool_),
        )
        shapes, width = tuple(m.shape[1:] for m in merged), width if model.head.of_maps else merged[0].shape[-1]
    params["head"] = task_heads.init_head(head_key, model.head, shapes, width, (image_px, image_px))
    return params


def project_bands(params: dict, matrix: jax.Array | None, images: jax.Array, model: Adapted) -> jax.Array:
    """Bands of the source [... C] to those that the encoder sees [... K], both physical values.

    Args:
      params: `params["projection"]`.
      matrix: [K C] of a fixed adaptation; None for the others.
      images: [... C], 0 where invalid.
      model: see `Adapted`.
    """
    if model.adaptation == NONE:
        return images
    if model.adaptation in LINEAR:
        return projection.call_linear(params, images)
    if model.adaptation == CONVOLUTIONAL:
        return projection.call_adapter(params, images, model.source)
    if model.adaptation == "wavelength_attention":
        matrix = projection.attention_matrix(params, model.source)[np.array(model.kept)]
    assert matrix is not None  # of "nearest" and "srf"
    return project.apply(matrix, images)


def features(encoder: dict, x: jax.Array, valid: jax.Array, model: Adapted) -> Maps:
    """Maps [B h w D], finest first where they differ, and the pooled embedding [B D].

    Args:
      encoder: `params["encoder"]`.
      x: [B H W K] normalised, 0 where invalid.
      valid: bool [B H W].
      model: see `Adapted`.
    """
    x, valid = _resized(x, valid, model.side)
    return model.encoder.features(encoder, Pixels(x, valid, model.centre_nm), model.config, model.taps)


def predict(
    params: dict, buffers: dict, images: jax.Array, valid: jax.Array, model: Adapted, key: jax.Array | None = None
) -> jax.Array:
    """What the head says.

    Args:
      params: of `init`.
      buffers: `mean` and `std` [K] by which bands are normalised, and `matrix` [K C] of a fixed adaptation; none trains.
      images: [B T H W C] physical values, 0 where invalid.
      valid: bool [B T H W].
      model: see `Adapted`; static.
      key: for dropout; None: without.

    Returns:
      Float32 [B H W outputs] of heads with maps, [B outputs] of the others.
    """
    maps, pooled = embed(params, buffers, images, valid, model, key)
    return task_heads.call_head(params["head"], model.head, maps, pooled, (images.shape[2], images.shape[3]), key)


def embed(
    params: dict, buffers: dict, images: jax.Array, valid: jax.Array, model: Adapted, key: jax.Array | None = None
) -> Maps:
    """What the head gets: maps [B h w D] and the embedding [B D], dates merged; arguments as of `predict`."""
    x = _standardised(params, buffers, images, valid, model)
    count, dates = images.shape[:2]
    fold = lambda y: y.reshape(count * dates, *y.shape[2:])  # noqa: E731
    unfold = lambda y: y.reshape(count, dates, *y.shape[1:])  # noqa: E731
    maps, pooled = features(params["encoder"], fold(x), fold(valid), model)
    if model.temporal is None:
        return maps, pooled
    seen, merge_key = jnp.any(valid, axis=(2, 3)), None if key is None else jax.random.fold_in(key, 1)
    merge = lambda maps: temporal.call_temporal(params["temporal"], model.temporal, maps, seen, merge_key)  # noqa: E731
    if model.head.of_maps:
        return merge(tuple(map(unfold, maps))), unfold(pooled).mean(axis=1)
    (merged,) = merge((unfold(pooled)[:, :, None, None, :],))
    return (), merged[:, 0, 0]


def outputs_of(model: Adapted, params: dict, buffers: dict, samples: Samples, protocol: Protocol) -> jax.Array:
    """The head's outputs; of pixels, where the protocol has a window, the mean over windows that cover a larger image."""
    rows, columns = samples.images.shape[2:4]
    if not protocol.window or not model.head.of_maps or min(rows, columns) <= model.px:
        return _outputs(params, buffers, samples.images, samples.valid, model=model)
    total, seen = np.zeros((), np.float32), np.zeros((1, rows, columns, 1), np.float32)
    for top in plan(rows, model.px, overlap=0).starts:
        for left in plan(columns, model.px, overlap=0).starts:
            here = (slice(top, top + model.px), slice(left, left + model.px))
            inside = _outputs(params, buffers, samples.images[:, :, *here], samples.valid[:, :, *here], model=model)
            around = ((0, 0), (top, rows - top - model.px), (left, columns - left - model.px), (0, 0))
            total, seen[:, *here] = total + np.pad(np.asarray(inside), around), seen[:, *here] + 1
    return jnp.asarray(total / seen)


def with_statistics(params: dict, buffers: dict, images: jax.Array, valid: jax.Array, model: Adapted) -> dict:
    """Parameters whose fresh encoder takes the statistics of its batch normalisation, where it has any, from samples.

    Args:
      params: of `init`.
      buffers: as of `predict`.
      images: [B T H W C] of the training part.
      valid: bool [B T H W].
      model: see `Adapted`.
    """
    x = _standardised(params, buffers, images, valid, model)
    x, _ = _resized(x.reshape(-1, *x.shape[2:]), valid.reshape(-1, *valid.shape[2:]), model.side)
    return params | {"encoder": model.encoder.with_statistics(params["encoder"], x, model.config)}


def trainable(params: dict, model: Adapted) -> dict:
    """For each parameter, whether it may train: not the buffers of the published encoders."""
    everything = jax.tree.map(lambda _: True, params)
    return everything | {"encoder": model.encoder.trainable(params["encoder"], model.config)}


@partial(jax.jit, static_argnames="model")
def _outputs(params, buffers, images, valid, *, model: Adapted):
    return predict(params, buffers, images, valid, model)


def _standardised(params, buffers, images, valid, model):
    x = project_bands(params["projection"], buffers.get("matrix"), images, model)
    x = (x - _last(buffers["mean"], x)) / _last(buffers["std"], x)
    return jnp.where(valid[..., None], x, 0.0)


def _resized(x, valid, side):
    """Images [B H W K] and validity [B H W] at the side of the encoder's input."""
    if x.shape[1:3] == (side, side):
        return x, valid
    x = jax.image.resize(x, (x.shape[0], side, side, x.shape[3]), "bilinear")
    return x, jax.image.resize(valid.astype(jnp.float32), (valid.shape[0], side, side), "nearest") > 0.5


def _last(vector, like):
    return vector.reshape((1,) * (like.ndim - 1) + vector.shape)
