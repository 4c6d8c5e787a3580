"""A converted encoder as a folder: weights by our paths, the config beside them, and the account of where they came from."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax import configure
from spectral_jax.interop import names, safetensors_file
from spectral_jax.interop.account import Account
from spectral_jax.interop.models import CONVERTERS, family_of, kind_of, published
from spectral_jax.sentences import unknown

WEIGHTS, CONFIG, REPORT = "weights.safetensors", "config.json", "report.json"


def save(folder: str | Path, cfg: Any, params: dict, account: Account) -> None:
    """Writes `weights.safetensors`, `config.json` and `report.json` into the folder, which is made if need be.

    Raises:
      OSError: the folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    flat = {path: np.asarray(value) for path, value in names.flatten(params).items()}
    safetensors_file.write(folder / WEIGHTS, flat, {"kind": kind_of(cfg)})
    about = {"kind": kind_of(cfg), "config": json.loads(configure.to_json(cfg))}
    (folder / CONFIG).write_text(json.dumps(about, indent=1) + "\n")
    (folder / REPORT).write_text(json.dumps(account.to_dict(), indent=1) + "\n")


def load(folder: str | Path) -> tuple:
    """Config and parameters of a folder that `save` wrote; no foreign code and no pickle is involved.

    Returns:
      Config, such as a `TerraMindConfig` or a `DofaConfig`, and parameters for `models.encode` or the `apply` of its module.

    Raises:
      FileNotFoundError: the folder has no config or no weights.
      ValueError: the config is of no known kind, or the weights do not fit it; the sentence names the path in the tree.
    """
    folder = Path(folder)
    for file in (CONFIG, WEIGHTS):
        if not (folder / file).is_file():
            raise FileNotFoundError(f"{folder / file} does not exist; expected a folder that tools/convert_weights.py wrote.")
    about = json.loads((folder / CONFIG).read_text())
    models = published()
    if about.get("kind") not in models:
        raise unknown(str(folder / CONFIG), "kind of encoder", about.get("kind"), models, most=len(models))
    model = models[about["kind"]]
    cfg = configure.from_json(json.dumps(about["config"]), where=str(folder / CONFIG), kind=model.config)
    flat = safetensors_file.read(folder / WEIGHTS)
    shapes = names.flatten(jax.eval_shape(lambda: model.init(jax.random.key(0), cfg)))
    for path in sorted(flat.keys() | shapes.keys()):
        shape = list(flat[path].shape) if path in flat else "nothing"
        expected = list(shapes[path].shape) if path in shapes else "nothing"
        if shape != expected:
            raise ValueError(f"{folder / WEIGHTS}: {path} has {shape}, expected {expected} of its config; convert it again.")
    return cfg, jax.tree.map(jnp.asarray, names.nest(flat))


def publish(folder: str | Path) -> dict[str, np.ndarray]:
    """The state dict, by its published names and in its published layout, of the encoder in a folder."""
    cfg, params = load(folder)
    return CONVERTERS[family_of(kind_of(cfg))].publish(params, cfg)
