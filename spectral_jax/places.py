"""Places as users write them: the home folder, addresses that cannot be used yet, and outputs that cannot be written.

They are looked at before any work is done, so that a run of hours does not end at its first save.
"""

import os
import re
import urllib.parse
from pathlib import Path

# Two letters at least: one is a drive of Windows. `gs:/bucket` is what is left of an address that was taken for a path.
_ADDRESS = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):/{1,2}")


def local(text: str | os.PathLike, where: str) -> Path:
    """The path of this machine that a text means; `~` is the home folder, and `file://` is taken off.

    Args:
      text: as the user gave it.
      where: the flag or field that holds it, for the sentences.

    Raises:
      ValueError: it is empty, an address of another machine, begins with a variable that nobody replaced, or names a user whose
        home is not known.
    """
    text = os.fspath(text)
    if not text.strip():
        raise ValueError(f"{where}: expected a path, got an empty text.")
    scheme = _ADDRESS.match(text)
    if scheme and scheme[1].lower() == "file":
        return Path(urllib.parse.unquote(urllib.parse.urlparse(text).path))
    if scheme:
        raise ValueError(
            f"{where}: expected a path of this machine, got the address {text}; addresses ({scheme[1]}://...) cannot be used "
            "here yet: copy the files, or mount them, and give that path."
        )
    if text.startswith("$"):
        raise ValueError(f"{where}: expected a path, got {text}, whose variable no shell has replaced; write the path itself.")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{where}: the home folder of {text} is not known ({error}); write the path itself.") from error


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


def _writable(path: Path, folder: Path, where: str) -> Path:
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not there.is_dir():
        raise NotADirectoryError(f"{where}: {path} cannot be made, because {there} is a file; name another place.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(f"{where}: {path} cannot be made, because {there} is not writable; name another place.")
    return path
