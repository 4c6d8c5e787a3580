"""Puts several runs of experiments/adapt.py into one table: a column a task, lines by their average rank over tasks.

Example:
  uv run python tools/rank_tasks.py /tmp/potsdam /tmp/samson
"""

import json
import sys
from pathlib import Path

from absl import app

from spectral_jax import launch
from spectral_jax.adapt.score import ranks


def main(argv: list[str]):
    """Reads results.json of each folder and prints the table."""
    if len(argv) < 2:
        raise app.UsageError("expected the work folders of runs of experiments/adapt.py.")
    rows = []
    for folder in argv[1:]:
        path = Path(folder) / "results.json"
        if not path.is_file():
            sys.exit(f"rank_tasks: expected a run of experiments/adapt.py in {folder}, and it has no results.json.")
        rows += json.loads(path.read_text())
    try:
        print(ranks.rank(rows).text())
    except ValueError as error:
        sys.exit(f"rank_tasks: {error}")


if __name__ == "__main__":
    launch.run(main)
