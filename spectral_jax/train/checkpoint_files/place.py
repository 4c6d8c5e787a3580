"""The folder or address of checkpoints, and which of them are finished.

In a bucket of Google's Orbax writes by itself, and the bucket keeps a checksum of every object. Into one of another kind, which
Orbax does not know, finished checkpoints are sent from a folder of this machine.
"""

import dataclasses
import os
import shutil
import tempfile
from pathlib import Path

import jax
from etils import epath

from spectral_jax import places
from spectral_jax.addresses import address, bucket, fetched, steps
from spectral_jax.train.checkpoint_files import checksums


class CheckpointError(RuntimeError):
    """A checkpoint could not be written or read; the text says which, why and what to do."""


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the checkpoints of a run are.

    Attributes:
      folder: where Orbax writes them.
      sent_to: address to which each is sent once it is finished; None where `folder` is the place itself.
    """

    folder: Path
    sent_to: str | None = None

    @property
    def shown(self) -> str:
        """As the user knows it."""
        return self.sent_to or os.fspath(self.folder)

    def send(self, step: int, keep: int) -> None:
        """Sends a finished checkpoint to where the user wants it, if that is not where Orbax wrote it; the newest are kept."""
        if self.sent_to:
            steps.send(self.folder / str(step), self.sent_to, checksums.NAME, keep)

    def close(self) -> None:
        """Removes what only was on its way."""
        if self.sent_to:
            shutil.rmtree(self.folder.parent, ignore_errors=True)


def opened(folder: str | os.PathLike) -> Place:
    """The place of a run's checkpoints, with the newest finished one in it.

    Raises:
      CheckpointError: several processes would write to a bucket that Orbax does not know.
      OSError: the bucket cannot be read.
    """
    if not address.is_address(folder):
        return Place(Path(folder).resolve())
    where = address.checked(folder, "checkpoints", written=True)
    if _known_to_orbax(where):
        return Place(_orbax_path(where))
    if jax.process_count() > 1:
        raise CheckpointError(
            f"{where}: runs of several processes save to a folder that all of them see, or to gs://, where each writes its own "
            "part; give such a --workdir."
        )
    here = Path(tempfile.mkdtemp(prefix="spectral_jax_checkpoints_")) / "checkpoints"
    here.mkdir()
    if (step := newest(where)) is not None:
        steps.fetch(where, step, here / str(step))
    return Place(here, where)


def newest(folder: str | os.PathLike) -> int | None:
    """Step of the newest finished checkpoint in a folder, or at an address, of checkpoints; None where there is none."""
    if address.is_address(folder):
        return max(_finished(os.fspath(folder)), default=None)
    return max(_here(Path(folder)), default=None)


def begun(folder: str | os.PathLike) -> bool:
    """Whether anything lies in a folder, or at an address, of checkpoints, finished or not."""
    if address.is_address(folder):
        return bool(bucket.names(os.fspath(folder)))
    return Path(folder).is_dir() and any(Path(folder).iterdir())


def find(path: str | os.PathLike) -> Path:
    """The folder of one finished checkpoint, given it, a `checkpoints` folder or a run's work folder (the newest is taken).

    Of an address in a bucket that Orbax does not know it is a copy on this machine.

    Raises:
      CheckpointError: there is none.
      OSError: the bucket cannot be read.
    """
    place = places.either(path, "checkpoint")
    if isinstance(place, str):
        return _find_in_bucket(place)
    place = place.resolve()
    for folder in (place / "checkpoints", place):
        if found := _here(folder):
            return found[max(found)]
    if place.name.isdigit() and place.is_dir():
        return place
    raise _none(place)


def is_here(folder: Path) -> bool:
    """Whether a folder is of this machine, and so has checksums of ours."""
    return not address.is_address(folder)


def _find_in_bucket(where: str) -> Path:
    above, _, name = where.rpartition("/")
    if name.isdigit() and int(name) in _finished(above):
        return _step(above, int(name))
    for folder in (address.joined(where, "checkpoints"), where):
        if (step := newest(folder)) is not None:
            return _step(folder, step)
    raise _none(where)


def _here(folder: Path) -> dict[int, Path]:
    """Finished checkpoints in a folder of this machine, by their step."""
    return {int(p.name): p for p in folder.glob("*") if p.name.isdigit()} if folder.is_dir() else {}


def _step(where: str, number: int) -> Path:
    step = address.joined(where, str(number))
    return _orbax_path(step) if _known_to_orbax(where) else fetched.copy(step)


def _orbax_path(where: str) -> Path:
    address.limit_silence()  # Orbax reads and writes arrays through TensorStore
    return epath.Path(where)


def _finished(where: str) -> list[int]:
    return steps.finished(where, checksums.FINISHED if _known_to_orbax(where) else checksums.NAME)


def _known_to_orbax(where: str) -> bool:
    return address.scheme(where) == "gs"


def _none(path) -> CheckpointError:
    return CheckpointError(
        f"{path} holds no finished checkpoint; expected a run's work folder, its checkpoints folder, or one step of it."
    )
