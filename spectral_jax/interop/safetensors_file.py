"""Safetensors files, read and written: a length, a JSON header, and raw little-endian numbers."""

import json
import math
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
# Longest header that the format allows, bytes.
LONGEST_HEADER = 100_000_000


def read(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a safetensors file by name, in the order of the file.

    Raises:
      ValueError: the file is cut short, or its header is not one; the sentence names the file and, where there is one, the key.
    """
    content = Path(path).read_bytes()
    length = struct.unpack("<Q", content[:8])[0] if len(content) >= 8 else 0
    if not 2 <= length <= min(LONGEST_HEADER, len(content) - 8):
        raise ValueError(f"{path} is not a safetensors file: it has {len(content)} bytes and a header of {length}.")
    try:
        header = json.loads(content[8 : 8 + length])
        entries = {k: v for k, v in header.items() if k != "__metadata__"}
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{path} is not a safetensors file: its header is not a JSON object ({error}).") from error
    data = memoryview(content)[8 + length :]
    return {key: _tensor(path, key, entry, data) for key, entry in entries.items()}


def _tensor(path, key, entry, data):
    try:
        dtype, shape, (start, stop) = DTYPES[entry["dtype"]], tuple(entry["shape"]), entry["data_offsets"]
        if not all(type(n) is int and n >= 0 for n in (*shape, start, stop)):
            raise ValueError("a negative number or a fraction")
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
    return np.frombuffer(data[start:stop], dtype).reshape(shape)


def write(path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> None:
    """Writes tensors under their names.

    Args:
      path: file to write.
      tensors: arrays of the dtypes of `DTYPES`.
      metadata: texts for the header.

    Raises:
      ValueError: a dtype that the format, as written here, does not have.
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
    with Path(path).open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values():
            file.write(np.ascontiguousarray(value).tobytes())
