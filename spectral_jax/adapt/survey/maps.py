"""Features of every position of images by a frozen encoder, window by window, on a grid of cells."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.adapt import bands
from spectral_jax.adapt.fit import adapted, prepared, supervised
from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.settings import Comparison
from spectral_jax.adapt.survey import contestants
from spectral_jax.adapt.survey.contestants import PIXELWISE, Contestant

# Windows that are embedded at once.
BATCH = 16


class Embedder:
    """An encoder before the images of a task, ready for any seed.

    Args:
      contestant: who.
      part: the images; of an encoder without statistics of its own, all of them give these, without a label.
      window: side of what is read at once, pixels; it divides the images' side.
      patch: side of a token, where the encoder lets it be chosen.

    Raises:
      ValueError: the encoder does not take these bands, or the folder's weights are of others.
      FileNotFoundError: the folder has no weights.
    """

    def __init__(self, contestant: Contestant, part: Part, window: int, patch: int):
        task, source = part.data.task, part.source
        line = f"{contestant.encoder}/{contestant.adaptation}"
        cfg = Comparison(
            "survey", rows=(line,), weights=contestants.folders(contestant), size=contestants.size(contestant, window, patch)
        )
        ready = prepared.prepare(cfg.lines()[0], cfg, task, source)
        if hasattr(ready.model.config, "gsd_m"):  # patches of any size: Galileo
            config = dataclasses.replace(ready.model.config, patch=patch)
            ready = ready._replace(model=dataclasses.replace(ready.model, config=config))
        own = ready.model.encoder.side(ready.model.config) if contestant.folder else None
        self.model, self.contestant, self._ready = ready.model, contestant, ready
        # Weights of a fixed size read windows of that size, so that no image is shrunk for them.
        self.window = own if own and window % own == 0 else window
        matrix = ready.start.matrix if ready.start and ready.model.adaptation in bands.FIXED else None
        self._buffers = {} if matrix is None else {"matrix": jnp.asarray(matrix, jnp.float32)}
        if ready.statistics is None:
            self._buffers = supervised.buffers_of(self.model, {"projection": {}}, matrix, part)
        else:
            names = zip(("mean", "std"), ready.statistics, strict=True)
            self._buffers |= {name: jnp.asarray(value, jnp.float32) for name, value in names}

    def params(self, seed: int) -> dict:
        """Parameters: those of the folder, or random ones of the seed."""
        if self.contestant.random or self._ready.params is None:
            return self.model.encoder.init(jax.random.key(seed), self.model.config)
        return self._ready.params

    def __call__(self, params: dict, images: np.ndarray, valid: np.ndarray, cells: int) -> np.ndarray:
        """Features on a grid [N cells cells D] of images [N H H C] with valid pixels [N H H]."""
        side = images.shape[1]
        if self.contestant.encoder in PIXELWISE and side % cells == 0:
            images, valid = pooled(images, cells), pooled(valid.astype(np.float32)[..., None], cells)[..., 0] > 0.5
            side = cells
        window = min(self.window, side)
        if side % window:
            raise ValueError(f"window: expected a side that divides the {side} pixels of the images, got {window}.")
        count = side // window
        cut = lambda x: _cut(x, count, window)  # noqa: E731
        levels = _in_batches(params, self._buffers, cut(images), cut(valid), self.model)
        return np.concatenate([pooled(_joined(found, len(images), count), cells) for found in levels], axis=-1)


def pooled(maps: np.ndarray, cells: int) -> np.ndarray:
    """Maps [N S S D] on a grid [N cells cells D]: means where it is coarser, repeated where it is finer.

    Raises:
      ValueError: neither side divides the other.
    """
    side = maps.shape[1]
    if side % cells == 0:
        step = side // cells
        return maps.reshape(len(maps), cells, step, cells, step, -1).mean(axis=(2, 4))
    if cells % side:
        raise ValueError(f"maps: expected a side that divides {cells} cells or is a multiple of them, got {side}.")
    return maps.repeat(cells // side, axis=1).repeat(cells // side, axis=2)


def _cut(x: np.ndarray, count: int, window: int) -> np.ndarray:
    """[N S S ...] to windows [N*count*count window window ...]."""
    shape = (len(x), count, window, count, window, *x.shape[3:])
    return x.reshape(shape).swapaxes(2, 3).reshape(-1, window, window, *x.shape[3:])


def _joined(found: np.ndarray, images: int, count: int) -> np.ndarray:
    """Maps of windows [N*count*count s s D] to maps of images [N count*s count*s D]."""
    each = found.shape[1]
    whole = found.reshape(images, count, count, each, each, -1).transpose(0, 1, 3, 2, 4, 5)
    return whole.reshape(images, count * each, count * each, -1)


def _in_batches(params, buffers, images, valid, model) -> list[np.ndarray]:
    """The last map of each resolution, of all windows."""
    found = []
    for start in range(0, len(images), BATCH):
        rows = np.minimum(np.arange(start, start + BATCH), len(images) - 1)
        out = _levels({"encoder": params, "projection": {}}, buffers, images[rows][:, None], valid[rows][:, None], model=model)
        found.append([np.asarray(one)[: len(images) - start] for one in out])
    return [np.concatenate(level) for level in zip(*found, strict=True)]


@partial(jax.jit, static_argnames="model")
def _levels(params, buffers, images, valid, *, model):
    maps, _ = adapted.embed(params, buffers, images, valid, model)
    return tuple({one.shape[1]: one for one in maps}.values())
