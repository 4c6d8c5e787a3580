"""Quickstart: simulated scenes, a tiny encoder, an imaging spectrometer, a multispectral imager and a radar.

    uv run python experiments/pretrain.py --config=experiments/configs/quickstart.py --workdir=/tmp/quickstart

Needs two CPU cores and 4 GB. It simulates a store (called simulated everywhere), trains for 300 steps, and prints how well a
linear probe reads the scenes' known ground parameters off the frozen embedding before and after. It shows that the job runs;
so few steps do not make an encoder that is better than an untrained one (README, results).
"""

import dataclasses

from spectral_jax.config import Config, Data, Jepa, Optim, Probe, Synthetic, Train, Views, model_size, spectralearth_sensors


def config() -> Config:
    """240 m patches (4 x 4 tokens); spectral tokens are pooled at once, and only the spectrometer has local views."""
    sensors = spectralearth_sensors(only=("ENMAP", "S2", "S1"))
    return Config(
        name="quickstart",
        sensors=tuple(dataclasses.replace(s, local_views=s.key == "ENMAP") for s in sensors),
        model=model_size("tiny", footprint_m=240.0, spectral_depth=0),
        data=Data(store="synthetic", synthetic=Synthetic(locations=1024, dates=4, groups=("enmap_only",)), batch_size=64),
        # Crops keep most of the patch and the radiometric bias is that of haze: the published ranges are made for 3.84 km.
        views=Views(
            local_views=1, global_scale=(0.7, 1.0), local_scale=(0.5, 0.9), blur=0.0, gain=(0.9, 1.1), bias=(-0.01, 0.01)
        ),
        jepa=Jepa(ema=(0.9, 0.99)),
        optim=Optim(lr=5e-4, weight_decay=0.0, warmup_steps=20),
        train=Train(steps=300, log_every=10, save_every=150),
        probe=Probe(enabled=True, train_locations=512, test_locations=512),
    )
