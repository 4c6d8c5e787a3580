"""What a microcystin run is: frozen dataclasses, checked when they are made; `spectral_jax.configure` reads them."""

import dataclasses

from spectral_jax import ranges
from spectral_jax.config import Config
from spectral_jax.matchups import REGION
from spectral_jax.microcystin.splits import SPLITS
from spectral_jax.sentences import unknown

SIMULATED = "simulated"
# Names of baselines: estimates that look at no spectrum, and models that learn from spectra.
SIMPLE = ("mean", "season", "persistence")
LEARNED = ("cyanobacteria index", "ridge", "support vectors", "gaussian process", "random forest", "gradient boosting")
BASELINES = (*SIMPLE, *LEARNED)


@dataclasses.dataclass(frozen=True)
class Lake:
    """The simulated lake that stands in when `data.matchups` is "simulated"."""

    stations: int = 8
    weeks: int = 18
    seed: int = 0

    def __post_init__(self):
        ranges.check(self, "data.lake.", {"stations": ranges.COUNT, "weeks": ranges.COUNT, "seed": ranges.SEED})


@dataclasses.dataclass(frozen=True)
class MatchupData:
    """Which match-ups, and what else is known of their water."""

    matchups: str = SIMULATED  # an .npz as `matchups.load` reads it, or "simulated"
    region: tuple[float, float, float, float] | None = REGION  # west, south, east, north; none: anywhere
    # A table of data_specs/climatology, or a CSV; "simulated": earlier years of the simulated lake; empty: no season.
    climatology: str = ""
    lake: Lake = Lake()

    def __post_init__(self):
        ranges.check(self, "data.", {"region": ranges.Range(-180.0, 180.0)})
        if self.region is not None:
            west, south, east, north = self.region
            if not (west < east and -90.0 <= south < north <= 90.0):
                raise ValueError(f"data.region: expected west, south, east, north in degrees, got {self.region}.")
        if self.climatology == SIMULATED and self.matchups != SIMULATED:
            raise ValueError(
                "data.climatology: 'simulated' goes with simulated match-ups alone, and data.matchups is "
                f"{self.matchups!r}; name a table of data_specs/climatology, a CSV, or nothing."
            )


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """How models are compared."""

    splits: tuple[str, ...] = ("week",)
    seeds: int = 5
    baselines: tuple[str, ...] = BASELINES
    trees: int = 100  # of the forest and of boosting
    label_fractions: tuple[float, ...] = (0.05, 0.1, 0.25, 0.5, 1.0)
    workers: int = 2  # processes that share the folds

    def __post_init__(self):
        table = {
            "seeds": ranges.COUNT, "trees": ranges.COUNT, "label_fractions": ranges.Range(0.0, 1.0, above=True),
            "workers": ranges.Range(1, 4096),
        }  # fmt: skip
        ranges.check(self, "evaluation.", table)
        for name in self.splits:
            if name not in SPLITS:
                raise unknown("evaluation.splits", "split", name, SPLITS)
        for name in self.baselines:
            if name not in BASELINES:
                raise unknown("evaluation.baselines", "baseline", name, BASELINES)
        for field in ("splits", "label_fractions"):
            if not getattr(self, field):
                raise ValueError(f"evaluation.{field}: expected at least one, got none.")


@dataclasses.dataclass(frozen=True)
class Microcystin:
    """A whole microcystin run.

    Attributes:
      name: of the run.
      data: the match-ups.
      evaluation: splits, seeds and baselines.
      pretrain: the recipe of the encoders, on a simulated lake; None: no encoder, experts and season alone.
      ablations: also random masks, no pretraining, and each task left out.
      fine_tuning: also partial and full fine-tuning of the encoders.
      encoder_in_ensemble: whether the predictor that is left includes the targeted encoders; the report has it both ways.
    """

    name: str
    data: MatchupData = MatchupData()
    evaluation: Evaluation = Evaluation()
    pretrain: Config | None = None
    ablations: bool = True
    fine_tuning: bool = True
    encoder_in_ensemble: bool = False

    def __post_init__(self):
        if self.encoder_in_ensemble and self.pretrain is None:
            raise ValueError("encoder_in_ensemble: expected a recipe in pretrain, got none; there is no encoder to include.")
