"""The quickstart's scenes by the recipe as published: grouped tokens, one date, a teacher, one loss on the pooled embedding.

    uv run python experiments/pretrain.py --config=experiments/configs/quickstart_published.py --workdir=/tmp/published

It stands beside `quickstart.py` to show what that one changes: as published, and so small, the encoder keeps less of a spectrum
than the mean of the bands does (docs/encoder.md). Needs two CPU cores, 4 GB and three minutes, on simulated scenes.

Expect: the loss falls from about 2 to 0.2 while the effective rank stays above 4 (a rank near 1 is a collapse), and the probe's
mean R2 rises from about 0.17 to 0.3.
"""

import dataclasses

from spectral_jax.config import Config, Data, Jepa, Optim, Probe, Synthetic, Train, Views, model_size, spectralearth_sensors
from spectral_jax.spectral import band_statistics


def config() -> Config:
    """240 m patches (4 x 4 tokens); spectral tokens are pooled at once, and only the spectrometer has local views."""
    enmap, s2, s1 = spectralearth_sensors(only=("ENMAP", "S2", "S1"))
    # Published models see imaging spectrometers in 0..1. Standardised bands let so few steps reach what is faint in a spectrum.
    enmap = dataclasses.replace(enmap, spec=band_statistics.standardised(enmap.spec, "enmap_simulated"))
    s2 = dataclasses.replace(s2, local_views=False)
    return Config(
        name="quickstart_published",
        sensors=(enmap, s2, s1),
        model=model_size("tiny", footprint_m=240.0, spectral_depth=0),
        data=Data(store="synthetic", synthetic=Synthetic(locations=1024, dates=4, groups=("enmap_only",)), batch_size=64),
        # Crops keep most of the patch and the radiometric bias is that of haze: the published ranges are made for 3.84 km.
        views=Views(
            local_views=1, global_scale=(0.7, 1.0), local_scale=(0.5, 0.9), blur=0.0, gain=(0.9, 1.1), bias=(-0.01, 0.01)
        ),
        jepa=Jepa(ema=(0.9, 0.99)),
        optim=Optim(lr=1.5e-3, weight_decay=0.0, warmup_steps=20),
        train=Train(steps=400, log_every=10, save_every=200),
        # As in the published hyperspectral tasks, the frozen encoder sees the spectrometer alone.
        probe=Probe(enabled=True, train_locations=480, test_locations=480, sensors=("ENMAP",)),
    )
