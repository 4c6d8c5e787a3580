"""A small made-up report.json and out_of_fold.csv, with every part that a report may have."""

import csv
import json
from pathlib import Path

import numpy as np

MODELS = {"spectm": 0.25, "ridge": 0.35, "season": 0.5}
NM = np.concatenate([np.arange(400.0, 590.0, 5.0), np.arange(613.0, 721.0, 2.5)])
HIDDEN = ((615, 640), (660, 680), (695, 720))


def report(simulated: bool = True) -> dict:
    """Numbers that fit together only as far as the page's sentences look at them."""
    rng = np.random.default_rng(0)
    targets = {"now": (48, 0.72), "ahead": (30, 0.40)}
    kinds = {
        "spectm": "ours", "spectm without encoder": "part", "frozen probe, targeted": "ablation",
        "frozen probe, random": "ablation", "ridge": "baseline", "season": "baseline", "persistence": "baseline",
    }  # fmt: skip
    results, comparisons, masking, labels = [], [], [], []
    for target, (n, best) in targets.items():
        for split, gain in (("week", 0.0), ("station", -0.03), ("random", 0.08)):
            for k, (model, kind) in enumerate(kinds.items()):
                r2 = best + gain - _behind(target, k)
                results.append(_result(target, split, model, kind, n, r2))
                if kind in ("baseline", "part"):
                    comparisons.append(_pair(target, split, "spectm", model, _behind(target, k), n))
        masking += [_pair(target, "week", "targeted", b, d, n) for b, d in (("random", 0.01), ("untrained", 0.09))]
        for model, drop in (("spectm", 0.2), ("frozen probe, random", 0.35), ("ridge", 0.6)):
            for fraction in (0.05, 0.1, 0.25, 0.5, 1.0):
                value = best - drop * (1 - fraction) ** 4
                labels.append({
                    "target": target, "model": model, "fraction": fraction, "r2_log10": value,
                    "r2_log10_sd": 0.05 * (1 - fraction),
                    "rows": fraction * n, "seeds": 2,
                })  # fmt: skip
    importance = 0.05 + 0.1 * np.exp(-0.5 * ((NM - 628) / 9) ** 2) + 0.12 * np.exp(-0.5 * ((NM - 706) / 9) ** 2)
    attribution = {
        "method": "mean change of log10 MC when a window is flattened", "wavelength_nm": NM.tolist(),
        "importance": importance.tolist(), "low": (0.8 * importance).tolist(), "high": (1.25 * importance).tolist(),
        "features": [
            {"name": "phycocyanin absorption", "low_nm": 615, "high_nm": 640, "mean_importance": 0.12, "ratio_to_rest": 2.1},
            {"name": "chlorophyll-a absorption", "low_nm": 660, "high_nm": 680, "mean_importance": 0.05, "ratio_to_rest":
            0.9},
            {"name": "red edge", "low_nm": 695, "high_nm": 720, "mean_importance": 0.14, "ratio_to_rest":
            2.5},
        ],
    }  # fmt: skip
    return {
        "title": "Microcystin from PACE OCI", "simulated": simulated,
        "data": {
            "source": "made up", "rows": {"now": 48, "ahead": 30}, "non_detects": {"now": 14, "ahead": 9},
            "left_out": {"no valid pixel": 3, "the same spectrum twice": 1}, "weeks": 12, "stations": 4, "scenes": 12,
            "first": "2024-06-03", "last": "2025-06-11",
        },
        "model": "spectm", "seconds": 63.2, "machine": "Linux", "versions": {"python": "3.11", "jax": "0.10"},
        "command": ["python experiments/finetune_microcystin.py --workdir=DIR"],
        "results": results, "comparisons": comparisons, "masking": masking, "label_efficiency": labels,
        "reconstruction": _reconstruction(rng), "attribution": {"now": attribution, "ahead": attribution},
        "attempts": [
            {"target": "now", "what": "ridge on derivatives", "r2_log10": 0.61, "note": "worse than plain ridge"},
            {"target": "ahead", "what": "wind of the week", "r2_log10": None, "note": "not finished"},
        ],
    }  # fmt: skip


def _behind(target, k):
    """R2 of our model minus that of model k: this week ours is best, 8 days ahead ridge is a little better."""
    return 0.04 * k if target == "now" or k == 0 else 0.01 * k - 0.05


def _result(target, split, model, kind, n, r2):
    metrics = {
        "r2_log10": r2, "rmse_log10": 0.6 - 0.4 * r2, "mae_log10": 0.4 - 0.3 * r2, "r2_ug_l": r2 - 0.2, "rmse_ug_l": 1.4 - r2,
        "mae_ug_l": 0.9 - r2, "mdsa_percent": 90 - 60 * r2, "sspb_percent": 12.0 - 30 * r2, "spearman": 0.3 + 0.7 * r2,
        "auc_1_6": 0.6 + 0.45 * r2, "ap_1_6": 0.5 + 0.5 * r2, "auc_8": None, "ap_8": None, "coverage_90": 0.91 - 0.05 * r2,
        "coverage_90_detected": 0.86, "coverage_90_non_detected": 0.98, "width_90_log10": 1.4 - r2,
    }  # fmt: skip
    sd = {f"{name}_sd": None if value is None else 0.01 * (kind != "baseline") for name, value in metrics.items()}
    about = {"target": target, "split": split, "model": model, "kind": kind, "n": n, "seeds": 2}
    return about | metrics | sd | {"per_seed": {"r2_log10": [r2 - 0.01, r2 + 0.01]}}


def _pair(target, split, model, baseline, delta, n):
    low, high = delta - 0.07, delta + 0.09
    return {
        "target": target, "split": split, "model": model, "baseline": baseline, "delta_r2_log10": delta, "low": low,
        "high": high, "p_value": 0.031, "n": n, "weeks": 12,
    }  # fmt: skip


def _reconstruction(rng):
    inside = [(low <= NM) & (high >= NM) for low, high in HIDDEN]
    hidden = np.any(inside, axis=0)
    names = ("phycocyanin 615-640 nm", "chlorophyll-a 660-680 nm", "red edge 695-720 nm")
    methods = {"masked model": 2e-5, "ridge": 4e-5, "cubic spline": 4e-4}
    regions = [
        {
            "name": name, "low_nm": low, "high_nm": high, "bands": int(part.sum()),
            "r": {"masked model": 0.9996, "ridge": 0.9994, "cubic spline": 0.96}, "rmse_sr1": methods,
        }
        for name, (low, high), part in zip(names, HIDDEN, inside, strict=True)
    ]  # fmt: skip
    examples = []
    for label, bloom in (("WE2, 2024-08-05, 12 µg/L", 1.0), ("WE4, 2024-06-10, below 0.1 µg/L", 0.15)):
        rrs = 0.004 + 0.012 * np.exp(-0.5 * ((NM - 565) / 55) ** 2) + 0.006 * bloom * np.exp(-0.5 * ((NM - 707) / 9) ** 2)
        rrs = rrs - 0.002 * bloom * np.exp(-0.5 * ((NM - 625) / 10) ** 2)
        predicted = {name: (rrs + size * np.sin(NM / 6) + size * rng.normal()).tolist() for name, size in methods.items()}
        examples.append({"label": label, "observed": [None, *rrs[1:].tolist()], "predicted": predicted})
    note = "Held-out granules."
    return {
        "wavelength_nm": NM.tolist(), "hidden": hidden.tolist(), "note": note, "regions": regions, "examples": examples,
    }  # fmt: skip


def rows(stations=("WE2", "WE4", "WE6", "WE8"), seeds=2) -> list[dict]:
    """Out-of-fold rows: a bloom in July to September of one year, and a few images in the June after it."""
    rng = np.random.default_rng(1)
    start = np.datetime64("2024-07-01T17:30:00")
    days = [7 * w for w in range(10)] + [340, 345]
    out = []
    for target, weeks in (("now", days), ("ahead", days[:7])):
        number = 0
        for day in weeks:
            for station in stations:
                y = -1.0 + 2.4 * np.exp(-0.5 * ((day - 40) / 16) ** 2) + 0.3 * rng.normal()
                for model, noise in MODELS.items():
                    for seed in range(seeds if model == "spectm" else 1):
                        for split in ("week", "random"):
                            p = max(y, -1.0) + noise * rng.normal()
                            time = start + np.timedelta64(86400 * day, "s")
                            out.append(_row(target, split, model, seed, number, station, time, y, p, noise))
                number += 1
    return out


def _row(target, split, model, seed, number, station, time, y, p, noise):
    date = time.astype("datetime64[D]").astype(object)
    above = {t: 1 / (1 + np.exp(-(p - np.log10(t)) / (0.55 * noise))) for t in (1.6, 8.0)}
    return {
        "target": target, "split": split, "model": model, "seed": seed, "row": number, "station": station, "time": str(time),
        "iso_week": "{}-W{:02d}".format(*date.isocalendar()[:2]), "observed_ug_l": f"{10 ** max(y, -1.0):.6g}",
        "censored": int(y < -1), "predicted_ug_l": f"{10 ** max(p, -1.0):.6g}", "lower_ug_l": f"{10 ** (p - 1.7 * noise):.6g}",
        "upper_ug_l": f"{10 ** max(p + 1.7 * noise, -1.0):.6g}", "p_exceed_1_6": f"{above[1.6]:.6g}",
        "p_exceed_8": f"{above[8.0]:.6g}",
    }  # fmt: skip


def write(folder: Path, numbers: dict | None = None, predictions: list[dict] | None = None) -> Path:
    """Writes the two files; None: those above."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(report() if numbers is None else numbers), encoding="utf-8")
    table = rows() if predictions is None else predictions
    with open(folder / "out_of_fold.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    return folder
