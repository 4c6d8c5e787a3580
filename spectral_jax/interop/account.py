"""What became of every key of a foreign checkpoint; nothing is dropped, skipped or left random in silence."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from spectral_jax.interop.names import COUNTER, Leaf, flatten, nest
from spectral_jax.interop.recognise import Mark, looks_like
from spectral_jax.interop.weights_file import Weights
from spectral_jax.sentences import closest

# Whole numbers up to this are exact in float32.
EXACT = 2**24
# Of a longer key this much is told.
LONGEST = 200
OUTCOMES = ("loaded", "reshaped", "ignored", "absent")


class Row(NamedTuple):
    """One key: "loaded", "reshaped", "ignored", or "absent" where a model can do without it; from what to what, or why."""

    key: str
    outcome: str
    detail: str


class Account(NamedTuple):
    """All keys of one file, and what was done before they were looked at."""

    file: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """How many keys had each outcome."""
        return {outcome: sum(r.outcome == outcome for r in self.rows) for outcome in OUTCOMES}

    def text(self) -> str:
        """A line for each key, then the notes and the counts."""
        wide = max((len(r.key) for r in self.rows), default=0)
        lines = [f"{r.outcome:8}  {r.key:{wide}}  {r.detail}" for r in self.rows]
        counts = ", ".join(f"{n} {outcome}" for outcome, n in self.counts().items())
        return "\n".join([*lines, *self.notes, f"{self.file}: {counts}, none missing."])

    def to_dict(self) -> dict:
        """For JSON."""
        return {"file": self.file, "counts": self.counts(), "notes": list(self.notes), "keys": [r._asdict() for r in self.rows]}


def take(
    weights: Weights,
    leaves: list[Leaf],
    shapes: dict,
    ignored: dict[str, str],
    marks: Sequence[Mark],
    rows: tuple[Row, ...] = (),
) -> tuple[dict, Account]:
    """Takes the parameters of a model out of a checkpoint, and accounts for every key.

    Args:
      weights: the file.
      leaves: the model's parameters by their published names.
      shapes: the model's parameter tree, of arrays or shapes.
      ignored: patterns of names that are not taken, each with the reason.
      marks: of the model's family, for the sentence.
      rows: of keys that were dealt with before and are no longer in `weights`.

    Returns:
      Parameters as a nested dict of float32 NumPy arrays, and the account.

    Raises:
      ValueError: a parameter is missing, of another shape or of numbers that are not real, NaN or infinite, or a key is not
        known. The sentence names the file, the key, and what the checkpoint looks like.
    """
    wanted = {path: tuple(leaf.shape) for path, leaf in flatten(shapes).items()}
    by_name = {leaf.name: leaf for leaf in leaves}
    assert {leaf.path for leaf in leaves} == set(wanted), "the table of names and the model's parameters differ"
    taken, wrong, made, odd = {}, [], list(rows), {}
    for key, value in weights.tensors.items():
        reason = next((why for pattern, why in ignored.items() if re.search(pattern, key)), None)
        spelled = weights.spelled.get(key, key)
        if key in by_name:
            leaf = by_name[key]
            expected = leaf.published_shape(wanted[leaf.path])
            if value.shape != expected:
                wrong.append(f"{spelled} has shape {list(value.shape)}, expected {list(expected)}")
                continue
            taken[leaf.path] = _converted(weights.file, leaf, value)
            if not _finite(taken[leaf.path]):
                odd[spelled] = value
            made.append(_row(leaf, value, taken[leaf.path]))
        elif reason:
            made.append(Row(key, "ignored", reason))
        else:
            # The closest of hundreds takes time, and three are told.
            near = f" (the closest is {closest(key[:LONGEST], by_name, 1)})" if len(wrong) < 3 else ""
            wrong.append(f"{_cut(spelled)} is no key of this model{near}")
    wrong = [f"{leaf.name} is missing" for leaf in leaves if leaf.name not in weights.tensors] + wrong
    if wrong:
        more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise ValueError(
            f"{weights.file} does not fit: {'; '.join(wrong[:3])}{more}. It looks like {looks_like(weights.tensors, marks)}; "
            "check the source, the size and the options."
        )
    if odd:
        raise _not_numbers(weights.file, odd)
    made += [Row(key, "ignored", why) for key, why in weights.outside.items()]
    made += [Row(key, "ignored", _beside(weights.classes.get(key, ""))) for key in weights.beside]
    return nest(taken), Account(weights.file, tuple(made))


def expect_numbers(file: str, tensors: Mapping[str, np.ndarray]) -> None:
    """Refuses parameters that are not of floating-point numbers, and NaN and infinity among them.

    Raises:
      ValueError: there are some; the sentence names the file, the first key, and how many.
    """
    for key, value in tensors.items():
        _expect_floating(file, key, value)
    odd = {key: value for key, value in tensors.items() if not _finite(value)}
    if odd:
        raise _not_numbers(file, odd)


def _cut(key):
    return key if len(key) <= LONGEST else f"{key[:LONGEST]}..."


def _converted(file, leaf, value):
    if leaf.layout == COUNTER:
        count = value.item() if value.dtype.kind in "iuf" else value.dtype
        if not isinstance(count, int | float) or not 0 <= count < EXACT or count != int(count):
            raise ValueError(f"{file}: {leaf.name} is {count}; expected a count of batches below {EXACT}.")
    else:
        _expect_floating(file, leaf.name, value)
    with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite is told below
        return np.array(leaf.ours(value), np.float32, order="C")


def _expect_floating(file, key, value):
    if not jnp.issubdtype(value.dtype, jnp.floating):
        quantised = "whole numbers: the weights are likely quantised"
        why = {"i": quantised, "u": quantised, "V": "raw bytes: NumPy's files do not keep bfloat16"}
        raise ValueError(
            f"{file}: {key} is of {value.dtype}, {why.get(value.dtype.kind, 'not of real numbers')}; expected floating-point "
            "numbers. Save it as float32 or bfloat16, best as safetensors."
        )


def _finite(value) -> bool:
    # A sum is NaN or infinite where a number is, and takes no memory; it can be so of very large numbers too.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(value.sum(dtype=np.float32))) or bool(np.isfinite(value).all())


def _not_numbers(file, odd):
    """The error about NaN and infinity, by the numbers as the file holds them."""
    key, value = next(iter(odd.items()))
    with np.errstate(over="ignore", invalid="ignore"):
        value = value.astype(np.float64)
        beyond = np.isfinite(value) & (np.abs(value) > np.finfo(np.float32).max)
    nan, infinite = int(np.isnan(value).sum()), int(np.isinf(value).sum())
    kinds = [f"{n} {name}" for n, name in ((nan, "NaN"), (infinite, "infinite"), (int(beyond.sum()), "beyond float32")) if n]
    more = f"; so have {len(odd) - 1} more keys" if len(odd) > 1 else ""
    half = any(v.dtype == np.float16 and np.isinf(v).any() for v in odd.values())
    advice = "take a checkpoint from before training diverged, or fetch the file again."
    if half:
        advice = "float16 ends at 65504 and larger numbers became infinite when they were cast: save it as float32 or bfloat16."
    return ValueError(
        f"{file}: {key} has {' and '.join(kinds)} of {value.size} numbers{more}. Every embedding would be NaN; {advice}"
    )


def _beside(classes):
    said = "beside the weights in the file"
    return f"{said}, not read ({classes})" if classes else said


def _row(leaf, value, ours):
    cast = "" if value.dtype == ours.dtype else f", {value.dtype} to {ours.dtype}"
    if value.shape == ours.shape and leaf.layout in ("", COUNTER):
        return Row(leaf.name, "loaded", f"{leaf.path} {list(ours.shape)}{cast}")
    return Row(leaf.name, "reshaped", f"{leaf.path} {list(value.shape)} to {list(ours.shape)}{cast}")
