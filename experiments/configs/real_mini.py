r"""Real data, small: EnMAP tiles and Sentinel-2/Sentinel-1 chips cut into 960 m patches.

    uv run python tools/build_store.py --product=enmap:DIR --product=sentinel2:DIR --product=sentinel1:DIR \
        --footprint_m=960 --out=OUT/real.zarr
    uv run python experiments/pretrain.py --config=experiments/configs/real_mini.py \
        --config.data.store=OUT/real.zarr --workdir=OUT

Two CPU cores, a few minutes, most of them for compiling: the store has two groups, EnMAP alone and Sentinel-2 with
Sentinel-1, and each has a step of its own. Expect: 100 steps at batch 8, the loss finite and falling from about 1.7 to 0.7.
It shows that the job runs on observations; it is far too little data for an encoder that is worth keeping.
"""

from spectral_jax.config import Config, Data, Optim, SensorInput, Train, Views, model_size
from spectral_jax.sensors import SensorSpec
from spectral_jax.spectral import band_statistics


def config() -> Config:
    """960 m patches (16 x 16 tokens); local views are cut at their own pixel size."""
    enmap = band_statistics.standardised(SensorSpec.load("enmap_l2a"), "enmap_potsdam")
    return Config(
        name="real_mini",
        sensors=(
            SensorInput("ENMAP", enmap, "grouped"),
            SensorInput("S2", SensorSpec.load("sentinel2a_l2a")),
            SensorInput("S1", SensorSpec.load("sentinel1_rtc"), local_views=False),
        ),
        model=model_size("tiny", footprint_m=960.0),
        data=Data(store="give --config.data.store=PATH", batch_size=8),
        views=Views(local_views=2, local_mode="native", native_tokens=8),
        optim=Optim(lr=1e-3, warmup_steps=10),
        train=Train(steps=100, log_every=5, save_every=50),
    )
