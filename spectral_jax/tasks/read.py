"""Reads the samples of a task from a folder, whatever its layout."""

from collections.abc import Sequence
from pathlib import Path

from spectral_jax import places
from spectral_jax.sentences import unknown
from spectral_jax.tasks import targets
from spectral_jax.tasks.readers import (
    hdf5,
    pairs,
    pangaea,
    patches,
    series_pastis,
    series_rasters,
    series_south_sudan,
    spacenet7,
    tables,
    terramesh,
    xview2,
    zarr_groups,
)
from spectral_jax.tasks.samples import TaskData
from spectral_jax.tasks.spec import NOT_STATED, SPLITS, TaskSpec

# Layouts whose samples are pairs of rasters, and those that are read at once.
PAIRS = {
    "geotiff_pairs": pairs.folder_pairs,
    "split_lists": pairs.listed_pairs,
    "hls_burn_scars": pangaea.hls_burn_scars,
    "sen1floods11": pangaea.sen1floods11,
    "ai4smallfarms": pangaea.ai4smallfarms,
    "mados": pangaea.mados,
    "terramesh": terramesh.terramesh,
    "patch_lists": patches.patch_lists,
}
WHOLE = {
    "hyperview": tables.hyperview,
    "hdf5": hdf5.hdf5,
    "zarr": zarr_groups.zarr_groups,
    "mineral_patches": patches.mineral_patches,
    "five_billion_pixels": patches.five_billion_pixels,
    "xview2": xview2.xview2,
    "spacenet7": spacenet7.spacenet7,
    "monthly_series": tables.monthly_series,
    "samson": tables.samson,
    "soil": tables.soil,
    "pastis": series_pastis.pastis,
    "south_sudan": series_south_sudan.south_sudan,
    "dynamic_earth_net": series_rasters.dynamic_earth_net,
    "biomassters": series_rasters.biomassters,
}
LAYOUTS = (*PAIRS, *WHOLE)


def read(task: TaskSpec | str, folder: str | Path, parts: Sequence[str] = SPLITS) -> TaskData:
    """The samples of a task.

    Args:
      task: a spec, or the name of a file of `data_specs/tasks`.
      folder: where the published files lie.
      parts: published splits to read; sets without a published split are read whole.

    Raises:
      FileNotFoundError: missing files.
      ValueError: no such task or layout, files that do not fit the task, a target that is infinite or a fill value, an empty
        split, or a task whose published layout is not known here.

    Example, a task of two quantities of spectra in one file:

    >>> import tempfile
    >>> import numpy as np
    >>> from spectral_jax.tasks.kinds import KINDS
    >>> from spectral_jax.tasks.spec import ChannelGroup
    >>> task = TaskSpec(
    ...     "mine", "soil in the laboratory", KINDS["image_regression"], (ChannelGroup("laboratory"),),
    ...     targets=("clay", "ph"), layout="soil", options=(("file", "spectra.npz"),),
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(
    ...         f"{folder}/spectra.npz", spc=np.full((3, 700), 0.4), wavelength=np.linspace(350.0, 2500.0, 700),
    ...         train=np.array([1, 1, 0]), clay=np.array([12.0, 30.0, 25.0]), ph=np.array([6.5, 7.0, np.nan]),
    ...     )
    ...     data = read(task, folder, ("train",))
    >>> len(data), data.images.shape, data.labels.tolist()
    (2, (2, 1, 1, 700), [[12.0, 6.5], [30.0, 7.0]])
    """
    spec = TaskSpec.load(task) if isinstance(task, str) else task
    parts = pairs.split_names(parts)
    if spec.layout == NOT_STATED:
        raise ValueError(
            f"task {spec.name}: the layout of the published files is not known here; put pairs of GeoTIFFs, HDF5 files or "
            f"Zarr groups in {folder} and complete [layout] of {spec.path} (geotiff_pairs, split_lists, hdf5 or zarr)."
        )
    if spec.layout not in LAYOUTS:
        raise unknown(f"{spec.path or spec.name}: [layout]", "layout", spec.layout, LAYOUTS)
    folder = places.local(folder, f"folder of task {spec.name}")
    if not folder.is_dir():
        raise FileNotFoundError(f"task {spec.name}: expected its files in the folder {folder}, and it does not exist.")
    # Of label rasters an image can have the set of classes, and no single one.
    if spec.layout in PAIRS and spec.kind.of == "images" and spec.kind.labels != "set":
        raise ValueError(
            f"task {spec.name}: layout {spec.layout!r} has a label for each pixel, and a task of kind {spec.kind.name!r} one "
            f"for each image; use hdf5 or zarr, or correct kind in {spec.path}."
        )
    if spec.layout in WHOLE:
        data = WHOLE[spec.layout](spec, folder, parts)
    else:
        files = PAIRS[spec.layout](spec, folder, parts)
        notes = terramesh.decisions(files) if spec.layout == "terramesh" else ()
        data = pairs.read_pairs(spec, files, folder, notes) if files else None
    if not data:
        raise ValueError(f"task {spec.name}: no sample of {', '.join(parts)} in {folder}; read a split that has samples.")
    if spec.kind.labels == "numbers":
        targets.judge(data)
    return data
