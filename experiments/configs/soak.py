r"""A run that is there to be killed: `uv run python tools/soak.py --kills=100 --workdir=/tmp/soak`.

One sensor, SIMULATED places, an encoder so small that a step takes milliseconds and most of a life is spent starting, saving
and simulating. It is worth nothing as an encoder.
"""

from spectral_jax.config import Config, Data, Jepa, Probe, SensorInput, Synthetic, Train, Views, model_size
from spectral_jax.sensors import SensorSpec


def config() -> Config:
    """48 places of 240 m, seen by Sentinel-2."""
    return Config(
        name="soak",
        sensors=(SensorInput("S2", SensorSpec.load("sentinel2a_l2a")),),
        model=model_size("tiny", footprint_m=240.0, width=16, heads=1, depths=(1, 1, 1), fusion_width=16, projector_hidden=32),
        data=Data(store="synthetic", synthetic=Synthetic(locations=48, groups=("enmap_only",)), batch_size=8),
        views=Views(global_sensors=1, local_views=1),
        jepa=Jepa(directions=16),
        probe=Probe(enabled=False),
        train=Train(steps=1000, log_every=20, save_every=20, keep=2),
    )
