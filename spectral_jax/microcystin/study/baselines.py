"""What every model must beat: from the mean and last week's sample to scikit-learn's regressors on whole spectra.

Hyper-parameters are chosen, and intervals are calibrated, by leaving groups of weeks out inside the training rows, as for our
own model.
"""

import warnings
from collections.abc import Callable

import numpy as np

from spectral_jax.microcystin import features
from spectral_jax.microcystin.predictor import calibration, ensemble
from spectral_jax.microcystin.predictor.ensemble import LIMIT, Interval
from spectral_jax.microcystin.problem import Problem
from spectral_jax.microcystin.settings import BASELINES, LEARNED
from spectral_jax.sentences import needs, unknown

INNER_PARTS = 5
# (problem, train rows, test rows, seed) -> what is predicted of the test rows by a fit that has seen the train rows alone.
FitPredict = Callable[[Problem, np.ndarray, np.ndarray, int], Interval]


def mean(problem: Problem, train: np.ndarray, test: np.ndarray, seed: int) -> Interval:
    """Mean of the training labels."""
    y, weeks = problem.y[train], problem.groups[train]
    left_out = np.array([y[weeks != w].mean() for w in weeks])
    return _calibrated(problem, train, left_out, np.full(len(test), y.mean()))


def season(problem: Problem, train: np.ndarray, test: np.ndarray, seed: int) -> Interval:
    """Climatology of earlier years, without any image.

    Raises:
      ValueError: the problem has no climatology.
    """
    if problem.season is None:
        raise ValueError(
            "baseline 'season': expected a climatology, got none; set data.climatology, or leave the baseline out."
        )
    level = np.maximum(problem.season, LIMIT)
    return _calibrated(problem, train, level[train], level[test])


def persistence(problem: Problem, train: np.ndarray, test: np.ndarray, seed: int) -> Interval:
    """The last sample known; the training mean where there is none."""
    known = np.where(np.isfinite(problem.persistence), problem.persistence, problem.y[train].mean())
    return _calibrated(problem, train, known[train], known[test])


def _regressor(name: str, seed: int, trees: int):
    """The regressor, and the grid of its hyper-parameters, which may be empty."""
    with needs("scikit-learn", "eval", f"the baseline {name!r}"):
        from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
        from sklearn.linear_model import Ridge
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVR

    if name in ("ridge", "cyanobacteria index"):
        return make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": 10.0 ** np.arange(-2, 4.1, 0.5)}
    if name == "support vectors":
        return make_pipeline(StandardScaler(), SVR(epsilon=0.1)), {
            "svr__C": (0.3, 1.0, 3.0, 10.0),
            "svr__gamma": (1e-3, 3e-3, 1e-2),
        }
    if name == "gaussian process":
        kernel = ConstantKernel(1.0, (1e-2, 1e3)) * RBF(10.0, (1.0, 1e3)) + WhiteKernel(0.1, (1e-3, 1.0))
        return make_pipeline(StandardScaler(), GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed)), {}
    if name == "random forest":
        return RandomForestRegressor(trees, max_features="sqrt", min_samples_leaf=2, random_state=seed), {}
    if name == "gradient boosting":
        boosting = GradientBoostingRegressor(
            n_estimators=trees, learning_rate=0.05, max_depth=3, subsample=0.7, max_features="sqrt", random_state=seed
        )
        return boosting, {}
    raise unknown("evaluation.baselines", "regressor", name, LEARNED)


def learned(name: str, trees: int = 100) -> FitPredict:
    """A regressor of scikit-learn on the spectrum (on CI alone for `cyanobacteria index`).

    What it gives raises `ImportError` where scikit-learn is not installed.
    """

    def fit_predict(problem: Problem, train: np.ndarray, test: np.ndarray, seed: int) -> Interval:
        with needs("scikit-learn", "eval", f"the baseline {name!r}"):
            from sklearn.exceptions import ConvergenceWarning
            from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict

        x = features.spectrum(problem.rrs, problem.data.wavelength_nm)
        if name == "cyanobacteria index":
            x = features.bio_optical(problem.rrs, problem.data.wavelength_nm)[:, :1]
        model, grid = _regressor(name, seed, trees)
        weeks = problem.groups[train]
        inner = GroupKFold(min(INNER_PARTS, len(np.unique(weeks))))
        with warnings.catch_warnings():
            # A kernel's bound that is reached, or an early stop, is one of the choices the inner folds judge.
            warnings.simplefilter("ignore", ConvergenceWarning)
            if grid:
                search = GridSearchCV(model, grid, cv=inner, scoring="neg_mean_squared_error")
                model = search.fit(x[train], problem.y[train], groups=weeks).best_estimator_
            else:
                model.fit(x[train], problem.y[train])
            predicted = model.predict(x[test])
            if name == "gaussian process":  # inner folds keep the kernel that the training rows gave
                step = model.named_steps["gaussianprocessregressor"]
                step.set_params(kernel=step.kernel_, optimizer=None)
            left_out = cross_val_predict(model, x[train], problem.y[train], groups=weeks, cv=inner)
        return _calibrated(problem, train, np.maximum(left_out, LIMIT), np.maximum(predicted, LIMIT))

    return fit_predict


WITHOUT_SPECTRUM: dict[str, FitPredict] = {"mean": mean, "season": season, "persistence": persistence}
RANDOM = ("random forest", "gradient boosting")  # those whose result depends on the seed


def baseline(name: str, trees: int = 100) -> FitPredict:
    """The baseline called `name`.

    Raises:
      ValueError: there is none; the sentence has the closest.
    """
    if name in WITHOUT_SPECTRUM:
        return WITHOUT_SPECTRUM[name]
    if name not in LEARNED:
        raise unknown("evaluation.baselines", "baseline", name, BASELINES)
    return learned(name, trees)


def _calibrated(problem: Problem, train: np.ndarray, left_out: np.ndarray, predicted: np.ndarray) -> Interval:
    spread = calibration.fit(np.maximum(left_out, LIMIT), problem.y[train], problem.below[train], LIMIT)
    return ensemble.of_log10(spread, predicted)
