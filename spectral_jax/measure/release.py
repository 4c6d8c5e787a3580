"""A finished run as a model of the package: its encoder, the readout of 64 numbers made from its own store, and its cost."""

import dataclasses
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from spectral_jax import api, spec_files
from spectral_jax.data.loader import Loader
from spectral_jax.model.encoder import readout
from spectral_jax.pretrain import probe, ridge
from spectral_jax.released import compact, models
from spectral_jax.sentences import unknown
from spectral_jax.train.checkpoint_files import place

LABELLED = 480  # as the probe of a run has them


def release(run: Path, name: str, command: str, sensor: str, level: str, into: Path | None = None) -> str:
    """Writes the model's folder.

    Args:
      run: work folder of a finished run whose store is simulated in it.
      name: of the model.
      command: that trained it.
      sensor: key of the sensor whose vectors the readout is made of.
      level: of the readout.
      into: folder of models; None: data_specs/models.

    Returns:
      What was written, and how much of a ridge's R2 the readout keeps at the run's own places.

    Raises:
      CheckpointError, FileNotFoundError, OSError, ValueError: the run is not finished, has no such sensor or level, or cannot
        be read.
    """
    cfg, params = api.load(run)
    step = int(place.find(run).name)
    if step < cfg.train.steps:
        raise ValueError(f"--run: {run} has made {step} of {cfg.train.steps} steps; let it end.")
    if level not in readout.names(cfg, [sensor]):
        raise unknown("--level", f"level of {sensor}", level, readout.names(cfg, [sensor]))
    shown = dataclasses.replace(cfg, probe=dataclasses.replace(cfg.probe, sensors=(sensor,)))
    loader = Loader(cfg, run / "synthetic.zarr")
    vectors, truth = probe.embed_locations(params, shown, loader)
    rows = vectors[level].astype(np.float32)
    made = compact.fit(level, rows)
    numbers = np.asarray(compact.compact(made, jnp.asarray(rows)), np.float64)
    kept = {
        what: float(ridge.r2(truth[LABELLED:], ridge.predict(x[:LABELLED], truth[:LABELLED], x[LABELLED:])).mean())
        for what, x in ((f"{rows.shape[1]} of float32", rows), (f"{compact.NUMBERS} of int8", numbers))
    }
    folder = (spec_files.folder("models") if into is None else into) / name
    about = {"name": name, "trained_on": "SIMULATED scenes alone", "steps": step, "command": command}
    models.write(folder, cfg, params["encoder"], made, about)
    size = (folder / models.ENCODER).stat().st_size / 1e6
    said = ", ".join(f"{value:.3f} with {what}" for what, value in kept.items())
    where = f"{len(truth) - LABELLED} SIMULATED places of the run itself"
    return f"{folder}: {size:.2f} MB. Readout of {level}, R2 at {where}: {said}."
