"""Presto's published evaluation on live fuel moisture, with random weights and Galileo beside it.

    uv run python tools/convert_weights.py --source=presto --input=default_model.pt --out=/tmp/presto
    uv run python tools/convert_weights.py --source=galileo --input=encoder.pt --out=/tmp/galileo
    uv run python experiments/adapt.py --config=experiments/configs/adapt_fuel_moisture.py \
        --config.data.root=DATA/fuel_moisture --config.weights.presto=/tmp/presto --config.weights.galileo=/tmp/galileo \
        --workdir=/tmp/fuel

Rows as in Table 10 of arXiv 2304.14065, on its split: 1578 samples train, 735 at other sites test. Expect RMSE 23.9 of a
random forest on the raw numbers, which no encoder reaches; 24.9 of one on Presto's embeddings, 26.9 with random weights, 27.1
of a linear regression. Two CPU cores: frozen rows five to ten minutes, fine-tuning an hour or more (estimated); leave its
rows out by `--config.rows=raw/random_forest,presto/random_forest,random_presto/random_forest`.
"""

from spectral_jax.adapt.monthly.comparison import MonthlyComparison, MonthlyData


def config() -> MonthlyComparison:
    """Raw numbers, Presto frozen and fine-tuned, Galileo frozen, and random weights of each."""
    return MonthlyComparison(name="adapt_fuel_moisture", data=MonthlyData("fuel_moisture"))
