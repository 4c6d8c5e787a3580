"""How good predictions of microcystin are, in log and linear space, as a classifier of exceedance, and in their intervals.

A non-detect counts as the detection limit, in the observation and in the prediction: nobody knows what lies below.
"""

import numpy as np
from scipy.stats import spearmanr

from spectral_jax.matchups import DETECTION_LIMIT_UG_L
from spectral_jax.sentences import needs

# US EPA, ug/L: drinking water for ten days, adults (health advisory of 2015), and recreation (822-F-19-001).
THRESHOLDS_UG_L = (1.6, 8.0)


def log10_label(mc_ug_l: np.ndarray) -> np.ndarray:
    """log10 of max(MC, detection limit), MC in ug/L."""
    return np.log10(np.maximum(mc_ug_l, DETECTION_LIMIT_UG_L))


def all_metrics(
    observed: np.ndarray,
    predicted: np.ndarray,
    *,
    censored: np.ndarray | None = None,
    exceedance: dict[float, np.ndarray] | None = None,
    lower: np.ndarray | None = None,
    upper: np.ndarray | None = None,
) -> dict[str, float]:
    """Every metric of one set of out-of-fold predictions.

    Args:
      observed: [N] ug/L, the detection limit for non-detects.
      predicted: [N] ug/L.
      censored: [N] True for non-detects; needed for the two coverages by kind.
      exceedance: threshold ug/L -> probability [N]; without it the prediction itself ranks the samples.
      lower: [N] lower end of the 90 % interval, ug/L; None: there is no interval.
      upper: [N] upper end, given where `lower` is.

    Returns:
      Name -> value; NaN where it is not defined (no sample above a threshold, no interval). Median symmetric accuracy (MdSA)
      and symmetric signed percentage bias (SSPB) are those of Morley et al. 2018.

    Raises:
      ImportError: scikit-learn is not installed.
    """
    y, p = log10_label(observed), log10_label(predicted)
    low, high = 10.0**y, 10.0**p
    ratio = p - y  # log10 of predicted over observed
    bias = np.median(ratio)
    out = {
        "r2_log10": r2(y, p),
        "rmse_log10": float(np.sqrt(np.mean((y - p) ** 2))),
        "mae_log10": float(np.mean(np.abs(y - p))),
        "r2_ug_l": r2(low, high),
        "rmse_ug_l": float(np.sqrt(np.mean((low - high) ** 2))),
        "mae_ug_l": float(np.mean(np.abs(low - high))),
        "mdsa_percent": float(100 * (10 ** np.median(np.abs(ratio)) - 1)),
        "sspb_percent": float(100 * np.sign(bias) * (10 ** np.abs(bias) - 1)),
        "spearman": spearman(y, p),
    }
    for threshold in THRESHOLDS_UG_L:
        name = f"{threshold:g}".replace(".", "_")
        score = p if exceedance is None else exceedance[threshold]
        out[f"auc_{name}"] = auc(observed >= threshold, score)
        out[f"ap_{name}"] = average_precision(observed >= threshold, score)
    if lower is None or upper is None:
        return out | dict.fromkeys(
            ("coverage_90", "coverage_90_detected", "coverage_90_non_detected", "width_90_log10"), np.nan
        )
    inside = covered(observed, lower, upper)
    out["coverage_90"] = float(inside.mean())
    if censored is not None:
        for name, rows in (("coverage_90_detected", ~censored), ("coverage_90_non_detected", censored)):
            out[name] = float(inside[rows].mean()) if rows.any() else np.nan
    out["width_90_log10"] = float(np.mean(log10_label(upper) - log10_label(lower)))
    return out


def covered(observed: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """[N] whether the interval holds the sample; a non-detect is held by every interval that reaches below the limit."""
    y = log10_label(observed)
    # Files keep concentrations as float32: 0.1 there is a little more than 0.1.
    return (log10_label(lower) <= y + 1e-6) & (y <= log10_label(upper) + 1e-6)


def r2(observed: np.ndarray, predicted: np.ndarray) -> float:
    """1 - residual / total sum of squares of [N] numbers; NaN where the observations are all equal."""
    return float(_scikit_learn().r2_score(observed, predicted)) if np.ptp(observed) > 0 else np.nan


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation of two sides [N], ties at their mean rank; NaN where one side is constant."""
    return float(spearmanr(a, b).statistic) if min(np.ptp(a), np.ptp(b)) > 0 else np.nan


def auc(positive: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve of scores [N], ties half; NaN without both classes."""
    return float(_scikit_learn().roc_auc_score(positive, score)) if positive.any() and not positive.all() else np.nan


def average_precision(positive: np.ndarray, score: np.ndarray) -> float:
    """Sum over distinct scores [N] of precision times gain in recall; NaN without a positive."""
    return float(_scikit_learn().average_precision_score(positive, score)) if positive.any() else np.nan


def _scikit_learn():
    with needs("scikit-learn", "eval", "scoring predictions"):
        from sklearn import metrics
    return metrics
