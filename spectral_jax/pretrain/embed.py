"""What a trained encoder makes of data: one embedding for each location of a store, or for each patch of an image."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax import api, batch_check, places, spec_files
from spectral_jax.batch import Batch, SensorData
from spectral_jax.config import Config
from spectral_jax.data.loader import Loader
from spectral_jax.ingest.patches.products import product
from spectral_jax.ingest.patches.products.product import Chip
from spectral_jax.ingest.raster import geotiff
from spectral_jax.model.encoder import readout
from spectral_jax.model.encoder.readout import POOLED
from spectral_jax.pretrain.image import product_of
from spectral_jax.sensors import SensorSpec
from spectral_jax.sentences import unknown


def embed_store(run: str | Path, store: str | Path, out: Path, level: str = POOLED) -> str:
    """Embeds every location of a store once, with the first valid date of each sensor.

    Args:
      run: work folder or checkpoint of a pretraining run, a path or an address; or a model's name.
      store: path or address, with sensors of that run.
      level: of the encoder, of `readout.NAMES`.
      out: gets `embedding` float32 [N D], `id` [N], `group` [N] and `lonlat` float64 [N 2], compressed.

    Returns:
      A sentence about what was written.

    Raises:
      CheckpointError, FileNotFoundError, ValueError: see `api.load`, `Loader` and `batch_check.check_batch`.
      OSError: `out` cannot be written.
    """
    out = places.for_file(out, "--out")
    cfg, params = api.load(run)
    embed = _embedding(cfg, level, [sensor.key for sensor in cfg.sensors])
    loader = Loader(cfg, store)
    vectors, ids, groups, centres = [], [], [], []
    for name, rows, batch in loader.each_location():
        group = loader.store.groups[name]
        batch_check.check_batch(batch, cfg)
        vectors.append(np.asarray(embed(params, batch)[0]))
        ids += group.ids(list(rows))
        groups += [name] * len(rows)
        centres.append(group.centres()[rows])
    embedding = np.concatenate(vectors)
    out = _save(out, embedding=embedding, id=np.array(ids), group=np.array(groups), lonlat=np.concatenate(centres))
    kind = "SIMULATED locations" if loader.store.simulated else "locations"
    return f"{len(embedding)} {kind} of {store} embedded in {embedding.shape[1]} numbers each: {out}"


def embed_image(
    run: str | Path, image: Path, key: str, out: Path, batch: int = 64, offset: str | None = None, level: str = POOLED
) -> str:
    """Embeds every whole patch of a GeoTIFF, side by side from its upper left corner.

    The file is read as `build_store` reads the chips of a product: bands by wavelength or by name, never by position; scale and
    offset of the file once; missing pixels by all that GDAL and CF know; numbers that cannot be the sensor's are refused.

    Args:
      run: work folder or checkpoint of a pretraining run.
      image: all bands of the sensor that a model sees, as numbers of its product, or in its physical unit.
      key: of the sensor in the run's config; or, where the encoder takes any optical sensor, the name of one in data_specs.
      out: gets `embedding` float32 [R S D] of R rows and S columns of patches, NaN where a patch holds no data; `crs` as WKT,
        and `transform`, the six numbers of the affine from (column, row) of a patch to the coordinates of its corner.
      batch: patches of one call.
      offset: of Sentinel-2: the number to subtract (0 or 1000), or a JSON file of names and numbers; None: it is found.
      level: of the encoder, of `readout.NAMES`.

    Returns:
      A sentence about what was written.

    Raises:
      CheckpointError, FileNotFoundError, ValueError: no such sensor, other bands, pixels of another unit or spacing, an image
        smaller than a patch, or an offset for a sensor that has none.
      ImportError: rasterio is not installed.
      OSError: `out` cannot be written.
    """
    out = places.for_file(out, "--out")
    cfg, params = api.load(run)
    if key not in [s.key for s in cfg.sensors] and key in spec_files.names("sensors"):
        cfg, params = api.with_sensor(cfg, params, key, SensorSpec.load(key))
    spec, side = cfg.sensor(key).spec, cfg.patch_px(key)
    embed = _embedding(cfg, level, [key])
    with geotiff.opened(image) as dataset:
        rows, columns = dataset.height // side, dataset.width // side
        if not rows * columns:
            raise ValueError(f"{image}: expected at least {side} x {side} pixels, one patch of the run, got {dataset.shape}.")
        chip = product.look(product_of(dataset, image, key, spec, offset), image)
        strips = (_strip(dataset, chip, row, columns, side) for row in range(rows))
        vectors = [_embedded(embed, params, key, pixels) for pixels in _patches(strips, columns, batch)]
        a, b, c, d, e, f = tuple(dataset.transform)[:6]
        crs = dataset.crs.to_wkt()
    grid = np.concatenate(vectors)[: rows * columns].reshape(rows, columns, -1)
    out = _save(out, embedding=grid, crs=crs, transform=np.array([a * side, b * side, c, d * side, e * side, f]))
    return f"{rows} x {columns} patches of {image.name} embedded in {grid.shape[-1]} numbers each: {out}"


def _embedding(cfg: Config, level: str, keys: list[str]) -> Callable:
    """Parameters and batch to the vectors [B D] of a level, and whether anything of each patch is valid [B]."""
    names = readout.names(cfg, keys)
    if level not in names:
        raise unknown("--level", f"level of the sensors {', '.join(keys)}", level, names)

    def embed(params, batch):
        encoded = api.apply(params, batch, cfg)
        return readout.summaries(encoded, keys, cfg)[level], encoded.valid.any(axis=1)

    return jax.jit(embed)


def _strip(dataset, chip: Chip, row: int, columns: int, side: int) -> np.ndarray:
    """A row of patches in the type that the sensor stores, nodata where missing, [H W C]."""
    cut = [product.stored_of(dataset, chip, (row * side, column * side, side)).pixels for column in range(columns)]
    return np.concatenate(cut, axis=-1).transpose(1, 2, 0)


def _save(out: Path, **arrays) -> Path:
    """Writes an .npz as a whole or not at all."""
    out = out if out.suffix == ".npz" else out.with_name(f"{out.name}.npz")
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            np.savez_compressed(file, **arrays)
        unfinished.replace(out)
    finally:
        with contextlib.suppress(FileNotFoundError):
            unfinished.unlink()
    return out


def _patches(strips: Iterator[np.ndarray], columns: int, batch: int) -> Iterator[np.ndarray]:
    """Patches [B H W C] row by row; the last call is filled up with copies, so that one program serves all."""
    waiting: list[np.ndarray] = []
    for strip in strips:
        waiting += np.split(strip, columns, axis=1)
        while len(waiting) >= batch:
            yield np.stack(waiting[:batch])
            waiting = waiting[batch:]
    if waiting:
        yield np.stack(waiting + waiting[-1:] * (batch - len(waiting)))


def _embedded(embed, params: dict, key: str, pixels: np.ndarray) -> np.ndarray:
    """Embeddings [B D] of one call, NaN where no token of a patch holds data."""
    size = len(pixels)
    data = SensorData(jnp.asarray(pixels), jnp.ones(size, bool), jnp.zeros(size))
    vectors, seen = map(np.asarray, embed(params, Batch({key: data})))
    return np.where(seen[:, None], vectors, np.nan)
