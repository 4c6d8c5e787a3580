"""Places as users write them: the home folder, addresses, and outputs that cannot be written.

They are looked at before any work is done, so that a run of hours does not end at its first save.
"""

import contextlib
import os
import shutil
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from spectral_jax.addresses import address, fetched


def local(text: str | os.PathLike, where: str) -> Path:
    """The path of this machine that a text means, for reading; of what lies at an address it is a copy.

    `~` is the home folder, and `file://` is taken off.

    Args:
      text: as the user gave it.
      where: the flag or field that holds it, for the sentences.

    Raises:
      ValueError: it is empty, an address that cannot be used, begins with a variable that nobody replaced, or names a user
        whose home is not known.
      FileNotFoundError, PermissionError, OSError: there is nothing at the address, or it cannot be read.
    """
    place = either(text, where)
    return fetched.copy(place) if isinstance(place, str) else place


def either(text: str | os.PathLike, where: str) -> Path | str:
    """As `local` for a path; an address as a text, for who reads there without a copy.

    Raises:
      ValueError: as `local`.
    """
    text = os.fspath(text)
    if not text.strip():
        raise ValueError(f"{where}: expected a path, got an empty text.")
    if address.is_address(text):
        return address.checked(text, where)
    if text.lower().startswith("file:/"):
        return Path(urllib.parse.unquote(urllib.parse.urlparse(text).path))
    if text.startswith("$"):
        raise ValueError(f"{where}: expected a path, got {text}, whose variable no shell has replaced; write the path itself.")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{where}: the home folder of {text} is not known ({error}); write the path itself.") from error


def here(text: str | os.PathLike, where: str) -> Path:
    """As `local`, for what is written by a function that writes to this machine alone.

    Raises:
      ValueError: as `local`, or it is an address.
    """
    place = either(text, where)
    if isinstance(place, str):
        raise ValueError(
            f"{where}: expected a path of this machine to write to, got the address {place}; the commands take one."
        )
    return place


def for_folder(path: Path, where: str) -> Path:
    """A folder that a command will fill, made later.

    Raises:
      NotADirectoryError: it, or a folder above it, is a file.
      PermissionError: it cannot be made or written.
    """
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"{where}: expected a folder, and {path} is a file; name another place.")
    return _writable(path, path, where)


def for_file(path: Path, where: str) -> Path:
    """A file that a command will write; the folder it lies in may not be there yet.

    Raises:
      IsADirectoryError: it is a folder.
      NotADirectoryError: a folder above it is a file.
      PermissionError: it cannot be written.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{where}: expected a file, and {path} is a folder; name a file in it.")
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(f"{where}: {path} is there and cannot be written; name another file.")
    return _writable(path, path.parent, where)


def write_whole(file: Path, text: str) -> None:
    """Writes a text file that is there whole or as it was before, at whatever moment the process is killed or the disk is full.

    Raises:
      OSError: see `room_told`.
    """
    beside = file.with_name(f"{file.name}.partial")
    with room_told(file):
        beside.write_text(text)
        beside.replace(file)


@contextlib.contextmanager
def room_told(file: Path) -> Iterator[None]:
    """Words what fails while a file of a run is written.

    Raises:
      OSError: with the file, the reason, the room on its disk and what to do.
    """
    try:
        yield
    except OSError as error:
        raise OSError(
            f"{file} could not be written ({error.strerror or error}); {free(file.parent)}. Make room or mend the folder, then "
            "run the same command again: a run continues from its newest checkpoint."
        ) from error


def free(folder: Path) -> str:
    """The room on the disk of a folder, as part of a sentence."""
    try:
        return f"{shutil.disk_usage(folder).free / 1e6:.1f} MB are free on its disk"
    except OSError:
        return "how much is free on its disk cannot be told"


def _writable(path: Path, folder: Path, where: str) -> Path:
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not there.is_dir():
        raise NotADirectoryError(f"{where}: {path} cannot be made, because {there} is a file; name another place.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(f"{where}: {path} cannot be made, because {there} is not writable; name another place.")
    return path
