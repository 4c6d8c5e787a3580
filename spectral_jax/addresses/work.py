"""A run's work folder, wherever it is: on this machine, or in a bucket, with a folder of this machine that is kept there."""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from spectral_jax.addresses import address, lease, mirror

# Sent by those who write them, as they are finished.
CHECKPOINTS = "checkpoints"


@dataclasses.dataclass(frozen=True)
class Work:
    """Where a run writes.

    Attributes:
      path: folder of this machine, for all but checkpoints.
      address: of the bucket where it is kept; None where `path` is the work folder itself.
      flush: sends what changed in `path` now, which else is done every `mirror.FLUSH_SECONDS`.
    """

    path: Path
    address: str | None = None
    flush: Callable[[], None] = lambda: None

    @property
    def shown(self) -> str:
        """As the user knows it, for sentences."""
        return self.address or os.fspath(self.path)

    @property
    def checkpoints(self) -> str:
        """Path or address of the checkpoints."""
        return address.joined(self.shown, CHECKPOINTS)


@contextlib.contextmanager
def opened(place: str | os.PathLike, first: bool = True) -> Iterator[Work]:
    """The work folder at a path or a checked address, held while the block runs.

    Args:
      place: as given.
      first: whether this is the process that writes, of the several of a run.

    Raises:
      Held: another run holds it.
      PermissionError, OSError: the bucket cannot be read or written.
    """
    if not address.is_address(place):
        with lease.on_folder(Path(place)) if first else contextlib.nullcontext():
            yield Work(Path(place))
        return
    where = address.checked(place, "--workdir", written=True)
    with contextlib.ExitStack() as stack:
        if first:
            stack.enter_context(lease.on_address(where))
        kept = stack.enter_context(mirror.kept(where, _own, sends=first))
        yield Work(kept.folder, where, kept.flush if first else lambda: None)


def _own(name: str) -> bool:
    """Whether a file has its own way into the bucket, or none: a simulated store is simulated again, the same to the bit."""
    top = name.split("/", 1)[0]
    return top == CHECKPOINTS or top.endswith(".zarr") or name == lease.NAME
