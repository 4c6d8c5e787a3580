"""SpaceNet 7: monthly Planet mosaics of areas, cut into square tiles, with the buildings of every month.

Layout, tiles and split: `pangaea/datasets/spacenet7.py` of github.com/yurujaja/pangaea-bench.
"""

import dataclasses
import functools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spectral_jax.ingest.raster import geotiff
from spectral_jax.ingest.raster.grid import check_same_grid
from spectral_jax.tasks import classes
from spectral_jax.tasks.readers import rasters
from spectral_jax.tasks.samples import FileSequence, Georeference, TaskData, all_or_none
from spectral_jax.tasks.spec import TaskSpec

METADATA = "metadata_train.json"


@dataclasses.dataclass(frozen=True)
class Mosaic:
    """One month of one area."""

    area: str
    year: int
    month: int
    image: Path
    label: Path
    split: str


@dataclasses.dataclass(frozen=True)
class Tile:
    """A square of a mosaic; its first row and column count pixels of the scene that the mosaic is brought to."""

    mosaic: Mosaic
    row: int
    column: int


def spacenet7(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> TaskData | None:
    """`train/AREA/images_masked/global_monthly_YYYY_MM_mosaic_AREA.tif` and `train/AREA/labels_raster/..._Buildings.tif`.

    An image has red, green, blue and an alpha band; where alpha is 0 a pixel is not valid. `metadata_train.json` lists the
    months of each area: those under a mask and those without a label are left out. Any label above 0 is a building. Scenes of
    other sizes than `scene_px` are brought to it by the nearest pixel. All months of an area are one scene and one block.
    Options: `scene_px`, and the areas of `train`, `val` and `test`. The side of a tile is `image_px` of the task.

    Raises:
      FileNotFoundError: the list of months, an image or a label raster is missing.
      ValueError: an area without months, another number of bands, or image and labels of different grids.
    """
    side, scene_px = spec.image_px, spec.option("scene_px")
    if side is None:
        raise ValueError(f"{spec.path or spec.name}: expected image_px, the side of a tile in pixels, and it is not stated.")
    mosaics = _mosaics(spec, folder, parts)
    if not mosaics:
        return None
    starts = [(row, column) for row in range(0, scene_px, side) for column in range(0, scene_px, side)]
    places = [_place(spec, mosaic) for mosaic in mosaics]
    tiles = tuple(Tile(mosaic, *start) for mosaic in mosaics for start in starts)
    where = [_tile_place(place, start, side, scene_px) for place in places for start in starts]
    read = functools.partial(_read, side=side, scene_px=scene_px)
    return TaskData(
        task=spec,
        images=FileSequence(tiles, functools.partial(read, part=0)),
        valid=FileSequence(tiles, functools.partial(read, part=1)),
        labels=FileSequence(tiles, functools.partial(_labels, side=side, scene_px=scene_px, spec=spec)),
        channels=rasters.known_channels(spec.channels[0], spec.channels[0].count),
        names=tuple(f"{t.mosaic.area}_{t.mosaic.year}_{t.mosaic.month:02d}_r{t.row}_c{t.column}" for t in tiles),
        scene=tuple(t.mosaic.area for t in tiles),
        block=tuple(t.mosaic.area for t in tiles),
        split=tuple(t.mosaic.split for t in tiles),
        georeference=all_or_none(where),
        months=np.array([[t.mosaic.month] for t in tiles]),
    )


def _mosaics(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> list[Mosaic]:
    path = rasters.existing(folder / METADATA, spec, "the list of the months of each area")
    listed = json.loads(path.read_text())
    out = []
    for part in parts:
        for area in spec.option(part):
            if area not in listed:
                raise ValueError(
                    f"{path}: expected the months of area {area} of the split {part}, and the {len(listed)} listed areas are "
                    "others; fetch the list again."
                )
            chosen = [(int(m["year"]), int(m["month"])) for m in listed[area] if m["label"] and not m["mask"]]
            for year, month in chosen:
                stem = f"global_monthly_{year}_{month:02d}_mosaic_{area}"
                image = folder / "train" / area / "images_masked" / f"{stem}.tif"
                label = folder / "train" / area / "labels_raster" / f"{stem}_Buildings.tif"
                rasters.existing(image, spec, "a mosaic")
                rasters.existing(label, spec, "the buildings of a mosaic")
                out.append(Mosaic(area, year, month, image, label, part))
    return out


def _place(spec: TaskSpec, mosaic: Mosaic) -> Georeference | None:
    """Where a mosaic lies, after its files were compared."""
    bands = spec.channels[0].count
    with geotiff.opened(mosaic.image) as image, geotiff.opened(mosaic.label) as label:
        if image.count != bands + 1:
            raise ValueError(
                f"{mosaic.image}: expected the {bands} bands of {spec.channels[0].sensor} and an alpha band, got {image.count} "
                "bands; is this file of another product?"
            )
        if label.crs is None and (image.height, image.width) != (label.height, label.width):
            raise ValueError(
                f"{mosaic.image} and {mosaic.label}: expected one grid, and the sizes in pixels differ: {image.height} x "
                f"{image.width} against {label.height} x {label.width}; draw the buildings on the grid of the image."
            )
        if label.crs is not None:
            check_same_grid(image, mosaic.image, label, mosaic.label)
        return rasters.place(image)


def _tile_place(place: Georeference | None, start: tuple[int, int], side: int, scene_px: int) -> Georeference | None:
    if place is None:
        return None
    a, b, c, d, e, f = place.transform
    down, across = place.height / scene_px, place.width / scene_px
    row, column = start[0] * down, start[1] * across
    corner = (c + a * column + b * row, f + d * column + e * row)
    return Georeference((a * across, b * down, corner[0], d * across, e * down, corner[1]), place.epsg, side, side)


def _read(tile: Tile, side: int, scene_px: int, part: int) -> np.ndarray:
    """[H W C]: numbers (part 0) or where they are data (part 1)."""
    raw = _cut(tile.mosaic.image, tile, side, scene_px)
    colours, alpha = raw[:-1], raw[-1:]
    return (colours if part == 0 else np.repeat(alpha > 0, len(colours), axis=0)).transpose(1, 2, 0)


def _labels(tile: Tile, side: int, scene_px: int, spec: TaskSpec) -> np.ndarray:
    return classes.class_index(_cut(tile.mosaic.label, tile, side, scene_px)[0], spec, tile.mosaic.label)


def _cut(path: Path, tile: Tile, side: int, scene_px: int) -> np.ndarray:
    """[C H W] of a tile, all bands."""
    with geotiff.opened(path) as dataset:
        bands = tuple(range(1, dataset.count + 1))
        if (dataset.height, dataset.width) == (scene_px, scene_px):
            return geotiff.read(dataset, path, bands, (tile.row, tile.column, side))
        whole = geotiff.read(dataset, path, bands)
    rows = _nearest(tile.row, side, whole.shape[1], scene_px)
    columns = _nearest(tile.column, side, whole.shape[2], scene_px)
    return whole[:, rows[:, None], columns]


def _nearest(first: int, side: int, size: int, scene_px: int) -> np.ndarray:
    """Which of `size` pixels is under the centre of each of `side` pixels of a scene of `scene_px`, from `first` on."""
    return ((np.arange(first, first + side) + 0.5) * size / scene_px).astype(int)
