"""What both sides are given: a config, pixels, the parameters at the start, and everything that a step draws, as files.

The views and directions are those of the training step itself: `plans` calls what the step calls, with the step's own keys.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax import configure
from spectral_jax.batch import Batch, SensorData, decode
from spectral_jax.config import Config, Data, Optim, SensorInput, Train, Views, model_size, spectralearth_sensors
from spectral_jax.means import rows
from spectral_jax.objective.sigreg import directions
from spectral_jax.objective.strata import draw_local, strata
from spectral_jax.objective.views import Plan, draw_plan
from spectral_jax.sentences import unknown
from spectral_jax.train import partition, state

BATCH = {"tiny": 8, "small": 4}  # samples a step of each size: a choice, that small fits 8 GB of memory
KEYS = ("ENMAP", "S2", "S1")
FOOTPRINT_M = 960.0
RUN_KEY = 0  # seed of the key that a run is given


def config(size: str) -> Config:
    """The run that is compared: EnMAP, Sentinel-2 and Sentinel-1 patches of 960 m, float32, the published views.

    The learning rate is ten times the published one, so that a difference in an update shows in the next loss. At a hundred
    times rounding shows too: Adam's first updates have the size of the rate, however small the gradient.

    Raises:
      ValueError: there is no such size.
    """
    if size not in BATCH:
        raise unknown("--sizes", "size that is compared", size, BATCH)
    return Config(
        name=f"compare_{size}",
        sensors=spectralearth_sensors(only=KEYS),
        model=model_size(size, footprint_m=FOOTPRINT_M),
        data=Data(batch_size=BATCH[size]),
        views=Views(),
        optim=Optim(lr=1e-4, warmup_steps=10),
        train=Train(steps=1000),
    )


def random_batch(cfg: Config, seed: int = 0) -> Batch:
    """Random stored numbers of `data.batch_size` samples, valid everywhere.

    Raises:
      ValueError: numbers within a sensor's range of normalisation are not all valid.
    """
    rng = np.random.default_rng(seed)
    size, sensors = cfg.data.batch_size, {}
    for sensor in cfg.sensors:
        spec, px = sensor.spec, cfg.patch_px(sensor.key)
        values = rng.uniform(spec.low, spec.high, (size, px, px, len(spec.used)))
        pixels = np.round((values - spec.offset) / spec.scale).astype(spec.dtype)
        data = SensorData(jnp.asarray(pixels), jnp.ones(size, bool), jnp.zeros(size, jnp.float32))
        if not np.asarray(decode(data, spec)[1]).all():
            raise ValueError(
                f"compare: expected numbers of {sensor.key} from {spec.low:g} to {spec.high:g} to be valid everywhere, and "
                "some are not; the PyTorch step has no masks, so compare with sensors whose range of normalisation is valid."
            )
        sensors[sensor.key] = data
    return Batch(sensors, jnp.arange(size), jnp.zeros(size, jnp.int32))


def order(batch: Batch) -> tuple[str, ...]:
    """The sensors of a batch as they stand inside a compiled step: JAX sorts the keys of a dictionary."""
    return tuple(jax.tree.map(lambda x: x, batch).sensors)


def drawn(cfg: Config, keys: tuple[str, ...], step: int) -> tuple[Plan, jax.Array]:
    """What step number `step` draws: its views, and SIGReg's unit directions [D P].

    The keys are those of `train.step.update` and `objective.joint.loss`; that they are is seen where the losses are compared.
    """
    plan_key, direction_key = jax.random.split(jax.random.fold_in(jax.random.key(RUN_KEY), step))
    plan = draw_plan(plan_key, keys, rows(cfg.data.batch_size, None), cfg)
    return plan, directions(direction_key, cfg.model.projector_out, cfg.jepa.directions)


def write(folder: Path, cfg: Config, batch: Batch, steps: int, same_flops: bool = False) -> None:
    """Writes config.json, run.json, pixels.npz, params.npz and plans.npz.

    Args:
      folder: that exists.
      cfg: the run.
      batch: the one of all steps.
      steps: K, how many are drawn.
      same_flops: whether the PyTorch side folds the projections of keys and values into the learned query, as we do.

    Raises:
      ValueError: the PyTorch side has no such tokenizer, window or view.
    """
    for text in _unlike(cfg):
        raise ValueError(f"compare: {text}; the PyTorch step does not have it.")
    (folder / "run.json").write_text(configure.to_json(cfg))
    (folder / "config.json").write_text(json.dumps(_numbers(cfg, order(batch), same_flops)))
    pixels = {key: np.ascontiguousarray(np.moveaxis(np.asarray(d.pixels), 3, 1)) for key, d in batch.sensors.items()}
    _save(folder / "pixels.npz", pixels)
    made = partition.create_state(cfg, partition.make_mesh(cfg, jax.devices()[:1]))
    _save(folder / "params.npz", by_path(made.params))
    _save(folder / "plans.npz", plans(cfg, order(batch), steps))


def plans(cfg: Config, keys: tuple[str, ...], steps: int) -> dict[str, np.ndarray]:
    """Of K steps: fields of the views `global/FIELD` [K V ...] and `local/FIELD` [K L ...], and more.

    `shown` [K V S], `sensor` [K L], `directions` [K D P], `rate` [K] of learning, and `momentum` [K] of the teacher.
    """
    out: dict[str, list] = {}
    for step in range(steps):
        plan, unit = drawn(cfg, keys, step)
        now = {"shown": plan.shown, "sensor": plan.sensor, "directions": unit}
        now |= {"rate": state.learning_rate(cfg)(step), "momentum": state.ema_momentum(jnp.int32(step), cfg)}
        for kind, cuts in (("global", plan.global_cuts), ("local", plan.local_cuts)):
            now |= {f"{kind}/{field.name}": getattr(cuts, field.name) for field in dataclasses.fields(cuts)}
        for name, value in now.items():
            out.setdefault(name, []).append(np.asarray(value))
    return {name: np.stack(values) for name, values in out.items()}


def by_path(tree) -> dict[str, np.ndarray]:
    """Leaves by their path, such as `encoder/position`."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf) for path, leaf in leaves}


def _unlike(cfg: Config) -> list[str]:
    m, v = cfg.model, cfg.views
    wrong = [f"sensor {s.key} has the {s.tokenizer} tokenizer" for s in cfg.sensors if s.tokenizer in ("wavelength", "stem")]
    wrong += ["model.skip is on"] * m.skip
    wrong += ["model.carry is on"] * m.carry
    wrong += [f"sensor {s.key} has the branch {s.branch}" for s in cfg.sensors if s.branch != s.key]
    wrong += [f"model.mask_unit is {m.mask_unit}, not 4"] * (m.mask_unit != 4)
    wrong += [f"model.dtype is {m.dtype}"] * (m.dtype != "float32")
    wrong += [f"views.local_mode is {v.local_mode}"] * (v.local_mode != "resize")
    shown = [s.local_views for s in cfg.sensors]
    parts = strata(tuple(s.key for s in cfg.sensors), cfg)
    if parts and not np.allclose(draw_local(jax.random.key(0), parts, jnp.asarray(shown))[1], 1.0):
        wrong += [f"views.local_views is {v.local_views}, of which some of {sum(shown)} sensors have more and so count less"]
    return wrong + [f"global views show {v.global_sensors} of the sensors, not all"] * (v.global_sensors < len(cfg.sensors))


def _numbers(cfg: Config, keys: tuple[str, ...], same_flops: bool) -> dict[str, Any]:
    return {
        "model": dataclasses.asdict(cfg.model) | {"grid": cfg.model.grid, "folded_query": same_flops},
        "jepa": dataclasses.asdict(cfg.jepa),
        "optim": dataclasses.asdict(cfg.optim),
        "sensors": [_sensor(cfg, cfg.sensor(key)) for key in keys],
    }


def _sensor(cfg: Config, sensor: SensorInput) -> dict[str, Any]:
    spec = sensor.spec
    bands = [int(g) for g in spec.token_group] if sensor.tokenizer == "grouped" else [0] * len(spec.used)
    numbers = {name: getattr(spec, name) for name in ("scale", "offset", "low", "high", "mean", "std")}
    return {
        "key": sensor.key,
        "token_px": cfg.token_px(sensor.key),
        "grouped": sensor.tokenizer == "grouped",
        "bands": bands,
    } | (numbers)


def _save(path: Path, arrays: Mapping[str, Any]) -> None:
    np.savez(path, **arrays)
