"""Checkpoints: state, config with its sensor specs, data position and software versions in one Orbax composite.

Resume order, which `Checkpoints.resume` follows and names:
1. no finished checkpoint in the folder: start at step 0;
2. else the newest finished one, restored onto the mesh of this run, whatever mesh wrote it;
3. a restore that fails raises. It never starts over.
"""

import contextlib
import importlib.metadata
import json
from pathlib import Path
from typing import Any

import jax
from orbax.checkpoint import v1 as ocp

from spectral_jax import configure
from spectral_jax.config import Config
from spectral_jax.train import partition

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "tensorstore", "numpy")


class CheckpointError(RuntimeError):
    """A checkpoint could not be written or read; the text says which, why and what to do."""


class Checkpoints:
    """The checkpoints of one run, in `folder`; a context manager that waits for the last save."""

    def __init__(self, folder: Path, cfg: Config):
        self._folder, self._cfg = Path(folder).resolve(), cfg
        self._pending: tuple[int, Any] | None = None
        self._failed = False
        self._keeper = ocp.training.Checkpointer(
            self._folder,
            save_decision_policy=ocp.training.save_decision_policies.FixedIntervalPolicy(1),
            preservation_policy=ocp.training.preservation_policies.LatestN(cfg.train.keep),
        )

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        # While another error is on its way out, a save that fails too must not hide it.
        with contextlib.suppress(CheckpointError) if error else contextlib.nullcontext():
            try:
                self.wait()
            finally:
                # Orbax raises the error of a failed save once more when it is closed.
                with contextlib.suppress(Exception) if self._failed else contextlib.nullcontext():
                    self._keeper.close()

    @property
    def latest(self) -> int | None:
        """Step of the newest finished checkpoint."""
        newest = self._keeper.latest
        return None if newest is None else newest.step

    def save(self, step: int, state, position: dict) -> None:
        """Starts writing; returns once the arrays are copied, while the next steps run.

        Args:
          step: updates made.
          state: of `train.state`; it may be donated afterwards.
          position: where the data stands, for the record; the loader needs the step alone.

        Raises:
          CheckpointError: this save, or the one before, failed, such as on a full disk. Finished checkpoints are kept.
        """
        self.wait()
        if self.latest == step:
            return
        about = {"config": json.loads(configure.to_json(self._cfg)), "data": position, "versions": versions()}
        with self._explained(step):
            self._pending = step, self._keeper.save_checkpointables_async(step, {"state": state}, custom_metadata=about)

    def wait(self) -> None:
        """Waits for the save that is under way; raises CheckpointError if it failed."""
        if self._pending is None:
            return
        (step, response), self._pending = self._pending, None
        with self._explained(step):
            response.result()

    def resume(self, abstract_state):
        """The newest state on this mesh and its step, or None when there is nothing to resume.

        Args:
          abstract_state: shapes, types and shardings wanted, of `partition.abstract_state`.

        Raises:
          CheckpointError: the checkpoint is of another run or model, half written, or a part of it is missing.
        """
        step = self.latest
        if step is None:
            return None
        differing = configure.another_run(read_config(self._folder / str(step)), self._cfg)
        if differing:
            raise CheckpointError(
                f"{self._folder / str(step)} was written by another run: {'; '.join(differing[:5])} (checkpoint against this "
                "run). Give the same config, or another --workdir."
            )
        return load_state(self._folder / str(step), abstract_state), step

    @contextlib.contextmanager
    def _explained(self, step: int):
        try:
            yield
        except Exception as error:
            self._failed = True
            finished = self.latest
            intact = "No checkpoint is finished" if finished is None else f"The checkpoint of step {finished} is intact"
            raise CheckpointError(
                f"saving step {step} to {self._folder} failed: {_reason(error)}. {intact}; free space or mend the folder, then "
                "run the same command again to continue."
            ) from error


def find(path: str | Path) -> Path:
    """The folder of one finished checkpoint, given it, a `checkpoints` folder or a run's work folder (the newest is taken).

    Raises:
      CheckpointError: there is none.
    """
    path = Path(path).resolve()
    for folder in (path / "checkpoints", path):
        steps = sorted((int(p.name), p) for p in folder.glob("*") if p.name.isdigit()) if folder.is_dir() else []
        if steps:
            return steps[-1][1]
    if path.name.isdigit() and path.is_dir():
        return path
    raise CheckpointError(
        f"{path} holds no finished checkpoint; expected a run's work folder, its checkpoints folder, or one step of it."
    )


def read_config(step_folder: Path) -> Config:
    """The config a checkpoint carries, sensor specs included."""
    return configure.from_json(json.dumps(about(step_folder)["config"]), where=f"config of {step_folder}")


def about(step_folder: Path) -> dict:
    """What a checkpoint says of itself: config, data position, versions."""
    try:
        said = ocp.checkpointables_metadata(step_folder).custom_metadata
        if not said or "config" not in said:
            raise KeyError("its config is missing")
        return said
    except Exception as error:
        raise CheckpointError(
            f"{step_folder} cannot be read: {_reason(error)}. It is half written or not of spectral_jax; remove that folder "
            "to continue from the checkpoint before it."
        ) from error


def load_state(step_folder: Path, abstract_state):
    """Restores a state, or a part of one, onto the shardings of `abstract_state`."""
    try:
        return ocp.load_checkpointables(step_folder, {"state": abstract_state})["state"]
    except Exception as error:
        raise CheckpointError(
            f"restoring {step_folder} failed: {_reason(error)}. A part of it is missing or damaged; remove that folder to "
            "continue from the checkpoint before it."
        ) from error


def load_params(step_folder: Path, shapes: dict) -> dict:
    """Restores the student's parameters alone, onto the default device."""
    wanted = {"params": partition.on_one_device(shapes)}
    context = ocp.Context()
    context.pytree.loading.partial_load = True
    with context:
        return load_state(step_folder, wanted)["params"]


def versions() -> dict[str, str]:
    """Versions of the libraries a result may depend on."""
    return {name: importlib.metadata.version(name) for name in PACKAGES} | {"backend": jax.default_backend()}


def _reason(error: BaseException) -> str:
    """The first line of the innermost cause, which is where storage says what went wrong."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:300] if text else 'no text'}".rstrip(".")
