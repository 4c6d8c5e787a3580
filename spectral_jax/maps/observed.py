"""A scene as maps take it: its place, its sensor, and windows of physical numbers.

Whatever gives an `Observed` can be mapped. Here a GeoTIFF does; a product's reader needs a few lines that make one.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from spectral_jax.config import Config
from spectral_jax.ingest.patches.products import product
from spectral_jax.ingest.raster import geotiff
from spectral_jax.maps import bands
from spectral_jax.maps.bands import Known
from spectral_jax.pretrain import image
from spectral_jax.sensors import SensorSpec


@dataclasses.dataclass(frozen=True)
class Observed:
    """An open scene.

    Attributes:
      path: where it is from, for sentences and tags.
      spec: its sensor, with the bands that `read` gives.
      shape: H and W, pixels.
      crs: a `rasterio.crs.CRS`.
      transform: the affine from (column, row) to the coordinates of a pixel's upper left corner; north-up squares.
      read: (rows, columns), slices inside the scene, to float32 [h w C] in `spec.unit`, NaN where a pixel is missing: by
        nodata, masks and quality layers, in any band.
      told: how its bands were found, in words.
      time_days: days since 2000-01-01 UTC; None where it is not known.
      simulated: whether its numbers are.
    """

    path: Path
    spec: SensorSpec
    shape: tuple[int, int]
    crs: Any
    transform: Any
    read: Callable[[slice, slice], np.ndarray]
    told: str
    time_days: float | None = None
    simulated: bool = False


@contextlib.contextmanager
def opened(
    path: Path, cfg: Config, params: dict, sensor: str | None = None, offset: str | None = None
) -> Iterator[tuple[Observed, Known]]:
    """Opens a scene for an encoder.

    Args:
      path: of the scene.
      cfg: of the encoder.
      params: of the encoder.
      sensor: key in the encoder's config, or a name of data_specs/sensors; None: found by the bands.
      offset: of Sentinel-2: the number to subtract (0 or 1000), or a JSON file of names and numbers; None: it is found.

    Raises:
      FileNotFoundError: there is no such file.
      ImportError: rasterio is not installed.
      ValueError: the encoder does not know the scene's bands, pixels are not square and north-up in metres, or numbers cannot
        be the sensor's.
    """
    expect_file(path)
    with geotiff.opened(path) as dataset:
        known = bands.named(cfg, params, sensor) if sensor else bands.of_file(cfg, params, dataset, path)
        yield of_dataset(dataset, path, known.key, known.spec, offset, by_position=sensor is not None), known


def expect_file(path: Path) -> None:
    """Refuses what is no file.

    Raises:
      FileNotFoundError, IsADirectoryError: there is none.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; expected a scene: a GeoTIFF with all bands of a sensor.")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; expected a scene: a GeoTIFF with all bands of a sensor.")


def of_dataset(dataset, path: Path, key: str, spec: SensorSpec, offset: str | None = None, by_position=False) -> Observed:
    """An open GeoTIFF as the scene of a sensor.

    Args:
      dataset: an open `rasterio` dataset.
      path: of it.
      key: of the sensor, for sentences.
      spec: the sensor.
      offset: see `opened`.
      by_position: see `pretrain.image.product_of`.

    Raises:
      ValueError: see `opened`.
    """
    chip = product.look(image.product_of(dataset, path, key, spec, offset, by_position), path)
    tags = {name.lower(): text for name, text in dataset.tags().items()}
    return Observed(
        path, chip.product.spec, dataset.shape, dataset.crs, dataset.transform,
        lambda rows, columns: image.physical(dataset, chip, rows, columns), chip.matched, chip.time_days,
        tags.get("simulated", "").lower() in ("true", "1", "yes"),
    )  # fmt: skip
