"""Tasks whose samples are spectra or small arrays in a few files: monthly series, soil, HYPERVIEW patches, Samson."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spectral_jax.tasks.readers import rasters
from spectral_jax.tasks.samples import Channel, FileSequence, Georeference, TaskData
from spectral_jax.tasks.spec import TaskSpec

# Channels of the array of a monthly series, counted from 0: NIR, red, and the place of NDVI; and degrees.
NIR, RED, NDVI = 8, 4, 17
WGS84 = 4326


def monthly_series(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> TaskData:
    """T months of 18 channels and a class of Dynamic World at points, [N 1 1 T*19], as Presto's evaluation publishes them.

    The file's 18th channel is wrong as stored ((B7 - B3) / (B7 + B3)) and is computed anew, (B8 - B4) / (B8 + B4). What groups
    samples is their scene and block. Options: `block` (array of the groups' names), `val_box` (south, north, west, east in
    degrees: training samples strictly inside are the published validation part).

    Raises:
      FileNotFoundError: an array is missing.
      ValueError: arrays of different length or shape, months out of 0 to 11, coordinates that are none, or a group on both
        sides of the published split.
    """
    names = ("s1_s2_era5_srtm", "dynamic_world", "target", "is_test", spec.option("block"), "latlon", "month")
    arrays = {n: np.load(rasters.existing(folder / f"{n}.npy", spec, "an array")) for n in names}
    lengths = {n: len(a) for n, a in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{folder}: expected arrays of one length, got {lengths}; fetch them again, all from one version.")
    cube, cover, latlon, groups = (arrays[n] for n in ("s1_s2_era5_srtm", "dynamic_world", "latlon", spec.option("block")))
    _expect_monthly(arrays, spec, folder)
    test = arrays["is_test"].astype(bool)
    both = sorted(set(groups[test]) & set(groups[~test]))
    if both:
        raise ValueError(
            f"{folder}: {spec.option('block')} {both[0]} has training and test samples; the split of is_test.npy keeps them "
            "apart."
        )
    split = np.where(test, "test", "train").astype(object)
    south, north, west, east = spec.option("val_box", (np.inf,) * 4)
    lat, lon = latlon.T
    split[~test & (lat > south) & (lat < north) & (lon > west) & (lon < east)] = "val"
    nir, red = cube[..., NIR], cube[..., RED]
    total = nir + red
    stored = np.concatenate([cube, cover[..., None]], axis=-1).astype(np.float32)
    stored[..., NDVI] = np.where(total == 0, np.nan, (nir - red) / np.where(total == 0, 1.0, total))
    count, dates = stored.shape[:2]
    images = stored.reshape(count, 1, 1, -1)
    channels = [c for date in range(dates) for group in spec.channels for c in rasters.known_channels(group, group.count, date)]
    data = TaskData(
        task=spec,
        images=images,
        valid=np.isfinite(images),
        labels=arrays["target"].astype(np.float32)[:, None],
        channels=tuple(channels),
        names=tuple(f"{i:04d}" for i in range(count)),
        scene=tuple(map(str, groups)),
        block=tuple(map(str, groups)),
        split=tuple(split.tolist()),
        georeference=tuple(Georeference((0.0, 0.0, float(x), 0.0, 0.0, float(y)), WGS84, 0, 0) for y, x in latlon),
        months=arrays["month"].astype(int) + 1,
        notes=("NDVI was computed anew from B8 and B4.",),
    )
    return data.select([i for i, part in enumerate(data.split) if part in parts])


def _expect_monthly(arrays: dict[str, np.ndarray], spec: TaskSpec, folder: Path) -> None:
    """Refuses arrays that are no monthly series of the task: their shapes, months and coordinates."""
    count = len(arrays["target"])
    inner = sum(group.count for group in spec.channels) - 1
    wanted = {"s1_s2_era5_srtm": (count, spec.dates, inner), "latlon": (count, 2)}
    for name, shape in (wanted | dict.fromkeys(("dynamic_world", "month"), (count, spec.dates))).items():
        if arrays[name].shape != shape:
            raise ValueError(
                f"{folder / name}.npy: expected {list(shape)} of the {spec.dates} months of {spec.name}, got "
                f"{list(arrays[name].shape)}; fetch it again, or correct dates in {spec.path}."
            )
    for name, good, what in (
        ("month", np.isin(arrays["month"], np.arange(12)), "months from 0 (January) to 11 (December)"),
        ("latlon", np.abs(arrays["latlon"]) <= (90.0, 180.0), "latitude and longitude in degrees, latitude first,"),
    ):
        if not good.all():
            row = int(np.flatnonzero(~good.reshape(count, -1).all(axis=1))[0])
            raise ValueError(
                f"{folder / name}.npy: expected {what} of every sample, got {arrays[name][row].tolist()} for sample {row}; "
                "correct the file."
            )


def soil(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> TaskData:
    """Laboratory spectra of soil, [N 1 1 700], in absorbance, which they stay; targets that were not measured are NaN."""
    path = rasters.existing(folder / spec.option("file"), spec, "the spectra")
    with np.load(path) as file:
        spectra, wavelength = file["spc"].astype(np.float32), file["wavelength"]
        labels = np.stack([file[name] for name in spec.targets], axis=1)
        split = np.where(file["train"] == 1, "train", "test").tolist()
    # R's NA is a NaN that a cast to float32 complains of; this one is plain.
    labels = np.where(np.isfinite(labels), labels, np.nan).astype(np.float32)
    names = tuple(f"{i:03d}" for i in range(len(spectra)))
    group = spec.channels[0]
    data = TaskData(
        task=spec,
        images=spectra[:, None, None, :],
        valid=np.isfinite(spectra)[:, None, None, :],
        labels=labels,
        channels=tuple(Channel(f"{nm:g}", group.sensor, float(nm), unit=group.unit) for nm in wavelength),
        names=names,
        scene=names,
        block=names,
        split=tuple(split),
    )
    return data.select([i for i, part in enumerate(split) if part in parts])


def samson(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> TaskData:
    """The Samson scene and its abundances, cut into square tiles without overlap; no split is published.

    `Y` is [156 9025] with pixels down the columns, so it is folded with order "F"; with order "C" spectra and abundances are of
    different pixels, and nothing fails. Options: `file`, `tile_px`.

    Raises:
      ValueError: the tiles do not fill the scene.
    """
    from scipy.io import loadmat

    del parts
    path = rasters.existing(folder / spec.option("file"), spec, "the scene")
    held = loadmat(path)
    abundance = held["S_GT"].astype(np.float32)
    height, width = abundance.shape[:2]
    side = spec.option("tile_px")
    if height % side or width % side:
        raise ValueError(f"{path}: tiles of {side} pixels do not fill {height} x {width}; choose a tile_px in {spec.path}.")
    cube = held["Y"].T.reshape(height, width, -1, order="F").astype(np.float32)
    low, high = spec.option("range_nm")
    group = spec.channels[0]
    # Only the range is published; even steps are a choice.
    centres = np.linspace(low, high, cube.shape[-1])
    places = [(row, column) for row in range(0, height, side) for column in range(0, width, side)]
    cut = [tuple(slice(start, start + side) for start in at) for at in places]
    images = np.stack([cube[at] for at in cut])
    names = tuple(f"{row}_{column}" for row, column in places)
    return TaskData(
        task=spec,
        images=images,
        valid=np.isfinite(images),
        labels=np.stack([abundance[at] for at in cut]),
        channels=tuple(Channel(f"{i + 1}", group.sensor, float(nm), unit=group.unit) for i, nm in enumerate(centres)),
        names=names,
        scene=("samson",) * len(names),
        block=names,
        split=("",) * len(names),
    )


def hyperview(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> TaskData:
    """HYPERVIEW patches `<index>.npz` with `data` [150 H W] and `mask`, True outside the field, and train_gt.csv.

    The mask is kept: a pixel outside the field is not valid. Targets are in the units of the CSV, not standardised. Options:
    `images` (folder), `labels` (CSV), `splits` (folder with train.csv and val.csv, of which only the column sample_index is
    read); where that folder is absent, every labelled patch is in "train". Test labels are withheld, so no patch is in "test".

    Raises:
      FileNotFoundError: the CSV or a patch is missing.
      ValueError: a column is missing, or a split lists an index without labels.
    """
    path = rasters.existing(folder / spec.option("labels"), spec, "the labels")
    labels = {int(row["sample_index"]): row for row in _rows(path, ("sample_index", *spec.targets))}
    split = dict.fromkeys(sorted(labels), "train")
    lists = folder / spec.option("splits")
    if lists.is_dir():
        split = {}
        for part in ("train", "val"):
            listed = rasters.existing(lists / f"{part}.csv", spec, f"the list of {part} patches")
            split |= {int(row["sample_index"]): part for row in _rows(listed, ("sample_index",))}
        unknown = sorted(set(split) - set(labels))
        if unknown:
            raise ValueError(
                f"{lists}: patch {unknown[0]} is listed, and {path} has no labels of it; use lists of this version."
            )
    chosen = [index for index, part in split.items() if part in parts]
    files = [rasters.existing(folder / spec.option("images") / f"{index}.npz", spec, "a patch") for index in chosen]
    names = tuple(str(index) for index in chosen)
    return TaskData(
        task=spec,
        images=FileSequence(tuple(files), _hyperview_image),
        valid=FileSequence(tuple(files), _hyperview_valid),
        labels=np.array([[float(labels[i][t]) for t in spec.targets] for i in chosen], np.float32).reshape(
            len(chosen), len(spec.targets)
        ),
        channels=rasters.known_channels(spec.channels[0], spec.channels[0].count),
        names=names,
        scene=names,
        block=names,
        split=tuple(split[index] for index in chosen),
    )


def _hyperview_image(path: Path) -> np.ndarray:
    with np.load(path) as file:
        return np.asarray(file["data"]).transpose(1, 2, 0)


def _hyperview_valid(path: Path) -> np.ndarray:
    with np.load(path) as file:
        data, mask = file["data"], file["mask"]
    return (np.isfinite(data) & ~np.broadcast_to(mask.astype(bool), data.shape)).transpose(1, 2, 0)


def _rows(path: Path, columns: Sequence[str]) -> list[dict]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    missing = [c for c in columns if rows and c not in rows[0]]
    if missing or not rows:
        raise ValueError(
            f"{path}: expected rows with the columns {', '.join(columns)}, and {missing[0] if missing else 'any row'} is "
            "missing."
        )
    return rows
