"""How near simulated EnMAP pixels are to real ones: spectral angles by land cover, against the EnMAP-Box tiles of Potsdam.

The tiles are split by position in the list of sorted names: even ones are for tuning, odd ones are held out. No even tile has
water, so the first tile with water (position 1) tunes water and is held out for the other classes. Water and what the
correction leaves over it were tuned on the tuning tiles alone. Land, and noise, were set earlier while looking at all tiles,
so for land the held-out line is no proof. And all tiles are one image of one day: the correction's residual over open water is
that day's, and held-out tiles share it.

The real data are 14 tiles of EnMAP L2A with land-cover masks (EnMAP-Box test data, (c) DLR), the task `enmap_potsdam`; they are
no part of this project. `tools/benchmark.py realism` prints the report.
"""

from pathlib import Path
from typing import Any

import numpy as np

from spectral_jax.sensors import CENTRE_TOLERANCE_NM, SensorSpec, nearest_bands
from spectral_jax.simulate.scenes.store import ground_spectra
from spectral_jax.tasks.read import read

# Label in the masks -> class of `scenes.layout.CLASSES`.
REAL_LABELS = {3: "low_vegetation", 4: "tree", 5: "soil", 6: "water"}
LIMIT_RAD = 0.15
TILES = ("all", "tuning", "held_out")
# Water darker than this at 865 nm is open water; the rest of the class is mixed with shores.
_OPEN_WATER = 0.02


def real_spectra(folder: str | Path, spec: SensorSpec, tiles: str = "all") -> dict[str, np.ndarray]:
    """Real pixels by class, reflectance in the used bands of `spec` [n C].

    The tiles list the two detectors one after the other; bands are found by wavelength.

    Args:
      folder: has `enmap_potsdam/images` and `enmap_potsdam/labels`.
      spec: EnMAP.
      tiles: "all", "tuning" or "held_out".

    Raises:
      FileNotFoundError: there are no tiles.
      ValueError: the tiles lack a band of `spec`, or `tiles` is none of the three.
      ImportError: rasterio is missing.
    """
    if tiles not in TILES:
        raise ValueError(f"real spectra: expected tiles to be one of {', '.join(TILES)}, got {tiles!r}.")
    data = read("enmap_potsdam", Path(folder) / "enmap_potsdam")
    positions, away_nm = nearest_bands(np.array([c.centre_nm for c in data.channels], float), spec.centre_nm)
    if away_nm.max() > CENTRE_TOLERANCE_NM or len(set(positions.tolist())) < len(positions):
        worst = int(away_nm.argmax())
        raise ValueError(
            f"real spectra: expected the bands of {spec.name} among the {len(data.channels)} of the tiles, and none lies "
            f"within {CENTRE_TOLERANCE_NM:g} nm of {spec.centre_nm[worst]:g} nm; give the spec of EnMAP."
        )
    index = {name: data.task.codes.index((code,)) for code, name in REAL_LABELS.items()}
    rows: dict[str, list[np.ndarray]] = {name: [] for name in REAL_LABELS.values()}
    for image, valid, label in zip(data.images, data.valid, data.labels, strict=True):
        used = np.asarray(image)[..., positions]
        complete = np.asarray(valid)[..., positions].all(-1) & (used.max(-1) > 0)
        for name in rows:
            rows[name].append(used[(np.asarray(label) == index[name]) & complete] * spec.scale)
    return {name: np.concatenate([parts[i] for i in _chosen(parts, tiles)]) for name, parts in rows.items()}


def nearest_angle(spectra: np.ndarray, library: np.ndarray) -> np.ndarray:
    """Spectral angle of each spectrum [n C] to the nearest of a library [m C], radians [n].

    Raises:
      ValueError: the bands differ in number.
    """
    if spectra.shape[1] != library.shape[1]:
        raise ValueError(
            f"nearest_angle: expected as many bands as the library has, {library.shape[1]}, got {spectra.shape[1]}."
        )
    a, b = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9) for x in (spectra, library))
    return np.arccos(np.clip((a @ b.T).max(1), -1.0, 1.0))


def report(
    real_data_folder: str | Path, count: int = 600, seed: int = 0, footprint_m: float = 480.0, tiles: str = "all"
) -> dict:
    """Angles between simulated and real EnMAP pixels, by class.

    Args:
      real_data_folder: has `enmap_potsdam`.
      count: simulated pixels a class, drawn at random from the scenes a store would hold.
      seed: of the scenes.
      footprint_m: side of the scenes, metres.
      tiles: the real tiles to compare with: "all", "tuning" or "held_out".

    Returns:
      class -> `median_rad` simulated to nearest real; `p90_rad`; `reverse_median_rad` real to nearest simulated;
      `real_to_real_rad` the median of real to nearest other real, what a perfect simulation would reach with as few;
      `simulated` and `real`, numbers of pixels. `open_water` has the same for the water pixels below 0.02 at 865 nm. Also
      `worst_median_rad` (of the four classes), `limit_rad`, `tiles`; with all tiles `held_out` too, the median angle of each
      class and of open water to the held-out tiles alone.

    Raises:
      FileNotFoundError, ValueError, ImportError: as `real_spectra`.
    """
    spec = SensorSpec.load("enmap_l2a")
    real = real_spectra(real_data_folder, spec, tiles)
    simulated = ground_spectra("ENMAP", spec, count, seed, footprint_m)
    pairs = _with_open_water(simulated, real, spec)
    out: dict[str, Any] = {name: _angles(*pair) for name, pair in pairs.items()}
    if tiles == "all":
        held_out = _with_open_water(simulated, real_spectra(real_data_folder, spec, "held_out"), spec)
        out["held_out"] = {name: float(np.median(nearest_angle(*pair))) for name, pair in held_out.items()}
    out["tiles"] = tiles
    out["worst_median_rad"] = max(out[name]["median_rad"] for name in real)
    out["limit_rad"] = LIMIT_RAD
    return out


def text(result: dict) -> str:
    """The lines to print for a `report`."""
    lines = [
        f"tiles: {result['tiles']}",
        f"{'class':16s}{'sim->real':>10s}{'p90':>8s}{'real->sim':>10s}{'real->real':>11s}{'n sim':>7s}{'n real':>7s}",
    ]
    for name in (*REAL_LABELS.values(), "open_water"):
        r = result[name]
        lines.append(
            f"{name:16s}{r['median_rad']:10.3f}{r['p90_rad']:8.3f}{r['reverse_median_rad']:10.3f}{r['real_to_real_rad']:11.3f}"
            f"{r['simulated']:7d}{r['real']:7d}"
        )
    if "held_out" in result:
        medians = ", ".join(f"{name} {value:.3f}" for name, value in result["held_out"].items())
        lines.append(f"held-out tiles, sim->real: {medians}")
    lines.append(f"largest median {result['worst_median_rad']:.3f} rad, to be below {result['limit_rad']:.2f} rad")
    return "\n".join(lines)


def _chosen(rows: list[np.ndarray], tiles: str) -> list[int]:
    every = list(range(len(rows)))
    tuning = every[::2]
    if not any(len(rows[i]) for i in tuning):
        tuning = [i for i in every if len(rows[i])][:1]
    return {"all": every, "tuning": tuning, "held_out": [i for i in every if i not in tuning and i % 2]}[tiles]


def _with_open_water(simulated: dict, real: dict, spec: SensorSpec) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    infrared = int(nearest_bands(spec.centre_nm, np.array([865.0]))[0][0])
    pairs = {name: (simulated[name], real[name]) for name in real}
    ours, theirs = (x[x[:, infrared] < _OPEN_WATER] for x in pairs["water"])
    return pairs | {"open_water": (ours, theirs)}


def _angles(simulated: np.ndarray, real: np.ndarray) -> dict:
    forward, back = nearest_angle(simulated, real), nearest_angle(real, simulated)
    others = [nearest_angle(real[i : i + 1], np.delete(real, i, 0))[0] for i in range(0, len(real), 5)]
    return {
        "median_rad": float(np.median(forward)),
        "p90_rad": float(np.quantile(forward, 0.9)),
        "reverse_median_rad": float(np.median(back)),
        "real_to_real_rad": float(np.median(others)),
        "simulated": len(simulated),
        "real": len(real),
    }
