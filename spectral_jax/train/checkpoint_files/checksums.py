"""CHECKSUMS: a CRC-32 of every file of a checkpoint, kept at saving and verified at reading.

Text, one line a file: checksum, bytes, path. The last line is the checksum of the lines before it, so no bit of the list itself
can change unnoticed either. It is written into the folder while that has its temporary name: what counts as finished has one.
"""

import json
import os
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

NAME = "CHECKSUMS"
METHOD = "CRC-32"
# Orbax writes these two last, when the list is made already. Of the first all but the time of completion is known by then.
ABOUT, FINISHED = "_CHECKPOINT_METADATA", "commit_success.txt"
LATE_KEY = "commit_timestamp_nsecs"
_PIECE = 4 * 2**20
_WITHOUT = f"without {LATE_KEY}"


def write(folder: Path) -> None:
    """Lists what a checkpoint holds, before it is finished."""
    files = [p for p in _files(folder) if p.relative_to(folder).as_posix() not in (ABOUT, FINISHED)]
    # zlib lets other threads run while it works, and a disk is faster when asked for several files.
    with ThreadPoolExecutor(2) as threads:
        lines = list(threads.map(lambda p: _line(folder, p), files))
    lines.append(f"{_without_time(folder / ABOUT):08x} {_WITHOUT} {ABOUT}")
    _put(folder, lines)


def complete(folder: Path) -> None:
    """Adds the two files that were written after the list, once the checkpoint is finished.

    Raises:
      OSError: the list cannot be written; it then stands as it was.
    """
    lines = _read(folder)
    if lines is None:
        return
    last = [ABOUT, *([FINISHED] if (folder / FINISHED).is_file() else [])]
    _put(folder, [*(x for x in lines if not x.endswith(f" {_WITHOUT} {ABOUT}")), *(_line(folder, folder / n) for n in last)])


def damage(folder: Path, share: tuple[int, int] = (0, 1)) -> str | None:
    """What is not as it was saved: the file, what is expected and what is there. None where all is well.

    Args:
      folder: one step of a checkpoint.
      share: number of this reader and how many share the work; each looks at the files of its own.
    """
    if not (folder / NAME).is_file():
        return f"its file {NAME}, which it was saved with, is missing" if _promised(folder) else None
    lines = _read(folder)
    if lines is None:
        return f"file {NAME}: it is damaged itself"
    with ThreadPoolExecutor(2) as threads:
        return next(
            (text for text in threads.map(lambda line: _compare(folder, line), lines[share[0] :: share[1]]) if text), None
        )


def _compare(folder: Path, line: str) -> str | None:
    crc, size, name = line.split(" ", 2)
    file = folder / name
    try:
        if line.endswith(f" {_WITHOUT} {ABOUT}"):
            name, found = ABOUT, f"{_without_time(folder / ABOUT):08x}"
        elif not file.is_file():
            return f"file {name}: it is missing"
        elif file.stat().st_size != int(size):
            return f"file {name}: expected {size} bytes, got {file.stat().st_size}"
        else:
            found = f"{_crc(file):08x}"
    except (OSError, ValueError) as error:
        return f"file {name}: it cannot be read ({error})"
    return None if found == crc else f"file {name}: expected {METHOD} {crc}, got {found}"


def _promised(folder: Path) -> bool:
    """Whether what a checkpoint says of itself tells that it was saved with checksums."""
    try:
        return bool(json.loads((folder / ABOUT).read_bytes())["custom_metadata"].get("checksums"))
    except (OSError, ValueError, KeyError, TypeError):
        return False  # whoever reads it next says what is wrong


def _files(folder: Path) -> Iterator[Path]:
    return (p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != NAME)


def _line(folder: Path, file: Path) -> str:
    return f"{_crc(file):08x} {file.stat().st_size} {file.relative_to(folder).as_posix()}"


def _crc(file: Path) -> int:
    value = 0
    with file.open("rb", buffering=0) as opened:
        while piece := opened.read(_PIECE):
            value = zlib.crc32(piece, value)
    return value


def _without_time(file: Path) -> int:
    said = {key: value for key, value in json.loads(file.read_bytes()).items() if key != LATE_KEY}
    return zlib.crc32(json.dumps(said, sort_keys=True).encode())


def _put(folder: Path, lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    beside = folder / f"{NAME}.partial"
    beside.write_bytes(f"{text}{zlib.crc32(text.encode()):08x}\n".encode())
    os.replace(beside, folder / NAME)


def _read(folder: Path) -> list[str] | None:
    """The lines of the list; None where it is not what was written."""
    raw = (folder / NAME).read_bytes()
    text, last = raw[:-9], raw[-9:]
    if last != f"{zlib.crc32(text):08x}\n".encode():
        return None
    return text.decode().splitlines()
