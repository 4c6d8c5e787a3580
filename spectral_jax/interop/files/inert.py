"""What stands for the data classes of other libraries in a pickle, and which those are.

Checkpoints hold settings beside the tensors: `argparse.Namespace`, paths, dates, NumPy's scalars and arrays. A pickle names the
class of each. None of these classes is imported or called: in its place stands a class of this module that takes whatever the
pickle gives and keeps nothing but its name. NumPy's arrays and scalars alone are put together, from a type, a shape and bytes.
"""

import math
import re
from typing import Any, NamedTuple

import numpy as np

# Modules of data classes -> a pattern of the names that are data; functions that do something must not match.
DATA = {
    r"argparse": r"Namespace",
    r"types": r"SimpleNamespace",
    r"typing": r"Any|Union|Optional|Dict|List|Tuple",
    r"builtins": r"set|frozenset|list|dict|tuple|int|float|complex|bool|str|bytes|bytearray|slice|range|object|Ellipsis",
    r"pathlib(\._local)?": r"(Pure)?(Posix|Windows)?Path",
    r"datetime": r"datetime|date|time|timedelta|timezone",
    r"zoneinfo": r"ZoneInfo(\._unpickle)?",
    r"collections": r"deque",
    r"decimal": r"Decimal",
    r"fractions": r"Fraction",
    r"uuid": r"UUID|SafeUUID",
    r"numpy": r"bool_?|u?int\d+|float\d+|complex\d+|c?longdouble|str_|bytes_|void|datetime64|timedelta64|ndarray",
    r"numpy\.dtypes": r"\w+DType",
    r"numpy\.random\.(_(pickle|pcg64|mt19937|philox|sfc64)|bit_generator)": r"__\w+_ctor|__pyx_unpickle_\w+|"
    r"SeedSequence|PCG64|PCG64DXSM|MT19937|Philox|SFC64",
    r"omegaconf(\.\w+)*": r"DictConfig|ListConfig|ContainerMetadata|Metadata|\w*Node",
    r"yacs\.config": r"CfgNode",
    r"fvcore\.common\.config": r"CfgNode",
    r"easydict": r"EasyDict",
    r"addict(\.addict)?": r"Dict",
    r"munch": r"Munch|DefaultMunch",
    r"ml_collections(\.\w+)*": r"ConfigDict|FrozenConfigDict|FieldReference",
    r"mmengine\.config(\.config)?": r"Config|ConfigDict",
    r"(pytorch_lightning|lightning\.pytorch)\.utilities\.parsing": r"AttributeDict",
    r"lightning(_fabric|\.fabric)\.utilities\.(data|types)": r"AttributeDict",
    r"torch": r"Size|device|dtype|Generator|strided|sparse_\w+|per_\w+|contiguous_format|channels_last(_3d)?|preserve_format|"
    r"Tensor|bool|u?int\d+|q?u?int\d+(x\d+)?|float\d+\w*|bfloat16|complex\d+|half|float|double|short|int|long",
    r"torch\.serialization": r"_get_layout",
    r"torch\.torch_version": r"TorchVersion",
    r"torch\.nn\.parameter": r"Parameter|Buffer",
    r"copyreg": r"_reconstructor",
}  # fmt: skip
# What protocol 2, which PyTorch writes, calls these modules and names.
OLD = {"__builtin__": "builtins", "copy_reg": "copyreg"}
OLD_NAMES = {"xrange": "range", "unicode": "str", "long": "int"}
DTYPE = re.compile(r"[<>|=]?([biufc](1|2|4|8|16)|[SU]\d{1,6}|\?)")


class Inert:
    """Something of a class that was not loaded: it takes whatever a pickle gives it, and keeps nothing."""

    __slots__ = ()
    called = ""

    def __new__(cls, *_, **__):
        """Whatever the arguments are."""
        return object.__new__(cls)

    def __init__(self, *_, **__):
        pass

    def __setstate__(self, _):
        pass

    def __setitem__(self, _, __):
        pass

    def _takes(self, _):
        pass

    append = extend = add = _takes


class ArrayBytes(NamedTuple):
    """A NumPy array as a pickle describes it; `dtype` is a `TypeText`."""

    dtype: Any
    shape: Any
    order: str
    content: Any

    def array(self) -> np.ndarray | None:
        """The array, or None where the description is not one of plain numbers."""
        text, shape = getattr(self.dtype, "text", ""), self.shape
        if not (isinstance(text, str) and DTYPE.fullmatch(text) and isinstance(self.content, bytes | bytearray)):
            return None
        if not (isinstance(shape, tuple) and len(shape) <= 32 and all(type(n) is int and 0 <= n < 2**48 for n in shape)):
            return None
        dtype = np.dtype(text)
        if math.prod(shape) * dtype.itemsize != len(self.content) or not len(self.content):
            return None
        return np.frombuffer(bytes(self.content), dtype).reshape(shape, order="F" if self.order == "F" else "C")


class TypeText:
    """`numpy.dtype`: its text alone."""

    __slots__ = ("text",)

    def __new__(cls, text="", *_):
        """From the text of a type, such as "f4"."""
        made = object.__new__(cls)
        made.text = text if isinstance(text, str) else ""
        return made

    def __setstate__(self, state):
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else ""
        if order in ("<", ">") and self.text[:1] not in ("<", ">"):
            self.text = order + self.text


class ArrayInMaking:
    """What `numpy.core.multiarray._reconstruct` gives: empty, until the pickle sets its state."""

    __slots__ = ("held",)

    def __new__(cls, *_):
        """Empty."""
        made = object.__new__(cls)
        made.held = ArrayBytes(None, (), "C", b"")
        return made

    def __setstate__(self, state):
        _, shape, dtype, fortran, content = state
        self.held = ArrayBytes(dtype, shape, "F" if fortran is True else "C", content)


class _Scalar:
    __slots__ = ()

    def __call__(self, dtype, content=b""):
        return ArrayBytes(dtype, (), "C", content)


class _FromBuffer:
    __slots__ = ()

    def __call__(self, content, dtype, shape, order="C"):
        return ArrayBytes(dtype, shape, order, content)


class _Encode:
    """`_codecs.encode`, by which protocol 2 writes bytes: of Latin-1 alone."""

    __slots__ = ()

    def __call__(self, text, encoding="latin1"):
        if not isinstance(text, str) or encoding != "latin1":
            raise ValueError("bytes are written in another encoding than latin1")
        return text.encode("latin1")


class _Dict:
    """`collections.defaultdict` and `Counter`: a dict of the same entries."""

    __slots__ = ()

    def __call__(self, *arguments):
        return next((dict(a) for a in arguments if isinstance(a, dict)), {})


MADE = {
    ("collections", "defaultdict"): _Dict(),
    ("collections", "Counter"): _Dict(),
    ("_codecs", "encode"): _Encode(),
    ("numpy", "dtype"): TypeText,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): ArrayInMaking for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _Scalar() for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _FromBuffer() for core in ("core", "_core")},
}


def stands_for(module: str, name: str) -> Any:
    """What is called in place of a data class of a pickle; None where the name is of no data class that is known here."""
    module, name = OLD.get(module, module), OLD_NAMES.get(name, name)
    if (module, name) in MADE:
        return MADE[module, name]
    if any(re.fullmatch(known, module) and re.fullmatch(names, name) for known, names in DATA.items()):
        return type("Inert", (Inert,), {"__slots__": (), "called": f"{module}.{name}"})
    return None
