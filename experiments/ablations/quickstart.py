"""The quickstart's recipe, varied: tokenizers, and one date or two of a place, each for the same CPU time.

    python tools/ablate.py --ablation=experiments/ablations/quickstart.py --workdir=DIR

Every row trains for `BUDGET` CPU seconds, compiling not counted, with each seed: four rows and three seeds take twenty minutes
of one core and as much again to compile, simulate and judge. Rows are compared with the first.
"""

import dataclasses

from spectral_jax.config import Config

BASE = "../configs/quickstart.py"  # the first row's config, beside this file
BUDGET = 100.0  # CPU seconds a row and seed, or "steps": as many steps as the config says, whatever they cost


def tokenizer(name: str):
    """The spectrometer and the imager by another tokenizer; all optical sensors share one that makes weights by wavelength."""

    def change(cfg: Config) -> Config:
        def of(sensor):
            if sensor.spec.kind != "optical" or (sensor.key == "S2" and name != "wavelength"):
                return sensor
            # Bands of different sensors at one wavelength must mean the same where they share weights.
            spec = dataclasses.replace(sensor.spec, mean=(), std=()) if name == "wavelength" else sensor.spec
            return dataclasses.replace(sensor, spec=spec, tokenizer=name, branch="")

        return dataclasses.replace(cfg, sensors=tuple(of(sensor) for sensor in cfg.sensors))

    return change


# Row -> overrides as on the command line, functions of a config, or both in order.
ROWS = {
    "grouped one date": (),
    "grouped two dates": ("views.dates=2",),
    "linear two dates": ("views.dates=2", tokenizer("linear")),
    "wavelength two dates": ("views.dates=2", tokenizer("wavelength")),
}
