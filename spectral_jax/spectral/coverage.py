"""Which bands of one sensor see what a band of another sees, with what weight, and what no band sees.

A target band measures the mean of reflectance under its spectral response. A source band is one number for the wavelengths
within its FWHM, and a wavelength inside the FWHM of several source bands is shared equally among them: overlapping detectors
(EnMAP 902-993 nm) are not counted twice and gaps are not bridged. The weight of a source band is the integral of the target's
response over what it stands for. It counts where the response at its centre is above 1 % of the peak; a source band wider than
the target thus counts for the target bands around its centre only, since it cannot tell the others apart.
"""

import dataclasses
import json

import numpy as np

from spectral_jax.sensors import SensorSpec, response

# A source band counts where the target's response is above this share of its peak. Below lie the wings of measured responses
# (Sentinel-2A B01 has 0.1 to 0.6 % from 412 to 430 nm), which must not make a band covered.
LEAST_RESPONSE = 0.01
# Step of the grid on which responses are integrated; the measured ones are sampled at whole nanometres.
STEP_NM = 0.5
# How far the grid goes beyond the centre of the outermost target band, in its FWHM.
REACH_FWHM = 4.0


@dataclasses.dataclass(frozen=True)
class BandCoverage:
    """What the source knows of one target band.

    Attributes:
      band, centre_nm, fwhm_nm: the target band.
      response: "measured" or "Gaussian", where the target's response comes from.
      used, used_nm, weights: names, centres (nm) and weights of the source bands in its response, by wavelength; weights sum
        to 1; all empty where it is uncovered.
      seen: share of the area of its response inside the FWHM of a source band, 0 to 1.
      nearest, nearest_nm, distance_nm: the source band with the nearest centre, and how far that is.
      beyond: its centre lies outside the range of the source's centres, so the nearest band is the source's edge.
    """

    band: str
    centre_nm: float
    fwhm_nm: float
    response: str
    used: tuple[str, ...]
    used_nm: tuple[float, ...]
    weights: tuple[float, ...]
    seen: float
    nearest: str
    nearest_nm: float
    distance_nm: float
    beyond: bool

    @property
    def covered(self) -> bool:
        """Whether any source band lies in its response."""
        return bool(self.used)


@dataclasses.dataclass(frozen=True)
class Coverage:
    """The coverage of all used bands of a target sensor by the used bands of a source sensor."""

    source: str
    source_digest: str
    target: str
    target_digest: str
    bands: tuple[BandCoverage, ...]

    @property
    def uncovered(self) -> tuple[BandCoverage, ...]:
        """The target bands that no source band sees."""
        return tuple(b for b in self.bands if not b.covered)

    def text(self) -> str:
        """A table, one line a target band, and a sentence."""
        head = ("band", "centre nm", "response", "bands", "seen", "used nm", "largest weight", "nearest nm", "away nm", "")
        rows = [head, *(_row(b) for b in self.bands)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        missing = ", ".join(b.band for b in self.uncovered) or "none"
        title = f"{self.source} seen as {self.target}: {len(self.bands)} target bands, uncovered: {missing}."
        return "\n".join([title, *lines])

    def to_json(self) -> str:
        """Every field, as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=1)


def coverage(source: SensorSpec, target: SensorSpec) -> Coverage:
    """Compares two sensors by wavelength; bands may be in any order.

    Raises:
      ValueError: one of them is a radar, whose channels have no wavelengths.
    """
    weights, seen = srf_weights(source, target)
    centre_nm, near, measured = source.centre_nm, nearest_index(source, target), _measured(target)
    by_wavelength = np.argsort(centre_nm, kind="stable")
    bands = []
    for t, band in enumerate(target.used):
        used = [s for s in by_wavelength if weights[t, s] > 0]
        bands.append(
            BandCoverage(
                band=band.name,
                centre_nm=float(target.centre_nm[t]),
                fwhm_nm=float(target.fwhm_nm[t]),
                response="measured" if measured[t] else "Gaussian",
                used=tuple(source.used[s].name for s in used),
                used_nm=tuple(float(centre_nm[s]) for s in used),
                weights=tuple(float(weights[t, s]) for s in used),
                seen=float(seen[t]),
                nearest=source.used[near[t]].name,
                nearest_nm=float(centre_nm[near[t]]),
                distance_nm=float(abs(centre_nm[near[t]] - band.centre_nm)),
                beyond=not centre_nm.min() <= band.centre_nm <= centre_nm.max(),
            )
        )
    return Coverage(source.name, source.digest, target.name, target.digest, tuple(bands))


def srf_weights(source: SensorSpec, target: SensorSpec) -> tuple[np.ndarray, np.ndarray]:
    """Weights of source bands in target bands, and how much of each target band the source sees.

    Args:
      source: sensor with C used bands.
      target: sensor with K used bands; its measured responses serve where it has them, else Gaussians of its FWHM.

    Returns:
      Weights, float64 [K C], and shares of the response's area inside a source band's FWHM, float64 [K]. A row sums to 1, or is
      zero where no source band lies in the response.

    Raises:
      ValueError: one of them is a radar.
    """
    for spec in (source, target):
        if spec.kind == "radar":
            raise ValueError(
                f"coverage of {target.name} by {source.name}: {spec.name} is a radar, expected a sensor whose bands have "
                "wavelengths; feed radar to an encoder of its own."
            )
    low, high = _intervals(source)
    grid_nm, curves = response_curves(target, np.concatenate([source.centre_nm, low, high]))
    counts = curves[:, np.searchsorted(grid_nm, source.centre_nm)] > LEAST_RESPONSE
    area = (curves[:, 1:] + curves[:, :-1]) / 2 * np.diff(grid_nm)[None]
    share = _shares(source, grid_nm)
    weights = np.where(counts, area @ share.T, 0.0)
    total = weights.sum(axis=1, keepdims=True)
    inside = np.asarray(share.any(axis=0))[None]
    seen = (area * inside).sum(axis=1) / area.sum(axis=1)
    return weights / np.where(total > 0, total, 1.0), seen


def response_curves(target: SensorSpec, also_nm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A wavelength grid [G], nm, that holds all of `also_nm`, and the target's responses on it [K G], each of peak 1."""
    centre, reach = target.centre_nm, REACH_FWHM * target.fwhm_nm
    steps = np.arange(np.floor((centre - reach).min()), (centre + reach).max() + STEP_NM, STEP_NM)
    grid_nm = np.unique(np.concatenate([steps, centre, also_nm]))
    curves = response(target, grid_nm)
    return grid_nm, curves / curves.max(axis=1, keepdims=True)


def stands_for_nm(source: SensorSpec) -> np.ndarray:
    """How many nanometres each band stands for [C]: its FWHM, wherever bands overlap shared equally among them."""
    edges_nm = np.unique(np.concatenate(_intervals(source)))
    return _shares(source, edges_nm) @ np.diff(edges_nm)


def nearest_index(source: SensorSpec, target: SensorSpec) -> np.ndarray:
    """For each target band, the position of the used source band with the nearest centre, int [K].

    Of two equally near, the one at the shorter wavelength, then the narrower: the answer does not depend on the order of bands.
    """
    distance = np.abs(source.centre_nm[None] - target.centre_nm[:, None])
    return np.array([np.lexsort((source.fwhm_nm, source.centre_nm, row))[0] for row in distance])


def _shares(source: SensorSpec, edges_nm: np.ndarray) -> np.ndarray:
    """What each source band has of each interval between neighbours of `edges_nm`, which hold all its limits [C E-1]."""
    low, high = _intervals(source)
    middle_nm = (edges_nm[1:] + edges_nm[:-1]) / 2
    inside = (low[:, None] < middle_nm) & (middle_nm < high[:, None])
    return inside / np.maximum(inside.sum(axis=0), 1)[None]


def _intervals(source: SensorSpec) -> tuple[np.ndarray, np.ndarray]:
    return source.centre_nm - source.fwhm_nm / 2, source.centre_nm + source.fwhm_nm / 2


def _measured(target: SensorSpec) -> np.ndarray:
    # `response` takes a band's measured curve by its name and falls back to the Gaussian: without the file all are Gaussian.
    if not target.srf_file:
        return np.zeros(len(target.used), bool)
    ours, gaussian = (response_curves(t, target.centre_nm)[1] for t in (target, dataclasses.replace(target, srf_file="")))
    return np.abs(ours - gaussian).max(axis=1) > 0


def _row(b: BandCoverage) -> tuple[str, ...]:
    used = f"{b.used_nm[0]:.1f}-{b.used_nm[-1]:.1f}" if b.covered else "-"
    top = f"{max(b.weights):.3f} at {b.used_nm[int(np.argmax(b.weights))]:.1f}" if b.covered else "-"
    note = " ".join(["uncovered"] * (not b.covered) + ["beyond the edge"] * b.beyond)
    near = f"{b.nearest_nm:.1f}", f"{b.distance_nm:.1f}"
    return (b.band, f"{b.centre_nm:.1f}", b.response, str(len(b.used)), f"{100 * b.seen:.0f} %", used, top, *near, note)
