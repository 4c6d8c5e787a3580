"""Warm start: parameters of another run's checkpoint, for a run of its own from step 0 with its own schedule."""

import dataclasses
from functools import partial
from pathlib import Path

import jax

from spectral_jax import places
from spectral_jax.config import Config
from spectral_jax.sensors import differences
from spectral_jax.train import checkpoint, partition
from spectral_jax.train.checkpoint_files import place
from spectral_jax.train.state import State, init_params


def begin(cfg: Config, mesh) -> tuple[State, dict]:
    """A state of step 0 with student and teacher of `train.start_from`, a fresh optimiser, and where they came from.

    Raises:
      CheckpointError: there is no checkpoint, or it is damaged.
      ValueError: its sensors or the shapes of its parameters are not those of this run; the sentence names sensor or leaf.
    """
    folder = place.find(places.either(cfg.train.start_from, "train.start_from"))
    checkpoint.verify(folder)
    other = checkpoint.read_config(folder)
    _check_sensors(cfg, other, folder)
    _check_shapes(cfg, other, folder)
    fresh = partition.create_state(cfg, mesh)
    wanted = partition.abstract_state(cfg, mesh)
    found = checkpoint.load_part(folder, {"params": wanted.params, "teacher": wanted.teacher})
    state = dataclasses.replace(fresh, params=found["params"], teacher=found["teacher"])
    return state, {"folder": str(folder), "name": other.name, "step": int(folder.name)}


def _check_sensors(cfg: Config, other: Config, folder: Path) -> None:
    before = {s.key: s for s in other.sensors}
    for sensor in cfg.sensors:
        # Weights generated from wavelengths fit other bands; all others belong to the bands that they were learned for.
        if sensor.key not in before or sensor.tokenizer == "wavelength":
            continue
        here, there = (x.whitening and x.whitening.digest for x in (sensor, before[sensor.key]))
        if here != there:
            raise ValueError(
                f"train.start_from: {folder} was trained with another whitening of sensor {sensor.key}: digest {there}, and "
                f"this run has {here}. Its weights belong to that one; take the table that it was trained with."
            )
        different = differences(sensor.spec, before[sensor.key].spec)
        if different:
            raise ValueError(
                f"train.start_from: {folder} was trained with a sensor {sensor.key} of its own: {'; '.join(different[:3])} "
                "(this run against it). Its weights do not fit this sensor; take the spec it was trained with."
            )


def _check_shapes(cfg: Config, other: Config, folder: Path) -> None:
    here, there = (_shapes(c) for c in (cfg, other))
    for name in sorted(here.keys() | there.keys()):
        a, b = here.get(name), there.get(name)
        if a != b:
            raise ValueError(
                f"train.start_from: the parameters of {folder} do not fit this run: {name} is {_said(b)} there and {_said(a)} "
                "here; take the same sensors, model and kinds of objective."
            )


def _shapes(cfg: Config) -> dict[str, tuple]:
    tree = jax.eval_shape(partial(init_params, cfg=cfg), jax.random.key(0))
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf.shape
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def _said(shape: tuple | None) -> str:
    return "missing" if shape is None else "x".join(map(str, shape)) or "a number"
