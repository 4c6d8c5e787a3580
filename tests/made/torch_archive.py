"""PyTorch's zip archives written by hand: the pickle says what torch.save says, and no torch is there."""

import collections
import io
import pickle
import sys
import types
import zipfile

import numpy as np

STORAGE_OF = {"float32": "FloatStorage", "float16": "HalfStorage", "int64": "LongStorage", "bfloat16": "BFloat16Storage",
              "float64": "DoubleStorage", "int8": "CharStorage"}  # fmt: skip


class View:
    """A tensor to be written: a flat storage, and how it is looked at."""

    def __init__(self, storage, shape, strides, offset=0, parameter=False):
        self.storage, self.shape, self.strides, self.offset = np.ascontiguousarray(storage).reshape(-1), shape, strides, offset
        self.parameter = parameter


def plain(array, parameter=False):
    """A contiguous tensor."""
    strides = tuple(s // array.itemsize for s in np.asarray(array, order="C").strides)
    return View(array, array.shape, strides, parameter=parameter)


class _Storage:
    def __init__(self, key, array):
        self.key, self.array = key, array


class Call:
    """Anything at all that a pickle can ask for: a function by module and name, and its arguments."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


class Named:
    """A function or class by its module and name, of a library that need not be there."""

    def __init__(self, module, name):
        self.module, self.name = module, name

    def __call__(self, *_):
        raise NotImplementedError(f"{self.module}.{self.name} is written, not called")


class With:
    """What a pickle makes of a class by `cls.__new__(cls)` and then a state, such as an `argparse.Namespace`."""

    def __init__(self, named, state):
        self.named, self.state = named, state


def fake_torch(monkeypatch):
    """Modules called torch and torch._utils, so that a pickle made here names them as PyTorch's do."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    torch._utils = utils
    for name in STORAGE_OF.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    for name in ("_rebuild_tensor_v2", "_rebuild_parameter"):
        function = types.FunctionType((lambda *_: None).__code__, {"__name__": "torch._utils"}, name)
        function.__qualname__ = name
        setattr(utils, name, function)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return torch


def write(path, content, monkeypatch, compression=zipfile.ZIP_STORED, drop=(), byteorder=b"little"):
    """Writes `content`, a structure with `View`s in it, as torch.save would; `drop` leaves out storages by number."""
    with monkeypatch.context() as during:  # other libraries that look for torch find none afterwards
        stream, storages = _pickled(content, fake_torch(during))
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", stream)
        archive.writestr("archive/byteorder", byteorder)
        for storage in storages:
            if int(storage.key) not in drop:
                archive.writestr(f"archive/data/{storage.key}", storage.array.tobytes())
        archive.writestr("archive/version", b"3\n")
    return stream


def _pickled(content, torch):
    """The pickle and the storages that it names."""
    stream, storages = io.BytesIO(), []

    class Pickler(pickle._Pickler):
        def persistent_id(self, value):
            if isinstance(value, _Storage):
                kind = getattr(torch, STORAGE_OF[str(value.array.dtype)])
                return ("storage", kind, value.key, "cpu", value.array.size)
            return None

        def save(self, value, *rest, **more):
            if isinstance(value, Named):
                self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())
            elif isinstance(value, With):
                self.save(value.named)
                self.write(pickle.EMPTY_TUPLE + pickle.NEWOBJ)
                self.save(value.state)
                self.write(pickle.BUILD)
            else:
                super().save(value, *rest, **more)

    def rebuilt(value):
        if isinstance(value, View):
            # Views of one storage share it, as after torch.save of tied weights.
            found = next((s for s in storages if s.array is value.storage), None)
            if found is None:
                found = _Storage(str(len(storages)), value.storage)
                storages.append(found)
            hooks = collections.OrderedDict()
            call = Call(torch._utils._rebuild_tensor_v2, found, value.offset, value.shape, value.strides, False, hooks)
            return Call(torch._utils._rebuild_parameter, call, True, collections.OrderedDict()) if value.parameter else call
        if isinstance(value, list):
            return [rebuilt(v) for v in value]
        if type(value) in (dict, collections.OrderedDict):
            return type(value)((k, rebuilt(v)) for k, v in value.items())
        return value

    Pickler(stream, protocol=2).dump(rebuilt(content))
    return stream.getvalue(), storages
