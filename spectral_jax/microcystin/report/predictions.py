"""Out-of-fold predictions as the report shows them: one row a sample, seeds averaged, and the curves drawn from them."""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import binned_statistic, binomtest

from spectral_jax.sentences import needs

FILE = "out_of_fold.csv"
COLUMNS = (
    "target", "split", "model", "seed", "row", "station", "time", "iso_week", "observed_ug_l", "censored", "predicted_ug_l",
    "lower_ug_l", "upper_ug_l", "p_exceed_1_6", "p_exceed_8",
)  # fmt: skip
# Smallest concentration that has a logarithm here, ug/L; a choice, far below every detection limit.
_SMALLEST_UG_L = 1e-6


class OutOfFoldSamples(NamedTuple):
    """One model's predictions of one target on one split, [N] samples in order of time.

    `observed`, `predicted`, `lower` and `upper` are ug/L (the detection limit where `censored`), `exceed_1_6` and `exceed_8`
    probabilities, `time` that of the image, `seeds` how many fits were averaged.
    """

    station: np.ndarray
    time: np.ndarray
    iso_week: np.ndarray
    observed: np.ndarray
    censored: np.ndarray
    predicted: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    exceed_1_6: np.ndarray
    exceed_8: np.ndarray
    seeds: int

    def exceedance(self, threshold_ug_l: float) -> np.ndarray:
        """Probability [N] of exceeding 1.6 or 8 ug/L."""
        return {1.6: self.exceed_1_6, 8.0: self.exceed_8}[threshold_ug_l]

    def take(self, rows: np.ndarray) -> "OutOfFoldSamples":
        """Some samples, in the order given (numbers, or a bool mask)."""
        return self._replace(**{name: getattr(self, name)[rows] for name in self._fields if name != "seeds"})


# (target, split, model) -> its samples
Book = dict[tuple[str, str, str], OutOfFoldSamples]


def read(path: Path) -> Book:
    """Reads out_of_fold.csv and averages seeds: geometric means of concentrations, means of probabilities.

    Returns:
      An empty book where there is no file; samples without a finite observation and prediction are left out.

    Raises:
      ValueError: a column is missing, or a row cannot be read; the sentence names the line.
    """
    if not path.is_file():
        return {}
    groups: dict[tuple[str, str, str], list[tuple]] = {}
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"{path}: expected the columns {', '.join(COLUMNS)}; {', '.join(missing)} is missing.")
        for row in reader:
            try:
                numbers = (int(row["row"]), int(row["seed"]), *(_number(row[name]) for name in COLUMNS[8:]))
                time = np.datetime64(row["time"].removesuffix("Z"), "s")
            except (ValueError, TypeError, AttributeError) as error:
                raise ValueError(f"{path}, line {reader.line_num}: expected numbers and an ISO time ({error}).") from error
            where = (row["target"], row["split"], row["model"])
            groups.setdefault(where, []).append((row["station"], time, row["iso_week"], *numbers))
    return {where: samples for where, rows in groups.items() if len((samples := _averaged(rows)).observed)}


def write(path: Path, rows: list[dict]) -> None:
    """Writes out_of_fold.csv; a row has a value for each of `COLUMNS`."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)


def _number(cell: str) -> float:
    return float(cell) if cell else np.nan


def _averaged(rows: list[tuple]) -> OutOfFoldSamples:
    station, time, week, number, seed, *columns = (np.array(column) for column in zip(*rows, strict=True))
    values = np.array(columns, float)  # observed, censored, predicted, lower, upper, and the two probabilities
    concentrations = [0, 2, 3, 4]
    values[concentrations] = np.log10(np.maximum(values[concentrations], _SMALLEST_UG_L))
    _, first, at = np.unique(number, return_index=True, return_inverse=True)
    mean = np.stack([np.bincount(at, v) for v in values]) / np.bincount(at)
    mean[concentrations] = 10.0 ** mean[concentrations]
    keep = np.flatnonzero(np.isfinite(mean[0]) & np.isfinite(mean[2]))
    keep = keep[np.lexsort((station[first][keep], time[first][keep]))]
    observed, censored, predicted, lower, upper, p_1_6, p_8 = mean[:, keep]
    return OutOfFoldSamples(
        station=station[first][keep], time=time[first][keep], iso_week=week[first][keep], observed=observed,
        censored=censored > 0.5, predicted=predicted, lower=lower, upper=upper, exceed_1_6=p_1_6, exceed_8=p_8,
        seeds=len(np.unique(seed)),
    )  # fmt: skip


def roc(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False-alarm rate and hit rate [K] when everything at or above a falling bound counts as positive; ties move together.

    Args:
      positive: [N] bool, with both kinds in it.
      score: [N].

    Raises:
      ImportError: scikit-learn is not installed.
    """
    with needs("scikit-learn", "eval", "drawing ROC curves"):
        from sklearn.metrics import roc_curve
    alarms, hits, _ = roc_curve(positive, score, drop_intermediate=False)
    return alarms, hits


class Reliability(NamedTuple):
    """Bins [B] that hold samples: mean probability forecast, share that exceeded with its 95 % interval, and samples."""

    forecast: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    samples: np.ndarray


def reliability(positive: np.ndarray, probability: np.ndarray, edges: np.ndarray) -> Reliability:
    """How often it happened, by forecast probability.

    Args:
      positive: [N] bool.
      probability: [N] in 0 to 1.
      edges: [B + 1] of the bins, from 0 to 1.

    The interval is Wilson's (1927), which stays inside 0 to 1 and does not shrink to nothing where no sample exceeded.
    """
    samples, _ = np.histogram(probability, edges)
    shares, _, _ = binned_statistic(probability, (probability, positive), "mean", edges)
    forecast, observed = shares[:, samples > 0]
    samples = samples[samples > 0]
    tests = [binomtest(round(share * n), int(n)) for share, n in zip(observed, samples, strict=True)]
    ends = [test.proportion_ci(0.95, "wilson") for test in tests]
    low, high = (np.array([getattr(interval, end) for interval in ends]) for end in ("low", "high"))
    return Reliability(forecast, observed, low, high, samples)
