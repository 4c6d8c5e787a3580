"""Checkpoints: state, config with its sensor specs, data position and software versions in one Orbax composite.

Resume order, which `Checkpoints.resume` follows and names:
1. no finished checkpoint in the folder: start at step 0;
2. else the newest finished one, restored onto the mesh of this run, whatever mesh wrote it;
3. a restore that fails raises, and so does a checkpoint that is not as it was saved (`checksums`). It never starts over.
"""

import concurrent.futures
import contextlib
import dataclasses
import importlib.metadata
import json
import logging
import os
from pathlib import Path

import jax
import numpy as np
import optax
from orbax.checkpoint import v1 as ocp

from spectral_jax import configure, places
from spectral_jax.config import Config
from spectral_jax.train import partition, peers
from spectral_jax.train.checkpoint_files import checksums, place
from spectral_jax.train.checkpoint_files.place import CheckpointError

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "tensorstore", "numpy")


class Checkpoints:
    """The checkpoints of one run, in a folder or at an address; a context manager that waits for the last save.

    Attributes:
      changes: what the run changed on its way, `{"step", "fields": {name: [before, after]}}`; kept in every checkpoint.
      started_from: where a warm start took its parameters; None for others.
      position: where the data stood in the checkpoint that was resumed; None for a run from the beginning.
    """

    def __init__(self, folder: str | os.PathLike, cfg: Config):
        """Takes where they are and the run.

        Raises:
          CheckpointError: several processes would write to a bucket that Orbax does not know.
          OSError: the bucket cannot be read.
        """
        self._cfg = cfg
        self._place = place.opened(folder)
        self._folder = self._place.folder
        self._pending: tuple[int, concurrent.futures.Future] | None = None
        self._finisher = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="spectral_jax checkpoint")
        self._failed = False
        self._saving = 0
        self.changes: list[dict] = []
        self.started_from: dict | None = None
        self.position: dict | None = None
        logging.getLogger("absl").addFilter(_not_told_by_us)
        context = ocp.Context()
        # Orbax calls this when all is written and the folder still has its temporary name. A function of its own, since the
        # context is copied with all that hangs on it.
        context.asynchronous.post_finalization_callback = lambda: self._list_checksums()
        self._keeper = ocp.training.Checkpointer(
            self._folder,
            context=context,
            save_decision_policy=ocp.training.save_decision_policies.FixedIntervalPolicy(1),
            preservation_policy=ocp.training.preservation_policies.LatestN(cfg.train.keep),
        )

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if jax.process_count() > 1 and peers.is_lost(error):
            return  # the save under way waits for the process that is gone
        # While another error is on its way out, a save that fails too must not hide it.
        with contextlib.suppress(CheckpointError) if error else contextlib.nullcontext():
            try:
                self.wait()
            finally:
                # Orbax raises the error of a failed save once more when it is closed.
                with contextlib.suppress(Exception) if self._failed else contextlib.nullcontext():
                    self._keeper.close()
                self._finisher.shutdown()
                self._place.close()

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
        about = {
            "config": json.loads(configure.to_json(self._cfg)), "data": position, "versions": versions(),
            "checksums": checksums.METHOD if place.is_here(self._folder) else None,
            "started_from": self.started_from, "changes": self.changes,
        }  # fmt: skip
        with self._explained(step):
            self._saving = step
            response = self._keeper.save_checkpointables_async(step, {"state": state}, custom_metadata=about)
            self._pending = step, self._finisher.submit(self._finish, step, response)

    def wait(self) -> None:
        """Waits for the save that is under way; raises CheckpointError if it failed."""
        if self._pending is None:
            return
        (step, finished), self._pending = self._pending, None
        with self._explained(step):
            finished.result()

    def resume(self, abstract_state):
        """The newest state on this mesh and its step, or None when there is nothing to resume.

        What `configure.CHANGEABLE` lets a run change is entered in `changes`, with this step.

        Args:
          abstract_state: shapes, types and shardings wanted, of `partition.abstract_state`.

        Raises:
          CheckpointError: the checkpoint is of another run or model, half written, or a part of it is missing or damaged.
        """
        step = self.latest
        if step is None:
            return None
        folder = self._folder / str(step)
        _verify_together(folder)
        said = about(folder)
        before = read_config(folder)
        differing = configure.another_run(before, self._cfg)
        if differing:
            raise CheckpointError(
                f"{folder} was written by another run: {'; '.join(differing[:5])} (checkpoint against this run). Give the "
                "same config, or another --workdir."
            )
        self.started_from, self.position = said.get("started_from"), said.get("data")
        self.changes = list(said.get("changes", []))
        changed = configure.changed_on_the_way(before, self._cfg)
        if changed:
            self.changes.append({"step": step, "fields": changed})
        # Before checksums were kept, clipping had an empty place of its own in the optimiser's state.
        chained = "checksums" not in said and before.optim.clip_norm is not None
        return load_state(folder, abstract_state, chained), step

    def _list_checksums(self) -> None:
        if not place.is_here(self._folder):
            return
        temporary = sorted(self._folder.glob(f"{self._saving}.*"), key=lambda p: p.stat().st_mtime)
        checksums.write(temporary[-1] if temporary else self._folder / str(self._saving))

    def _finish(self, step: int, response) -> None:
        response.result()
        if jax.process_index() == 0 and place.is_here(self._folder):
            checksums.complete(self._folder / str(step))
        self._place.send(step, self._cfg.train.keep)

    @contextlib.contextmanager
    def _explained(self, step: int):
        try:
            yield
        except Exception as error:
            self._failed = True
            finished = place.newest(self._place.shown)
            intact = "No checkpoint is finished" if finished is None else f"The checkpoint of step {finished} is intact"
            room = f" ({places.free(self._folder)})" if place.is_here(self._folder) else ""
            raise CheckpointError(
                f"saving step {step} to {self._place.shown} failed: {_reason(error)}{room}. {intact}; free space or mend the "
                "folder, then run the same command again to continue."
            ) from error


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


def verify(step_folder: Path) -> None:
    """Compares a checkpoint with the checksums it was saved with; one without them, of an earlier version, is taken as it is.

    Raises:
      CheckpointError: it is not as it was saved; the sentence names the file, and the checkpoint before it that is intact.
    """
    _refuse(step_folder, checksums.damage(step_folder) if place.is_here(step_folder) else None)


def load_state(step_folder: Path, abstract_state, chained: bool = False):
    """Restores a state, or a part of one, onto the shardings of `abstract_state`.

    Args:
      step_folder: one finished checkpoint.
      abstract_state: shapes, types and shardings wanted.
      chained: whether the optimiser's state was saved one tuple deeper, behind the empty state of clipping.
    """
    wanted = abstract_state
    if chained:
        wanted = dataclasses.replace(wanted, opt_state=(optax.EmptyState(), wanted.opt_state))
    try:
        found = ocp.load_checkpointables(step_folder, {"state": wanted})["state"]
    except Exception as error:
        raise CheckpointError(
            f"restoring {step_folder} failed: {_reason(error)}. A part of it is missing or damaged; remove that folder to "
            "continue from the checkpoint before it."
        ) from error
    return dataclasses.replace(found, opt_state=found.opt_state[1]) if chained else found


def load_part(step_folder: Path, wanted: dict) -> dict:
    """Restores parts of a state by name, such as `params`, onto the shardings of `wanted`."""
    context = ocp.Context()
    context.pytree.loading.partial_load = True
    with context:
        return load_state(step_folder, wanted)


def load_params(step_folder: Path, shapes: dict) -> dict:
    """Restores the student's parameters alone, onto the default device."""
    return load_part(step_folder, {"params": partition.on_one_device(shapes)})["params"]


def versions() -> dict[str, str]:
    """Versions of the libraries a result may depend on."""
    return {name: importlib.metadata.version(name) for name in PACKAGES} | {"backend": jax.default_backend()}


def _verify_together(step_folder: Path) -> None:
    """As `verify`; each process reads its share of the files, and all of them stop where one finds damage."""
    if not place.is_here(step_folder):
        return  # each object has a checksum of the bucket's own, and TensorStore's arrays have theirs
    count = jax.process_count()
    found = checksums.damage(step_folder, (jax.process_index(), count))
    if count > 1:
        from jax.experimental import multihost_utils

        damaged = np.asarray(multihost_utils.process_allgather(np.array([found is not None])))
        if damaged.any() and found is None:
            found = f"process {int(damaged.ravel().argmax())} says which file"
    _refuse(step_folder, found)


def _refuse(step_folder: Path, damage: str | None) -> None:
    if damage is None:
        return
    number = int(step_folder.name) if step_folder.name.isdigit() else 0
    earlier = sorted(
        (int(p.name) for p in step_folder.parent.glob("*") if p.name.isdigit() and int(p.name) < number), reverse=True
    )
    intact = next((step for step in earlier if checksums.damage(step_folder.parent / str(step)) is None), None)
    remedy = (
        f"Step {intact} is intact: remove the folder {step_folder} to continue from it."
        if intact is not None
        else "No earlier checkpoint beside it is intact: copy this one again from where it is whole, or start anew in another "
        "--workdir."
    )
    raise CheckpointError(f"{step_folder} is damaged: {damage}. {remedy}")


def _not_told_by_us(record: logging.LogRecord) -> bool:
    """Whether a line of the log says more than `Checkpoints` does: not Orbax's traces of an error that it raises too."""
    return not (record.exc_info and "orbax" in record.pathname)


def _reason(error: BaseException) -> str:
    """The first line of the innermost cause, which is where storage says what went wrong."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:300] if text else 'no text'}".rstrip(".")
