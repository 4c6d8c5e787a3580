"""A converted encoder as a folder: weights by our paths, the config beside them, and the account of where they came from."""

import dataclasses
import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax import configure, places
from spectral_jax.interop import names, safetensors_file
from spectral_jax.interop.account import Account, expect_numbers
from spectral_jax.interop.models import CONVERTERS, family_of, kind_of, published
from spectral_jax.sentences import unknown

WEIGHTS, CONFIG, REPORT = "weights.safetensors", "config.json", "report.json"


def save(folder: str | Path, cfg: Any, params: dict, account: Account) -> None:
    """Writes `weights.safetensors`, `config.json` and `report.json` into the folder, which is made if need be.

    They are written beside their place first. A new folder appears whole; in one that is there, the config, without which the
    folder is none of weights, is taken away before the others are replaced, and comes last.

    Raises:
      ValueError: it is an address.
      OSError: the folder cannot be written; nothing half-written is left.
    """
    folder = places.for_folder(places.here(folder, "folder of weights"), "folder of weights")
    flat = {path: np.asarray(value) for path, value in names.flatten(params).items()}
    about = {"kind": kind_of(cfg), "config": json.loads(configure.to_json(cfg))}
    partial = folder.absolute().with_name(f"{folder.absolute().name}.partial-{os.getpid()}")
    try:
        partial.mkdir(parents=True)
        safetensors_file.write(partial / WEIGHTS, flat, {"kind": about["kind"]})
        (partial / REPORT).write_text(json.dumps(account.to_dict(), indent=1) + "\n", encoding="utf-8")
        (partial / CONFIG).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        if not folder.exists():
            partial.rename(folder)
            return
        (folder / CONFIG).unlink(missing_ok=True)
        for file in (WEIGHTS, REPORT, CONFIG):
            (partial / file).replace(folder / file)
    except OSError as error:
        raise OSError(f"{folder} could not be written: {error}; free some space or take another place.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def load(folder: str | Path) -> tuple:
    """Config and parameters of a folder that `save` wrote; no foreign code and no pickle is involved.

    Returns:
      Config, such as a `TerraMindConfig` or a `DofaConfig`, and parameters for `models.encode` or the `apply` of its module.

    Raises:
      FileNotFoundError: the folder has no config or no weights.
      ValueError: the config is damaged or of no known kind, the weights do not fit it, or some are NaN or infinite; the
        sentence names the path in the tree.
    """
    folder = places.local(folder, "folder of weights")
    for file in (CONFIG, WEIGHTS):
        if not (folder / file).is_file():
            raise FileNotFoundError(f"{folder / file} does not exist; expected a folder that tools/convert_weights.py wrote.")
    models, about = published(), _about(folder / CONFIG)
    if not isinstance(about.get("kind"), str) or about["kind"] not in models:
        raise unknown(str(folder / CONFIG), "kind of encoder", about.get("kind"), models, most=len(models))
    flat = safetensors_file.read(folder / WEIGHTS)
    model = models[about["kind"]]
    cfg, shapes = _structure(folder / CONFIG, about.get("config"), model, flat)
    for path in sorted(flat.keys() | shapes.keys()):
        shape = list(flat[path].shape) if path in flat else "nothing"
        expected = list(shapes[path].shape) if path in shapes else "nothing"
        if shape != expected:
            raise ValueError(f"{folder / WEIGHTS}: {path} has {shape}, expected {expected} of its config; convert it again.")
    expect_numbers(str(folder / WEIGHTS), flat)
    return cfg, jax.tree.map(jnp.asarray, names.nest(flat))


def _about(file):
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is not JSON ({error}); convert the weights again.") from error
    if not isinstance(about, dict):
        raise ValueError(f"{file} holds a {type(about).__name__}, expected an object with 'kind' and 'config'; convert again.")
    return about


def _structure(file, fields, model, flat):
    """The config of the fields, and the shapes of its parameters by path."""
    if not isinstance(fields, dict):
        raise ValueError(
            f"{file}: 'config' is a {type(fields).__name__}, expected an object of fields; convert the weights again."
        )
    try:
        cfg = configure.from_json(json.dumps(fields), where=str(file), kind=model.config)
        _expect_size(file, dataclasses.asdict(cfg), flat)
        return cfg, names.flatten(jax.eval_shape(lambda: model.init(jax.random.key(0), cfg)))
    except ValueError as error:
        told = str(error)
        raise ValueError(told if str(file) in told else f"{file}: {told}") from error
    except Exception as error:  # values of a damaged config can fail in any way, and each is the same news to the reader
        told = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ValueError(f"{file}: its values are those of no encoder ({told}); convert the weights again.") from error


def _expect_size(file, fields, flat):
    """Refuses sizes that the weights cannot have, before anything of such a size is made."""
    most = 1000 + 10 * sum(value.size for value in flat.values())
    for name, value in fields.items():
        numbers = [n for n in (value if isinstance(value, tuple) else (value,)) if type(n) is int]
        limit = 1000 + len(flat) if name.startswith("depth") else math.isqrt(most) if name == "grid" else most
        if any(n < 0 or n > limit for n in numbers):
            raise ValueError(f"{file}: {name} is {value}, and the weights beside it have no such size; convert them again.")


def publish(folder: str | Path) -> dict[str, np.ndarray]:
    """The state dict, by its published names and in its published layout, of the encoder in a folder."""
    cfg, params = load(folder)
    return CONVERTERS[family_of(kind_of(cfg))].publish(params, cfg)
