"""A run of several processes: how they find one another, and what is said where one does not come or is gone."""

import contextlib
import errno
import socket
import threading
from collections.abc import Callable, Iterator

import jax

# How the libraries under JAX word that a process does not answer; what else goes wrong in a program has other words.
SIGNS = (
    "gloo", "nccl", "connection reset", "connection refused", "connection closed", "broken pipe", "unavailable", "heartbeat",
    "deadline_exceeded", "coordination service", "barrier", "aborted", "socket closed",
)  # fmt: skip
# What JAX puts before such an error's text; outside a compiled program it reaches Python as a `ValueError`.
STATUS = ("ABORTED: ", "DEADLINE_EXCEEDED: ", "INTERNAL: ", "UNAVAILABLE: ", "UNKNOWN: ")

HEARTBEAT_SECONDS = 120  # after so long JAX aborts without a word of ours; `pulse` is to find a silent process before


def check_numbers(coordinator: str | None, processes: int | None, process: int | None, batch_size: int | None = None) -> None:
    """Refuses what cannot be a coordinator, a number of processes and the number of one; None where it was not given.

    Raises:
      ValueError: numbers without a coordinator, one number without the other, an address without a port, or a number of a
        process that is not below the number of processes; or the processes do not divide a batch of `batch_size` locations.
    """
    if coordinator is None:
        for name, value in (("processes", processes), ("process", process)):
            if value is not None:
                raise ValueError(
                    f"--{name}={value} needs --coordinator=HOST:PORT, an address of process 0 that all hosts reach; without it "
                    "each process would make a run of its own."
                )
        return
    host, colon, port = coordinator.rpartition(":")
    if not (host and colon and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f"--coordinator: expected HOST:PORT with a port of 1 to 65535, got {coordinator!r}.")
    if (processes is None) != (process is None):
        raise ValueError("--processes and --process go together: how many processes there are, and which of them this one is.")
    if processes is None or process is None:
        return  # the cluster says
    if processes < 1:
        raise ValueError(f"--processes: expected 1 or more, got {processes}.")
    if not 0 <= process < processes:
        raise ValueError(f"--process: expected 0 to {processes - 1}, since --processes={processes}, got {process}.")
    if batch_size is not None and batch_size % processes:
        raise ValueError(
            f"data.batch_size: {batch_size} locations do not split over --processes={processes}; take a multiple "
            f"of {processes}, or another number of processes."
        )


def meet(
    coordinator: str | None, processes: int | None, process: int | None, limit_s: float, give_up: Callable[[str], None]
) -> None:
    """Waits until all processes of the run are there. Nothing may have touched a device before.

    JAX aborts a process whose own limit passes, with a trace and without an error that could be caught. So a thread looks at
    the clock, and gives up first.

    Args:
      coordinator: HOST:PORT of process 0, or None where the cluster says all three.
      processes: how many there are, or None.
      process: which of them this one is, or None.
      limit_s: seconds to wait.
      give_up: gets the sentence once they have passed, in a thread beside the one that waits; or where process 0 came with
        another number of processes. It must end the process.

    Raises:
      ValueError: see `check_numbers`.
      OSError: the port of process 0 is taken on this machine.
    """
    check_numbers(coordinator, processes, process)
    if coordinator is not None and process == 0:
        _check_port(coordinator)
    clock = threading.Timer(limit_s, lambda: give_up(_missing(coordinator, processes, process, limit_s)))
    clock.daemon = True
    clock.start()
    try:
        jax.distributed.initialize(
            coordinator, processes, process, initialization_timeout=int(limit_s) + 60,
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
        )  # fmt: skip
        there = jax.process_count()  # asks the others about their devices, so it may wait too
    finally:
        clock.cancel()
    if processes is not None and there != processes:
        give_up(
            f"--processes={processes} on process {process}, and process 0 began a run of {there}; give all the same number."
        )


def _check_port(coordinator: str) -> None:
    """JAX ends with a segmentation fault where the port is taken, and shares it with another process 0 of its own."""
    port = int(coordinator.rpartition(":")[2])
    with contextlib.ExitStack() as stack:
        for family, anywhere in ((socket.AF_INET6, "::"), (socket.AF_INET, "")):
            try:
                own = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
                if family == socket.AF_INET6:
                    own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a run that just ended does not count
                own.bind((anywhere, port))
            except OSError as error:
                if error.errno in (errno.EADDRINUSE, errno.EACCES):
                    why = "is in use on this machine" if error.errno == errno.EADDRINUSE else "is not open to this user"
                    raise OSError(
                        f"--coordinator={coordinator}: port {port} {why}. Take another one, the same for all processes; or, if "
                        "a process 0 of this run is there already, give this one its own --process."
                    ) from error


def _missing(coordinator: str | None, processes: int | None, process: int | None, limit_s: float) -> str:
    after = f"after {limit_s:g} s (--coordinator_timeout_s)"
    if coordinator is None or process is None:
        return (
            f"not all processes of this run came {after}. Check that the command runs on every host, that hosts reach one "
            "another (firewall), and that the cluster announces itself; else give --coordinator, --processes and --process."
        )
    check = f"that every process has --coordinator={coordinator} and --processes={processes}, and each its own --process"
    if process == 0:
        return (
            f"process 0 of {processes} waited at {coordinator}, and {after} not all others had come. Check that they run, "
            f"{check}, and that no firewall keeps them from this port."
        )
    host, _, port = coordinator.rpartition(":")
    found = "process 0 was reached, and others have not come"
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=2.0).close()
    except socket.gaierror:
        found = f"the name {host} is not known on this machine"
    except TimeoutError:
        found = "nothing answers at that address"
    except OSError as error:
        found = f"the connection failed ({error.strerror or error})"
    return (
        f"process {process} of {processes} did not find its run at {coordinator} {after}: {found}. Check address and port, "
        f"that process 0 runs on that host, that no firewall stands between, and {check}."
    )


class ProcessLost(RuntimeError):
    """Another process of the run died or cannot be reached. End with `os._exit`: an orderly end waits for that process."""


@contextlib.contextmanager
def watched(newest: Callable[[], int | None]) -> Iterator[None]:
    """Words the errors that a process gets when another one of its run is gone.

    Args:
      newest: gives the step of the newest finished checkpoint, for the sentence.

    Raises:
      ProcessLost: such an error arose inside.
    """
    try:
        yield
    except Exception as error:
        if jax.process_count() > 1 and is_lost(error):
            raise ProcessLost(_sentence(newest())) from error
        raise


def is_lost(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, says that another process does not answer."""
    while error is not None:
        if isinstance(error, ProcessLost):
            return True
        text = str(error)
        of_jax = isinstance(error, jax.errors.JaxRuntimeError | TimeoutError) or text.startswith(STATUS)
        if of_jax and any(sign in text.lower() for sign in SIGNS):
            return True
        error = error.__cause__ or error.__context__
    return False


def _sentence(newest: int | None) -> str:
    start = f"it continues from step {newest}" if newest is not None else "no checkpoint is finished, so it begins anew"
    return (
        f"process {jax.process_index()} of {jax.process_count()} ends: another process of this run died or cannot be reached. "
        f"Its own output says why. Start all processes again with the same command; {start}."
    )
