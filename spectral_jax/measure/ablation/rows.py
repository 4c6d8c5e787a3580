"""The file of an ablation: a config, its variations by name, and what each may cost."""

import dataclasses
import re
import runpy
from collections.abc import Callable, Sequence
from pathlib import Path

from spectral_jax import configure
from spectral_jax.config import Config
from spectral_jax.sentences import unknown

STEPS = "steps"  # a budget of as many steps as a config says


@dataclasses.dataclass(frozen=True)
class Ablation:
    """Rows that are compared.

    Attributes:
      rows: name -> config; the first is what the others are compared with.
      budget: CPU seconds of training a row and seed, or "steps".
    """

    rows: dict[str, Config]
    budget: float | str

    def only(self, names: Sequence[str]) -> "Ablation":
        """Some of the rows, in their order; the first row always stays.

        Raises:
          ValueError: there is no such row.
        """
        for name in names:
            if name not in self.rows:
                raise unknown("--only", "row", name, self.rows, most=len(self.rows))
        first = next(iter(self.rows))
        return dataclasses.replace(self, rows={n: cfg for n, cfg in self.rows.items() if n == first or n in names})


def read(path: Path) -> Ablation:
    """Reads a Python file with `BASE`, `ROWS` and `BUDGET`; `experiments/ablations/quickstart.py` is one.

    `BASE` is the path of a config, seen from the file. `ROWS` maps names to changes: overrides in the form `views.dates=2`,
    functions of a config, or a sequence of both.

    Raises:
      FileNotFoundError: there is no such file, or no such config.
      ValueError: something is missing or of another form, two rows would share a folder, or a change is refused.
    """
    if not path.is_file():
        raise FileNotFoundError(f"--ablation: {path} does not exist.")
    found = runpy.run_path(str(path))
    missing = [name for name in ("BASE", "ROWS", "BUDGET") if name not in found]
    if missing or not isinstance(found["ROWS"], dict) or not found["ROWS"]:
        raise ValueError(
            f"--ablation: {path} needs BASE (path of a config), ROWS (name -> changes) and BUDGET (CPU seconds or {STEPS!r}); "
            f"{'missing: ' + ', '.join(missing) if missing else 'ROWS holds nothing'}."
        )
    base = configure.read(str(path.parent / found["BASE"]))
    rows = {name: _changed(base, name, changes) for name, changes in found["ROWS"].items()}
    if len({folder_of(name) for name in rows}) < len(rows):
        raise ValueError(f"--ablation: {path} has rows whose names differ in signs alone: {', '.join(rows)}; rename one.")
    return Ablation(rows, budget(found["BUDGET"]))


def budget(value: object) -> float | str:
    """CPU seconds as a number, or "steps".

    Raises:
      ValueError: it is neither.
    """
    if value == STEPS:
        return STEPS
    try:
        seconds = float(value)  # type: ignore[arg-type]  # what is no number is told below
    except (TypeError, ValueError):
        seconds = 0.0
    if not 0.0 < seconds < 1e7:
        raise ValueError(f"budget: expected CPU seconds above 0, or {STEPS!r}, got {value!r}.")
    return seconds


def folder_of(name: str) -> str:
    """A row's name as the name of its folder."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _changed(base: Config, name: str, changes: str | Callable | Sequence) -> Config:
    cfg = dataclasses.replace(base, name=name)
    for change in changes if isinstance(changes, tuple | list) else [changes]:
        if callable(change):
            cfg = change(cfg)
            if not isinstance(cfg, Config):
                raise ValueError(f"row {name!r}: its function gives a {type(cfg).__name__}, expected a Config.")
        elif isinstance(change, str):
            cfg = configure.override(cfg, configure.PREFIX + change.removeprefix(configure.PREFIX))
        else:
            raise ValueError(f"row {name!r}: expected overrides such as views.dates=2 or functions, got {change!r}.")
    return cfg
