"""spectral-mini: the small encoder that is kept in the package, `spectral_jax.load("spectral-mini")`.

    uv run python experiments/pretrain.py --config=experiments/configs/spectral_mini.py --workdir=/tmp/spectral_mini

Needs two CPU cores, 6 GB and less than two hours. Everything that it learns from is SIMULATED: 4,096 places of the seven groups
of sensors of SpectralEarth-MM. docs/model_card.md says what the encoder is good and bad for.

The recipe is the quickstart's (docs/encoder.md), with more sensors: EnMAP, EMIT, DESIS and Landsat share one stem and branch on
the components of EnMAP's whitening, which any optical sensor's bands estimate, so that others can be added without training.
Sentinel-2 and Sentinel-1 have branches of their own, as what smaller pixels show of a cell is texture too.
"""

import dataclasses
from pathlib import Path

from spectral_jax import configure
from spectral_jax.config import Config, Synthetic, spectralearth_sensors
from spectral_jax.spectral import estimate, whitening

RECIPE = Path(__file__).with_name("quickstart.py")
SPECTROMETERS = ("ENMAP", "EMIT", "DESIS")
SHARED = (*SPECTROMETERS, "LO")
OWN = {"S2": "sentinel2_simulated", "S1": "sentinel1_simulated"}


def config() -> Config:
    """240 m patches; local views show one spectrometer alone."""
    recipe = configure.read(str(RECIPE))
    sensors = [
        estimate.through(s, "enmap_simulated", "enmap_l2a") if s.key in SHARED else whitening.whitened(s, OWN[s.key])
        for s in spectralearth_sensors(only=(*SHARED, *OWN))
    ]
    return dataclasses.replace(
        recipe,
        name="spectral-mini",
        sensors=tuple(dataclasses.replace(s, local_views=s.key in SPECTROMETERS) for s in sensors),
        # One block a stage: with a second one in stage 3 the file would be larger than 8 MB.
        model=dataclasses.replace(recipe.model, depths=(1, 1, 1)),
        data=dataclasses.replace(recipe.data, synthetic=Synthetic(locations=4096, dates=4)),
        optim=dataclasses.replace(recipe.optim, warmup_steps=100),
        train=dataclasses.replace(recipe.train, steps=2500, save_every=250),
    )
