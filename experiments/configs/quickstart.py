"""Quickstart: simulated scenes, a tiny encoder, an imaging spectrometer, a multispectral imager and a radar.

    uv run python experiments/pretrain.py --config=experiments/configs/quickstart.py --workdir=/tmp/quickstart

Needs two CPU cores and 4 GB, and takes under three minutes after installation. It simulates a store (called simulated
everywhere), trains, and prints how well a linear probe reads the scenes' known ground parameters off the frozen embedding
before and after.
"""

import dataclasses

from spectral_jax.config import Config, Data, Jepa, Optim, Probe, Synthetic, Train, Views, model_size, spectralearth_sensors


def config() -> Config:
    """480 m patches as 4 x 4 tokens of 120 m; only the imaging spectrometer in local views, which keeps compiling short."""
    sensors = spectralearth_sensors(only=("ENMAP", "S2", "S1"))
    return Config(
        name="quickstart",
        sensors=tuple(dataclasses.replace(s, local_views=s.key == "ENMAP") for s in sensors),
        model=model_size("tiny", footprint_m=480.0, token_gsd_m=120.0),
        data=Data(store="synthetic", synthetic=Synthetic(locations=1024, dates=4, groups=("enmap_only",)), batch_size=64),
        views=Views(local_views=2),
        jepa=Jepa(ema=(0.98, 1.0), lambda_numerator=64.0),
        optim=Optim(lr=2e-3, warmup_steps=20),
        train=Train(steps=300, log_every=10, save_every=150),
        probe=Probe(enabled=True, train_locations=512, test_locations=512),
    )
