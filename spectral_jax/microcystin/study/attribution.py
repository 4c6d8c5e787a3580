"""Which wavelengths a prediction hangs on: what changes when a feature of the spectrum is smoothed away.

Weights of single bands mean little where neighbours are nearly equal, so a window of the spectrum is replaced by the straight
line between its ends, and the mean change of the prediction is the importance of the window's centre.
"""

from collections.abc import Callable

import numpy as np

# Half the window, nm: an absorption feature of a pigment is 20 to 40 nm wide.
HALF_NM = 12.0
# Known features of cyanobacteria, the regions that SpecTM (arXiv 2603.22097) masks: name, from, to, nm.
FEATURES = (
    ("phycocyanin absorption", 615.0, 640.0),
    ("chlorophyll-a red absorption", 660.0, 680.0),
    ("red edge and scattering peak", 695.0, 720.0),
)
METHOD = f"mean |change of log10 MC| when the spectrum within {HALF_NM:g} nm is replaced by a straight line"


def importance(
    predict: Callable[[np.ndarray], np.ndarray],
    rrs: np.ndarray,
    wavelength_nm: np.ndarray,
    groups: np.ndarray,
    *,
    shortest_nm: float,
) -> dict:
    """Importance of each wavelength and of the known features.

    Args:
      predict: spectra [N C] to log10 MC [N].
      rrs: [N C], sr^-1.
      wavelength_nm: [C].
      groups: [N] ISO weeks, resampled for the interval.
      shortest_nm: bands below are left out.

    Returns:
      `method`, `wavelength_nm`, `importance`, `low`, `high` (95 %) and `features`, as the report shows them.
    """
    at = np.flatnonzero(wavelength_nm >= shortest_nm)
    before = predict(rrs)
    change = np.stack([np.abs(predict(flattened(rrs, wavelength_nm, nm)) - before) for nm in wavelength_nm[at]], axis=1)
    weeks, index = np.unique(groups, return_inverse=True)
    sums = np.stack([np.bincount(index, c, len(weeks)) for c in change.T], axis=1)
    count = np.bincount(index, minlength=len(weeks))
    draws = np.random.default_rng(0).multinomial(len(weeks), np.full(len(weeks), 1 / len(weeks)), 500)
    spread = (draws @ sums) / (draws @ count)[:, None]
    mean, nm = change.mean(0), wavelength_nm[at]
    known = np.any([(low <= nm) & (nm <= high) for _, low, high in FEATURES], axis=0)
    rest = mean[~known].mean()
    features = []
    for name, low, high in FEATURES:
        inside = (low <= nm) & (nm <= high)
        if inside.any():
            level = float(mean[inside].mean())
            features.append(
                {"name": name, "low_nm": low, "high_nm": high, "mean_importance": level, "ratio_to_rest": level / rest}
            )
    return {
        "method": METHOD, "wavelength_nm": nm.tolist(), "importance": mean.tolist(), "features": features,
        "low": np.quantile(spread, 0.025, axis=0).tolist(), "high": np.quantile(spread, 0.975, axis=0).tolist(),
    }  # fmt: skip


def flattened(rrs: np.ndarray, wavelength_nm: np.ndarray, centre_nm: float) -> np.ndarray:
    """Spectra [N C] with the window about a centre replaced by the line between the bands just outside it."""
    inside = np.abs(wavelength_nm - centre_nm) <= HALF_NM
    first, last = np.flatnonzero(inside)[[0, -1]]
    left, right = max(first - 1, 0), min(last + 1, len(wavelength_nm) - 1)
    share = (wavelength_nm[first : last + 1] - wavelength_nm[left]) / (wavelength_nm[right] - wavelength_nm[left])
    out = rrs.copy()
    out[:, first : last + 1] = rrs[:, [left]] + share * (rrs[:, [right]] - rrs[:, [left]])
    return out
