"""What a comparison of encoders of monthly series is: frozen dataclasses, checked when they are made."""

import dataclasses
from typing import NamedTuple

from spectral_jax import ranges
from spectral_jax.adapt.monthly import finetune, galileo, presto, regressors
from spectral_jax.adapt.monthly.finetune import Recipe
from spectral_jax.adapt.settings import folders_of
from spectral_jax.sentences import unknown

RAW, RANDOM_PREFIX = "raw", "random_"
ENCODERS = {one.name: one for one in (presto.ENCODER, galileo.ENCODER)}
# Rows of an encoder of its architecture alone: random weights, drawn with each seed, whatever folder is named.
RANDOM = {RANDOM_PREFIX + name: name for name in ENCODERS}
TUNED, TUNED_LAST = "finetuned", "finetuned_last_state"
MODELS = (*regressors.SEEDED, TUNED, TUNED_LAST)
# Rows of Presto's published evaluation (arXiv 2304.14065, Table 10), and Galileo and random weights of both beside them.
FROZEN = (regressors.LINEAR, regressors.RIDGE, regressors.FOREST)
PUBLISHED_ROWS = (
    *(f"{RAW}/{model}" for model in (regressors.CONSTANT, *FROZEN)),
    *(f"{before}{presto.NAME}/{model}" for model in (*FROZEN, TUNED, TUNED_LAST) for before in ("", RANDOM_PREFIX)),
    *(f"{before}{galileo.NAME}/{model}" for model in FROZEN for before in ("", RANDOM_PREFIX)),
)


class Row(NamedTuple):
    """A line of the table.

    Attributes:
      name: as in the config.
      encoder: of `ENCODERS`; empty for raw numbers.
      random: whether its weights are drawn with each seed.
      model: of `MODELS`.
    """

    name: str
    encoder: str
    random: bool
    model: str


def parse(row: str) -> Row:
    """The line that a row names.

    Args:
      row: "raw/model", "encoder/model", or "random_encoder/model".

    Raises:
      ValueError: an unknown encoder or model, or one that cannot be fine-tuned.
    """
    names = (RAW, *ENCODERS, *RANDOM)
    parts = row.split("/")
    if len(parts) != 2:
        raise ValueError(f"rows: expected encoder/model, such as presto/random_forest, got {row!r}.")
    if parts[0] not in names:
        raise unknown("rows", "encoder of monthly series", parts[0], names, most=len(names))
    if parts[1] not in MODELS:
        raise unknown("rows", "model", parts[1], MODELS, most=len(MODELS))
    encoder = "" if parts[0] == RAW else RANDOM.get(parts[0], parts[0])
    if parts[1] in (TUNED, TUNED_LAST) and encoder != presto.NAME:
        raise ValueError(f"rows: {row} has no published recipe of fine-tuning; {presto.NAME} has one.")
    return Row(row, encoder, parts[0] in RANDOM, parts[1])


@dataclasses.dataclass(frozen=True)
class MonthlyData:
    """The task.

    Attributes:
      task: a file of `data_specs/tasks` whose samples are points with months.
      root: folder of its published files.
    """

    task: str = "fuel_moisture"
    root: str = ""


@dataclasses.dataclass(frozen=True)
class MonthlyWeights(folders_of(ENCODERS)):  # type: ignore[misc]  # its fields are the names of a table
    """Folders of weights, written by tools/convert_weights.py; empty: random weights, and every table says so."""


@dataclasses.dataclass(frozen=True)
class MonthlyComparison:
    """A whole comparison, on the published split.

    Attributes:
      name: of the run.
      data: the task.
      rows: see `parse`.
      weights: of encoders that have some.
      seeds: of forests, of fine-tuning and of random weights; the published ones.
      recipe: of fine-tuning.
    """

    name: str
    data: MonthlyData = MonthlyData()
    rows: tuple[str, ...] = PUBLISHED_ROWS
    weights: MonthlyWeights = MonthlyWeights()
    seeds: tuple[int, ...] = (0, 42, 84)
    recipe: Recipe = finetune.Recipe()

    def __post_init__(self):
        ranges.check(self, "", {"seeds": ranges.SEED})
        for field in ("rows", "seeds"):
            found = getattr(self, field)
            if not found or len(set(found)) < len(found):
                raise ValueError(f"{field}: expected at least one, none twice, got {found}.")
        self.lines()

    def lines(self) -> list[Row]:
        """What each row names.

        Raises:
          ValueError: an unknown name.
        """
        return [parse(row) for row in self.rows]
