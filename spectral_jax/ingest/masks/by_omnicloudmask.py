"""Cloud and its shadow by red, green and near infrared: OmniCloudMask (MIT licence), a library of PyTorch.

Called as omnicloudmask 1.8 is (`predict_from_array`). It takes numbers of any processing level in pixels of 10 to 50 m.
"""

import warnings

import numpy as np

from spectral_jax.ingest.downloaded.files.rasters import Window
from spectral_jax.ingest.downloaded.product import DownloadedProduct
from spectral_jax.sensors import SensorSpec
from spectral_jax.sentences import needs

# Sensors that its authors validated it on and that have a reader here.
SENSORS = ("sentinel2a_l2a", "sentinel2b_l2a", "sentinel2c_l2a", "landsat8_oli", "landsat9_oli")
RED_GREEN_NIR_NM = (665.0, 560.0, 842.0)
# Its defaults: side and overlap of what its network sees at once. It refuses images below the least side, pixels.
PATCH, OVERLAP, LEAST = 1000, 300, 32
# Pixels around a window that it sees too: half of its overlap, as between two of its own patches.
AROUND = OVERLAP // 2
# Its classes are clear, thick cloud, thin cloud and shadow of cloud.
CLEAR, NO_DATA = 0, 0


def takes(spec: SensorSpec) -> bool:
    """Whether a sensor is one of those."""
    return spec.name in SENSORS


def unclear(product: DownloadedProduct, window: Window, threshold: float | None) -> np.ndarray:
    """Where a window is cloud or in its shadow, bool [h w]; missing pixels are not.

    Args:
      product: open, of a sensor that `takes` takes.
      window: rows and columns; pixels around it are seen too, as far as there are some.
      threshold: from which on the confidences of cloud and shadow together count; None: the likeliest class counts.

    Raises:
      ImportError: omnicloudmask is not installed, or has no weights.
      ValueError: the product is smaller than it takes, or damaged.
    """
    rows, columns = (_around(cut, side) for cut, side in zip(window, product.shape, strict=True))
    height, width = rows.stop - rows.start, columns.stop - columns.start
    if min(height, width) < LEAST:
        raise ValueError(
            f"clouds=omnicloudmask: {product.name} has {height} x {width} pixels here, expected at least {LEAST} x {LEAST}; "
            "leave it to the product's own layers."
        )
    numbers = product.physical(rows, columns, product.at(RED_GREEN_NIR_NM))
    found = _predicted(np.nan_to_num(numbers, nan=NO_DATA).astype(np.float32), threshold is not None)
    if found.ndim != 3 or found.shape[1:] != (height, width):
        raise ValueError(
            f"clouds=omnicloudmask: expected a mask [K {height} {width}], got shape {found.shape}; install its version 1.8."
        )
    flagged = found[0] != CLEAR if threshold is None else np.delete(found, CLEAR, axis=0).sum(axis=0) >= threshold
    top, left = window[0].start - rows.start, window[1].start - columns.start
    inside = slice(top, top + window[0].stop - window[0].start), slice(left, left + window[1].stop - window[1].start)
    return (flagged & np.isfinite(numbers).all(axis=0))[inside]


def _predicted(image: np.ndarray, confidences: bool) -> np.ndarray:
    """What the library says of red, green and near infrared [3 H W]: classes [1 H W], or confidences [4 H W]."""
    predict = library()
    patch = min(PATCH, *image.shape[1:])
    with warnings.catch_warnings():
        # It tells of small images and of gaps, and adapts itself.
        warnings.simplefilter("ignore", UserWarning)
        try:
            return np.asarray(predict(
                image, patch_size=patch, patch_overlap=min(OVERLAP, patch // 2), no_data_value=NO_DATA,
                export_confidence=confidences,
            ))  # fmt: skip
        except Exception as error:  # no fault of the product, which an error of another kind would be taken for
            raise ImportError(
                f"clouds=omnicloudmask: the library could not look at a scene ({type(error).__name__}: {error}); it fetches "
                "its weights when it is first used: run it once by itself, with a network."
            ) from error


def library():
    """Its function of arrays.

    Raises:
      ImportError: it is not installed.
    """
    with needs("omnicloudmask", "clouds", "clouds=omnicloudmask"):
        from omnicloudmask import predict_from_array
    return predict_from_array


def _around(cut: slice, side: int) -> slice:
    return slice(max(0, cut.start - AROUND), min(side, cut.stop + AROUND))
