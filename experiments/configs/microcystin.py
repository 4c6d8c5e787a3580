"""Microcystin in western Lake Erie from PACE match-ups, this week and 8 days ahead.

    uv run python experiments/finetune_microcystin.py --config=experiments/configs/microcystin.py \
        --config.data.matchups=MATCHUPS.npz --workdir=/tmp/microcystin

The default split leaves one ISO week out. Two CPU cores need under ten minutes; the folder then holds report.json,
out_of_fold.csv and predictor.npz.
"""

from spectral_jax.downstream.settings import Evaluation, Finetune, MatchupData


def config() -> Finetune:
    """All splits, five seeds, every baseline; the season of 2012 to 2022 as a prior."""
    return Finetune(
        name="microcystin",
        data=MatchupData(climatology="erie_microcystin"),
        evaluation=Evaluation(splits=("week", "station", "random")),
    )
