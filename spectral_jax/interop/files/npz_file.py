"""NumPy's `.npz`: plain arrays in a zip archive."""

import math
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np

# An archive may unpack to this many bytes, or to this many times its own size.
UNPACKED, TIMES = 2**30, 100
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` by name.

    Raises:
      OSError: the file cannot be read.
      ValueError: it is no such archive, is damaged, holds Python objects, a name twice, or unpacks to what it cannot hold.
    """
    with path.open("rb") as stream:
        try:
            with zipfile.ZipFile(stream) as archive, warnings.catch_warnings(action="ignore"):
                _check(path, archive)
                return {entry.filename.removesuffix(".npy"): _array(archive, entry) for entry in archive.infolist()}
        except Exception as error:  # a damaged archive can fail in any way, and each is the same news to the reader
            told = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            raise ValueError(f"{path} is not a readable .npz of plain arrays ({told}); fetch it again.") from error


def _check(path, archive):
    entries = archive.infolist()
    names = [entry.filename.removesuffix(".npy") for entry in entries]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise ValueError(f"it holds {twice!r} twice")
    whole, size = sum(entry.file_size for entry in entries), path.stat().st_size
    if whole > max(UNPACKED, TIMES * size):
        raise ValueError(f"its {size} bytes are said to unpack to {whole}")


def _array(archive, entry):
    with archive.open(entry) as member:
        version = np.lib.format.read_magic(member)
        if version not in _HEADERS:
            raise ValueError(f"{entry.filename} is of version {version}, expected 1 or 2")
        shape, fortran, dtype = _HEADERS[version](member)
        if dtype.hasobject:
            raise ValueError(f"{entry.filename} holds Python objects")
        expected, left = math.prod(shape) * dtype.itemsize, entry.file_size - member.tell()
        if expected != left:
            raise ValueError(f"{entry.filename} of shape {shape} and {dtype} needs {expected} bytes and has {left}")
        content = member.read()
        if len(content) != expected:
            raise struct.error(f"{entry.filename} is cut short")
    if not expected:
        return np.zeros(shape, dtype)
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")
