"""A whitening for any optical sensor: the components of a reference sensor, estimated from the bands that the other one has.

The reference's table says how spectra vary: x = mean + std U sqrt(l) z + rest, with z of mean 0 and variance 1 (principal
components). A band of the other sensor sees the mean of x under its response, so its bands are linear in z, and with noise of a
known variance the best linear estimate of z is too (Gauss-Markov with a prior: Tarantola 2005, section 3.2). What no band sees
is estimated as 0, its mean. A stem that learned on the reference's components then takes the other sensor as it is.
"""

import dataclasses

import numpy as np

from spectral_jax.config import SensorInput, Whitening
from spectral_jax.sensors import SensorSpec, response
from spectral_jax.spectral import whitening
from spectral_jax.spectral.whitening import LEAST_DEVIATION, LEAST_VARIANCE, Scaled, Table, cell_px, inputs

# Variance of the noise of a standardised band. A choice between what a sensor of 60 bands still tells of small components
# (2e-3 keeps 13 of 48, 2e-4 keeps 27) and how much the smallest are blown up where bands differ (2e-5: fivefold); simulated.
NOISE_VARIANCE = 5e-4
# Between two bands of the reference that are further apart, as over water vapour, nothing is known of a spectrum.
GAP_NM = 30.0
# A band whose response lies outside of what the reference sees by more than this share says nothing.
MOST_UNSEEN = 0.2
STEP_NM = 0.5
REACH_NM = 100.0  # of the grid beyond the outermost bands


def estimated(spec: SensorSpec, reference: SensorSpec, name: str, side: int) -> Table:
    """The reference's whitened components as the bands of another sensor give them.

    Args:
      spec: an optical sensor of the reference's quantity.
      reference: the sensor that the table is of. Where `spec` has its bands, its own table comes back.
      name: of the reference's table, as `whitening.read` takes it, measured on single pixels.
      side: pixels of `spec` along a side of a stem cell; of several, their mean counts and their deviation has weight 0.

    Returns:
      A table for what `stem_input` makes of values that `batch.decode` gives, float32.

    Raises:
      FileNotFoundError, ValueError: see `whitening.read`; or the sensor is not optical, is of another quantity, or none of its
        bands lies where the reference sees.
    """
    if spec.kind != "optical" or (spec.quantity, spec.unit) != (reference.quantity, reference.unit):
        raise ValueError(
            f"sensor {spec.name}: expected an optical sensor of {reference.quantity} ({reference.unit}) as {reference.name}, "
            f"whose components are estimated, got {spec.kind} of {spec.quantity} ({spec.unit}); convert it, or give it a "
            f"whitening of its own ({whitening.MEASURED_BY})."
        )
    known = whitening.read_scaled(reference, name, 1)
    table = known.table if _same_bands(spec, reference) else _estimate(spec, reference, known)
    kernel = np.concatenate([table.kernel, np.zeros((inputs(spec, side) - len(table.kernel), table.kernel.shape[1]))])
    return whitening.for_standardised(Table(kernel, table.offset), spec)


def bands_in(spec: SensorSpec, reference: SensorSpec) -> tuple[np.ndarray, np.ndarray]:
    """A sensor's used bands as means of the reference's, whose spectra run straight from one band centre to the next.

    Args:
      spec: C bands.
      reference: N bands.

    Returns:
      Weights [C N] whose rows sum to 1, and the share [C] of each band's response that the reference does not see.
    """
    order = np.argsort(reference.centre_nm)
    centre = np.asarray(reference.centre_nm, np.float64)[order]
    ends = [*centre[[0, -1]], *np.asarray(spec.centre_nm, np.float64)]
    grid = np.arange(min(ends) - REACH_NM, max(ends) + REACH_NM, STEP_NM)
    seen_by = np.asarray(response(spec, grid), np.float64)
    right = np.clip(np.searchsorted(centre, grid), 1, len(centre) - 1)
    apart = centre[right] - centre[right - 1]
    place = (grid - centre[right - 1]) / apart
    # Up to half a step beyond its outermost band the reference still sees.
    unseen = (apart > GAP_NM) | (place < -0.5) | (place > 1.5)
    share = np.clip(place, 0.0, 1.0)
    straight = np.zeros((len(grid), len(centre)))
    at = np.arange(len(grid))
    straight[at, order[right - 1]] += 1.0 - share
    straight[at, order[right]] += share
    return seen_by @ straight, seen_by @ unseen


def through(sensor: SensorInput, name: str, reference: str, stem_gsd_m: float = 30.0) -> SensorInput:
    """The same sensor of a run with a stem that takes any optical sensor, in the branch that all such sensors share.

    Args:
      sensor: of a run.
      name: of the reference's table, as `whitening.read` takes it.
      reference: name of a sensor in data_specs, or the path of its TOML file.
      stem_gsd_m: that of the model.

    Raises:
      FileNotFoundError, ValueError: see `estimated`.
    """
    spec = SensorSpec.load(reference)
    table = estimated(sensor.spec, spec, name, cell_px(sensor.spec, stem_gsd_m))
    made = Whitening(name, table.kernel.shape[1], digest(spec, name), reference)
    return dataclasses.replace(sensor, tokenizer="stem", branch="", whitening=made)


def digest(reference: SensorSpec, name: str) -> str:
    """Of the reference's table as its file has it: the estimate's own digits are not the same on every machine."""
    return whitening.digest(*whitening.read_scaled(reference, name, 1).table)


def _same_bands(spec: SensorSpec, reference: SensorSpec) -> bool:
    return spec.name == reference.name and [b.name for b in spec.used] == [b.name for b in reference.used]


def _estimate(spec: SensorSpec, reference: SensorSpec, known: Scaled) -> Table:
    weights, unseen = bands_in(spec, reference)
    counts = unseen <= MOST_UNSEEN
    if not counts.any():
        raise ValueError(
            f"sensor {spec.name}: none of its {len(counts)} bands lies where {reference.name} sees, so nothing of its "
            f"components can be estimated; give the sensor a whitening of its own ({whitening.MEASURED_BY})."
        )
    reach = reference.high - reference.low
    mean, std = reference.low + reach * known.mean, reach * known.std  # in the quantity's own unit
    directions = known.std[:, None] * known.table.kernel  # eigenvectors over the root of variance + least variance
    whole = 1.0 / np.sum(directions**2, axis=0)
    variance = np.maximum(whole - LEAST_VARIANCE, 0.0)
    seen = weights @ (std[:, None] * directions * np.sqrt(whole * variance)[None])  # C K: a band's change by a component
    precision = np.where(counts, 1.0 / (NOISE_VARIANCE * np.maximum(weights @ std, LEAST_DEVIATION) ** 2), 0.0)
    informed = seen.T * precision[None]
    estimate = np.linalg.solve(informed @ seen + np.eye(seen.shape[1]), informed).T * np.sqrt(variance / whole)[None]
    own = spec.high - spec.low
    return Table(own * estimate, (spec.low - weights @ mean) @ estimate)
