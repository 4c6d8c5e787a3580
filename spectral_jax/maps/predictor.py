"""A fitted model as a function of windows: pixels in, probabilities or quantities out."""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax import spec_files
from spectral_jax.adapt import kept
from spectral_jax.adapt.fit import adapted
from spectral_jax.adapt.fit.adapted import Adapted
from spectral_jax.adapt.kept import Kept
from spectral_jax.sensors import CENTRE_TOLERANCE_NM, Band, SensorSpec
from spectral_jax.tasks.kinds import KINDS, Kind


class Predictor(NamedTuple):
    """A fitted model for scenes of its sensor.

    Attributes:
      kept: the model.
      kind: of its task.
      spec: sensor of scenes, packed as its product is.
      function: pixels float32 [B S S C] in the sensor's unit, NaN where missing, to float32 [B tile tile K].
      window_px: S, side of the images that it was trained on.
      cell_px: side of a cell, pixels: 1, or S where it predicts whole images.
    """

    kept: Kept
    kind: Kind
    spec: SensorSpec
    function: Callable[[np.ndarray], np.ndarray]
    window_px: int
    cell_px: int


def loaded(folder: Path) -> Predictor:
    """The model of a folder of `adapt.kept`.

    Raises:
      FileNotFoundError, ValueError: see `adapt.kept.load`.
    """
    found = kept.load(folder)
    kind = KINDS[found.labels.kind]
    run = partial(_predicted, found.params, found.buffers, model=found.model, labels=kind.labels, images=kind.of == "images")
    cell_px = found.image_px if kind.of == "images" else 1
    spec = packed(found.model.source)
    return Predictor(found, kind, spec, lambda pixels: np.asarray(run(jnp.asarray(pixels))), found.image_px, cell_px)


def packed(source: SensorSpec) -> SensorSpec:
    """The sensor of a task's images with the packing and the names of bands of its table, by which files are read."""
    if source.name not in spec_files.names("sensors"):
        return source
    table = SensorSpec.load(source.name)
    bands = tuple(_named(band, table) for band in source.bands)
    return dataclasses.replace(table, bands=bands, bad_intervals_nm=(), token_edges_nm=(), mean=(), std=(), srf_file="")


def _named(band: Band, table: SensorSpec) -> Band:
    """The band with the name and the detector that its table gives it."""

    def away(other: Band) -> float:
        width = abs((other.fwhm_nm or 0.0) - (band.fwhm_nm or 0.0))
        return abs((other.centre_nm or 0.0) - (band.centre_nm or 0.0)) + width

    near = [b for b in table.bands if abs((b.centre_nm or 0.0) - (band.centre_nm or 0.0)) <= CENTRE_TOLERANCE_NM]
    found = min(near, key=away, default=band)
    return dataclasses.replace(band, name=found.name, detector=found.detector)


@partial(jax.jit, static_argnames=("model", "labels", "images"))
def _predicted(params: dict, buffers: dict, pixels: jax.Array, *, model: Adapted, labels: str, images: bool) -> jax.Array:
    valid = jnp.isfinite(pixels).all(axis=-1)[:, None]
    seen = jnp.where(valid[..., None], pixels[:, None], 0.0)
    out = adapted.predict(params, buffers, seen, valid, model)
    if labels == "class":
        out = jax.nn.softmax(out, axis=-1)
    elif labels == "set":
        out = jax.nn.sigmoid(out)
    else:
        like = (1,) * (out.ndim - 1) + (-1,)
        out = out * buffers["label_std"].reshape(like) + buffers["label_mean"].reshape(like)
    return out[:, None, None] if images else out
