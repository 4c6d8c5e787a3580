"""What an encoder's parameters are given and never learn: each sensor's whitening from its table, and whether it still is that.

A checkpoint holds the numbers, the config their digest; the table is read where parameters are made, and nowhere else.
"""

import jax
import numpy as np

from spectral_jax.config import Config, SensorInput, Whitening
from spectral_jax.spectral import whitening
from spectral_jax.spectral.whitening import Table


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
            params = _replaced(params, ("branches", sensor.branch, part, "whitening"), table._asdict())
    return params


def check(params: dict, cfg: Config) -> None:
    """Raises ValueError where a whitening among the encoder's parameters is not the one that the config was made with."""
    for sensor in cfg.sensors:
        for held in _held(params, sensor).values():
            wanted, found = _named(sensor), whitening.digest(*(np.asarray(held[name]) for name in Table._fields))
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
    return {part: branch[part]["whitening"] for part in ("tokenize", "skip") if "whitening" in branch.get(part, {})}


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
    table = whitening.read(sensor.spec, wanted.table, side)
    found = whitening.digest(*table)
    if found != wanted.digest:
        raise ValueError(
            f"sensor {sensor.key}: the whitening {wanted.table!r} has the digest {found} for the bands of "
            f"{sensor.spec.name}, and the config was made with {wanted.digest}; take the table that it was made "
            "with, or make the config anew with spectral.whitening.whitened."
        )
    return table


def _replaced(tree: dict, path: tuple[str, ...], value: dict) -> dict:
    """A copy of nested dictionaries with another value at a path."""
    head, *rest = path
    return tree | {head: _replaced(tree[head], tuple(rest), value) if rest else value}
