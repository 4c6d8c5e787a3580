"""Compares spectral adaptations of encoders on a labelled task: encoder x adaptation x task x protocol, over seeds.

python experiments/adapt.py --workdir=DIR                                            # simulated, under three minutes
python experiments/adapt.py --config=experiments/configs/adapt_enmap_potsdam.py \
        --config.data.root=DATA/enmap_potsdam --workdir=DIR
python experiments/adapt.py --config=experiments/configs/adapt_fuel_moisture.py \
        --config.data.root=DATA/fuel_moisture --config.weights.presto=DIR --workdir=DIR    # Presto's published evaluation
"""

import shlex
import sys
from pathlib import Path

from absl import flags

from spectral_jax import configure, launch

DEFAULT = Path(__file__).parent / "configs" / "adapt_quickstart.py"
CONFIG = launch.DEFINE_place("config", str(DEFAULT), "Config file (Python, or the config.json of a run).")
WORKDIR = launch.DEFINE_place(
    "workdir", None, "Folder of the run: results.json, statistics.json, report.html and more.", "folder"
)
flags.adopt_module_key_flags(launch)


def job(overrides: list[str]) -> None:
    """One comparison."""
    if not WORKDIR.value:
        raise ValueError("--workdir=DIR is needed: the folder that gets the results and the page.")
    from spectral_jax.adapt.monthly.compare import compare
    from spectral_jax.adapt.monthly.comparison import MonthlyComparison
    from spectral_jax.adapt.run import adapt
    from spectral_jax.adapt.settings import Comparison

    cfg = configure.read(CONFIG.value, overrides, (Comparison, MonthlyComparison))
    run = compare if isinstance(cfg, MonthlyComparison) else adapt
    run(cfg, Path(WORKDIR.value), shlex.join(["python", *sys.argv]))


main = launch.script("adapt", job, "data.root=DIR")

if __name__ == "__main__":
    launch.run(main)
