"""Linear probe: how well known ground parameters are read off every level of a frozen encoder."""

import dataclasses
import functools

import jax
import numpy as np

from spectral_jax.batch import Batch
from spectral_jax.config import Config
from spectral_jax.data.loader import Loader
from spectral_jax.model.encoder import encode, readout
from spectral_jax.pretrain import ridge


@dataclasses.dataclass(frozen=True)
class ProbeResult:
    """Coefficient of determination of each ground parameter on held-out locations."""

    names: tuple[str, ...]
    r2: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean R2 over the parameters."""
        return float(np.mean(self.r2))


def probe(params: dict, cfg: Config, loader: Loader) -> dict[str, ProbeResult]:
    """Fits ridge regressions on some locations and scores them on others.

    The penalty is chosen by leave-one-out inside the training locations. The split is by location, drawn with
    `data.seed`, so it is the same for every set of parameters.

    Args:
      params: `{"encoder", ...}`.
      cfg: the run; `cfg.probe` says which sensors are shown and how many locations are used.
      loader: of a store that holds ground parameters.

    Returns:
      The score of every level of `readout.summaries`, the finest first, the pooled embedding last.

    Raises:
      ValueError: the store has no ground parameters, or too few locations.
      ImportError: scikit-learn is not installed.
    """
    vectors, truth = embed_locations(params, cfg, loader)
    train, test = _split(len(truth), cfg)
    out = {}
    for level, x in vectors.items():
        found = ridge.r2(truth[test], ridge.predict(x[train], truth[train], x[test]))
        out[level] = ProbeResult(loader.truth_names, tuple(found.tolist()))
    return out


def embed_locations(params: dict, cfg: Config, loader: Loader, date: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Vectors [N D] of every level and ground parameters [N K], each location once, valid date number `date` of each sensor.

    Locations that none of `cfg.probe.sensors` saw are left out.
    """
    keys = cfg.probe.sensors or tuple(sensor.key for sensor in cfg.sensors)
    vectors, truths = [], []
    for batch, truth in loader.survey(date):
        shown = {k: v for k, v in batch.sensors.items() if k in keys}
        if shown:
            seen = np.any([data.present for data in shown.values()], axis=0)
            vectors.append({level: np.asarray(x)[seen] for level, x in _embed(params, Batch(shown), cfg, keys).items()})
            truths.append(truth[seen])
    if not vectors:
        raise ValueError(f"probe.sensors: no group of the store has any of {', '.join(cfg.probe.sensors)}.")
    joined = {level: np.concatenate([x[level] for x in vectors]).astype(np.float64) for level in readout.names(cfg, keys)}
    return joined, np.concatenate(truths).astype(np.float64)


@functools.partial(jax.jit, static_argnames=("cfg", "keys"))
def _embed(params, batch, cfg: Config, keys: tuple[str, ...]):
    return readout.summaries(encode.encode(params["encoder"], batch, cfg), keys, cfg)


def _split(count: int, cfg: Config) -> tuple[np.ndarray, np.ndarray]:
    train, test = cfg.probe.train_locations, cfg.probe.test_locations
    if train + test > count:
        raise ValueError(
            f"probe: {train} training and {test} test locations are asked for and the store has {count}; lower "
            "probe.train_locations or probe.test_locations."
        )
    order = np.random.default_rng([cfg.data.seed, 20251]).permutation(count)
    return order[:train], order[train : train + test]
