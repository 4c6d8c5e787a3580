"""Which part of what a file holds is the weights; where several could be meant, none is taken by order."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spectral_jax.interop.files.inert import Inert
from spectral_jax.interop.files.tensors import Unread

# Under which keys training programs keep the weights and their averages, in the order in which sentences name them.
CONTAINERS = (
    "state_dict", "model", "model_state_dict", "teacher", "student", "module", "model_ema", "state_dict_ema", "ema",
    "ema_state_dict", "model_ema_state_dict", "ema_model",
)  # fmt: skip
# What holds tensors and is no model: of optimizers, schedules and random numbers.
NOT_WEIGHTS = (
    "optimizer", "optimizers", "optimizer_state_dict", "optimizer_states", "optim", "opt", "lr_scheduler", "lr_schedulers",
    "scheduler", "scaler", "amp", "grad_scaler", "rng_state", "rng_states", "cuda_rng_state", "random_states", "args", "config",
    "cfg", "hyper_parameters", "hparams", "loops", "metrics", "history", "stats",
)  # fmt: skip
# The name by which --inside asks for the tensors that stand at the top of a file, beside such parts.
TOP = "."
DEEPEST = 4


class Part(NamedTuple):
    """The weights of a file, the key under which they stand ("" where they are all), and what stands beside them."""

    tensors: dict[str, np.ndarray]
    inside: str
    beside: dict[str, str]


def chosen(path: Path, content: Any, inside: str | None) -> Part:
    """The weights in what a PyTorch file holds.

    Args:
      path: for sentences.
      content: what `torch_file.read` gave.
      inside: the key under which to look, with dots where it is deeper, "." for the top; None: the only part that can be meant.

    Returns:
      The tensors by name; beside them by name the classes that were not loaded, with commas between.

    Raises:
      ValueError: no dict, no tensors, several parts that could be meant, a tensor of a kind that is not read, or a key that is
        no text.
    """
    if not isinstance(content, dict):
        called = content.called if isinstance(content, Inert) else type(content).__name__
        raise ValueError(f"{path} holds a {called}; expected a dict of tensors, such as a state dict.")
    place = _asked(path, content, inside) if inside is not None else _only(path, content)
    held = _at(content, place)
    if not isinstance(held, dict):
        raise ValueError(
            f"{path}: {'.'.join(place)!r} is a list of {len(held)} tensors without names; expected a dict of tensors by name."
        )
    tensors: dict[str, np.ndarray] = {}
    for key, value in held.items():
        if not isinstance(value, np.ndarray | Unread):
            continue
        if not isinstance(key, str):
            raise ValueError(f"{path}: a tensor has the key {_name(key)}, of type {type(key).__name__}; expected a text.")
        if isinstance(value, Unread):
            raise ValueError(f"{path}: {key!r} is {value.what}; {value.remedy}.")
        tensors[key] = value
    if not tensors:
        raise ValueError(f"{path} holds no tensors; its entries are {_names(held) or 'none'}.")
    beside: dict[str, str] = {}
    for depth in range(len(place) + 1):
        here = _at(content, place[:depth])
        taken = tensors if depth == len(place) else {place[depth]: None}
        dotted = "".join(f"{key}." for key in place[:depth]) if depth < len(place) else ""
        beside |= {f"{dotted}{_name(key)}": _classes(value) for key, value in here.items() if key not in taken}
    return Part(tensors, ".".join(place), beside)


def _only(path, content) -> tuple[str, ...]:
    """The place of the part that is meant, where it is one alone."""
    places = _places(content)
    if not places:
        # Nothing holds tensors; a container without any is named by the sentence about that.
        return next(((key,) for key in CONTAINERS if isinstance(content.get(key), dict)), ())
    if len(places) > 1:
        names = [".".join(place) or TOP for place in _ordered(places)]
        top = f" ({TOP} is the top)" if TOP in names else ""
        raise ValueError(
            f"{path} holds weights under {', '.join(names)}{top}; choose one by --inside, such as --inside={names[0]}."
        )
    return next(iter(places))


def _asked(path, content, inside) -> tuple[str, ...]:
    if inside == TOP:
        return ()
    places = _places(content, rivals=False)
    below = [place for place in places if ".".join(place) == inside]
    below = below or [place for place in places if ".".join(place).startswith(f"{inside}.")]
    if len(below) > 1:
        raise ValueError(
            f"{path} holds weights under {', '.join('.'.join(p) for p in _ordered(below))}; choose one by --inside."
        )
    if not below:
        if isinstance(content.get(inside), dict):
            return (inside,)
        raise ValueError(f"{path} has no weights under {inside!r}; it holds {_names(content) or 'nothing'}.")
    return below[0]


def _places(content, rivals=True) -> dict[tuple[str, ...], int]:
    """Where tensors stand, and how many; of `rivals` those alone that can be weights: by name or by their number."""
    found: dict[tuple[str, ...], int] = {}
    counts: dict[int, int] = {}

    def look(value, place):
        if not isinstance(value, dict | list):
            return
        new = id(value) not in counts
        if new:
            values = value.values() if isinstance(value, dict) else value
            counts[id(value)] = sum(isinstance(v, Unread) or (isinstance(v, np.ndarray) and v.ndim > 0) for v in values)
        if counts[id(value)]:
            found[place] = counts[id(value)]
        if new and isinstance(value, dict) and len(place) < DEEPEST:
            for key, inner in value.items():
                if isinstance(key, str) and not (rivals and not place and key.lower() in NOT_WEIGHTS):
                    look(inner, (*place, key))

    look(content, ())
    if not rivals:
        return found
    most = max(found.values(), default=0)
    found = {p: n for p, n in found.items() if 2 * n > most or (len(p) == 1 and p[0] in CONTAINERS)}
    # Tensors at the top, beside parts, are weights where they have names that those of the parts have.
    if () in found and not _ends(content) & set().union(*(_ends(_at(content, p)) for p in found if p)) and len(found) > 1:
        del found[()]
    return found


def _ordered(places):
    return sorted(places, key=lambda p: CONTAINERS.index(p[0]) if p and p[0] in CONTAINERS else len(CONTAINERS))


def _ends(held) -> set[str]:
    """The last two parts of the names of tensors."""
    keys = held if isinstance(held, dict) else {}
    return {".".join(k.split(".")[-2:]) for k, v in keys.items() if isinstance(k, str) and isinstance(v, np.ndarray | Unread)}


def _at(content, place):
    for key in place:
        content = content[key]
    return content


def _name(key) -> str:
    text = str(key) if isinstance(key, str | int | float | None) else f"a {type(key).__name__}"
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= 120 else text[:117] + "..."


def _names(held: Mapping) -> str:
    names = [_name(key) for key in held]
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _classes(value) -> str:
    """The classes that were not loaded in what stands beside the weights, with commas between."""
    found: dict[str, None] = {}
    seen: set[int] = set()
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, Inert) or (isinstance(one, type) and issubclass(one, Inert)):
            found[one.called] = None
        elif isinstance(one, dict | list | tuple | set | frozenset) and id(one) not in seen:
            seen.add(id(one))
            left += one.values() if isinstance(one, dict) else one
    return ", ".join(found)
