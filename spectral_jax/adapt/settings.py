"""What a comparison of adaptations is: frozen dataclasses, checked when they are made; `spectral_jax.configure` reads them."""

import dataclasses
from collections.abc import Iterable

from spectral_jax import ranges
from spectral_jax.adapt import lines
from spectral_jax.adapt.encoders.encoder import Size
from spectral_jax.adapt.encoders.table import ENCODERS
from spectral_jax.adapt.lines import Line
from spectral_jax.adapt.protocols import TERRAMIND_STUDY, Protocol
from spectral_jax.simulate.task import NAME as SIMULATED_TASK
from spectral_jax.spectral.project import UNCOVERED

SPLITS = ("block", "scene", "location", "published")


@dataclasses.dataclass(frozen=True)
class AdaptData:
    """The task, and how it is split.

    Attributes:
      task: a file of `data_specs/tasks`, or "simulated".
      root: folder of its published files.
      sensor: which of the task's sensors the encoders see; empty: its only one.
      resize_px: side that samples are resized to when they are read; 0: they stay. For sets whose images differ in size.
      tiles, footprint_m: of the simulated task.
      split: "block" (squares of ground), "scene", "location" (the task's own sites or tiles), or "published"; see
        `parts.splits`.
      block_m, buffer_m: see `blocks.block_disjoint`.
      fractions: of train, val and test.
      vary: the split of seed s is drawn with seed s, so that the spread over seeds holds that of the split; false: one split.
      near_m: what the leakage report calls near, metres.
    """

    task: str = SIMULATED_TASK
    root: str = ""
    sensor: str = ""
    resize_px: int = 0
    tiles: int = 12
    footprint_m: float = 480.0
    split: str = "block"
    block_m: float = 1000.0
    buffer_m: float = 0.0
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2)
    vary: bool = True
    near_m: float = 1000.0

    def __post_init__(self):
        if self.split not in SPLITS:
            raise ValueError(f"data.split: expected one of {', '.join(SPLITS)}, got {self.split!r}.")
        table = {
            "resize_px": ranges.Range(0), "tiles": ranges.COUNT, "footprint_m": ranges.POSITIVE, "block_m": ranges.POSITIVE,
            "buffer_m": ranges.NOT_NEGATIVE, "fractions": ranges.Range(0.0, 1.0, total=1.0), "near_m": ranges.NOT_NEGATIVE,
        }  # fmt: skip
        ranges.check(self, "data.", table)


def folders_of(names: Iterable[str]) -> type:
    """A frozen dataclass with an empty folder for each encoder of these names."""
    return dataclasses.make_dataclass("Folders", [(name, str, "") for name in names], frozen=True)


@dataclasses.dataclass(frozen=True)
class WeightFolders(folders_of(ENCODERS)):  # type: ignore[misc]  # its fields are the names of a table
    """Folders of weights, one for each encoder of `encoders.table`; empty: random initialisation, and every table says so.

    That of `ours`, `ours_finest` and `ours_pixels` is a work folder or checkpoint of a pretraining run, or the name of a model
    of the package; the others are written by tools/convert_weights.py.
    """


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A whole comparison.

    Attributes:
      name: of the run.
      data: task and split.
      rows: "encoder/adaptation" each, or "encoder/adaptation/protocol", see `adapt.lines` and `adapt.bands`.
      target: sensor that projections go to, of `data_specs/sensors`.
      uncovered: what becomes of target bands that the source does not see: "refuse", "nearest", "zero", or "leave_out".
      size: of encoders without weights.
      weights: of encoders that have some.
      protocol: how rows without one of their own are trained, and what share of the labels all have. Its numbers are set once;
        none is chosen on a test part.
      seeds: how many, from 0.
      baseline: a linear model of all bands without an encoder stands beside them, see `fit.baseline`.
      maps: test tiles of the first seed that the page shows.
      keep: models of the first seed are kept in the folder models of the run, for `spectral-jax predict`; of samples of one
        date.
    """

    name: str
    data: AdaptData = AdaptData()
    rows: tuple[str, ...] = ("terramind/nearest", "terramind/srf", "spectralearth/none")
    target: str = "sentinel2a_l2a"
    uncovered: str = "leave_out"
    size: Size = Size()
    weights: WeightFolders = WeightFolders()
    protocol: Protocol = TERRAMIND_STUDY
    seeds: int = TERRAMIND_STUDY.seeds
    baseline: bool = True
    maps: int = 3
    keep: bool = True

    def __post_init__(self):
        ranges.check(self, "", {"seeds": ranges.COUNT, "maps": ranges.Range(0)})
        if self.uncovered not in UNCOVERED:
            raise ValueError(f"uncovered: expected one of {', '.join(UNCOVERED)}, got {self.uncovered!r}.")
        if not self.rows or len(set(self.rows)) < len(self.rows):
            raise ValueError(f"rows: expected at least one row, none twice, got {self.rows}.")
        self.lines()

    def lines(self) -> list[Line]:
        """What each row names.

        Raises:
          ValueError: an unknown name.
        """
        return [lines.parse(row, self.protocol) for row in self.rows]
