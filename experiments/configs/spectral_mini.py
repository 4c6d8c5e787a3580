"""spectral-mini: the small encoder that is kept in the package, `spectral_jax.load("spectral-mini")`.

    uv run python experiments/pretrain.py --config=experiments/configs/spectral_mini.py --workdir=/tmp/spectral_mini

Needs two CPU cores, 6 GB and less than two hours. Everything that it learns from is SIMULATED: 4,096 places of the seven groups
of sensors of SpectralEarth-MM. docs/model_card.md says what the encoder is good and bad for.

The recipe is the quickstart's (docs/encoder.md), with more sensors: EnMAP, EMIT, DESIS and Landsat share one stem and branch on
the components of EnMAP's whitening, which any optical sensor's bands estimate, so that others can be added without training.
Sentinel-2 and Sentinel-1 have branches of their own, as what smaller pixels show of a cell is texture too.
"""

import dataclasses

from spectral_jax.config import (
    Config,
    Data,
    Levels,
    Objective,
    Optim,
    Probe,
    Synthetic,
    Train,
    Views,
    model_size,
    spectralearth_sensors,
)
from spectral_jax.spectral import estimate, whitening

SPECTROMETERS = ("ENMAP", "EMIT", "DESIS")
SHARED = (*SPECTROMETERS, "LO")
OWN = {"S2": "sentinel2_simulated", "S1": "sentinel1_simulated"}


def config() -> Config:
    """240 m patches; local views show one spectrometer alone."""
    sensors = [
        estimate.through(s, "enmap_simulated", "enmap_l2a") if s.key in SHARED else whitening.whitened(s, OWN[s.key])
        for s in spectralearth_sensors(only=(*SHARED, *OWN))
    ]
    return Config(
        name="spectral-mini",
        sensors=tuple(dataclasses.replace(s, local_views=s.key in SPECTROMETERS) for s in sensors),
        # One block a stage: with a second one in stage 3 the file would be larger than 8 MB.
        model=model_size("tiny", footprint_m=240.0, width=64, depths=(1, 1, 1), stem_cells="deviation", init_std=0.02),
        data=Data(store="synthetic", synthetic=Synthetic(locations=4096, dates=4), batch_size=64),
        views=Views(
            dates=2,
            local_views=2,
            global_scale=(0.7, 1.0),
            local_scale=(0.7, 1.0),
            blur=0.0,
            gain=(0.9, 1.1),
            bias=(-0.01, 0.01),
        ),
        objective=Objective(jepa=0.0, contrast=1.0),
        levels=Levels(names=("pixels", "stage1", "stage2", "stage3", "pooled"), hidden=128, out=64),
        optim=Optim(lr=2e-3, weight_decay=0.0, warmup_steps=100, clip_norm=1.0),
        train=Train(steps=2500, log_every=10, save_every=250),
        probe=Probe(enabled=True, train_locations=480, test_locations=480, sensors=("ENMAP",)),
    )
