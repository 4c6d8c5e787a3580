"""Weight files of any kind to arrays by their published names."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from spectral_jax.interop import safetensors_file, torch_file

# Under which key training programs keep the weights, when a file holds more than them.
CONTAINERS = ("state_dict", "model", "model_state_dict", "teacher", "student")


class Weights(NamedTuple):
    """The tensors of a file by name, the entries beside them that were left out, and numbers that an `.npz` says of itself."""

    file: str
    tensors: dict[str, np.ndarray]
    beside: tuple[str, ...] = ()
    settings: Mapping[str, int] = MappingProxyType({})


def read(path: str | Path, inside: str | None = None) -> Weights:
    """Reads `.safetensors`, `.npz` (arrays under `state/`, or all of them), or `.pt`, `.pth` and `.ckpt` of PyTorch.

    Args:
      path: the file.
      inside: for a PyTorch file that holds weights under a key, such as "state_dict": that key. Without it the only one of
        `CONTAINERS` that is there is taken.

    Raises:
      FileNotFoundError: no such file.
      ValueError: another kind of file, a damaged one, a pickle with code in it, or no tensors in it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; expected a file of weights.")
    if path.suffix == ".safetensors":
        return Weights(path.name, safetensors_file.read(path))
    if path.suffix == ".npz":
        return _npz(path)
    if path.suffix in (".pt", ".pth", ".ckpt"):
        return _flat(path, torch_file.read(path), inside)
    raise ValueError(f"{path}: expected a file ending in .safetensors, .npz, .pt, .pth or .ckpt.")


def _npz(path):
    try:
        # Opened here, since NumPy leaves a file that is no archive open.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (zipfile.BadZipFile, ValueError, EOFError, TypeError) as error:
        raise ValueError(f"{path} is not a readable .npz of plain arrays ({error}); fetch it again.") from error
    held = {key.removeprefix("state/"): value for key, value in arrays.items() if key.startswith("state/")}
    settings = {k.removeprefix("config/"): int(v) for k, v in arrays.items() if k.startswith("config/") and v.size == 1}
    return Weights(path.name, held or arrays, (), settings)


def _flat(path, content, inside):
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}; expected a dict of tensors, such as a state dict.")
    found = [key for key in CONTAINERS if isinstance(content.get(key), dict)]
    if inside is None and len(found) > 1:
        raise ValueError(f"{path} holds weights under {', '.join(found)}; choose one by --inside.")
    inside = inside or (found[0] if found else None)
    beside: tuple[str, ...] = ()
    if inside is not None:
        if not isinstance(content.get(inside), dict):
            raise ValueError(f"{path} has no weights under {inside!r}; it holds {', '.join(map(str, content)) or 'nothing'}.")
        beside = tuple(str(key) for key in content if key != inside)
        content = content[inside]
    tensors = {str(key): value for key, value in content.items() if isinstance(value, np.ndarray)}
    if not tensors:
        raise ValueError(f"{path} holds no tensors; its entries are {', '.join(map(str, content)) or 'none'}.")
    return Weights(path.name, tensors, beside + tuple(str(key) for key in content if str(key) not in tensors))
