r"""SpectralEarth-FM, size b, on an archive in the layout of SpectralEarth-MM: the published recipe.

    python experiments/pretrain.py --config=experiments/configs/spectralearth_fm_b.py \
        --config.data.store=PATH --workdir=DIR

Seven sensors, 3.84 km patches, global batch 240, lr 1e-5, weight decay 0.05, 50 epochs of about 8,590 steps (arXiv
2605.21075 and the public code of its group). bfloat16; blocks are computed again in the backward pass. Parameters, teacher
and Adam's moments are 2.4 GiB, so every chip of 16 GiB holds them whole; --config.train.fsdp=8 splits them over eight.
On several hosts start the same command on each, with --distributed or --coordinator.

Never run by us, so there is no time to state and no curve to expect: no archive and no pod were at hand. What is tested is the
architecture (156.15 M parameters, token grids 64, 32, 16), the loader and the step at small sizes.
"""

from spectral_jax.config import Config, Data, Optim, Train, model_size, spectralearth_sensors


def config() -> Config:
    """The published recipe; change `data.batch_size` and lambda follows by itself."""
    return Config(
        name="spectralearth_fm_b",
        sensors=spectralearth_sensors(),
        model=model_size("b", dtype="bfloat16", remat="blocks"),
        data=Data(store="give --config.data.store=PATH", batch_size=240, workers=8, cache_bytes=2**30),
        optim=Optim(lr=1e-5, weight_decay=0.05, warmup_steps=2 * 8590),
        train=Train(steps=50 * 8590, log_every=50, save_every=2000),
    )
