"""How well hidden bands are guessed, beside two methods that need no training on millions of spectra: ridge and a spline.

A high correlation proves little: neighbouring bands are nearly equal. SpecTM (arXiv 2603.22097) reports r = 0.999, and ridge
from the shown bands reaches 0.9994 on 214 PACE OCI match-ups of western Lake Erie.
"""

import numpy as np
from scipy.interpolate import CubicSpline

from spectral_jax.matchups import Matchups
from spectral_jax.microcystin import features
from spectral_jax.microcystin.study.attribution import FEATURES
from spectral_jax.sensors import nearest_bands
from spectral_jax.sentences import needs

STRENGTHS = 10.0 ** np.arange(-6.0, 1.0)
EXAMPLES = 4
MODEL = "masked model"


def compare(guess: np.ndarray, wavelength_nm: np.ndarray, hidden: np.ndarray, data: Matchups) -> dict:
    """Errors of the masked model, of ridge and of a cubic spline on the same real spectra.

    Args:
      guess: [N C] of the masked model, sr^-1.
      wavelength_nm: [C], bands of the guess.
      hidden: [C] True where the band was hidden.
      data: N match-ups with these bands.

    Returns:
      What the report shows under `reconstruction`: numbers by region and method, and some spectra [C]. Bands below 400 nm are
      shown to nobody and not hidden. Ridge is fitted on the spectra of the other four fifths of the weeks; the masked model
      has seen simulated spectra alone.

    Raises:
      ImportError: scikit-learn is not installed.
    """
    at, _ = nearest_bands(data.wavelength_nm, wavelength_nm)
    observed = features.filled(data.mean_rrs())[:, at]
    used = wavelength_nm >= features.SHORTEST_NM
    rows = np.isfinite(observed).all(axis=1)
    nm, hidden, observed, guess = wavelength_nm[used], hidden[used], observed[rows][:, used], guess[rows][:, used]
    spline = CubicSpline(nm[~hidden], observed[:, ~hidden], axis=1)(nm)
    predicted = {MODEL: guess, "ridge": _ridge(observed, hidden, data.iso_week[rows]), "cubic spline": spline}
    regions = []
    for name, low, high in FEATURES:
        inside = hidden & (nm >= low) & (nm <= high)
        if inside.any():
            truth = observed[:, inside]
            guesses = {k: v[:, inside] for k, v in predicted.items()}
            regions.append({
                "name": f"{name} {low:g}-{high:g} nm", "low_nm": low, "high_nm": high, "bands": int(inside.sum()),
                "r": {k: float(np.corrcoef(v.ravel(), truth.ravel())[0, 1]) for k, v in guesses.items()},
                "rmse_sr1": {k: float(np.sqrt(np.mean((v - truth) ** 2))) for k, v in guesses.items()},
            })  # fmt: skip
    (red_edge,), _ = nearest_bands(nm, np.array([709.0]))
    order = np.argsort(observed[:, red_edge])[np.linspace(0, len(observed) - 1, EXAMPLES).astype(int)]
    examples = [
        {
            "label": f"{data.station[rows][i]} {str(data.time[rows][i])[:10]}",
            "observed": observed[i].tolist(),
            "predicted": {k: v[i].tolist() for k, v in predicted.items()},
        }
        for i in order
    ]
    note = "The masked model was trained on simulated spectra alone; ridge on the real spectra of other weeks."
    return {"wavelength_nm": nm.tolist(), "hidden": hidden.tolist(), "note": note, "regions": regions, "examples": examples}


def _ridge(observed: np.ndarray, hidden: np.ndarray, weeks: np.ndarray) -> np.ndarray:
    """Hidden bands from the shown ones, fitted on the weeks of the other four fifths; shown bands as they are."""
    with needs("scikit-learn", "eval", "reconstructing bands by ridge"):
        from sklearn.linear_model import Ridge
        from sklearn.model_selection import GridSearchCV, GroupKFold

    out = observed.copy()
    folds = GroupKFold(5)
    for train, test in folds.split(observed, groups=weeks):
        search = GridSearchCV(
            Ridge(), {"alpha": STRENGTHS * observed.var(0).mean()}, cv=GroupKFold(4), scoring="neg_mean_squared_error"
        )
        search.fit(observed[train][:, ~hidden], observed[train][:, hidden], groups=weeks[train])
        out[np.ix_(test, hidden)] = search.predict(observed[test][:, ~hidden])
    return out
