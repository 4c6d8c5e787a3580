"""What a file is by its first bytes, whatever its name says: for sentences about a file that is something else."""

import struct
import zipfile
from pathlib import Path

TORCH, NPZ, SAFETENSORS = "a zip archive of PyTorch", "an .npz of NumPy", "a safetensors file"
# How many bytes are looked at.
LOOK = 4096
# How files begin that are no weights -> what they are, and what to do.
OTHERS = {
    b"version https://git-lfs": "is a text that begins with 'version https://git-lfs', the pointer that Git LFS leaves in "
    "place of a file: fetch the file itself, such as by git lfs pull",
    b"/annex/objects/": "is a pointer of git-annex: fetch the file itself, such as by git annex get",
    b"../": "is a text with the address of another file, as a link is stored where there are none: fetch the file itself",
    b"<": "is a text that begins with '<', a page of HTML or XML saved in place of the weights: fetch the file itself",
    b"{": "is a text that begins with '{', JSON: the answer of a server, an index or a config, not weights",
    b"\x1f\x8b": "is compressed by gzip: unpack it first",
    b"BZh": "is compressed by bzip2: unpack it first",
    b"\xfd7zXZ": "is compressed by xz: unpack it first",
    b"\x28\xb5\x2f\xfd": "is compressed by zstd: unpack it first",
    b"Rar!": "is a RAR archive: unpack it first",
    b"7z\xbc\xaf": "is a 7z archive: unpack it first",
    b"\x89HDF": "is an HDF5 file, such as of Keras; those are not read: save the weights as safetensors",
    b"GGUF": "is a GGUF file, whose weights are quantised; those are not read: take the original weights",
}


def other(path: Path) -> str:
    """What a file is that is no container of weights, with what to do; empty where it may be one.

    Raises:
      OSError: the file cannot be read.
    """
    start = _start(path)
    if not start:
        return "is empty: fetch it again"
    if not any(start) and path.stat().st_size > 8:
        return f"begins with {len(start)} bytes of zero, as an interrupted download does: fetch it again"
    if start[257:262] == b"ustar":
        return "is a tar archive: unpack it first"
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    return next((what for mark, what in OTHERS.items() if text.startswith(mark)), "")


def container(path: Path) -> str:
    """`TORCH`, `NPZ` or `SAFETENSORS`, or empty where it is none of them or too damaged to tell.

    Raises:
      OSError: the file cannot be read.
    """
    start = _start(path)
    if start[8:9] == b"{" and 2 <= struct.unpack("<Q", start[:8])[0] <= path.stat().st_size - 8:
        return SAFETENSORS
    if not start.startswith(b"PK"):
        return ""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # a damaged archive can fail in any way; its reader says which
        return ""
    if any(name.endswith("/data.pkl") for name in names):
        return TORCH
    return NPZ if names and all(name.endswith(".npy") for name in names) else ""


def _start(path):
    with path.open("rb") as file:
        return file.read(LOOK)
