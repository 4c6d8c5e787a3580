"""What training programs put before every name, found and taken off.

`module.` is of several devices, `_orig_mod.` of a compiled model, `model.encoder.` of a trainer's module, `student.backbone.`
of a pair that distils. The keys that mark a family tell which it is: what stands before them stands before all.
"""

import os.path
import re
from collections.abc import Mapping

import numpy as np

from spectral_jax.interop.weights_file import Weights

# Parts that wrappers of PyTorch put inside names too, and that no layer is called.
WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "module")
_INSIDE = re.compile(rf"(?<=\.)(?:{'|'.join(WRAPPERS)})\.")
_MAYBE = rf"\.(?:(?:{'|'.join(WRAPPERS)})\.)*"
# How many of the names that could be meant a sentence lists.
MOST = 6


def without(weights: Weights, family: str, root: str, ignored: Mapping[str, str], prefix: str | None = None) -> Weights:
    """The checkpoint by its published names, without what training programs put before them.

    Args:
      weights: of `weights_file.read`.
      family: whose weights they should be, for sentences.
      root: pattern of the beginning of the names that mark the family, as published.
      ignored: patterns of published names that are not taken; keys beside the encoder's that match one may lack the prefix.
      prefix: the one to take off, where several parts of a file match; "" for names without any, None: the only one there is.

    Returns:
      The checkpoint; `prefix`, `spelled` and `outside` say what was done.

    Raises:
      ValueError: several parts match, nothing has the prefix that was asked for, or a key lacks the one that the others share.
    """
    file, keys = weights.file, list(weights.tensors)
    found = _found(keys, root)
    if prefix is None:
        if len(found) > 1:
            names = " and ".join(f"{p!r}" if p else "no prefix ('')" for p in found[:MOST])
            raise ValueError(
                f"{file} holds weights of {family} under {names}{_more(found)}; choose one by --prefix, such as "
                f"--prefix={next(p for p in found if p)!r}."
            )
        taken = found[0] if found else ""
    else:
        taken = prefix if not prefix or prefix.endswith(".") else f"{prefix}."
        if not any(key.startswith(taken) for key in keys):
            starts = list(dict.fromkeys(found or (key.partition(".")[0] + "." for key in keys)))
            raise ValueError(
                f"{file} has no key that begins with {taken!r}; its keys begin with {', '.join(starts[:MOST])}{_more(starts)}."
            )
    outside = {key: f"not under {taken}, which was chosen by --prefix" for key in keys if not key.startswith(taken)}
    if prefix is None:
        outside = {key: _why(weights, key, taken, ignored) for key in outside}
    elif not taken:
        # The keys of the other parts, which were not chosen.
        others = tuple(other for other in found if other)
        outside = {k: "under a prefix, and keys without one were chosen by --prefix" for k in keys if k.startswith(others)}
    tensors: dict[str, np.ndarray] = {}
    spelled: dict[str, str] = {}
    for key, value in weights.tensors.items():
        if key in outside:
            continue
        name = _INSIDE.sub("", key.removeprefix(taken))
        if name in tensors:
            raise ValueError(f"{file}: {spelled.get(name, name)} and {key} are two names of {name}; remove one of them.")
        tensors[name] = value
        if name != key:
            spelled[name] = key
    return weights._replace(tensors=tensors, prefix=taken, spelled=spelled, outside=outside)


def _found(keys, root) -> list[str]:
    """What stands before the names that mark a family, each once, in the order of the file."""
    pattern = re.compile(r"((?:[^.]+\.)*?)" + root.replace(r"\.", _MAYBE))
    return list(dict.fromkeys(match[1] for key in keys if (match := pattern.match(key))))


def _why(weights, key, prefix, ignored) -> str:
    """Why a key without the prefix of all others may be left out."""
    shared = os.path.commonprefix([key, prefix])
    shared = shared[: shared.rfind(".") + 1]
    for name in (key, key.removeprefix(shared)):
        reason = next((why for pattern, why in ignored.items() if re.search(pattern, name)), None)
        if reason:
            return reason
    with_it = next(k for k in weights.tensors if k.startswith(prefix))
    raise ValueError(
        f"{weights.file}: {key} does not begin with {prefix!r} as {with_it} and others do; if it does not belong to the "
        f"encoder, leave out all that lacks the prefix by --prefix={prefix!r}."
    )


def _more(names) -> str:
    return f" and {len(names) - MOST} more" if len(names) > MOST else ""
