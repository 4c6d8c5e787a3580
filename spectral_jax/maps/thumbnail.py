"""A small picture of a scene, kept while it is read for something else."""

import dataclasses

import numpy as np

from spectral_jax.maps.observed import Observed
from spectral_jax.pages import pictures
from spectral_jax.sensors import nearest_bands

MOST_PX = 768


class Thumbnail:
    """Every n-th pixel of a scene in the bands of a true-colour picture, or of radar in its first band.

    Attributes:
      observed: the scene, whose reads are seen here.
    """

    def __init__(self, observed: Observed):
        self._read, self._spec = observed.read, observed.spec
        self._step = max(1, -(-max(observed.shape) // MOST_PX))
        self._bands = _shown(observed)
        small = tuple(-(-side // self._step) for side in observed.shape)
        self._pixels = np.full((*small, len(self._bands)), np.nan, np.float32)
        self.observed = dataclasses.replace(observed, read=self._seen)

    def picture(self) -> np.ndarray:
        """Uint8 [h w 3], white where missing or never read."""
        valid: np.ndarray = np.asarray(np.isfinite(self._pixels).all(axis=-1))
        if len(self._bands) == len(pictures.RGB_NM):
            return pictures.true_colour(self._pixels, valid, np.array(pictures.RGB_NM))
        return pictures.stretched(self._pixels, valid).repeat(3, axis=-1)

    def _seen(self, rows: slice, columns: slice) -> np.ndarray:
        pixels, step = self._read(rows, columns), self._step
        top, left = (-(-one.start // step) for one in (rows, columns))  # of the picture
        some = pixels[top * step - rows.start :: step, left * step - columns.start :: step, self._bands]
        self._pixels[top : top + some.shape[0], left : left + some.shape[1]] = some
        return pixels


def _shown(observed: Observed) -> list[int]:
    centre = observed.spec.centre_nm
    if not np.isfinite(centre).all():
        return [0]
    found, _ = nearest_bands(centre, np.array(pictures.RGB_NM))
    return [int(i) for i in found]
