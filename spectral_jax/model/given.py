"""What an encoder's parameters are given and never learn: each sensor's whitening, also of a sensor that is added later.

A checkpoint holds the numbers, the config their digest; the table is read where parameters are made, and nowhere else. Of a
whitening estimated from a reference's, the config holds the digest of the reference's table, and numbers are compared with
those made anew where that table is at hand.
"""

import dataclasses

import jax
import numpy as np

from spectral_jax.config import Config, SensorInput, Whitening
from spectral_jax.sensors import SensorSpec
from spectral_jax.spectral import estimate, whitening
from spectral_jax.spectral.whitening import Table

LEAST_ALIKE = 1e-5  # of the largest weight: digits of an estimate differ between machines, far less than this


def fill(params: dict, cfg: Config) -> dict:
    """Fresh parameters of the encoder with the whitenings of the config.

    Where they are traced (`jax.eval_shape`, `jax.jit`) no file is read before the program runs.

    Raises:
      FileNotFoundError: a table that is a file of one's own is gone.
      ValueError: a table is not the one that the config was made with, or does not fit the sensor.
    """
    for sensor in cfg.sensors:
        for part, held in _held(params, sensor).items():
            table = _table(sensor, cfg, held)
            own = (sensor.key,) if _named(sensor).reference else ()
            params = _replaced(params, ("branches", sensor.branch, part, "whitening", *own), table._asdict())
    return params


def added(params: dict, cfg: Config, key: str, spec: SensorSpec) -> tuple[Config, dict]:
    """The config and the encoder's parameters with a sensor more, in the branch of any optical sensor.

    With the wavelength tokenizer the parameters stay as they are; with a stem that estimates a reference's components, those of
    the new sensor are estimated from its bands (`spectral.estimate`) and stand beside the others.

    Args:
      params: the encoder's.
      cfg: that they were made for.
      key: of the sensor in batches; a key that is there already gets the new bands.
      spec: the sensor.

    Raises:
      ValueError: no branch of the encoder takes any sensor; the sensor is not optical, of another quantity, or sees nothing of
        what the encoder learned on; its pixels do not make up the encoder's tokens.
    """
    like = next((s for s in cfg.sensors if s.any_sensor), None)
    if like is None:
        said = ", ".join(f"{s.key} {s.tokenizer}" for s in cfg.sensors)
        raise ValueError(
            f"{cfg.name}: no tokenizer of this encoder takes a sensor but the one it was trained for ({said}); train with the "
            "wavelength tokenizer, or with a stem of spectral.estimate.through."
        )
    sensor = dataclasses.replace(like, key=key, spec=spec, local_views=True)
    if like.whitening is not None:
        made = estimate.through(sensor, like.whitening.table, like.whitening.reference, cfg.model.stem_gsd_m)
        sensor = dataclasses.replace(made, branch=like.branch)
    kept = [sensor if s.key == key else s for s in cfg.sensors]
    told = dataclasses.replace(cfg, sensors=tuple(kept if key in [s.key for s in cfg.sensors] else [*kept, sensor]))
    return told, _with_whitening(params, told, key)


def check(params: dict, cfg: Config) -> None:
    """Raises ValueError where a whitening among the encoder's parameters is not the one that the config was made with."""
    for sensor in cfg.sensors:
        for held in _held(params, sensor).values():
            wanted, numbers = _named(sensor), Table(*(np.asarray(held[name]) for name in Table._fields))
            if wanted.reference:
                _check_estimate(numbers, sensor, cfg)
                continue
            found = whitening.digest(*numbers)
            if found != wanted.digest:
                raise ValueError(
                    f"params: the whitening of sensor {sensor.key} has the digest {found}, and the config names "
                    f"{wanted.table!r} with {wanted.digest}; parameters and config are of different runs, "
                    "or one of them was changed. Take those that were saved together."
                )


def _held(params: dict, sensor: SensorInput) -> dict[str, dict]:
    """Part of the sensor's branch -> its whitening."""
    if sensor.whitening is None:
        return {}
    branch = params["branches"][sensor.branch]
    found = {part: branch[part]["whitening"] for part in ("tokenize", "skip") if "whitening" in branch.get(part, {})}
    if sensor.whitening.reference:
        return {part: held[sensor.key] for part, held in found.items() if sensor.key in held}
    return found


def _named(sensor: SensorInput) -> Whitening:
    assert sensor.whitening is not None  # `_held` finds none otherwise
    return sensor.whitening


def _table(sensor: SensorInput, cfg: Config, held: dict) -> Table:
    like = Table(*(held[name] for name in Table._fields))
    if not isinstance(like.kernel, jax.core.Tracer):
        return jax.tree.map(jax.numpy.asarray, _read(sensor, cfg))
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), like)
    return jax.pure_callback(lambda: _read(sensor, cfg), shapes)


def _read(sensor: SensorInput, cfg: Config) -> Table:
    wanted, side = _named(sensor), whitening.cell_px(sensor.spec, cfg.model.stem_gsd_m)
    if wanted.reference:
        reference = SensorSpec.load(wanted.reference)
        table = estimate.estimated(sensor.spec, reference, wanted.table, side)
        found = estimate.digest(reference, wanted.table)
    else:
        table = whitening.read(sensor.spec, wanted.table, side)
        found = whitening.digest(*table)
    if found != wanted.digest:
        raise ValueError(
            f"sensor {sensor.key}: the whitening {wanted.table!r} has the digest {found} for the bands of "
            f"{sensor.spec.name}, and the config was made with {wanted.digest}; take the table that it was made "
            "with, or make the config anew with spectral.whitening.whitened or spectral.estimate.through."
        )
    return table


def _with_whitening(params: dict, cfg: Config, key: str) -> dict:
    sensor = cfg.sensor(key)
    if sensor.whitening is None:
        return params
    table = jax.tree.map(jax.numpy.asarray, _read(sensor, cfg))
    return _replaced(params, ("branches", sensor.branch, "tokenize", "whitening", key), table._asdict())


def _check_estimate(numbers: Table, sensor: SensorInput, cfg: Config) -> None:
    try:
        made = _read(sensor, cfg)
    except FileNotFoundError:  # a table of one's own that was needed where parameters were made
        return
    least = LEAST_ALIKE * np.abs(made.kernel).max()
    if numbers.kernel.shape != made.kernel.shape or np.abs(numbers.kernel - made.kernel).max() > least:
        raise ValueError(
            f"params: the whitening of sensor {sensor.key} is not the one that its bands and {_named(sensor).table!r} give; "
            "parameters and config are of different runs, or one of them was changed. Take those that were saved together."
        )


def _replaced(tree: dict, path: tuple[str, ...], value: dict) -> dict:
    """A copy of nested dictionaries with another value at a path."""
    head, *rest = path
    return tree | {head: _replaced(tree[head], tuple(rest), value) if rest else value}
