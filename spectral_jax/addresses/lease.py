"""One run in one work folder: the second is told who holds it, and since when.

A folder of this machine is held by a lock of the operating system, which ends with the process whatever ends it. In a bucket
the holder renews an object; one that was not renewed while it was watched has lost its holder. Clocks are never compared: the
machines' may differ by hours.
"""

import contextlib
import datetime
import fcntl
import getpass
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from spectral_jax.addresses import address, bucket

NAME = "held_by.json"
RENEW_SECONDS = 10.0
WATCH_SECONDS = 35.0  # three renewals


# What is held, and why it cannot be shared, for the sentence.
RUN = (
    "the work folder of a run that is going on",
    "Two runs would overwrite each other's checkpoints: take another --workdir, or end that run first.",
)


class Held(OSError):
    """Another run holds the work folder; the text says which, and since when."""


@contextlib.contextmanager
def on_folder(folder: Path, words: tuple[str, str] = RUN) -> Iterator[None]:
    """Holds a folder of this machine while the block runs; `words` say what it is, and what to do where it is held.

    Raises:
      Held: another process does.
    """
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / NAME).open("a+b", buffering=0) as file:  # what a full disk refused must not be tried again when it is closed
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise Held(_sentence(str(folder), file.read().decode(), words)) from error
        except OSError:
            # A file system without locks, as some network mounts are: nothing can be held there.
            yield
            return
        with contextlib.suppress(OSError):  # the lock holds on a full disk too, and what fails next says that it is full
            file.truncate(0)
            file.write(json.dumps(_about()).encode())
        try:
            yield
        finally:
            (folder / NAME).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # a run that was refused leaves no empty folder
                if made:
                    folder.rmdir()


@contextlib.contextmanager
def on_address(where: str, words: tuple[str, str] = RUN) -> Iterator[None]:
    """As `on_folder`, of a folder in a bucket; where another run's mark is there, it is watched first.

    Raises:
      Held: another run renewed its mark meanwhile.
      PermissionError, OSError: see `bucket.write`.
    """
    mark, ended = address.joined(where, NAME), threading.Event()
    _wait_until_free(where, mark, words)
    token = uuid.uuid4().hex
    about = _about() | {"token": token}
    _renew(mark, about, 0)
    thread = threading.Thread(target=_renew_often, args=(mark, about, ended), name="spectral_jax lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with contextlib.suppress(OSError):  # the next run then watches the mark, and takes it over
            if _token(_read(mark)) == token:
                bucket.remove(mark)


def _wait_until_free(where: str, mark: str, words: tuple[str, str]) -> None:
    before = _read(mark)
    if before is None:
        return
    print(
        f"{where} is marked as held by {_holder(before)}; watching for {WATCH_SECONDS:.0f} s whether it is alive.", flush=True
    )
    began = time.monotonic()
    while time.monotonic() - began < WATCH_SECONDS:
        time.sleep(min(2.0, WATCH_SECONDS / 4))
        now = _read(mark)
        if now is None:
            return
        if now != before:
            raise Held(_sentence(where, now, words))


def _renew_often(mark: str, about: dict, ended: threading.Event) -> None:
    number = 0
    while not ended.wait(RENEW_SECONDS):
        number += 1
        with contextlib.suppress(OSError):  # a server that is away for a while takes nobody's work folder away
            _renew(mark, about, number)


def _renew(mark: str, about: dict, number: int) -> None:
    bucket.write(mark, json.dumps(about | {"renewed": number}).encode())


def _read(mark: str) -> str | None:
    try:
        return bucket.read(mark).decode()
    except FileNotFoundError:
        return None


def _token(text: str | None) -> str | None:
    try:
        return json.loads(text or "{}").get("token")
    except ValueError:
        return None


def _about() -> dict:
    since = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return {"host": socket.gethostname(), "process": os.getpid(), "user": getpass.getuser(), "since": since}


def _holder(text: str) -> str:
    try:
        said = json.loads(text)
        return f"process {said['process']} of {said['user']} on {said['host']}, since {said['since']} by its own clock"
    except (ValueError, KeyError, TypeError):
        return "a process that did not say which"


def _sentence(where: str, text: str, words: tuple[str, str]) -> str:
    return f"{where} is {words[0]}: {_holder(text)}. {words[1]}"
