"""Configs from files, from command-line overrides, and to and from JSON."""

import dataclasses
import json
import re
import runpy
import types
import typing
from pathlib import Path
from typing import Any

from absl import flags

from spectral_jax.config import Config
from spectral_jax.sensors import SensorSpec
from spectral_jax.sentences import closest, unknown

PREFIX = "--config."
# What people call fields elsewhere.
OTHER_WORDS = {
    "learning_rate": "lr", "batch": "batch_size", "bs": "batch_size", "wd": "weight_decay", "decay": "weight_decay",
    "warmup": "warmup_steps", "max_steps": "steps", "num_steps": "steps", "iterations": "steps", "num_epochs": "epochs",
    "max_epochs": "epochs", "grad_clip": "clip_norm", "gradient_clip": "clip_norm", "max_grad_norm": "clip_norm",
    "num_workers": "workers", "precision": "dtype", "save_steps": "save_every", "log_steps": "log_every", "dataset": "store",
    "path": "store", "data_path": "store", "n_seeds": "seeds", "num_seeds": "seeds", "embed_dim": "width", "num_heads": "heads",
}  # fmt: skip
# What may differ between the run that saved and the run that continues without changing what is computed.
FREE = ("train.log_every", "train.save_every", "train.keep", "train.accumulate", "train.fsdp", "train.path",
        "train.start_from", "model.remat", "model.kernel", "data.store", "data.workers", "data.prefetch", "data.cache_bytes",
        "probe.", "name")  # fmt: skip
# Where a table lies: its digest says which it is.
FREE_ENDS = (".whitening.table",)
# What files of earlier versions, which lack these fields, mean.
BEFORE = {"Views": {"draw": "independent"}}
# What a run may change on its way although what is computed from there on differs, and why. It is kept with its step.
CHANGEABLE = {
    "optim.lr": "a run that diverged goes on slower",
    "optim.clip_norm": "a run that diverged goes on with its gradients limited",
    "optim.weight_decay": "it acts on each update alone, and the optimiser remembers nothing of it",
    "optim.warmup_steps": "a lower rate for the first steps after a change",
    "views.draw": "the mean of the objective is the same",
    "train.steps": "a run that was too short goes on; its schedules are those of the new length",
}


def read(path: str, overrides: list[str] | tuple[str, ...] = (), kind: type | tuple[type, ...] = Config) -> Any:
    """Reads a config file and applies overrides.

    Args:
      path: a Python file with a function `config()`, or the JSON that a run wrote.
      overrides: `--config.optim.lr=3e-4` and the like.
      kind: the dataclass that the job takes, or several; of a JSON the first that has all of its fields.

    Returns:
      The checked config.

    Raises:
      FileNotFoundError: no such file; the sentence lists the configs beside it.
      ValueError: an unknown name (with the closest ones), a wrong type, or a value that a check refuses.
    """
    file, kinds = Path(path), kind if isinstance(kind, tuple) else (kind,)
    if re.match(r"^[a-z_]+(\.[a-z_]+)+=", path):
        raise ValueError(f"--config: {path} is no file; an override has the form {PREFIX}{path}, beside --config=FILE.")
    if not file.is_file():
        beside = sorted(p.name for p in file.parent.glob("*.py")) if file.parent.is_dir() else []
        near = closest(file.name, beside, 3)
        raise FileNotFoundError(f"--config: {path} does not exist; beside it are {near or 'none'}.")
    if file.suffix == ".json":
        text = file.read_text()
        cfg = from_json(text, where=path, kind=_kind_of(text, kinds))
    else:
        function = runpy.run_path(str(file)).get("config")
        if not callable(function):
            raise ValueError(f"--config: {path} has no function config() -> Config; add one, as in experiments/configs.")
        cfg = function()
    if not isinstance(cfg, kinds):
        raise ValueError(
            f"--config: {path} makes a {type(cfg).__name__}, and this command takes a "
            f"{' or a '.join(one.__name__ for one in kinds)}; it is a config of another job."
        )
    return override(cfg, *overrides)


def split(argv: list[str]) -> tuple[list[str], list[str]]:
    """Command-line arguments without the overrides, which absl's flags do not know, and the overrides."""
    overrides = [a for a in argv if a.startswith(PREFIX)]
    return [a for a in argv if a not in overrides], overrides


def parse_flags(argv: list[str]) -> list[str]:
    """`flags_parser` of `absl.app.run`: lets absl take its own flags and leaves the overrides, which it does not know."""
    own, overrides = split(argv)
    return [*flags.FLAGS(own), *overrides]


def override(cfg: Any, *texts: str) -> Any:
    """Applies all of `--config.a.b=value` together; each value is read as the type its field is annotated with.

    Together, so that fields that are checked against each other can be changed in any order; of one that is given twice the
    last counts, as in commands generally.
    """
    changes: dict = {}
    for text in texts:
        name, equals, value = text.removeprefix(PREFIX).partition("=")
        if not text.startswith(PREFIX) or not equals:
            raise ValueError(f"{text!r} is not an override; expected the form {PREFIX}optim.lr=3e-4.")
        _add(changes, cfg, name.split("."), value, name)
    return _replace(cfg, changes)


def to_json(cfg: object) -> str:
    """The whole config, sensors included; `from_json` gives an equal one."""
    return json.dumps(_encode(cfg), indent=1)


def from_json(text: str, where: str = "config", kind: type = Config) -> Any:
    """The inverse of `to_json`; `kind` is the dataclass that was written.

    Raises:
      ValueError: not JSON, or a field this version does not know.
    """
    try:
        return _decode(kind, json.loads(text), where)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where} is not JSON: {error}.") from error
    except (TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(
            f"{where}: expected what a run writes of its config, and a field is missing or of another type ({error}); take the "
            "file that the run wrote."
        ) from error


def changed(first: Config, second: Config) -> list[str]:
    """Names of the fields in which two configs differ, dotted, with both values."""
    return [
        f"{name}: {_short(a)} against {_short(b)}" for name, (a, b) in _changed(_encode(first), _encode(second), "").items()
    ]


def another_run(first: Config, second: Config) -> list[str]:
    """What `changed` finds beside the fields of `FREE` and `CHANGEABLE`: empty when one run may continue the other."""
    found = {text.split(":")[0]: text for text in changed(first, second)}
    return [
        text
        for name, text in found.items()
        if not name.startswith(FREE) and not name.endswith(FREE_ENDS) and name not in CHANGEABLE
    ]


def changed_on_the_way(first: Config, second: Config) -> dict[str, list]:
    """The fields of `CHANGEABLE` in which two configs differ, by dotted name, with both values."""
    return {name: list(pair) for name, pair in _changed(_encode(first), _encode(second), "").items() if name in CHANGEABLE}


def _kind_of(text: str, kinds: tuple[type, ...]) -> type:
    """Which of the dataclasses a JSON is: the first that has all of its fields; else the first, which says what is wrong."""
    try:
        names = set(json.loads(text))
    except (json.JSONDecodeError, TypeError, RecursionError):
        return kinds[0]
    return next((one for one in kinds if names <= {field.name for field in dataclasses.fields(one)}), kinds[0])


def _add(changes: dict, node, path: list[str], value: str, whole: str) -> None:
    fields = {f.name: f for f in dataclasses.fields(node)}
    head, *rest = path
    if head not in fields:
        raise _unknown_field(node, head, path, whole)
    current = getattr(node, head)
    if rest and not dataclasses.is_dataclass(current):
        raise ValueError(f"{PREFIX}{whole}: {head!r} is a value of type {type(current).__name__} and has no fields.")
    if not rest and dataclasses.is_dataclass(current):
        inner = ", ".join(f.name for f in dataclasses.fields(current))
        raise ValueError(f"{PREFIX}{whole}: {head!r} holds fields; name one of {inner}.")
    if rest:
        _add(changes.setdefault(head, {}), current, rest, value, whole)
    else:
        changes[head] = _parse(_hints(type(node))[head], value, whole)


def _unknown_field(node, head: str, path: list[str], whole: str) -> ValueError:
    """The error about a field that is not there; a field that is meant by another word, or stands elsewhere, is named."""
    last = OTHER_WORDS.get(path[-1].lower(), path[-1].lower())
    own = [f.name for f in dataclasses.fields(node)]
    if last in own and len(path) == 1:
        return ValueError(f"{PREFIX}{whole}: no field of {type(node).__name__} is called {head!r}; it is called {last!r}.")
    elsewhere = [name for name in _names(node) if name.split(".")[-1] == last]
    error = unknown(f"{PREFIX}{whole}", f"field of {type(node).__name__}", head, own)
    prefix = whole.removesuffix(".".join(path))
    return ValueError(f"{error} Is {' or '.join(PREFIX + prefix + name for name in elsewhere)} meant?") if elsewhere else error


def _names(node, before: str = "") -> list[str]:
    """Dotted names of all fields below a dataclass."""
    out = []
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        own = _names(value, f"{before}{field.name}.") if dataclasses.is_dataclass(value) else [f"{before}{field.name}"]
        out += own
    return out


def _replace(node, changes: dict):
    new = {k: _replace(getattr(node, k), v) if isinstance(v, dict) else v for k, v in changes.items()}
    return dataclasses.replace(node, **new)


def _parse(kind, text: str, where: str):
    def fail():
        raise ValueError(f"{PREFIX}{where}: expected {_spell(kind)}, got {text!r}.")

    options = typing.get_args(kind)
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        if text.strip().lower() in ("none", "null"):
            return None
        return _parse(next(k for k in options if k is not types.NoneType), text, where)
    if typing.get_origin(kind) is tuple:
        parts = [_unquoted(p) for p in text.strip("()[] ").split(",") if _unquoted(p)]
        kinds = [options[0]] * len(parts) if options[-1] is Ellipsis else list(options)
        if len(parts) != len(kinds) or any(k not in (int, float, str) for k in kinds):
            fail()
        return tuple(_parse(k, p, where) for k, p in zip(kinds, parts, strict=True))
    if kind is bool:
        if text.lower() not in ("true", "false"):
            fail()
        return text.lower() == "true"
    if kind is str:
        return _unquoted(text)
    try:
        number = float(text)
    except ValueError:
        fail()
    if kind is int and not number.is_integer():
        fail()
    # A whole number in full, or as 1e4.
    return number if kind is float else int(text) if re.fullmatch(r"[+-]?\d[\d_]*", text.strip()) else int(number)


def _unquoted(text: str) -> str:
    """A text without the quotes around it that no shell has taken."""
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _spell(kind) -> str:
    if typing.get_origin(kind) is tuple:
        return "comma-separated " + ", ".join("..." if k is Ellipsis else k.__name__ for k in typing.get_args(kind))
    return {bool: "true or false", int: "a whole number", float: "a number"}.get(kind, getattr(kind, "__name__", str(kind)))


def _hints(kind) -> dict:
    return typing.get_type_hints(kind)


def _encode(node):
    if isinstance(node, SensorSpec):
        return node.to_dict()
    if dataclasses.is_dataclass(node):
        return {f.name: _encode(getattr(node, f.name)) for f in dataclasses.fields(node)}
    return [_encode(v) for v in node] if isinstance(node, tuple) else node


def _decode(kind, data, where: str):
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        if data is None:
            return None
        kind = next(k for k in typing.get_args(kind) if k is not types.NoneType)
    if kind is SensorSpec:
        return SensorSpec.from_dict(data)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        if not isinstance(data, dict):
            raise ValueError(f"{where}: expected the fields of {kind.__name__} by name, got {_short(data)}.")
        strangers = sorted(set(data) - set(hints))
        if strangers:
            raise unknown(where, f"field of {kind.__name__}", strangers[0], hints)
        data = BEFORE.get(kind.__name__, {}) | data
        return kind(**{k: _decode(hints[k], v, f"{where}.{k}") for k, v in data.items()})
    if typing.get_origin(kind) is tuple:
        kinds = typing.get_args(kind)
        if not isinstance(data, list) or (kinds[-1] is not Ellipsis and len(data) != len(kinds)):
            count = "some" if kinds[-1] is Ellipsis else str(len(kinds))
            raise ValueError(f"{where}: expected a list of {count} values, got {_short(data)}.")
        kinds = (kinds[0],) * len(data) if kinds[-1] is Ellipsis else kinds
        return tuple(_decode(k, v, where) for k, v in zip(kinds, data, strict=True))
    return data


def _changed(first, second, name: str) -> dict[str, tuple]:
    if isinstance(first, dict) and isinstance(second, dict):
        keys = list(dict.fromkeys([*first, *second]))
        parts = [_changed(first.get(k), second.get(k), f"{name}.{k}" if name else k) for k in keys]
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        parts = [_changed(a, b, f"{name}[{i}]") for i, (a, b) in enumerate(zip(first, second, strict=True))]
    else:
        return {} if first == second else {name: (first, second)}
    return {key: pair for part in parts for key, pair in part.items()}


def _short(value) -> str:
    text = json.dumps(value)
    return text if len(text) < 60 else text[:57] + "..."
