"""What a trained encoder makes of data: one embedding for each location of a store, or for each patch of an image."""

import functools
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax import api
from spectral_jax.batch import Batch, SensorData
from spectral_jax.data.loader import Loader
from spectral_jax.ingest.raster import bands
from spectral_jax.ingest.raster.scene import Scene, open_scene
from spectral_jax.sensors import SensorSpec


def embed_store(run: Path, store: Path, out: Path) -> str:
    """Embeds every location of a store once, with the first valid date of each sensor.

    Args:
      run: work folder or checkpoint of a pretraining run.
      store: with sensors of that run.
      out: gets `embedding` float32 [N D], `id` [N], `group` [N] and `lonlat` float64 [N 2], compressed.

    Returns:
      A sentence about what was written.

    Raises:
      CheckpointError, FileNotFoundError, ValueError: see `api.load` and `Loader`.
    """
    cfg, params = api.load(run)
    loader = Loader(cfg, store)
    embed = jax.jit(functools.partial(api.apply, cfg=cfg))
    vectors, ids, groups, places = [], [], [], []
    for name, rows, batch in loader.each_location():
        group = loader.store.groups[name]
        vectors.append(np.asarray(embed(params, batch).pooled))
        ids += group.ids(list(rows))
        groups += [name] * len(rows)
        places.append(group.centres()[rows])
    embedding = np.concatenate(vectors)
    np.savez_compressed(out, embedding=embedding, id=np.array(ids), group=np.array(groups), lonlat=np.concatenate(places))
    kind = "SIMULATED locations" if loader.store.simulated else "locations"
    return f"{len(embedding)} {kind} of {store} embedded in {embedding.shape[1]} numbers each: {out}"


def embed_image(run: Path, image: Path, key: str, out: Path, batch: int = 64) -> str:
    """Embeds every whole patch of a GeoTIFF, side by side from its upper left corner.

    Args:
      run: work folder or checkpoint of a pretraining run.
      image: stored numbers of all bands of the sensor; they are found by wavelength or by name, never by position.
      key: of the sensor in the run's config.
      out: gets `embedding` float32 [R S D] of R rows and S columns of patches, NaN where a patch holds no data; `crs` as WKT,
        and `transform`, the six numbers of the affine from (column, row) of a patch to the coordinates of its corner.
      batch: patches of one call.

    Returns:
      A sentence about what was written.

    Raises:
      CheckpointError, FileNotFoundError, ValueError: no such sensor, other bands, pixels of another type or spacing, or an
        image smaller than a patch.
      ImportError: rasterio is not installed.
    """
    cfg, params = api.load(run)
    spec, side = cfg.sensor(key).spec, cfg.patch_px(key)
    embed = jax.jit(functools.partial(api.apply, cfg=cfg))
    with open_scene(image) as scene:
        order = [band - 1 for band in bands.find(scene.datasets[0], spec, scene.paths[0], only_used=True).index]
        rows, columns = (pixels // side for pixels in scene.shape)
        _check_scene(scene, spec, side, rows * columns)
        strips = (_strip(scene, order, spec, slice(row * side, (row + 1) * side), columns * side) for row in range(rows))
        vectors = [_embedded(embed, params, key, pixels) for pixels in _patches(strips, columns, batch)]
        a, b, c, d, e, f = tuple(scene.datasets[0].transform)[:6]
        crs = scene.datasets[0].crs.to_wkt()
    grid = np.concatenate(vectors)[: rows * columns].reshape(rows, columns, -1)
    np.savez_compressed(out, embedding=grid, crs=crs, transform=np.array([a * side, b * side, c, d * side, e * side, f]))
    return f"{rows} x {columns} patches of {image.name} embedded in {grid.shape[-1]} numbers each: {out}"


def _check_scene(scene: Scene, spec: SensorSpec, side: int, patches: int) -> None:
    dataset, path = scene.datasets[0], scene.paths[0]
    if dataset.crs is None or abs(abs(dataset.transform.a) - spec.gsd_m) > 1e-3 * spec.gsd_m:
        raise ValueError(
            f"{path}: expected pixels of {spec.gsd_m:g} m in a metric coordinate system, as {spec.name} has them, got "
            f"{abs(dataset.transform.a):g}; resample the image."
        )
    if not patches:
        raise ValueError(f"{path}: expected at least {side} x {side} pixels, one patch of the run, got {scene.shape}.")


def _strip(scene: Scene, order: list[int], spec: SensorSpec, rows: slice, width: int) -> np.ndarray:
    """A row of patches in the type that the sensor stores, [H W C]; a wider type may hold the same numbers."""
    pixels = scene.read(rows, slice(0, width))[..., order]
    with np.errstate(invalid="ignore"):  # NaN as a whole number: the comparison finds it
        stored = pixels.astype(spec.dtype)
    if not np.array_equal(stored, pixels):
        raise ValueError(
            f"{scene.paths[0]}: expected stored numbers of type {spec.dtype}, as {spec.name} has them (scale {spec.scale:g}, "
            f"nodata {spec.nodata}), and rows {rows.start} to {rows.stop} hold others of type {pixels.dtype}; write the "
            "numbers as the product stores them."
        )
    return stored


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
    out = embed(params, Batch({key: data}))
    seen = np.asarray(out.valid).any(axis=1, keepdims=True)
    return np.where(seen, np.asarray(out.pooled), np.nan)
