"""The quickstart's recipe, part by part: what each is worth at equal CPU time.

    python tools/ablate.py --ablation=experiments/ablations/quickstart.py --workdir=DIR

Every row trains for `BUDGET` CPU seconds, compiling not counted, with each seed, and is compared with the first. Rows follow
the order in which the prototypes tried them (docs/encoder.md): dates, whitening and stem, objective, what is trained.
"""

import dataclasses

from spectral_jax.config import Config, Jepa, Objective, spectralearth_sensors
from spectral_jax.spectral import band_statistics

BASE = "../configs/quickstart.py"  # the first row's config, beside this file
BUDGET = 300.0  # CPU seconds a row and seed, or "steps": as many steps as the config says, whatever they cost


def tokenizer(name: str):
    """All sensors without a stem: the spectrometer standardised by `name`, the others by one convolution."""

    def change(cfg: Config) -> Config:
        plain = []
        for old, sensor in zip(cfg.sensors, spectralearth_sensors(only=tuple(s.key for s in cfg.sensors)), strict=True):
            own = name if sensor.key == "ENMAP" else "linear"
            spec = band_statistics.standardised(sensor.spec, "enmap_simulated") if sensor.key == "ENMAP" else sensor.spec
            plain.append(dataclasses.replace(sensor, spec=spec, tokenizer=own, branch="", local_views=old.local_views))
        levels = dataclasses.replace(cfg.levels, names=tuple(n for n in cfg.levels.names if n != "pixels"))
        # Without a stem 0.1 is the better start of so narrow an encoder (`config.SIZES`).
        model = dataclasses.replace(cfg.model, init_std=0.1)
        return dataclasses.replace(cfg, sensors=tuple(plain), levels=levels, model=model)

    return change


def as_published(cfg: Config) -> Config:
    """The pooled embedding alone, against a teacher."""
    return dataclasses.replace(cfg, objective=Objective(), jepa=Jepa(ema=(0.9, 0.99)))


ONE_LEVEL = {level: (f"levels.names={level}",) for level in ("pixels", "stage1", "pooled")}

# Row -> overrides as on the command line, functions of a config, or both in order.
ROWS = {
    "quickstart": (),
    "one date": ("views.dates=1",),
    "nothing carried": ("model.carry=false",),
    "grouped tokens": (tokenizer("grouped"),),
    "grouped tokens and linear skip": (tokenizer("grouped"), "model.skip=true"),
    "linear tokens": (tokenizer("linear"),),
    "SIGReg instead of InfoNCE": ("objective.agreement=1", "objective.contrast=0", "levels.hidden=0", "levels.out=32"),
    "InfoNCE by linear heads": ("levels.hidden=0",),
    "with cells": ("objective.dense=0.3",),
    "with bands": ("objective.reconstruction=0.3",),
    "pixels alone": ONE_LEVEL["pixels"],
    "stage 1 alone": ONE_LEVEL["stage1"],
    "pooled alone": ONE_LEVEL["pooled"],
    "pooled alone against a teacher": (as_published,),
    "as published": (tokenizer("grouped"), as_published, "views.dates=1", "model.carry=false"),
}
