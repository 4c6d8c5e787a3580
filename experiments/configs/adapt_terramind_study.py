"""Does the TerraMind study compare band selection with spectral response, or how its code normalises them? Both versions of it.

    uv run python experiments/adapt.py --config=experiments/configs/adapt_terramind_study.py --workdir=/tmp/study
    uv run python experiments/adapt.py --config=experiments/configs/adapt_terramind_study.py \
        --config.data.task=enmap_potsdam --config.data.root=DATA/enmap_potsdam --workdir=/tmp/study_potsdam

`as_published`: selection is normalised by the statistics of the next band, and inputs by response come out too large, as the
study's code has it. `corrected`: both by what the encoder sees. Nothing else differs. The page says how large the inputs are,
what nearest is ahead of srf in each version, and whether the version changes that, paired by seed.

The first command is on simulated tiles. Two CPU cores, about ten minutes each. What was cut: encoders are 96 wide and 4 deep
(the study: TerraMind base, 224 px), tokens of 2 x 2 pixels on tiles of 32, the light multi-tap head for the 256-channel FCN,
thirty epochs, batches of three of eight or nine training tiles. They start from random numbers unless a folder is named
(`--config.weights.terramind=DIR`), and so have the learning rate 1e-3 in place of 3e-5, which is for fine-tuning. These numbers
are of adapt_enmap_potsdam.py, set before this comparison, and the same for all rows.
"""

import dataclasses

from spectral_jax.adapt.protocols import STUDY_CORRECTED
from spectral_jax.adapt.settings import AdaptData, Comparison, Size


def config() -> Comparison:
    """Two adaptations in two versions of the study, ten seeds with a split each."""
    protocol = dataclasses.replace(
        STUDY_CORRECTED, head="multitap", head_width=64, learning_rate=1e-3, batch=3, epochs=30, patience=10
    )
    return Comparison(
        name="adapt_terramind_study",
        data=AdaptData(task="simulated", tiles=14, footprint_m=960.0, block_m=960.0),
        rows=tuple(
            f"terramind/{adaptation}/terramind_study/{version}"
            for version in ("as_published", "corrected")
            for adaptation in ("nearest", "srf")
        ),
        size=Size(width=96, depth=4, heads=3, patch=2, px=32),
        protocol=protocol,
        seeds=10,
    )
