"""The default of finetune_microcystin.py: a simulated lake, so that everything runs before any file is at hand.

    uv run python experiments/finetune_microcystin.py --workdir=/tmp/lake

Two CPU cores, under three minutes. Expect: a line for every model as it is done, R2 about 0.7 for both targets, and
report.html, every page of which says that the data are simulated. Its scores say nothing about real water.
"""

from pathlib import Path

from spectral_jax import configure
from spectral_jax.microcystin.settings import SIMULATED, Evaluation, MatchupData, Microcystin


def config() -> Microcystin:
    """One season at eight stations, and samples of earlier years; encoders of 100 steps, no ablations or fine-tuning."""
    return Microcystin(
        name="microcystin_simulated",
        data=MatchupData(climatology=SIMULATED),
        evaluation=Evaluation(trees=20, label_fractions=(0.1, 0.5, 1.0)),
        pretrain=configure.read(str(Path(__file__).parent / "spectm_lake.py"), ["--config.train.steps=100"]),
        ablations=False,
        fine_tuning=False,
    )
