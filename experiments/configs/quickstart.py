"""Quickstart: simulated scenes, a small encoder, an imaging spectrometer, a multispectral imager and a radar.

    uv run python experiments/pretrain.py --config=experiments/configs/quickstart.py --workdir=/tmp/quickstart

Needs two CPU cores, 4 GB and four minutes. It simulates a store (called simulated everywhere), trains for 400 steps, and prints
how well a linear probe reads the scenes' known ground parameters off every level of the frozen encoder, before and after.

The recipe is ours, and docs/encoder.md has what each part of it is worth: a stem of every pixel on whitened spectra, views of
two dates of a place, and InfoNCE at every level. `quickstart_published.py` is the published recipe on the same scenes.

Expect: the loss falls from about 4 to 0.6 while the effective rank stays above 4 (a rank near 1 is a collapse), and the probe's
mean R2 rises to about 0.6 at the level of pixels. The job runs and the encoder learns; what it learned is worth nothing outside
the simulation.
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
from spectral_jax.spectral import whitening

WHITENINGS = {"ENMAP": "enmap_simulated", "S2": "sentinel2_simulated", "S1": "sentinel1_simulated"}


def config() -> Config:
    """240 m patches (4 x 4 tokens of 2 x 2 cells); local views show the spectrometer alone, as whoever has no other does."""
    sensors = (whitening.whitened(s, WHITENINGS[s.key]) for s in spectralearth_sensors(only=tuple(WHITENINGS)))
    return Config(
        name="quickstart",
        sensors=tuple(dataclasses.replace(s, local_views=s.key == "ENMAP") for s in sensors),
        # Blocks start near the identity, and means are carried past maxima and fusion: the stem's spectra then pass through all
        # stages from the first step on.
        model=model_size("tiny", footprint_m=240.0, width=64, stem_cells="deviation", init_std=0.02, carry=True),
        data=Data(store="synthetic", synthetic=Synthetic(locations=1024, dates=4, groups=("enmap_only",)), batch_size=64),
        # Crops keep most of the patch and the radiometric bias is that of haze: the published ranges are made for 3.84 km.
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
        optim=Optim(lr=2e-3, weight_decay=0.0, warmup_steps=50, clip_norm=1.0),
        train=Train(steps=400, log_every=10, save_every=200),
        # As in the published hyperspectral tasks, the frozen encoder sees the spectrometer alone.
        probe=Probe(enabled=True, train_locations=480, test_locations=480, sensors=("ENMAP",)),
    )
