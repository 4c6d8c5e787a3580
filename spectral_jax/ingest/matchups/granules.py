"""Which granules of a folder are used: one of each scene."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spectral_jax.ingest.pace.identity import Identity

# Granules are five minutes long, so two whose starts lie closer are of one scene.
SAME_SCENE = np.timedelta64(60, "s")
TWICE = "granules: the same granule twice"
NEAR_REAL_TIME = "granules: near-real-time beside the final one"
OLDER = "granules: an older version beside a newer one"


def files(folder: str | os.PathLike) -> list[Path]:
    """The NetCDF files of a folder and the folders in it, by name.

    Raises:
      FileNotFoundError: no such folder, or no file that ends in .nc in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"expected a folder of PACE granules, and {folder} is not a folder.")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".nc", ".nc4") and p.is_file())
    if not paths:
        others = sorted(p.name for p in folder.iterdir())[:3]
        there = f"it holds {', '.join(others)}" if others else "it is empty"
        raise FileNotFoundError(f"{folder} has no file that ends in .nc ({there}).")
    return paths


def chosen(granules: Sequence[Identity]) -> tuple[list[Identity], dict[str, int]]:
    """One granule of each scene, by time, and how many were left out for which reason.

    Of one scene a final granule goes before a near-real-time one, then a newer version before an older one, then the path that
    comes first.

    Raises:
      ValueError: a granule is not of Level-2 AOP.
    """
    for who in granules:
        if who.product != "aop":
            raise ValueError(
                f"{who.path}: expected Level-2 AOP (geophysical_data/Rrs), got the product {who.product}; match-ups are made "
                "of Rrs of single pixels and their flags. Take it out of the folder."
            )
    used: list[Identity] = []
    counts: Counter[str] = Counter()
    for scene in _scenes(sorted(granules, key=lambda g: (g.time, str(g.path)))):
        best, *others = sorted(scene, key=lambda g: (g.near_real_time, [-n for n in _version(g)], str(g.path)))
        used.append(best)
        counts.update(_reason(other, best) for other in others)
    return used, dict(counts)


def _scenes(by_time: list[Identity]) -> list[list[Identity]]:
    scenes: list[list[Identity]] = []
    for who in by_time:
        if scenes and who.time - scenes[-1][0].time < SAME_SCENE:
            scenes[-1].append(who)
        else:
            scenes.append([who])
    return scenes


def _reason(other: Identity, best: Identity) -> str:
    if other.near_real_time and not best.near_real_time:
        return NEAR_REAL_TIME
    return OLDER if _version(other) < _version(best) else TWICE


def _version(who: Identity) -> list[int]:
    return [int(part) for part in who.version.split(".")]
