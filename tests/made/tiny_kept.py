"""A fitted model of toy size as a folder, for the tests of models that are kept and of maps made with them."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
from made import tiny_adapt, toy_encoder

from spectral_jax.adapt import kept
from spectral_jax.adapt.fit import adapted
from spectral_jax.adapt.fit.adapted import Adapted
from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.parts.source import source_of
from spectral_jax.tasks.kinds import KINDS
from spectral_jax.tasks.samples import TaskData


def data(kind: str = "segmentation") -> TaskData:
    """The tiny task, or the same images with two numbers for each pixel."""
    made = tiny_adapt.segmentation()
    if kind == "segmentation":
        return made
    targets = np.random.default_rng(0).normal(3.0, 2.0, (*made.labels.shape, 2)).astype(np.float32)
    task = dataclasses.replace(
        made.task, kind=KINDS[kind], codes=(), class_names=(), targets=("carbon", "clay"), target_units=("g/kg", "%")
    )
    return dataclasses.replace(made, task=task, labels=targets)


def fitted(of: TaskData) -> tuple[Adapted, dict, dict, Part]:
    """Encoder, parameters, buffers, and the samples as a part. Nothing is trained: the numbers are those of the start."""
    source = source_of(of)
    head = adapted.head_of(of.task, dataclasses.replace(tiny_adapt.PROTOCOL, head="linear", head_width=None))
    config = toy_encoder.ToyConfig(4, patch=2, grid=tiny_adapt.PX // 2)
    model = Adapted(toy_encoder.ENCODER, config, "none", source.sensor, None, (), head, (0,), tiny_adapt.PX)
    params = adapted.init(jax.random.key(0), model, None, tiny_adapt.PX)
    bands, targets = len(source.sensor.used), len(of.task.targets)
    buffers = {"mean": np.full(bands, 0.15, np.float32), "std": np.full(bands, 0.1, np.float32)}
    if targets:
        buffers |= {"label_mean": np.full(targets, 3.0, np.float32), "label_std": np.full(targets, 2.0, np.float32)}
    return model, params, buffers, Part(of, source, range(len(of)))


def write(folder: Path, patch, kind: str = "segmentation", width=None) -> tuple[Adapted, dict, dict, Part]:
    """The model as a folder; `patch` makes the toy encoder known for the time of a test."""
    toy_encoder.register(patch)
    of = data(kind)
    made = fitted(of)
    about = {"row": "toy/none", "protocol": "tiny", "weights": "random initialisation", "simulated": True}
    kept.save(folder, *made[:3], of.task, tiny_adapt.PX, width, about)
    return made
