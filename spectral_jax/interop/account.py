"""What became of every key of a foreign checkpoint; nothing is dropped, skipped or left random in silence."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spectral_jax.interop.names import COUNTER, Leaf, flatten, nest
from spectral_jax.interop.recognise import Mark, looks_like
from spectral_jax.interop.weights_file import Weights
from spectral_jax.sentences import closest

# Whole numbers up to this are exact in float32.
EXACT = 2**24
OUTCOMES = ("loaded", "reshaped", "ignored", "absent")


class Row(NamedTuple):
    """One key: "loaded", "reshaped", "ignored", or "absent" where a model can do without it; from what to what, or why."""

    key: str
    outcome: str
    detail: str


class Account(NamedTuple):
    """All keys of one file."""

    file: str
    rows: tuple[Row, ...]

    def counts(self) -> dict[str, int]:
        """How many keys had each outcome."""
        return {outcome: sum(r.outcome == outcome for r in self.rows) for outcome in OUTCOMES}

    def text(self) -> str:
        """A line for each key, then the counts."""
        wide = max((len(r.key) for r in self.rows), default=0)
        lines = [f"{r.outcome:8}  {r.key:{wide}}  {r.detail}" for r in self.rows]
        counts = ", ".join(f"{n} {outcome}" for outcome, n in self.counts().items())
        return "\n".join([*lines, f"{self.file}: {counts}, none missing."])

    def to_dict(self) -> dict:
        """For JSON."""
        return {"file": self.file, "counts": self.counts(), "keys": [r._asdict() for r in self.rows]}


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
      ValueError: a parameter is missing or of another shape, or a key is not known. The sentence names the file, the key, and
        what the checkpoint looks like.
    """
    wanted = {path: tuple(leaf.shape) for path, leaf in flatten(shapes).items()}
    by_name = {leaf.name: leaf for leaf in leaves}
    assert {leaf.path for leaf in leaves} == set(wanted), "the table of names and the model's parameters differ"
    taken, wrong, made = {}, [], list(rows)
    for key, value in weights.tensors.items():
        reason = next((why for pattern, why in ignored.items() if re.search(pattern, key)), None)
        if key in by_name:
            leaf = by_name[key]
            expected = leaf.published_shape(wanted[leaf.path])
            if value.shape != expected:
                wrong.append(f"{key} has shape {list(value.shape)}, expected {list(expected)}")
                continue
            taken[leaf.path] = _converted(weights.file, leaf, value)
            made.append(_row(leaf, value, taken[leaf.path]))
        elif reason:
            made.append(Row(key, "ignored", reason))
        else:
            near = closest(key, by_name, 1)
            wrong.append(f"{key} is no key of this model (the closest is {near})")
    wrong = [f"{leaf.name} is missing" for leaf in leaves if leaf.name not in weights.tensors] + wrong
    if wrong:
        more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise ValueError(
            f"{weights.file} does not fit: {'; '.join(wrong[:3])}{more}. It looks like {looks_like(weights.tensors, marks)}; "
            "check the source, the size and the options."
        )
    made += [Row(key, "ignored", "beside the weights in the file") for key in weights.beside]
    return nest(taken), Account(weights.file, tuple(made))


def _converted(file, leaf, value):
    if leaf.layout == COUNTER and not 0 <= int(value) < EXACT:
        raise ValueError(f"{file}: {leaf.name} is {int(value)}; expected a count of batches below {EXACT}.")
    return np.array(leaf.ours(value), np.float32, order="C")


def _row(leaf, value, ours):
    cast = "" if value.dtype == ours.dtype else f", {value.dtype} to {ours.dtype}"
    if value.shape == ours.shape and leaf.layout in ("", COUNTER):
        return Row(leaf.name, "loaded", f"{leaf.path} {list(ours.shape)}{cast}")
    return Row(leaf.name, "reshaped", f"{leaf.path} {list(value.shape)} to {list(ours.shape)}{cast}")
