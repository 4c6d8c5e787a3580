"""The files of a delivered product, wherever they lie: in a folder, a ZIP, a tar, or a tar.gz of ZIPs."""

import contextlib
import dataclasses
import re
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

# A folder that holds more is no product's, but one above many of them.
MOST_FILES = 20_000
# What the libraries raise over an archive that is damaged, locked by a password, or packed in a way that they do not know.
_DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, struct.error, EOFError, IndexError, UnicodeDecodeError, RuntimeError,
)  # fmt: skip
_AGAIN = "it is truncated or damaged: fetch it again"


@dataclasses.dataclass(frozen=True)
class Files:
    """Names of files, and how each is opened.

    Attributes:
      given: the path that the user gave, for sentences.
      names: paths of the files below their folder or archive, parted by /.
      prefix: what stands before a name to make a path that GDAL opens.
      archive: the ZIP or tar that holds the files; None where they lie in a folder.
    """

    given: Path
    names: tuple[str, ...]
    prefix: str
    archive: Path | None = None

    def like(self, pattern: str) -> list[str]:
        """Files whose last name is a regular expression, in any case."""
        return [name for name in self.names if re.fullmatch(pattern, name.rpartition("/")[2], re.IGNORECASE)]

    def one(self, pattern: str, what: str) -> str:
        """The one file whose last name is a regular expression.

        Raises:
          FileNotFoundError: there is none.
          ValueError: there are several.
        """
        found = self.like(pattern)
        if not found:
            raise FileNotFoundError(
                f"{self.given}: expected {what} beside the other files of the product, and there is none; unpack or fetch the "
                "whole product."
            )
        if len(found) > 1:
            names = " and ".join(found[:3])
            raise ValueError(f"{self.given}: expected one {what}, and there are {len(found)}: {names}; keep one of them.")
        return found[0]

    def path(self, name: str) -> Path:
        """A path that GDAL opens, inside an archive too."""
        return Path(f"{self.prefix}{name}")

    def bytes(self, name: str) -> bytes:
        """What a file holds.

        Raises:
          ValueError: it cannot be read.
        """
        with told(self.given, name):
            if self.archive is None:
                return self.path(name).read_bytes()
            if _is_zip(self.archive):
                with zipfile.ZipFile(self.archive) as archive:
                    return archive.read(name)
            with tarfile.open(self.archive) as archive_of_tar:
                member = archive_of_tar.extractfile(name)
                return b"" if member is None else member.read()

    def local(self, name: str, stack: contextlib.ExitStack) -> Path:
        """A file on disk for libraries that cannot look into archives; what is unpacked for it goes when `stack` closes.

        Raises:
          ValueError: it cannot be read.
        """
        if self.archive is None:
            return self.path(name)
        out = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spectral_jax_"))) / name.rpartition("/")[2]
        out.write_bytes(self.bytes(name))
        return out


def found(path: Path, stack: contextlib.ExitStack, member: str | None = None) -> Files:
    """The files of what a user gave.

    Args:
      path: a folder, a ZIP, a tar or tar.gz; or one file of a product, which stands for all in its folder.
      stack: closes what was unpacked for it.
      member: a part of the name of one of several products; only files with it in their path are taken.

    Raises:
      FileNotFoundError: there is no such path, or nothing in it.
      ValueError: the archive is damaged, holds several archives, or the folder holds too many files.
    """
    path = path.expanduser()
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; give a product's folder, archive, or one of its files.")
    if path.is_file() and _is_zip(path):
        files = _in_zip(path, path)
    elif path.is_file() and re.search(r"\.(tar|tgz|tar\.gz)$", path.name, re.IGNORECASE):
        files = _in_tar(path, stack, member)
    else:
        # A file of a SAFE stands for the whole of it.
        safe = next((folder for folder in path.absolute().parents if folder.suffix.upper() == ".SAFE"), None)
        files = _in_folder(safe or (path if path.is_dir() else path.parent), path, below=path.is_dir() or safe is not None)
    names = tuple(name for name in files.names if member is None or member in name or member in files.prefix)
    if not names and member:
        raise FileNotFoundError(f"{path}: expected files of {member}, and none is named so; it holds {_some(files.names)}.")
    files = dataclasses.replace(files, names=names)
    zips = files.like(r".*\.zip")
    if zips and not [name for name in files.like(r".*\.(xml|tiff?|geotiff|jp2|nc|he5)")]:
        if len(zips) > 1:
            raise ValueError(
                f"{path} holds {len(zips)} archives: {_some(tuple(zips))}; give the path of one, or its name as `member`."
            )
        return _in_zip(files.local(zips[0], stack), path)
    return files


@contextlib.contextmanager
def told(given: Path, name: str = "") -> Iterator[None]:
    """Turns what the libraries of archives raise over a damaged one into a sentence.

    Raises:
      ValueError: what is read inside is damaged.
    """
    try:
        yield
    except (*_DAMAGED, OSError) as error:
        inside = f" at {name}" if name else ""
        raise ValueError(f"{given}: cannot be read{inside} ({str(error).rstrip('.')}); {_AGAIN}.") from error


def _in_folder(folder: Path, given: Path, below: bool = True) -> Files:
    walk = folder.rglob("*") if below else folder.glob("*")
    names = []
    for path in walk:
        if path.is_file():
            names.append(path.relative_to(folder).as_posix())
        if len(names) > MOST_FILES:
            raise ValueError(
                f"{given}: expected the folder of one product, and it holds more than {MOST_FILES} files; give a folder in it."
            )
    return Files(given, tuple(sorted(names)), f"{folder}/")


def _in_zip(archive: Path, given: Path) -> Files:
    with told(given), zipfile.ZipFile(archive) as file:
        names = [info.filename for info in file.infolist() if not info.is_dir()]
    return Files(given, tuple(sorted(names)), f"/vsizip/{{{archive.resolve()}}}/", archive)


def _in_tar(archive: Path, stack: contextlib.ExitStack, member: str | None) -> Files:
    """A tar is read as it is; what is compressed as a whole is unpacked, as nothing in it can be reached but from its start."""
    with told(archive), tarfile.open(archive) as file:
        members = [info for info in file.getmembers() if info.isfile()]
        if archive.suffix.lower() == ".tar" and not any(info.name.lower().endswith(".zip") for info in members):
            names = tuple(sorted(info.name for info in members))
            return Files(archive, names, f"/vsitar/{{{archive.resolve()}}}/", archive)
        wanted = [info for info in members if member is None or member in info.name]
        zips = [info for info in wanted if info.name.lower().endswith(".zip")]
        if len(zips) > 1:
            listed = _some(tuple(info.name for info in zips))
            raise ValueError(f"{archive} holds {len(zips)} archives: {listed}; say which by a part of its name, as `member`.")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spectral_jax_")))
        for info in zips or wanted:
            file.extract(info, folder, filter="data")
    return dataclasses.replace(_in_folder(folder, folder), given=archive)


def _is_zip(path: Path) -> bool:
    return path.suffix.lower() == ".zip"


def _some(names: tuple[str, ...]) -> str:
    listed = ", ".join(names[:4]) or "nothing"
    return listed if len(names) <= 4 else f"{listed} and {len(names) - 4} more"
