"""Presto's published evaluation on the severity of algal blooms, with random weights and Galileo beside it.

    uv run python experiments/adapt.py --config=experiments/configs/adapt_algae_blooms.py \
        --config.data.root=DATA/algae_blooms --config.weights.presto=/tmp/presto --config.weights.galileo=/tmp/galileo \
        --workdir=/tmp/algae

Rows as in Table 10 of arXiv 2304.14065, on its split: 777 samples train, 345 east of 93 W and south of 41 N test. Expect
nobody far below the RMSE of the constant, 0.869, and random weights no worse than released ones: this task says nothing about
pretraining without those two beside it. Two CPU cores: frozen rows five to ten minutes, fine-tuning an
hour more (estimated).
"""

from spectral_jax.adapt.monthly.comparison import MonthlyComparison, MonthlyData


def config() -> MonthlyComparison:
    """Raw numbers, Presto frozen and fine-tuned, Galileo frozen, and random weights of each."""
    return MonthlyComparison(name="adapt_algae_blooms", data=MonthlyData("algae_blooms"))
