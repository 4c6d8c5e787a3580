"""The workers of a Dask cluster, on this machine or elsewhere, as those who write shards.

Nothing is scheduled here: Dask gives tasks to workers, and those of a worker that died to another, and tries again what failed.
"""

import contextlib
import dataclasses
import functools
import logging
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from spectral_jax.ingest.patches import needed, shard
from spectral_jax.ingest.patches.crew import Chain
from spectral_jax.sentences import needs

CONNECT_SECONDS = 20  # a scheduler is waited for
ALONE_SECONDS = 60  # a scheduler without a worker is waited for, at the start and later
MISSED_SECONDS = 20.0  # a worker of this machine that ended is started anew by its nanny within this time, or by us
ANSWER_SECONDS = 30.0  # an answer of a few kB is waited for, from the worker that has it
LOOK_SECONDS = 2.0  # between looks at which workers there are
RETRIES = 2  # of a task that failed by what is no file's fault
LONGEST = 16  # shards of one granule that are given to one worker, one after another
DEATHS = 10  # of workers of this machine, at one shard, before it is given up


class _Lacking(RuntimeError):
    """A worker lacks something; no other try will help."""


class Cluster:
    """The workers behind a Dask client."""

    def __init__(
        self,
        client: Any,
        where: str,
        what: needed.Needed,
        say: Callable[[str], None],
        restart: Callable[[], None] | None = None,
    ):
        """Takes a client that is connected, how its scheduler is called in sentences, and what brings missing workers back."""
        self._client, self._where, self._needed, self._say = client, where, what, say
        self._workers: dict[str, int] = {}
        self._looked = 0.0
        self._alone_since: float | None = None
        self._restart, self._most, self._complete_at = restart, 0, time.monotonic()

    @property
    def told(self) -> str:
        """How many there are."""
        return f", {len(self._workers)} {'worker' if len(self._workers) == 1 else 'workers'}"

    def longest(self, shards: int) -> int:
        """Few enough that each thread has several chains."""
        return max(1, min(LONGEST, shards // (4 * max(1, sum(self._workers.values())))))

    def check(self) -> None:
        """Waits for a worker, and looks whether all have what they need.

        Raises:
          OSError: there is none.
          ValueError: one lacks something; the sentence says what to do.
        """
        try:
            self._client.wait_for_workers(1, timeout=ALONE_SECONDS)
        except TimeoutError as error:
            raise OSError(
                f"{self._where} has had no worker for {ALONE_SECONDS} s; start some (dask worker ADDRESS), then run the same "
                "command again."
            ) from error
        self._look(True)
        try:
            answers = self._client.run(_missing, self._needed, on_error="return")
        except Exception as error:
            raise OSError(f"{self._where}: its workers could not be asked ({error}); look at their logs.") from error
        for worker, answer in answers.items():
            if isinstance(answer, OSError):  # it ended meanwhile; whoever comes in its place is asked with its first task
                continue
            if isinstance(answer, Exception):
                raise ValueError(
                    f"worker {worker}: it cannot run spectral_jax ({type(answer).__name__}: {answer}); install the same there, "
                    f"version {self._needed.version}, with its extra dask."
                )
            if answer:
                raise ValueError(f"worker {worker}: {answer}.")

    def run(self, chains: Iterable[Chain]) -> Iterator[tuple[shard.Task, shard.Outcome]]:
        """Two tasks for each thread are under way, each the head of a chain; the next of a chain follows on the same worker.

        Raises:
          OSError: the scheduler or all workers are gone.
          ValueError: a worker lacks something.
        """
        from distributed import as_completed

        waiting, done = iter(chains), as_completed()
        under_way: dict[str, tuple[Any, Chain, str | None]] = {}

        def submit(chain: Chain, worker: str | None) -> None:
            # By preference: a worker that has too much to do leaves the task to another.
            near = {"workers": [worker], "allow_other_workers": True} if worker else {}
            name = f"{chain[0].name.replace(' ', '_')}-{time.monotonic_ns()}"
            future = self._client.submit(_filled, chain[0], self._needed, key=name, pure=False, retries=RETRIES, **near)
            under_way[name] = future, chain, worker
            done.add(future)

        while True:
            gone = self._look()
            # Dask keeps a task waiting for the worker it prefers if no other was there when that one ended.
            for name, (future, chain, worker) in list(under_way.items()):
                if worker in gone:
                    del under_way[name]
                    future.cancel()
                    submit(chain, None)
            while len(under_way) < 2 * max(1, sum(self._workers.values())) and (chain := next(waiting, [])):
                submit(chain, None)
            if not under_way:
                return
            if not done.has_ready():
                time.sleep(0.01)
                continue
            future = next(done)
            if future.key not in under_way:
                continue
            task, *rest = under_way.pop(future.key)[1]
            try:
                outcome, worker = self._result(future, task)
            except TimeoutError:
                submit([task, *rest], None)
                continue
            if rest and not outcome.unwritable:
                submit(rest, worker if worker in self._workers else None)
            yield task, outcome

    def _result(self, future: Any, task: shard.Task) -> tuple[shard.Outcome, str | None]:
        """What a task gave, and the worker that did it; TimeoutError where that worker ended before it told its answer."""
        from distributed import KilledWorker

        nothing = shard.Outcome(task.done & False)
        try:
            outcome, worker = future.result(timeout=ANSWER_SECONDS)
        except KilledWorker as error:
            sentence = (
                f"{task.name}: its worker ended {error.allowed_failures + 1} times while it had this shard, which begins with "
                f"{min(task.granules)}; most likely its memory is too small: take fewer --workers, or smaller shards."
            )
            return dataclasses.replace(nothing, damaged={task.name: sentence}), None
        except _Lacking as error:
            raise ValueError(str(error)) from error
        except Exception as error:
            if future.status == "cancelled":
                raise self._gone() from error
            if isinstance(error, TimeoutError) and future.status != "error":
                raise
            if not isinstance(error, ValueError | OSError | ImportError | MemoryError):
                raise  # a fault of ours, with the worker's trace
            return dataclasses.replace(nothing, damaged={task.name: f"{task.name}: {error}"}), None
        return outcome, worker

    def _look(self, now: bool = False) -> set[str]:
        """Looks at which workers there are, at most every few seconds; tells of those that have ended, and gives them."""
        if time.monotonic() - self._looked < LOOK_SECONDS and not now:
            return set()
        self._looked = time.monotonic()
        if self._client.status != "running":
            raise self._gone()
        try:
            there = dict(self._client.nthreads())
        except (OSError, TimeoutError) as error:
            raise self._gone() from error
        gone = self._workers.keys() - there.keys()
        for worker in gone:
            self._say(f"worker {worker} has ended; what it was writing is given to another.")
        self._workers, self._most = there, max(self._most, len(there))
        if len(there) == self._most:
            self._complete_at = time.monotonic()
        elif self._restart and time.monotonic() - self._complete_at > MISSED_SECONDS:
            self._complete_at = time.monotonic()
            self._restart()
        if there:
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = time.monotonic()
        elif time.monotonic() - self._alone_since > ALONE_SECONDS:
            raise OSError(
                f"{self._where}: all workers have ended, and none came back in {ALONE_SECONDS} s; start some, then run the "
                "same command again: it continues where it stopped."
            )
        return gone

    def _gone(self) -> OSError:
        return OSError(
            f"{self._where} is gone; what was recorded stays: start it again, then run the same command, which continues where "
            "it stopped."
        )


@contextlib.contextmanager
def on_this_machine(workers: int, store: str, folders: Iterable[str], say: Callable[[str], None]) -> Iterator[Cluster]:
    """Processes of this machine, each with one thread, while the block runs.

    Raises:
      ImportError: Dask is not installed.
      OSError, ValueError: see `Cluster.check`.
    """
    with needs("distributed", "dask", "building with --workers"):
        import distributed
    import dask

    _hush()
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": DEATHS}))
        try:
            cluster = distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL, preload=__name__
            )
        except (RuntimeError, OSError, TimeoutError) as error:
            raise OSError(
                f"--workers: {workers} could not be started ({error}); one was ended before it had begun, for which too little "
                "memory is the usual reason: take fewer, or run the same command again."
            ) from error
        client = stack.enter_context(distributed.Client(stack.enter_context(cluster)))
        # A nanny whose process is killed while it starts gives up.
        restart = functools.partial(cluster.scale, workers)
        crew = Cluster(client, "the scheduler of this machine", needed.of(store, folders), say, restart)
        crew.check()
        say(f"{workers} {'worker' if workers == 1 else 'workers'} on this machine; Dask's dashboard: {client.dashboard_link}")
        yield crew


@contextlib.contextmanager
def of_scheduler(where: str, store: str, folders: Iterable[str], say: Callable[[str], None]) -> Iterator[Cluster]:
    """The workers of a scheduler that runs already, while the block runs.

    Raises:
      ImportError: Dask is not installed.
      OSError: the scheduler cannot be reached, or has no worker.
      ValueError: its address has no such form, or a worker lacks something.
    """
    with needs("distributed", "dask", "building with --scheduler"):
        import distributed

    _hush()
    try:
        client = distributed.Client(where, timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError) as error:
        raise OSError(
            f"--scheduler: {where} did not answer within {CONNECT_SECONDS} s; see that it runs (dask scheduler), that the "
            "address and port are those it printed, and that no firewall is between."
        ) from error
    except ValueError as error:
        raise ValueError(f"--scheduler: expected an address such as tcp://10.0.0.5:8786, got {where} ({error}).") from error
    with client:
        crew = Cluster(client, f"--scheduler: {where}", needed.of(store, folders), say)
        crew.check()
        say(f"{len(client.nthreads())} workers of {where}; Dask's dashboard: {client.dashboard_link}")
        yield crew


def dask_setup(worker: Any) -> None:
    """Dask calls this in each worker of this machine as it starts: Ctrl-C is for the process that the user started."""
    del worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _missing(what: needed.Needed) -> str:
    return what.missing()


def _filled(task: shard.Task, what: needed.Needed) -> tuple[shard.Outcome, str]:
    """On a worker: the outcome, and the worker's address."""
    from distributed import get_worker

    worker = get_worker().address
    if missing := what.missing():
        raise _Lacking(f"worker {worker}: {missing}.")
    try:
        return shard.fill(task, threads=1), worker  # the other cores have workers of their own
    finally:
        for _, _, patch in task.wanted:
            patch.close()


def _hush() -> None:
    # What it warns of, such as a worker that ended, is told here in a line.
    for name in ("distributed", *(n for n in logging.root.manager.loggerDict if n.startswith("distributed."))):
        logging.getLogger(name).setLevel(logging.CRITICAL)
