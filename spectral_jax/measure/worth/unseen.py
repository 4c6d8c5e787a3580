"""Places of a simulator seed that no run has seen, with what is true of each place and of the day it is shown at."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from spectral_jax.config import Config, Synthetic
from spectral_jax.data.loader import Loader
from spectral_jax.data.store import Store, open_store
from spectral_jax.measure.worth.question import Question
from spectral_jax.sentences import unknown
from spectral_jax.simulate.scenes.groups import GROUPS
from spectral_jax.simulate.scenes.location import GROUND_PARAMETERS, draw_ground
from spectral_jax.simulate.scenes.store import write_store

DATES = 4  # as the quickstart's store; the first valid one is shown
PLACE, DAY = "place", "day"
# What the simulator draws for a date and leaves a trace in reflectance: greenness of the season (0 to 1); soil moisture
# (m3/m3); log of the factor on the water's pigments; the distance of the sun from the zenith (degrees). Wind and glint leave
# next to none (R2 of bands < 0.04), air temperature none. Probed are changes between two dates: the place itself falls out.
DAY_PARAMETERS = ("season_change", "soil_moisture_change", "bloom_log_change", "sun_zenith_deg_change")
NAMES = {PLACE: GROUND_PARAMETERS, DAY: DAY_PARAMETERS}


@dataclasses.dataclass(frozen=True)
class Places:
    """Simulated places for the ridge to learn from, and, after them, those it is scored on.

    Attributes:
      path: their store, which holds the one sensor.
      truth: "place" -> ground parameters float64 [N 11]; "day" -> `DAY_PARAMETERS`, first minus second valid date [N 4], 0
        where there is no second.
      usable: "place" and "day" -> bool [N], where there is that truth.
    """

    path: Path
    truth: dict[str, np.ndarray]
    usable: dict[str, np.ndarray]

    def loader(self, cfg: Config) -> Loader:
        """Reads them as a run sees them.

        Raises:
          ValueError: the run's sensor is not the one that was simulated.
        """
        return Loader(dataclasses.replace(cfg, data=dataclasses.replace(cfg.data, groups=())), self.path)


def group_of(sensor: str) -> str:
    """The group whose places are simulated for a sensor: the one of that sensor alone, or the first that holds it."""
    holding = [name for name, keys in GROUPS.items() if sensor in keys]
    if not holding:
        raise unknown(
            "--sensor", "sensor of the simulated groups", sensor, sorted({k for keys in GROUPS.values() for k in keys})
        )
    own = f"{sensor.lower()}_only"
    return own if own in holding else holding[0]


def places(question: Question, cfg: Config, workdir: Path, say: Callable[[str], None] = print) -> Places:
    """The places for runs of one footprint and sensor, simulated once in `workdir` and used again.

    Args:
      question: sensor, seed and counts.
      cfg: of a run; its footprint and the sensor's bands are used.
      workdir: where their store lies, or will.
      say: gets a line about what is simulated.

    Raises:
      ValueError: the run has no such sensor, or was simulated with the same seed.
    """
    spec = cfg.sensor(question.sensor).spec
    synthetic, footprint_m = cfg.data.synthetic, cfg.model.footprint_m
    if cfg.data.store == "synthetic" and synthetic.seed == question.seed:
        raise ValueError(
            f"--seed: the run {cfg.name!r} was trained on scenes simulated with seed {question.seed}, so its places are not "
            "unseen; take another seed for the places."
        )
    bands = dataclasses.replace(spec.without_bad_bands(), mean=(), std=()).digest[:6]
    name = f"places_{question.sensor}_{footprint_m:g}m_seed{question.seed}_{question.places}_{bands}"
    path = workdir / f"{name}.zarr"
    group = group_of(question.sensor)
    if not path.exists():
        say(f"Simulating {question.places} places of {footprint_m:g} m into {path} (simulated data, no observations).")
        workdir.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        made = Synthetic(locations=question.places, dates=DATES, seed=question.seed, groups=(group,))
        write_store(path, made, {question.sensor: spec}, footprint_m)
        say(f"Simulated in {time.monotonic() - began:.0f} s.")
    return _known(path, group, question, footprint_m, workdir / f"{name}_day.npy")


def check_unseen(question: Question, store: Store) -> None:
    """A ValueError where a store that a run learned from was simulated with the seed of the places."""
    if store.simulated and store.provenance.get("seed") == question.seed:
        raise ValueError(
            f"--seed: {store.path} was simulated with seed {question.seed} too, so its places are not unseen; take another."
        )


def _known(path: Path, name: str, question: Question, footprint_m: float, kept: Path) -> Places:
    group = open_store(path).groups[name]
    ground, valid = group.truth(), group.valid(question.sensor)
    assert ground is not None  # a simulated store holds it
    twice = valid.sum(axis=1) > 1
    if not kept.exists():
        changes = np.zeros((len(valid), len(DAY_PARAMETERS)))
        for row in np.flatnonzero(twice).tolist():
            first, second = np.flatnonzero(valid[row])[:2]
            days = days_of(question.seed, name, row, footprint_m, DATES)
            changes[row] = days[first] - days[second]
        np.save(kept, changes)
    usable = {PLACE: np.ones(len(valid), bool), DAY: twice}
    return Places(path, {PLACE: ground.astype(np.float64), DAY: np.load(kept)}, usable)


def days_of(seed: int, group: str, row: int, footprint_m: float, dates: int) -> np.ndarray:
    """What `DAY_PARAMETERS` are changes of, for every date of a simulated location [T 4]; arguments as `simulate_location`."""
    states = draw_ground(seed, group, row, footprint_m, dates).states
    return np.stack([states.season, states.moisture, np.log(states.bloom), states.sun_zenith_deg], axis=1)
