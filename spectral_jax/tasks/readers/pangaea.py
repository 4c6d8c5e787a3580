"""PANGAEA sets whose files lie on disk as the loaders of pangaea-bench state it (github.com/yurujaja/pangaea-bench)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spectral_jax.sentences import needs
from spectral_jax.tasks.readers import rasters
from spectral_jax.tasks.readers.pairs import Pair, pairs_in
from spectral_jax.tasks.spec import TaskSpec

# hlsburnscars.py: a tenth of the folder `training` validates, drawn with this seed; `validation` is the test.
HLS_VALIDATION, HLS_SEED = 0.1, 23


def hls_burn_scars(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> list[Pair]:
    """`training` and `validation`, each with `*_merged.tif` and `*.mask.tif`.

    Raises:
      ImportError: scikit-learn, whose split the benchmark uses, is not installed.
    """
    out = []
    if {"train", "val"} & set(parts):
        found = pairs_in(spec, folder / "training", folder / "training", "train")
        validation = _hls_validation(len(found))
        out += [p if i not in validation else Pair(p.name, p.images, p.label, "val") for i, p in enumerate(found)]
    if "test" in parts:
        out += pairs_in(spec, folder / "validation", folder / "validation", "test")
    return [p for p in out if p.split in parts]


def _hls_validation(count: int) -> set[int]:
    with needs("scikit-learn", "eval", "the published split of HLS Burn Scars"):
        from sklearn.model_selection import train_test_split
    return {int(i) for i in train_test_split(np.arange(count), test_size=HLS_VALIDATION, random_state=HLS_SEED)[1]}


def sen1floods11(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> list[Pair]:
    """`v1.1/splits/flood_handlabeled/flood_{train,valid,test}_data.csv`, whose rows name a Sentinel-1 chip and its labels.

    A Sentinel-2 chip has the Sentinel-1 chip's name with S2Hand for S1Hand. Chips of one flood are one scene.
    """
    root = folder / "v1.1" / "data" / "flood_events" / "HandLabeled"
    out = []
    for split in parts:
        name = f"flood_{'valid' if split == 'val' else split}_data.csv"
        path = rasters.existing(folder / "v1.1" / "splits" / "flood_handlabeled" / name, spec, f"the list of {split} chips")
        for line in path.read_text().split():
            radar, label = line.split(",")
            chips = (root / "S2Hand" / radar.replace("S1Hand", "S2Hand"), root / "S1Hand" / radar)
            images = tuple(rasters.existing(chip, spec, f"a chip of {name}") for chip in chips)
            labels = rasters.existing(root / "LabelHand" / label, spec, f"labels of {name}")
            out.append(Pair(radar.removesuffix(".tif").removesuffix("_S1Hand"), images, labels, split, radar.split("_")[0]))
    return out


def ai4smallfarms(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> list[Pair]:
    """`sentinel-2-asia/{train,val,test}/{images,masks}`, image and mask of one name."""
    out = []
    for split in parts:
        here = folder / "sentinel-2-asia" / split
        out += pairs_in(spec, here / "images", here / "masks", split)
    return out


def mados(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> list[Pair]:
    """`Scene_N/{10,20,60}/Scene_N_L2R_rhorc_<nm>_<crop>.tif`, one raster a band, and `Scene_N/10/Scene_N_L2R_cl_<crop>.tif`.

    `splits/{train,val,test}_X.txt` lists `Scene_N_<crop>`. Bands of 20 and 60 m are repeated on the grid of 10 m.
    """
    out = []
    for split in parts:
        path = rasters.existing(folder / "splits" / f"{split}_X.txt", spec, f"the list of {split} crops")
        for name in path.read_text().split():
            scene, _, crop = name.rpartition("_")
            label = rasters.existing(folder / scene / "10" / f"{scene}_L2R_cl_{crop}.tif", spec, f"the labels of {name}")
            found = (folder / scene).glob(f"*/*L2R_rhorc*_{crop}.tif")
            images = tuple(sorted(found, key=lambda p: int(p.stem.split("_")[-2])))
            out.append(Pair(name, images, label, split, scene, coarser=True))
    return out
