"""What PyTorch's pickles call to put tensors together, and what stands for the kinds of tensor that are not read.

Each stands in place of a function of `torch._utils` and does nothing but note its arguments. None has attributes, so that a
pickle can set none.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from spectral_jax.interop.files.inert import ArrayInMaking

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
# The storage of dtypes that came later: bytes, of which the tensor says what they are.
UNTYPED = "UntypedStorage"
LATER = {"torch.uint16": np.dtype("<u2"), "torch.uint32": np.dtype("<u4"), "torch.uint64": np.dtype("<u8")}
_QUANTISED = "call dequantize() in PyTorch and save it again"
_COMPLEX = "expected real numbers"
_DENSE = "call to_dense() in PyTorch and save it again"


class Unread(NamedTuple):
    """A tensor of a kind that is not read: what it is, and what to do."""

    what: str
    remedy: str


NOT_READ = {
    "ComplexFloatStorage": Unread("of complex numbers", _COMPLEX),
    "ComplexDoubleStorage": Unread("of complex numbers", _COMPLEX),
    **{f"{kind}Storage": Unread("quantised", _QUANTISED) for kind in ("QInt8", "QUInt8", "QInt32", "QUInt4x2", "QUInt2x4")},
}


class Tensor(NamedTuple):
    """A view of a storage, as the pickle describes it; a tuple, so that no further opcode can change it."""

    storage: Any
    offset: Any
    shape: tuple
    strides: tuple


class Rebuild:
    """`torch._utils._rebuild_tensor_v2`."""

    __slots__ = ()

    def __call__(self, storage, offset, shape, strides, _gradient=False, _hooks=None, metadata=None):
        """The tensor; whether it has a gradient and hooks does not matter here."""
        if isinstance(storage, Unread):
            return storage
        if isinstance(metadata, dict) and metadata.get("neg"):
            return Unread("a view of its numbers negated", "call resolve_neg() in PyTorch and save it again")
        return Tensor(storage, offset, tuple(shape), tuple(strides))


class RebuildLater:
    """`torch._utils._rebuild_tensor_v3`: as version 2, of a storage of bytes and a dtype beside it."""

    __slots__ = ()

    def __call__(self, storage, offset, shape, strides, gradient, hooks, dtype, metadata=None):
        """The tensor, or what stands for one of a dtype that is not read, such as float8."""
        name = getattr(dtype, "called", "")
        if name not in LATER:
            remedy = "weights of 8 bits need their scales: convert to float32 or bfloat16 in PyTorch and save it again"
            return Unread(f"of {name or 'an unknown dtype'}", remedy)
        return Rebuild()(storage.view(LATER[name]), offset, shape, strides, gradient, hooks, metadata)


class First:
    """Functions whose first argument is the tensor: parameters, and tensors that were on another device."""

    __slots__ = ()

    def __call__(self, tensor, *_):
        """The tensor alone."""
        return tensor.held if isinstance(tensor, ArrayInMaking) else tensor


class OfSubclass:
    """`torch._tensor._rebuild_from_type_v2`: a tensor of a subclass, or with attributes."""

    __slots__ = ()

    def __call__(self, function, _type, arguments, _state):
        """What the function of this module makes of the arguments."""
        if not isinstance(function, Rebuild | RebuildLater | First):
            raise ValueError("a tensor of a subclass is put together by something else than a function of torch._utils")
        return function(*arguments)


class Other:
    """A function that makes a tensor of a kind that is not read."""

    __slots__ = ("_made",)

    def __init__(self, what, remedy):
        self._made = Unread(what, remedy)

    def __setstate__(self, _):
        raise ValueError("a function was given a state")

    def __call__(self, *_):
        """What stands for it."""
        return self._made


REBUILT: dict[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor"): Rebuild(),
    ("torch._utils", "_rebuild_tensor_v2"): Rebuild(),
    ("torch._utils", "_rebuild_tensor_v3"): RebuildLater(),
    ("torch._utils", "_rebuild_parameter"): First(),
    ("torch._utils", "_rebuild_parameter_with_state"): First(),
    ("torch._utils", "_rebuild_device_tensor_from_numpy"): First(),
    ("torch._utils", "_rebuild_device_tensor_from_cpu_tensor"): First(),
    ("torch._utils", "_rebuild_xla_tensor"): First(),
    ("torch._tensor", "_rebuild_from_type_v2"): OfSubclass(),
    ("torch._utils", "_rebuild_qtensor"): Other("quantised", _QUANTISED),
    ("torch._utils", "_rebuild_sparse_tensor"): Other("sparse", _DENSE),
    ("torch._utils", "_rebuild_sparse_csr_tensor"): Other("sparse", _DENSE),
    ("torch._utils", "_rebuild_nested_tensor"): Other("nested, of several shapes", "save its parts"),
    ("torch._utils", "_rebuild_meta_tensor_no_storage"): Other("on PyTorch's device 'meta', without numbers", "save it loaded"),
}
