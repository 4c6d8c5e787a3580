"""The training loop: batches in, states out, with everything a long run needs around it.

It knows no objective and no sensor: `drive` makes steps and stops with a sentence when one is not finite; `train` is the
pretraining run on it, which feeds `partition.place_step`, saves and records.
"""

import collections
import dataclasses
import functools
import math
import signal
import time
from collections.abc import Callable, Iterable
from typing import Any

import jax

from spectral_jax.addresses.work import Work
from spectral_jax.config import Config
from spectral_jax.data.feed import Feed
from spectral_jax.data.loader import Loader
from spectral_jax.data.schedule import ORDER
from spectral_jax.train import partition, warm_start
from spectral_jax.train.alarms import Alarms
from spectral_jax.train.checkpoint import Checkpoints
from spectral_jax.train.programs import Programs
from spectral_jax.train.record import Progress, Recorder, closed, write_changes
from spectral_jax.train.state import State


class NonFiniteLoss(RuntimeError):
    """The loss or a gradient is not a number; the text names step and locations."""


class Preempted(SystemExit):
    """The run was asked to end (SIGTERM) and has saved; its exit code is 143, as for a process ended by that signal."""

    def __init__(self, step: int, folder: str):
        super().__init__(143)
        self.text = f"Ended by SIGTERM after step {step}, which is saved in {folder}. Run the same command again to continue."


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a finished run returns.

    Attributes:
      state: after the last step.
      started_at: step the run began from.
      first: first logged row of this run, and `last` the last one; None when there was nothing left to do.
    """

    state: State
    started_at: int
    first: dict | None
    last: dict | None


@dataclasses.dataclass
class _Pending:
    step: int
    metrics: dict
    locations: Callable[[], list[str]]


def drive(
    step_function: Callable,
    state,
    batches: Iterable,
    key: jax.Array,
    *,
    start: int = 0,
    names: Callable[[Any], Callable[[], list[str]]],
    settled: Callable[[dict], None],
    watched: Callable[[int, Any], dict] = lambda *_: {},
    after: Callable[[int, object, Callable[[int], None]], None] = lambda *_: None,
):
    """Makes one step a batch, with one step in flight: its numbers are read while the next one runs.

    Args:
      step_function: (state, batch, key) to (state, metrics); metrics hold `loss` and `grad_norm`.
      state: before the first step; it may be donated.
      batches: one a step.
      key: of the run.
      start: steps made before.
      names: gives for a batch the function that tells what it holds, for the sentence about a loss that is not finite.
      settled: gets the metrics of each step once they are known to be finite, with `step`, in order.
      watched: gives further metrics of some steps, by the number of steps made and the state.
      after: called after each step with the number of steps made, the state, and a function that reads the metrics of all but
        the newest so many steps, for who saves.

    Returns:
      The state after the last batch, all of whose steps are settled.

    Raises:
      NonFiniteLoss: with the step and what its batch holds.
    """
    pending: collections.deque[_Pending] = collections.deque()

    def settle(most: int) -> None:
        while len(pending) > most:
            settled(_read(pending.popleft()))

    for done, batch in enumerate(batches, start + 1):
        state, metrics = step_function(state, batch, key)
        pending.append(_Pending(done, metrics | watched(done, state), names(batch)))
        settle(most=1)
        after(done, state, settle)
    settle(most=0)
    return state


def train(cfg: Config, loader: Loader, work: Work, begun: Callable[[], None] = lambda: None) -> Summary:
    """Trains from the newest checkpoint in the work folder, or from the beginning, to `cfg.train.steps`.

    Args:
      cfg: the run.
      loader: of this process's share of the batches.
      work: the work folder, which gets metrics.jsonl, tensorboard/, checkpoints/, curves.png, and changes.jsonl where the run
        changed on its way.
      begun: called once the first step is made.

    Raises:
      NonFiniteLoss: with the step and the batch's locations; the last good checkpoint is kept.
      NothingValid: batches hold no valid pixel, see `Alarms`.
      CheckpointError: a save or a restore failed.
      Preempted: after SIGTERM, once the state is saved.
    """
    mesh = partition.make_mesh(cfg)
    step_function = Programs(partition.place_step(cfg, mesh))
    key = jax.random.key(cfg.train.seed + 1)
    with Checkpoints(work.checkpoints, cfg) as checkpoints, _Signal() as asked_to_stop:
        state, start = _begin(cfg, mesh, checkpoints)
        if start >= cfg.train.steps:
            return Summary(state, start, None, None)
        _tell_order(loader, checkpoints.position)
        norms = partition.place_norms(cfg, mesh).lower(state).compile()
        recorder = Recorder(work.path, start) if jax.process_index() == 0 else None
        progress = Progress(start, cfg.train.steps)
        meter = _Meter(cfg.data.batch_size, step_function)
        alarms = Alarms()
        rows: list[dict] = []

        def logged(step: int) -> bool:
            return step % cfg.train.log_every == 0 or step in (start + 1, cfg.train.steps)

        def watched(step: int, state) -> dict:
            return norms(state) if logged(step) else {}

        def settled(row: dict) -> None:
            if row["step"] == start + 1:
                begun()
                if recorder:
                    write_changes(work.path, checkpoints.changes)
            for sentence in alarms.look(row, functools.partial(loader.location_names, row["step"] - 1)):
                _say(sentence)
            if logged(row["step"]):
                row |= meter.read(row["step"], feed.wait_seconds)
                rows.append(row)
                if recorder:
                    recorder.write(row)
                    progress.show(row, step_function.seconds)

        def after(done: int, state, settle: Callable[[int], None]) -> None:
            stop = asked_to_stop(done)
            if stop or done % cfg.train.save_every == 0 or done == cfg.train.steps:
                settle(0)  # nothing is saved before its loss is known to be finite
                work.flush()  # and no checkpoint is there before the rows that led to it
                checkpoints.save(done, state, _position(cfg, done))
            if stop:
                checkpoints.wait()
                raise Preempted(done, work.checkpoints)

        with Feed(loader.batches(start, cfg.train.steps, cfg.data.workers), mesh, ahead=cfg.data.prefetch) as feed:
            batches = meter.timed(feed, start, cfg.train.steps)
            with closed(recorder, work.path, work.shown):
                state = drive(
                    step_function, state, batches, key, start=start, names=loader.names_later, settled=settled, watched=watched,
                    after=after,
                )  # fmt: skip
    return Summary(state, start, rows[0], rows[-1])


def _begin(cfg: Config, mesh, checkpoints: Checkpoints):
    resumed = checkpoints.resume(partition.abstract_state(cfg, mesh)) if checkpoints.latest is not None else None
    if resumed is not None:
        state, step = resumed
        _say(f"Continuing from the checkpoint of step {step}.")
        if checkpoints.changes and checkpoints.changes[-1]["step"] == step:
            fields = checkpoints.changes[-1]["fields"].items()
            _say(f"From step {step} on: {', '.join(f'{name} is {b} (was {a})' for name, (a, b) in fields)}.")
        return state, step
    if cfg.train.start_from:
        state, checkpoints.started_from = warm_start.begin(cfg, mesh)
        _say(
            "Starting at step 0 with the parameters of step {step} of {name!r} in {folder}.".format(**checkpoints.started_from)
        )
        return state, 0
    _say("Starting at step 0: there is no finished checkpoint in the work folder.")
    return partition.create_state(cfg, mesh), 0


def _say(text: str):
    if jax.process_index() == 0:
        print(text, flush=True)


def _tell_order(loader: Loader, position: dict | None):
    """Says of which groups a run goes on with other batches than the version of its checkpoint would have drawn."""
    if position is None:
        return
    # Checkpoints of before the order had a version say nothing of it.
    moved = loader.schedule.changed_since(position.get("order", 1))
    if moved:
        _say(
            f"From step {position['next_batch']} on the locations of {', '.join(moved)} come in another order than before, "
            "each as often: the checkpoint is of another version of spectral_jax, which drew batches otherwise."
        )


def _position(cfg: Config, step: int) -> dict:
    drawn = {"batch_size": cfg.data.batch_size, "seed": cfg.data.seed, "order": ORDER}
    return {"next_batch": step} | drawn | {"processes": jax.process_count()}


def _read(pending: _Pending) -> dict:
    row = {"step": pending.step} | {name: float(value) for name, value in pending.metrics.items()}
    bad = [name for name in ("loss", "grad_norm", "update_norm") if not math.isfinite(row.get(name, 0.0))]
    if bad:
        locations = pending.locations()
        raise NonFiniteLoss(
            f"{bad[0]} is {row[bad[0]]} at step {pending.step}. The batch holds {len(locations)} locations: "
            f"{', '.join(locations)}. Nothing was saved since the last good checkpoint; look at these locations' "
            "values, or lower optim.lr or set optim.clip_norm, and run again to continue from there."
        )
    return row


class _Meter:
    """Samples per second and share of time waiting for input, since the last reading; compiling counts as no time."""

    def __init__(self, batch_size: int, programs: Programs):
        self._batch_size, self._programs, self._time, self._waited, self._compiling = batch_size, programs, 0.0, 0.0, 0.0
        self._step: int | None = None

    def timed(self, feed: Iterable, start: int, stop: int) -> Iterable:
        """The batches of steps `start` to `stop`; the clock starts when the first is there."""
        for number, batch in zip(range(start, stop), feed, strict=False):
            if self._step is None:
                self._step, self._time = number, time.monotonic()
            yield batch

    def read(self, step: int, waited: float) -> dict:
        assert self._step is not None  # a batch was timed before its step is read
        now, compiling = time.monotonic(), self._programs.seconds
        seconds = max(now - self._time - (compiling - self._compiling), 1e-9)
        out = {
            "samples_per_second": (step - self._step) * self._batch_size / seconds,
            "input_wait_fraction": min(1.0, max(0.0, (waited - self._waited) / seconds)),
        }
        self._step, self._time, self._waited, self._compiling = step, now, waited, compiling
        return out


class _Signal:
    """Tells, on every process at the same step, that the machine is about to be taken away."""

    def __enter__(self):
        self._raised = False
        self._several = jax.process_count() > 1
        if not self._several:
            self._before = signal.signal(signal.SIGTERM, self._note)
        return self._asked

    def __exit__(self, *_):
        if not self._several:
            signal.signal(signal.SIGTERM, self._before)

    def _note(self, *_):
        self._raised = True

    def _asked(self, step: int) -> bool:
        if self._several:
            # jax.distributed has its own SIGTERM handler, and makes the processes agree on the step.
            from jax.experimental import multihost_utils

            return multihost_utils.reached_preemption_sync_point(step)
        return self._raised
