"""The default of adapt.py: a simulated land-cover task, so that everything runs before any file is at hand.

    uv run python experiments/adapt.py --config=experiments/configs/adapt_quickstart.py --workdir=/tmp/adapt

Two CPU cores, about a minute, three where nothing is compiled yet. Ten simulated EnMAP scenes of 480 m, three seeds,
encoders of random initialisation at toy size. Expect: the pixel-wise model far above every encoder (macro IoU about 0.55
against 0.3), and no difference between encoders that its interval would show. The scores say nothing about the Earth, nor
about pretrained encoders.
"""

import dataclasses

from spectral_jax.adapt.protocols import TERRAMIND_STUDY
from spectral_jax.adapt.settings import AdaptData, Comparison, Size


def config() -> Comparison:
    """TerraMind's structure on projected bands; SpectralEarth's, DOFA's and ours on all; the study's protocol, shorter."""
    protocol = dataclasses.replace(
        TERRAMIND_STUDY, head="multitap", head_width=32, learning_rate=1e-3, epochs=20, batch=2, patience=10
    )
    return Comparison(
        name="adapt_quickstart",
        data=AdaptData(task="simulated", tiles=10, footprint_m=480.0),
        rows=("terramind/nearest", "terramind/srf", "terramind/learned_linear", "terramind/wavelength_attention",
              "terramind/convolutional_adapter", "spectralearth/none", "dofa/none", "ours/none"),
        size=Size(width=48, depth=2, heads=3, patch=2, px=16),
        protocol=protocol,
        seeds=3,
    )  # fmt: skip
