"""PyTorch's `.pt` and `.pth` files without PyTorch, and without running what they say.

Such a file is a zip archive of raw storages and a pickle that names them. A pickle is a program: this reader lets it call the
few functions that put a tensor together, as written here; data classes of other libraries become inert; everything else is
refused by name.
"""

import io
import math
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np

from spectral_jax.interop.files import inert
from spectral_jax.interop.files.inert import ArrayBytes, ArrayInMaking, Inert
from spectral_jax.interop.files.tensors import NOT_READ, REBUILT, STORAGES, UNTYPED, Tensor, Unread

ALLOWED = {
    ("collections", "OrderedDict"): OrderedDict,
    **REBUILT,
    **{("torch", name): name for name in (*STORAGES, *NOT_READ, UNTYPED)},
    ("torch.storage", UNTYPED): UNTYPED,
}
# How often the numbers of a file may be copied out of it: views that skip share their storage with few others.
MOST_COPIES = 8


class Refused(ValueError):
    """This reader's own refusal, told apart from whatever a damaged pickle makes the unpickler raise."""


class _Reader(pickle.Unpickler):
    def __init__(self, path, archive, folder):
        content = archive.read(f"{folder}/data.pkl")
        _check_notes(path, content)
        super().__init__(io.BytesIO(content))
        self._path, self._archive, self._folder = path, archive, folder
        self._storages: dict[tuple[str, str], object] = {}

    def find_class(self, module, name):
        if (module, name) in ALLOWED:
            return ALLOWED[module, name]
        made = inert.stands_for(module, name)
        if made is not None:
            return made
        whole = " It holds a whole model, not its state dict." if module.startswith(("torch.nn.", "__torch__")) else ""
        raise Refused(
            f"{self._path} is a pickle with code in it: it calls {_short(f'{module}.{name}')}, which tensors do not need and "
            f"which was not run; ask its author for a state dict or a safetensors file.{whole}"
        )

    def persistent_load(self, pid):
        kind, storage, key, _, count = pid
        if kind != "storage" or storage not in (*STORAGES, *NOT_READ, UNTYPED):
            raise Refused(
                f"{self._path} refers to {_short(kind)!r} of {_short(storage)!r}; expected 'storage' of {', '.join(STORAGES)}."
            )
        if storage in NOT_READ:
            return NOT_READ[storage]
        if not isinstance(key, str) or type(count) is not int:
            raise Refused(f"{self._path}: a storage is called {_short(key)!r} and has {_short(count)} numbers; fetch it again.")
        if (key, storage) not in self._storages:
            self._storages[key, storage] = self._read(key, STORAGES.get(storage, np.dtype("u1")), count)
        return self._storages[key, storage]

    def _read(self, key, dtype, count):
        name = f"{self._folder}/data/{key}"
        size = self._archive.getinfo(name).file_size
        if size != count * dtype.itemsize:
            raise Refused(
                f"{self._path}: storage {name} has {size} bytes, expected {count} numbers of {dtype}; fetch the file again."
            )
        return np.frombuffer(self._archive.read(name), dtype)


def read(path: Path) -> object:
    """What was saved: usually a dict of arrays, or a dict that holds one beside other things.

    Tensors become NumPy arrays, bfloat16 included; views that overlap or skip in their storage are copied out of it. Tensors of
    kinds that are not read are `tensors.Unread`, and data classes of other libraries `inert.Inert`.

    Raises:
      OSError: the file cannot be read.
      ValueError: the file is not a zip archive of PyTorch, its pickle calls anything else than tensors and data need, or it is
        damaged.
    """
    with path.open("rb") as stream:
        begun = stream.read(2) == b"PK"
        zipped = zipfile.is_zipfile(stream)
    if not zipped and begun:
        raise Refused(f"{path} is not a zip archive: it begins as one and its end is missing; it is cut short, fetch it again.")
    if not zipped:
        raise Refused(
            f"{path} is not a zip archive: either it is cut short, or it is of PyTorch before 1.6, whose form is not read; "
            "load it in PyTorch and save it again, best as safetensors."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            folder = _folder(path, archive)
            _check_form(path, archive, folder)
            return _Arrays(path).of(_pickled(path, archive, folder), "")
    except Refused:
        raise
    except RecursionError as error:
        raise Refused(f"{path}: what its pickle describes is nested too deeply for tensors.") from error
    except Exception as error:  # a damaged archive can fail in any way, and each is the same news to the reader
        raise Refused(f"{path}: its zip archive is damaged ({_told(error)}); fetch it again.") from error


def _pickled(path, archive, folder):
    try:
        return _Reader(path, archive, folder).load()
    except Refused:
        raise
    except Exception as error:  # as of the archive
        raise Refused(f"{path}: its pickle does not describe tensors ({_told(error)}).") from error


def _folder(path, archive):
    names = archive.namelist()
    folders = [n.removesuffix("/data.pkl") for n in names if n.count("/") == 1 and n.endswith("/data.pkl")]
    if len(folders) != 1:
        raise Refused(f"{path} is a zip archive, not one of PyTorch: expected one folder with data.pkl, got {len(folders)}.")
    if any(name.startswith(f"{folders[0]}/code/") for name in names):
        raise Refused(f"{path} is a TorchScript program, not weights; load it in PyTorch and save its state_dict().")
    return folders[0]


def _check_form(path, archive, folder):
    entries = archive.infolist()
    packed = [entry.filename for entry in entries if entry.compress_type != zipfile.ZIP_STORED]
    if packed:
        raise Refused(f"{path}: {packed[0]} is compressed, which PyTorch never does; the archive was made by something else.")
    if len({entry.filename for entry in entries}) < len(entries):
        raise Refused(f"{path} holds two entries of one name; PyTorch never writes that, fetch it again.")
    # What is not compressed cannot be larger than the file, so entries that lie over one another are noticed too.
    claimed, size = sum(max(entry.file_size, entry.compress_size) for entry in entries), path.stat().st_size
    if claimed > size:
        raise Refused(f"{path}: its entries are said to have {claimed} bytes, and the file has {size}; fetch it again.")
    order = f"{folder}/byteorder"
    if order in archive.namelist() and archive.read(order) != b"little":
        raise Refused(f"{path} holds big-endian numbers; expected little-endian. Save it again on an ordinary machine.")


def _check_notes(path, content):
    """Refuses a pickle that numbers what it notes higher than it has opcodes: the unpickler makes room for as many."""
    for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument > count:
            raise Refused(f"{path}: its pickle does not describe tensors (note {_short(argument)} of {count}); fetch it again.")


class _Arrays:
    """Turns what the pickle describes into arrays; each container once, however often it is referred to."""

    def __init__(self, path):
        self._path, self._size, self._copied = path, path.stat().st_size, 0
        self._done: dict[int, object] = {}

    def of(self, value, where):
        if isinstance(value, Tensor):
            return self._array(value, where)
        if isinstance(value, ArrayInMaking | ArrayBytes):
            return self._of_numpy(value.held if isinstance(value, ArrayInMaking) else value)
        if isinstance(value, dict | list) and id(value) not in self._done:
            # Noted before it is filled, for what refers to itself.
            self._done[id(value)] = made = {} if isinstance(value, dict) else []
            if isinstance(value, dict):
                made.update((k, self.of(v, f"{where}.{_short(k)}" if where else _short(k))) for k, v in value.items())
            else:
                made.extend(self.of(v, f"{where}.{i}") for i, v in enumerate(value))
        return self._done.get(id(value), value)

    def _of_numpy(self, described):
        array = described.array()
        return inert.stands_for("numpy", "ndarray")() if array is None else array

    def _array(self, tensor, where):
        storage, offset, shape, strides = tensor
        if not isinstance(storage, np.ndarray):
            return self.of(storage, where) if isinstance(storage, Unread | Inert) else self._misfit(where, tensor, 0)
        numbers = (offset, *shape, *strides)
        if len(shape) != len(strides) or not all(type(n) is int and n >= 0 for n in numbers):
            raise Refused(
                f"{self._path}: {where!r} has shape {_short(shape)} and strides {_short(strides)}; expected whole numbers, as "
                "many of each."
            )
        if len(shape) > 32 or not all(n < 2**48 for n in numbers):
            self._misfit(where, tensor, storage.size)
        count = math.prod(shape)
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        if count and (last >= storage.size or count > storage.size):
            self._misfit(where, tensor, storage.size)
        if not count:
            return np.zeros(shape, storage.dtype)
        steps = tuple(step * storage.itemsize for step in strides)
        view = np.lib.stride_tricks.as_strided(storage[offset:], shape, steps, writeable=False)
        if view.flags.c_contiguous:
            return view
        self._copied += view.nbytes
        if self._copied > MOST_COPIES * self._size:
            raise Refused(
                f"{self._path}: its tensors are views that repeat its numbers more than {MOST_COPIES} times; {where!r}."
            )
        return np.array(view, order="C")

    def _misfit(self, where, tensor, size):
        raise Refused(
            f"{self._path}: {where!r} of shape {_short(tensor.shape)}, strides {_short(tensor.strides)} and offset "
            f"{_short(tensor.offset)} does not fit its storage of {size} numbers."
        )


def _short(value):
    """A word or number of the file for a sentence: what it says of others is not written out, which could take for ever."""
    flat = value if isinstance(value, tuple) and all(type(v) is int for v in value) else None
    if isinstance(value, int) and value.bit_length() > 256:
        return "a huge number"
    text = str(value) if isinstance(value, str | int | float | None) or flat is not None else f"a {type(value).__name__}"
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= 120 else text[:117] + "..."


def _told(error):
    return f"{type(error).__name__}: {_short(' '.join(str(error).split()))}"
