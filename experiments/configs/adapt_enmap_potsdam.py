"""Land cover of Potsdam from 14 EnMAP tiles: every adaptation on ten seeds, and a pixel-wise baseline beside them.

    uv run python experiments/adapt.py --config=experiments/configs/adapt_enmap_potsdam.py \
        --config.data.root=DATA/enmap_potsdam --workdir=/tmp/potsdam

Two CPU cores, under thirty minutes. Expect: the pixel-wise baseline above every encoder (macro IoU 0.39 against 0.28 to
0.33), and no shown difference between all bands and twelve. All tiles are of one scene, so only ground can be kept apart: a
tile is in one part only, and seed s has its own block-disjoint split, drawn with seed s, so that the spread over seeds
holds that of the split. Tiles of one split touch (see the leakage report): the numbers say how well a model fills gaps in
this scene.

The protocol is the TerraMind study's, with what 14 tiles and two cores need changed: encoders are 96 wide and 4 deep, with
tokens of 2 x 2 pixels on tiles of 32 pixels, and start from random numbers (no published weights are in this repository; name
folders by `--config.weights.terramind=DIR`); the light multi-tap decoder takes the place of the 256-channel FCN, for all rows
alike; random initialisation needs a higher learning rate than fine-tuning (of 3e-4, 1e-3 and 3e-3, the validation loss of
TerraMind's structure was lowest at 1e-3), and thirty epochs are what half an hour allows. These numbers were set once, for all
rows.
"""

import dataclasses

from spectral_jax.adapt.protocols import TERRAMIND_STUDY
from spectral_jax.adapt.settings import AdaptData, Comparison, Size


def config() -> Comparison:
    """Five adaptations to Sentinel-2A before TerraMind's structure, one before DOFA's, and three encoders on all bands."""
    protocol = dataclasses.replace(
        TERRAMIND_STUDY, head="multitap", head_width=64, learning_rate=1e-3, batch=3, epochs=30, patience=10
    )
    return Comparison(
        name="adapt_enmap_potsdam",
        data=AdaptData(task="enmap_potsdam", block_m=960.0),
        rows=("terramind/nearest", "terramind/srf", "terramind/learned_linear", "terramind/wavelength_attention",
              "terramind/convolutional_adapter", "dofa/srf", "dofa/none", "spectralearth/none", "ours/none"),
        size=Size(width=96, depth=4, heads=3, patch=2, px=32),
        protocol=protocol,
        seeds=10,
    )  # fmt: skip
