"""Weight files of any kind to arrays by their published names."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from spectral_jax import places
from spectral_jax.interop import safetensors_file
from spectral_jax.interop.files import first_bytes, npz_file, parts, torch_file

# How the name of a file ends, by what is in it.
ENDINGS = {
    first_bytes.SAFETENSORS: (".safetensors",),
    first_bytes.NPZ: (".npz",),
    first_bytes.TORCH: (".pt", ".pth", ".ckpt", ".bin", ".tar"),
}
STATE = "state"
INDEX = ".safetensors.index.json"
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Weights(NamedTuple):
    """The tensors of a file by name, and what else there is to tell of it.

    Attributes:
      file: its name.
      tensors: arrays by name.
      beside: the entries beside them that were left out.
      settings: numbers that an `.npz` says of itself.
      inside: the key of the file under which the tensors stand; empty: they are all of it.
      classes: entry of `beside` -> the classes in it that were not loaded.
      prefix: what `prefixes.without` took off all names.
      spelled: name -> how the file spells it, where they differ.
      outside: keys without that prefix -> why they are left out.
    """

    file: str
    tensors: dict[str, np.ndarray]
    beside: tuple[str, ...] = ()
    settings: Mapping[str, int] = NOTHING
    inside: str = ""
    classes: Mapping[str, str] = NOTHING
    prefix: str = ""
    spelled: Mapping[str, str] = NOTHING
    outside: Mapping[str, str] = NOTHING


def read(path: str | Path, inside: str | None = None) -> Weights:
    """Reads `.safetensors` or their index, `.npz` (arrays under `state/`, or all of them), `.pt`, `.pth`, `.ckpt` or `.bin`.

    Args:
      path: the file; `~` is expanded.
      inside: for a PyTorch file that holds weights under a key, such as "state_dict": that key; for an `.npz` what stands
        before the "/". Without it the only part that can be meant is taken.

    Raises:
      FileNotFoundError: no such file.
      OSError: it cannot be read.
      ValueError: another kind of file, a damaged one, a pickle with code in it, no tensors in it, or several parts that could
        be meant.
    """
    path = _file(path)
    weights = _held(path, inside)
    strange = next((key for key in weights.tensors if not key.isprintable()), None)
    if strange is not None:
        raise ValueError(
            f"{path}: a tensor is called {ascii(strange)[:200]}, with signs that do not print; fetch the file again."
        )
    return weights


def _held(path, inside) -> Weights:
    """What a file holds, by its ending and its first bytes."""
    if path.name.endswith(INDEX):
        return _without_parts(path, inside, Weights(path.name, safetensors_file.read_shards(path)))
    kind = next((kind for kind, endings in ENDINGS.items() if path.suffix.lower() in endings), None)
    held = first_bytes.container(path)
    if kind is None:
        more = f" By its first bytes it is {held}: give it the ending {ENDINGS[held][0]}." if held else ""
        raise ValueError(f"{path}: expected a file ending in .safetensors, .npz, .pt, .pth, .ckpt or .bin.{more}")
    other = "" if held else first_bytes.other(path)
    if other:
        raise ValueError(f"{path} {other}.")
    if held not in ("", kind):
        raise ValueError(
            f"{path} is {held} by its first bytes, and its name ends in {path.suffix}; give it the ending {ENDINGS[held][0]}."
        )
    if kind == first_bytes.SAFETENSORS:
        _expect_whole(path)
        return _without_parts(path, inside, Weights(path.name, safetensors_file.read(path)))
    if kind == first_bytes.NPZ:
        return _npz(path, inside)
    part = parts.chosen(path, torch_file.read(path), inside)
    classes = {key: names for key, names in part.beside.items() if names}
    return Weights(path.name, part.tensors, tuple(part.beside), NOTHING, part.inside, classes)


def _file(path) -> Path:
    path = places.local(path, "path of weights")
    if path.is_dir():
        if (path / "weights.safetensors").is_file() and (path / "config.json").is_file():
            raise ValueError(f"{path} is a folder of converted weights; take it with interop.load({str(path)!r}).")
        endings = tuple(ending for some in ENDINGS.values() for ending in some) + (INDEX,)
        files = sorted(f.name for f in path.iterdir() if f.name.lower().endswith(endings))
        named = f"name one of its files: {', '.join(files[:5])}" if files else "there are no weights in it"
        raise ValueError(f"{path} is a folder, expected a file of weights; {named}.")
    if not path.is_file():
        what = "is no ordinary file" if path.exists() else "does not exist"
        raise FileNotFoundError(f"{path} {what}; expected a file of weights.")
    return path


def _expect_whole(path):
    """Refuses one shard of several."""
    shard = re.fullmatch(r"(.*)-(\d{5})-of-(\d{5})\.safetensors", path.name)
    if shard and int(shard[3]) > 1:
        raise ValueError(
            f"{path} is part {int(shard[2])} of {int(shard[3])} of a model; name {shard[1]}{INDEX}, which lists them all."
        )


def _without_parts(path, inside, weights):
    if inside is not None:
        raise ValueError(f"{path}: --inside={inside} is not for safetensors; their parts are told by --prefix.")
    return weights


def _npz(path, inside):
    arrays = npz_file.read(path)
    groups: dict[str, dict[str, np.ndarray]] = {}
    for key, value in arrays.items():
        group, slash, name = key.partition("/")
        groups.setdefault(group if slash else "", {})[name if slash else key] = value
    group = _group(path, groups) if inside is None else inside
    if group not in groups:
        raise ValueError(f"{path} has no weights under {group!r}; it holds {', '.join(g for g in groups if g) or 'no groups'}.")
    whole = {key.removeprefix("config/"): v for key, v in arrays.items() if key.startswith("config/") and v.size == 1}
    settings = {key: int(value.item()) for key, value in whole.items() if value.dtype.kind in "iu"}
    return Weights(path.name, groups[group], (), settings, "" if group == STATE else group)


def _group(path, groups) -> str:
    """The part of an `.npz` that is the weights: `state/`, or the only one; not one of two of the same names."""
    first = STATE if STATE in groups else max(groups, key=lambda g: len(groups[g]), default="")
    alike = [g for g, held in groups.items() if 2 * len(held.keys() & groups[first].keys()) > len(groups[first])]
    if len(alike) > 1:
        raise ValueError(f"{path} holds weights under {', '.join(alike)}; choose one by --inside, such as --inside={alike[0]}.")
    return first
