"""PyTorch's `.pt` and `.pth` files without PyTorch, and without running what they say.

Such a file is a zip archive of raw storages and a pickle that names them. A pickle is a program: this reader lets it call the
few functions that put a tensor together, as written here, and refuses everything else by name.
"""

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

# The storage classes by the dtype they hold.
STORAGES = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype(jnp.bfloat16),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}


class Tensor(NamedTuple):
    """A view of a storage, as the pickle describes it; a tuple, so that no further opcode can change it."""

    storage: np.ndarray
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Rebuild:
    """`torch._utils._rebuild_tensor_v2`: without attributes, so that a pickle can set none."""

    __slots__ = ()

    def __call__(self, storage, offset, shape, strides, *_):
        """The tensor; whether it has a gradient, hooks and metadata does not matter here."""
        return Tensor(storage, offset, tuple(shape), tuple(strides))


class _Parameter:
    """`torch._utils._rebuild_parameter`: the tensor it wraps."""

    __slots__ = ()

    def __call__(self, tensor, *_):
        """The tensor alone."""
        return tensor


ALLOWED = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _Rebuild(),
    ("torch._utils", "_rebuild_parameter"): _Parameter(),
    **{("torch", name): name for name in STORAGES},
}


class Refused(ValueError):
    """This reader's own refusal, told apart from whatever a damaged pickle makes the unpickler raise."""


class _Reader(pickle.Unpickler):
    def __init__(self, path, archive, folder):
        super().__init__(io.BytesIO(archive.read(f"{folder}/data.pkl")))
        self._path, self._archive, self._folder = path, archive, folder
        self._storages: dict[tuple[str, str], np.ndarray] = {}

    def find_class(self, module, name):
        if (module, name) not in ALLOWED:
            raise Refused(
                f"{self._path} is a pickle with code in it: it calls {module}.{name}, which tensors do not need and which "
                "was not run; ask its author for a state dict or a safetensors file."
            )
        return ALLOWED[module, name]

    def persistent_load(self, pid):
        kind, storage, key, _, count = pid
        if kind != "storage" or storage not in STORAGES:
            raise Refused(f"{self._path} refers to {kind!r} of {storage!r}; expected 'storage' of {', '.join(STORAGES)}.")
        if (key, storage) not in self._storages:
            self._storages[key, storage] = self._read(str(key), STORAGES[storage], count)
        return self._storages[key, storage]

    def _read(self, key, dtype, count):
        name = f"{self._folder}/data/{key}"
        content = self._archive.read(name)
        if len(content) != count * dtype.itemsize:
            raise Refused(
                f"{self._path}: storage {name} has {len(content)} bytes, expected {count} numbers of {dtype}; fetch the file "
                "again."
            )
        return np.frombuffer(content, dtype)


def read(path: Path) -> object:
    """What was saved: usually a dict of arrays, or a dict that holds one beside other things.

    Tensors become NumPy arrays, bfloat16 included; views that overlap or skip in their storage are copied out of it.

    Raises:
      ValueError: the file is not a zip archive of PyTorch, its pickle calls anything else than tensors need, or it is damaged.
    """
    if not zipfile.is_zipfile(path):
        raise Refused(
            f"{path} is not a zip archive: either it is cut short, or it is of PyTorch before 1.6, whose form is not read; "
            "load it in PyTorch and save it again, best as safetensors."
        )
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        folders = [n.removesuffix("/data.pkl") for n in names if n.count("/") == 1 and n.endswith("/data.pkl")]
        if len(folders) != 1:
            raise Refused(
                f"{path} is a zip archive, not one of PyTorch: expected one folder with data.pkl, got {len(folders)}."
            )
        _check_form(path, archive, folders[0])
        try:
            return _arrays(path, _Reader(path, archive, folders[0]).load(), "")
        except Refused:
            raise
        except Exception as error:  # a damaged pickle can fail in any way, and each is the same news to the reader
            raise Refused(f"{path}: its pickle does not describe tensors ({type(error).__name__}: {error}).") from error


def _check_form(path, archive, folder):
    packed = [entry.filename for entry in archive.infolist() if entry.compress_type != zipfile.ZIP_STORED]
    if packed:
        raise Refused(f"{path}: {packed[0]} is compressed, which PyTorch never does; the archive was made by something else.")
    order = f"{folder}/byteorder"
    if order in archive.namelist() and archive.read(order) != b"little":
        raise Refused(f"{path} holds big-endian numbers; expected little-endian. Save it again on an ordinary machine.")


def _arrays(path, value, where):
    if isinstance(value, Tensor):
        return _array(path, value, where)
    if isinstance(value, dict):
        return {k: _arrays(path, v, f"{where}.{k}" if where else str(k)) for k, v in value.items()}
    return value


def _array(path, tensor, where):
    storage, offset, shape, strides = tensor
    numbers = (offset, *shape, *strides)
    size = getattr(storage, "size", 0)
    if len(shape) != len(strides) or not all(type(n) is int and n >= 0 for n in numbers):
        raise Refused(f"{path}: {where!r} has shape {shape} and strides {strides}; expected whole numbers, as many of each.")
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if math.prod(shape) and (last >= size or math.prod(shape) > size):
        raise Refused(
            f"{path}: {where!r} of shape {shape}, strides {strides} and offset {offset} does not fit its storage of {size} "
            "numbers."
        )
    if not math.prod(shape):
        return np.zeros(shape, storage.dtype)
    steps = tuple(step * storage.itemsize for step in strides)
    return np.array(np.lib.stride_tricks.as_strided(storage[offset:], shape, steps), order="C")
