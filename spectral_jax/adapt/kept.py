"""A fitted line as a folder, and back: encoder, what is done to bands, head, and what the task called its labels.

model.json says what it is, weights.safetensors has every number that `fit.adapted.predict` takes. The encoder's parameters are
among them, so that nothing else is needed to predict.
"""

import dataclasses
import hashlib
import importlib.metadata
import json
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from spectral_jax import configure
from spectral_jax.adapt.encoders.ours import SensorConfig
from spectral_jax.adapt.encoders.table import ENCODERS
from spectral_jax.adapt.fit import adapted
from spectral_jax.adapt.fit.adapted import Adapted
from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.protocols import Protocol
from spectral_jax.config import Config
from spectral_jax.interop import models, safetensors_file
from spectral_jax.interop.names import flatten, nest
from spectral_jax.model.heads.task_heads import HeadConfig
from spectral_jax.sensors import SensorSpec
from spectral_jax.sentences import unknown
from spectral_jax.tasks.spec import TaskSpec

MODEL, WEIGHTS = "model.json", "weights.safetensors"
FORMAT = 1
OURS = "ours"
# Share of the validation labels inside an interval.
COVERAGE = 0.9


class Labels(NamedTuple):
    """What a task predicts.

    Attributes:
      task: its name.
      title: one line.
      kind: of `tasks.kinds.KINDS`.
      names: of classes or of targets, [K].
      codes: the first code of each class in the task's files; empty for targets.
      units: of targets; empty texts where they are not stated.
    """

    task: str
    title: str
    kind: str
    names: tuple[str, ...]
    codes: tuple[int, ...]
    units: tuple[str, ...]


class Kept(NamedTuple):
    """A fitted line.

    Attributes:
      model: encoder, adaptation and head.
      params: for `fit.adapted.predict`.
      buffers: for the same.
      labels: what it predicts.
      image_px: side of the images that it was trained on, pixels.
      half_width: of an interval around each target [K]; None where the model has none.
      about: what model.json says beside these: row, protocol, weights, metrics, version.
    """

    model: Adapted
    params: dict
    buffers: dict
    labels: Labels
    image_px: int
    half_width: np.ndarray | None
    about: dict


def labels_of(task: TaskSpec) -> Labels:
    """What a task predicts."""
    if task.kind.has_codes or task.codes:
        names = task.class_names or tuple(f"class {codes[0]}" for codes in task.codes)
        return Labels(task.name, task.title, task.kind.name, names, tuple(codes[0] for codes in task.codes), ())
    units = task.target_units or ("",) * len(task.targets)
    return Labels(task.name, task.title, task.kind.name, task.targets, (), units)


def half_width(model: Adapted, params: dict, buffers: dict, val: Part, protocol: Protocol) -> np.ndarray | None:
    """The distance from a prediction within which `COVERAGE` of the validation labels lie, [K]; None of classes.

    It is that of split conformal prediction, one for all places. The validation part chose the epoch too, so that it is
    somewhat too narrow for others.
    """
    if val.data.task.kind.labels != "numbers":
        return None
    errors = []
    for samples in val.chunks(protocol.batch):
        said = np.asarray(adapted.outputs_of(model, params, buffers, samples, protocol))
        said = said * np.asarray(buffers["label_std"]) + np.asarray(buffers["label_mean"])
        off = np.abs(said - samples.labels)[samples.counts]
        errors.append(off.reshape(-1, off.shape[-1]))
    table = np.concatenate(errors).astype(np.float64)
    out = []
    for column in table.T:
        seen = np.sort(column[np.isfinite(column)])
        out.append(seen[min(len(seen) - 1, int(np.ceil((len(seen) + 1) * COVERAGE)) - 1)] if len(seen) else np.nan)
    return np.array(out)


def save(
    folder: Path,
    model: Adapted,
    params: dict,
    buffers: dict,
    task: TaskSpec,
    image_px: int,
    width: np.ndarray | None,
    about: dict,
) -> None:
    """Writes a fitted line.

    Args:
      folder: made if need be.
      model: what was fitted.
      params: of `fit.adapted.init`, fitted.
      buffers: what did not train.
      task: whose labels it learned.
      image_px: side of the images that it was trained on.
      width: of `half_width`.
      about: row, protocol, weights, metrics and more, JSON-ready.

    Raises:
      ValueError: samples of the task have several dates.
      OSError: the folder cannot be written.
    """
    if model.temporal is not None:
        raise ValueError(f"task {task.name}: a model of {model.dates} dates is not kept; maps are made of one scene.")
    folder.mkdir(parents=True, exist_ok=True)
    flat = {f"params/{path}": np.asarray(value) for path, value in flatten(params).items()}
    flat |= {f"buffers/{name}": np.asarray(value) for name, value in buffers.items()}
    (folder / MODEL).unlink(missing_ok=True)  # without it the folder holds no model
    safetensors_file.write(folder / WEIGHTS, flat)
    said = about | {
        "format": FORMAT,
        "version": importlib.metadata.version("spectral-jax"),
        "sha256": _sum(folder / WEIGHTS),
        "encoder": model.encoder.name,
        "config": _config_to_json(model.config),
        "adaptation": model.adaptation,
        "source": model.source.to_dict(),
        "target": None if model.target is None else model.target.to_dict(),
        "kept": list(model.kept),
        "head": dataclasses.asdict(model.head),
        "taps": list(model.taps),
        "px": model.px,
        "image_px": image_px,
        "half_width": None if width is None else width.tolist(),
        "labels": labels_of(task)._asdict(),
    }
    (folder / MODEL).write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


def load(folder: Path) -> Kept:
    """A fitted line that `save` wrote.

    Raises:
      FileNotFoundError: the folder holds no model.
      ValueError: it is of another version of this package, damaged, or not as it was written.
    """
    for name in (MODEL, WEIGHTS):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder / name} does not exist; expected a model's folder, such as WORKDIR/models/ROW of spectral-jax adapt."
            )
    try:
        said = json.loads((folder / MODEL).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{folder / MODEL} is not JSON ({error}); train the model again.") from error
    if not isinstance(said, dict):
        raise ValueError(f"{folder / MODEL}: expected an object of fields, got a {type(said).__name__}; train the model again.")
    if said.get("format") != FORMAT:
        raise ValueError(
            f"{folder / MODEL}: expected the format {FORMAT} of this version of spectral_jax, got {said.get('format')}; it was "
            f"written by version {said.get('version', 'unknown')}: install that one, or train the model again."
        )
    if said.get("sha256") != _sum(folder / WEIGHTS):
        raise ValueError(
            f"{folder / WEIGHTS}: its numbers are not those that were written with {MODEL}; copy the folder again."
        )
    if said.get("encoder") not in ENCODERS:
        raise unknown(str(folder / MODEL), "encoder", said.get("encoder"), ENCODERS)
    try:
        return _kept(said, safetensors_file.read(folder / WEIGHTS))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{folder / MODEL}: a field is missing or of another type ({error!r}); train the model again."
        ) from error


def _kept(said: dict, flat: dict[str, np.ndarray]) -> Kept:
    model = Adapted(
        encoder=ENCODERS[said["encoder"]],
        config=_config_of_json(said["config"]),
        adaptation=said["adaptation"],
        source=SensorSpec.from_dict(said["source"]),
        target=None if said["target"] is None else SensorSpec.from_dict(said["target"]),
        kept=tuple(said["kept"]),
        head=HeadConfig(**said["head"]),
        taps=tuple(said["taps"]),
        px=said["px"],
    )
    parts = {
        name: {path.split("/", 1)[1]: jnp.asarray(value) for path, value in flat.items() if path.startswith(f"{name}/")}
        for name in ("params", "buffers")
    }
    params = {"encoder": {}, "projection": {}, "head": {}} | nest(parts["params"])
    told = said["labels"]
    lists = (tuple(told[name]) for name in ("names", "codes", "units"))
    labels = Labels(told["task"], told["title"], told["kind"], *lists)
    width = None if said["half_width"] is None else np.array(said["half_width"], float)
    return Kept(model, params, parts["buffers"], labels, said["image_px"], width, said)


def _config_to_json(config: Any) -> dict:
    if isinstance(config, SensorConfig):
        return {"kind": OURS, "key": config.key, "fields": json.loads(configure.to_json(config.config))}
    return {"kind": models.kind_of(config), "fields": json.loads(configure.to_json(config))}


def _config_of_json(said: dict) -> Any:
    text = json.dumps(said["fields"])
    if said["kind"] == OURS:
        return SensorConfig(configure.from_json(text, where=MODEL, kind=Config), said["key"])
    known = models.published()
    if said["kind"] not in known:
        raise unknown(MODEL, "kind of encoder", said["kind"], known)
    return configure.from_json(text, where=MODEL, kind=known[said["kind"]].config)


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
