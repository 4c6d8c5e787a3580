"""Linear probe: how well known ground parameters are read off frozen embeddings."""

import dataclasses
import functools

import jax
import numpy as np

from spectral_jax.batch import Batch
from spectral_jax.config import Config
from spectral_jax.data.loader import Loader
from spectral_jax.model.encoder import encode
from spectral_jax.sentences import needs

ALPHAS = tuple(10.0**p for p in range(-3, 6))


@dataclasses.dataclass(frozen=True)
class ProbeResult:
    """Coefficient of determination of each ground parameter on held-out locations."""

    names: tuple[str, ...]
    r2: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean R2 over the parameters."""
        return float(np.mean(self.r2))


def probe(params: dict, cfg: Config, loader: Loader) -> ProbeResult:
    """Fits ridge regressions on some locations and scores them on others.

    The penalty is chosen by leave-one-out inside the training locations. The split is by location, drawn with
    `data.seed`, so it is the same for every set of parameters.

    Args:
      params: `{"encoder", ...}`.
      cfg: the run; `cfg.probe` says which sensors are shown and how many locations are used.
      loader: of a store that holds ground parameters.

    Raises:
      ValueError: the store has no ground parameters, or too few locations.
      ImportError: scikit-learn is not installed.
    """
    with needs("scikit-learn", "eval", "the linear probe"):
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

    embeddings, truth = embed_locations(params, cfg, loader)
    train, test = _split(len(truth), cfg)
    scores = []
    for column in truth.T:
        model = make_pipeline(StandardScaler(), RidgeCV(ALPHAS)).fit(embeddings[train], column[train])
        scores.append(float(model.score(embeddings[test], column[test])))
    return ProbeResult(loader.truth_names, tuple(scores))


def embed_locations(params: dict, cfg: Config, loader: Loader) -> tuple[np.ndarray, np.ndarray]:
    """Pooled embeddings [N D] and ground parameters [N K], each location once, one date a sensor.

    Locations that none of `cfg.probe.sensors` saw are left out.
    """
    embed = jax.jit(functools.partial(_embed, cfg=cfg))
    pairs = []
    for batch, truth in loader.survey():
        shown = {k: v for k, v in batch.sensors.items() if not cfg.probe.sensors or k in cfg.probe.sensors}
        if shown:
            seen = np.any([data.present for data in shown.values()], axis=0)
            pairs.append((np.asarray(embed(params, Batch(shown)))[seen], truth[seen]))
    if not pairs:
        raise ValueError(f"probe.sensors: no group of the store has any of {', '.join(cfg.probe.sensors)}.")
    embeddings, truth = (np.concatenate(x) for x in zip(*pairs, strict=True))
    return embeddings.astype(np.float64), truth.astype(np.float64)


def _embed(params, batch, cfg: Config):
    return encode.encode(params["encoder"], batch, cfg).pooled


def _split(count: int, cfg: Config) -> tuple[np.ndarray, np.ndarray]:
    train, test = cfg.probe.train_locations, cfg.probe.test_locations
    if train + test > count:
        raise ValueError(
            f"probe: {train} training and {test} test locations are asked for and the store has {count}; lower "
            "probe.train_locations or probe.test_locations."
        )
    order = np.random.default_rng([cfg.data.seed, 20251]).permutation(count)
    return order[:train], order[train : train + test]
