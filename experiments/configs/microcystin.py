"""Microcystin in western Lake Erie from PACE match-ups, this week and 8 days ahead.

    uv run python experiments/finetune_microcystin.py --config=experiments/configs/microcystin.py \
        --config.data.matchups=MATCHUPS.npz --workdir=/tmp/microcystin

The default split leaves one ISO week out. Two CPU cores need under twenty minutes; the folder then holds report.html,
report.json, out_of_fold.csv, predictor.npz and the encoders. `--config.ablations=false --config.fine_tuning=false` take most of
the time away.

Expect, on the 212 and 130 match-ups of 2024 and 2025: R2 0.75 for this week, above ridge (0.72), and 0.58 for 8 days ahead,
which is not shown to be better than the season alone (0.57). The random split of the report is optimistic and says so.
"""

from pathlib import Path

from spectral_jax import configure
from spectral_jax.microcystin.settings import Evaluation, MatchupData, Microcystin


def config() -> Microcystin:
    """All splits, five seeds, every baseline; the season of 2012 to 2022 as a prior."""
    return Microcystin(
        name="microcystin",
        data=MatchupData(climatology="erie_microcystin"),
        evaluation=Evaluation(splits=("week", "station", "random")),
        pretrain=configure.read(str(Path(__file__).parent / "spectm_lake.py")),
    )
