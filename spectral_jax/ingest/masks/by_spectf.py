"""Cloud by the spectrum of a pixel alone: SpecTf on a window of a product's surface reflectance.

SpecTf's weights were trained on EMIT's reflectance at the top of the atmosphere, which no L2A product holds. What it says of
surface reflectance is out of their domain and has no measured accuracy, so that it is joined with the product's own layers and
never takes their place. Of radiance (Level 1) see `clouds.toa_reflectance`.
"""

import dataclasses
import functools
from typing import Any

import numpy as np

from spectral_jax.ingest.downloaded.files.rasters import Window
from spectral_jax.ingest.downloaded.product import DownloadedProduct
from spectral_jax.sensors import SensorSpec

# A sensor of which SpecTf can say something sees from here to there, nm, in at least so many bands: cloud is told by its
# brightness in the visible and by water's bands in the shortwave infrared. Choice.
FROM_NM, TO_NM, FEWEST = 500.0, 2200.0, 60
# Numbers of a block that is read at once.
BLOCK = 1 << 22


def takes(spec: SensorSpec) -> bool:
    """Whether a sensor has spectra for it: of ours EnMAP, EMIT and PRISMA."""
    if spec.kind != "optical" or len(spec.used) < FEWEST or not np.isfinite(spec.centre_nm).all():
        return False
    return bool(spec.centre_nm.min() <= FROM_NM and spec.centre_nm.max() >= TO_NM)


@functools.cache
def loaded(folder: str) -> tuple[Any, dict]:
    """Config and parameters of a folder.

    Raises:
      FileNotFoundError: it has no weights.
      ValueError: they are of another model, or damaged.
    """
    from spectral_jax import interop
    from spectral_jax.model.published.spectf import SpecTfConfig

    config, params = interop.load(folder)
    if not isinstance(config, SpecTfConfig):
        raise ValueError(
            f"cloud_weights: {folder} holds a {type(config).__name__}, expected weights of SpecTf; convert those: "
            "tools/convert_weights.py --source=spectf."
        )
    return config, params


def cloudy(product: DownloadedProduct, window: Window, wanted: np.ndarray, folder: str, threshold: float | None) -> np.ndarray:
    """Where a window is cloud, bool [h w].

    Args:
      product: open, of a sensor that `takes` takes.
      window: rows and columns.
      wanted: bool [h w], pixels that are looked at; the others are called no cloud.
      folder: of SpecTf's weights.
      threshold: probability from which on a pixel is cloud; None: that of the weights' release.

    Raises:
      FileNotFoundError, ValueError: as `loaded`; or the product is damaged.
    """
    from spectral_jax import clouds

    config, params = loaded(folder)
    least = config.threshold if threshold is None else threshold
    rows, columns = window
    used = list(product.spec.used_index)
    each = max(1, BLOCK // ((columns.stop - columns.start) * len(used)))
    out = np.zeros(wanted.shape, bool)
    for start in range(0, len(wanted), each):
        part = slice(start, min(start + each, len(wanted)))
        if not wanted[part].any():
            continue
        values = product.physical(slice(rows.start + part.start, rows.start + part.stop), columns, used)
        # A band that the product leaves out everywhere is no band of the spectrum.
        there = np.isfinite(values).any(axis=(1, 2))
        if not there.any():
            continue
        bands = tuple(product.bands[i] for i, good in zip(used, there, strict=True) if good)
        seen = dataclasses.replace(product.spec, bands=bands, bad_intervals_nm=(), token_edges_nm=(), mean=(), std=())
        found = clouds.of_scene(params, np.moveaxis(values[there], 0, -1), seen, config, wanted[part])
        out[part] = found.valid & (np.nan_to_num(found.probability) >= least)
    return out
