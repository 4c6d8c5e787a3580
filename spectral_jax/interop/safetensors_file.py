"""Safetensors files, read and written: a length, a JSON header, and raw little-endian numbers."""

import json
import math
import os
import struct
from pathlib import Path

import jax.numpy as jnp
import numpy as np

DTYPES = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(jnp.bfloat16),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
# Dtypes of the format that are not read: without their scales the numbers of 8 bits and fewer are not the weights.
NOT_READ = ("F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "F6_E2M3", "F6_E3M2", "C64", "U16", "U32", "U64")
# Longest header that the format allows, bytes, and most axes and the longest one that are believed.
LONGEST_HEADER = 100_000_000
MOST_AXES, LONGEST_AXIS = 32, 2**48


def read(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a safetensors file by name, in the order of the file.

    Raises:
      OSError: the file cannot be read.
      ValueError: the file is cut short, or its header is not one, names a key twice, or does not describe the numbers from the
        first byte to the last; the sentence names the file and, where there is one, the key.
    """
    path = Path(path)
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0] if len(content) >= 8 else 0
    if not 2 <= length <= min(LONGEST_HEADER, len(content) - 8):
        raise ValueError(f"{path} is not a safetensors file: it has {len(content)} bytes and a header of {length}.")
    header = _object(path, content[8 : 8 + length], "its header")
    entries = {k: v for k, v in header.items() if k != "__metadata__"}
    data = memoryview(content)[8 + length :]
    tensors = {key: _tensor(path, key, entry, data) for key, entry in entries.items()}
    _expect_no_gaps(path, entries, len(data))
    return tensors


def read_shards(path: Path) -> dict[str, np.ndarray]:
    """The tensors of the files that a `model.safetensors.index.json` names, which stand beside it.

    Raises:
      OSError: a file of them is missing or cannot be read.
      ValueError: the index is not one, or a file does not hold what the index says.
    """
    path = Path(path)
    files = _object(path, path.read_bytes(), "it").get("weight_map")
    if not isinstance(files, dict) or not files or not all(isinstance(f, str) and f == Path(f).name for f in files.values()):
        raise ValueError(
            f"{path} is not an index of safetensors: expected a 'weight_map' of keys and names of files beside it."
        )
    missing = sorted({file for file in files.values() if not (path.parent / file).is_file()})
    if missing:
        raise FileNotFoundError(f"{path} names {', '.join(missing[:5])} beside it, and there is none; fetch all its files.")
    shards = {file: read(path.parent / file) for file in sorted(set(files.values()))}
    held = [(key, file) for file, tensors in shards.items() for key in tensors]
    wrong = [key for key, file in files.items() if key not in shards[file]] + [k for k, f in held if files.get(k) != f]
    if wrong:
        raise ValueError(
            f"{path}: {wrong[0]!r} is not in the file that the index says, or not in the index; fetch all its files."
        )
    return {key: shards[file][key] for key, file in files.items()}


def _object(path, text, what):
    """A JSON object whose keys are there once."""

    def once(pairs):
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [key for key, _ in pairs]
            raise ValueError(f"{next(key for key in names if names.count(key) > 1)!r} is there twice")
        return found

    try:
        found = json.loads(text, object_pairs_hook=once)
        if not isinstance(found, dict):
            raise ValueError(f"it is a {type(found).__name__}")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a safetensors file: {what} is not a JSON object ({error}).") from error
    return found


def _tensor(path, key, entry, data):
    if isinstance(entry, dict) and entry.get("dtype") in NOT_READ:
        raise ValueError(
            f"{path}: {key!r} is of {entry['dtype']}; expected one of {', '.join(DTYPES)}. Convert it to float32 or bfloat16 "
            "with the library that made it, and save it again."
        )
    try:
        dtype, shape, (start, stop) = DTYPES[entry["dtype"]], tuple(entry["shape"]), entry["data_offsets"]
        if not all(type(n) is int and n >= 0 for n in (*shape, start, stop)):
            raise ValueError("a negative number or a fraction")
        if len(shape) > MOST_AXES or not all(n <= LONGEST_AXIS for n in shape):
            raise ValueError("too many axes or too long ones")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: the header's entry {key!r} is not a shape, two offsets and a dtype of {', '.join(DTYPES)} "
            f"({type(error).__name__}: {error})."
        ) from error
    size = math.prod(shape) * dtype.itemsize
    if stop > len(data) or stop - start != size:
        raise ValueError(
            f"{path}: {key!r} of shape {list(shape)} and {dtype} needs {size} bytes, and its offsets are {start} to {stop} of "
            f"{len(data)}; the file is damaged or cut short, fetch it again."
        )
    if not size:
        return np.zeros(shape, dtype)
    return np.frombuffer(data[start:stop], dtype).reshape(shape)


def _expect_no_gaps(path, entries, size):
    """Refuses numbers that belong to two tensors or to none, as the format does: offsets are wrong then."""
    reached = 0
    for key, entry in sorted(entries.items(), key=lambda item: item[1]["data_offsets"]):
        start, stop = entry["data_offsets"]
        if start != reached:
            raise ValueError(
                f"{path}: {key!r} begins at byte {start} and the tensor before it ends at {reached}; the header is damaged, "
                "fetch the file again."
            )
        reached = stop
    if reached != size:
        raise ValueError(f"{path}: its tensors end at byte {reached} of {size}; the file is damaged, fetch it again.")


def write(path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> None:
    """Writes tensors under their names.

    Args:
      path: file to write.
      tensors: arrays of the dtypes of `DTYPES`.
      metadata: texts for the header.

    Raises:
      ValueError: a dtype that the format, as written here, does not have.
      OSError: it cannot be written; nothing of it is left behind.
    """
    names = {dtype: name for name, dtype in DTYPES.items()}
    header: dict = {"__metadata__": metadata} if metadata else {}
    start = 0
    for key, value in tensors.items():
        if value.dtype not in names:
            raise ValueError(f"{path}: {key!r} is of {value.dtype}; expected one of {', '.join(map(str, names))}.")
        header[key] = {"dtype": names[value.dtype], "shape": list(value.shape), "data_offsets": [start, start + value.nbytes]}
        start += value.nbytes
    text = json.dumps(header).encode()
    # Readers that map the file want the numbers to begin at a multiple of eight bytes.
    text += b" " * (-len(text) % 8)
    # Beside its place first, so that what stands there is whole.
    partial = Path(path).with_name(f"{Path(path).name}.partial-{os.getpid()}")
    try:
        with partial.open("wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            for value in tensors.values():
                file.write(np.ascontiguousarray(value).tobytes())
        partial.replace(path)
    except OSError as error:
        raise OSError(f"{path} could not be written, and what stood there is as it was: {error}.") from error
    finally:
        partial.unlink(missing_ok=True)
