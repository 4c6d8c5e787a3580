"""How good predictions of microcystin are, in log and linear space, as a classifier of exceedance, and in their intervals.

A non-detect counts as the detection limit, in the observation and in the prediction: nobody knows what lies below.
"""

import numpy as np

from spectral_jax.matchups import DETECTION_LIMIT_UG_L

# Drinking water, adults, and recreation: US EPA (spec/spectm.md, 4.2), ug/L.
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
      lower: [N] lower end of the 90 % interval, ug/L, and `upper`.

    Returns:
      Name -> value; NaN where it is not defined (no sample above a threshold, no interval). Median symmetric accuracy (MdSA)
      and symmetric signed percentage bias (SSPB) are those of Morley et al. 2018.
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
    if lower is None:
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
    """1 - residual / total sum of squares; NaN where the observations are all equal."""
    total = np.sum((observed - observed.mean()) ** 2)
    return float(1 - np.sum((observed - predicted) ** 2) / total) if total > 0 else np.nan


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation, ties at their mean rank; NaN where one side is constant."""
    ranks = [_ranks(x) for x in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1]) if min(np.ptp(r) for r in ranks) > 0 else np.nan


def auc(positive: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve, ties half; NaN without both classes."""
    n1, n0 = positive.sum(), (~positive).sum()
    if not n1 or not n0:
        return np.nan
    return float((_ranks(score)[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def average_precision(positive: np.ndarray, score: np.ndarray) -> float:
    """Sum over distinct scores of precision times gain in recall; NaN without a positive."""
    if not positive.any():
        return np.nan
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(positive[order])
    last = np.append(np.diff(score[order]) != 0, True)  # ties are taken together
    hits, count = hits[last], np.flatnonzero(last) + 1
    return float(np.sum(np.diff(hits, prepend=0) * hits / count) / positive.sum())


def _ranks(x: np.ndarray) -> np.ndarray:
    _, at, count = np.unique(x, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[at]
