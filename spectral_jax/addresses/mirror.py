"""A folder of this machine that is kept in a bucket while a command fills it.

Object stores have no files that grow: a line of metrics.jsonl more is the whole file anew. So a command writes into a folder of
its own, and what changed there is sent every `FLUSH_SECONDS` and at the end.
"""

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from spectral_jax.addresses import address, bucket, fetched

FLUSH_SECONDS = 30.0
# Files that are not finished: of `bucket.fetch`, of writers that write beside their place, of Orbax.
UNFINISHED = (".partial", ".tmp")


class Mirror:
    """What was sent of a folder, and what is still to be sent.

    Attributes:
      folder: on this machine.
      where: the address.
    """

    def __init__(self, folder: Path, where: str, skipped: Callable[[str], bool] = lambda name: False):
        """Takes the folder, its address, and which names (`a/b.txt`) are neither fetched nor sent."""
        self.folder, self.where, self._skipped = folder, where, skipped
        self._sent: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def fetch(self) -> None:
        """Fills the folder with what lies at the address; nothing where nothing does. Errors as `bucket.read`."""
        names = [name for name in bucket.sizes(self.where) if not self._skipped(name)]
        fetched.folder(self.where, self.folder, names)
        self._sent = self._state()

    def flush(self) -> None:
        """Sends what changed since, and removes what is gone; errors as `bucket.write`."""
        with self._lock:
            now = self._state()
            changed = [name for name, state in now.items() if self._sent.get(name) != state]
            with ThreadPoolExecutor(fetched.AT_ONCE) as threads:
                list(threads.map(self._send, changed))
            for name in self._sent.keys() - now.keys():
                bucket.remove(address.joined(self.where, name))
            self._sent = now

    def _send(self, name: str) -> None:
        # A file that vanished since is told by the next look; the bytes are taken at once, so that they are of one moment.
        with contextlib.suppress(FileNotFoundError):
            data = (self.folder / name).read_bytes()
            bucket.write(address.joined(self.where, name), data)

    def _state(self) -> dict[str, tuple[int, int]]:
        out = {}
        for file in sorted(self.folder.rglob("*")):
            name = file.relative_to(self.folder).as_posix()
            with contextlib.suppress(FileNotFoundError):
                if file.is_file() and not self._skipped(name) and not any(end in name for end in UNFINISHED):
                    about = file.stat()
                    out[name] = about.st_mtime_ns, about.st_size
        return out


@contextlib.contextmanager
def kept(where: str, skipped: Callable[[str], bool] = lambda name: False, sends: bool = True) -> Iterator[Mirror]:
    """A folder of this machine with what lies at an address, whose changes are sent there while the block runs and at its end.

    Args:
      where: a checked address that can be written.
      skipped: names that are neither fetched nor sent.
      sends: whether this process sends; others of the same run only read.

    Raises:
      PermissionError, OSError: see `bucket.write`; a change that cannot be sent on the way is told on standard output and tried
        again at the next time.
    """
    above = Path(tempfile.mkdtemp(prefix="spectral_jax_work_"))
    folder = above / address.last(where)  # the name that titles and messages show
    folder.mkdir()
    mirror, ended = Mirror(folder, where, skipped), threading.Event()
    thread = threading.Thread(target=_flush_often, args=(mirror, ended), name="spectral_jax mirror", daemon=True)
    try:
        mirror.fetch()
        if sends:
            thread.start()
        try:
            yield mirror
        finally:
            ended.set()
            if sends:
                thread.join()
                mirror.flush()
    finally:
        shutil.rmtree(above, ignore_errors=True)


@contextlib.contextmanager
def kept_file(where: str) -> Iterator[Path]:
    """A path of this machine for one file, which is sent to its address at the end with all that the block wrote beside it.

    Raises:
      PermissionError, OSError: see `bucket.write`.
    """
    with tempfile.TemporaryDirectory(prefix="spectral_jax_out_") as folder:
        file = Path(folder) / address.last(where)
        yield file
        for written in (p for p in sorted(Path(folder).rglob("*")) if p.is_file()):
            bucket.send(written, address.joined(where.rpartition("/")[0], written.relative_to(folder).as_posix()))


def _flush_often(mirror: Mirror, ended: threading.Event) -> None:
    told = False
    while not ended.wait(FLUSH_SECONDS):
        try:
            mirror.flush()
            told = False
        except OSError as error:
            if not told:
                print(f"{error} What changed is sent later.", flush=True)
            told = True
