"""What a checkpoint looks like, by its keys and its width: for sentences about the wrong file."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Mark(NamedTuple):
    """How checkpoints of a model are told from others.

    Attributes:
      model: its name in sentences.
      part: a part that some key has.
      wide: the end of the key of a vector as long as the model is wide; empty: the width is not told.
      sizes: name -> structure of the published sizes.
    """

    model: str
    part: str
    wide: str
    sizes: dict[str, dict]


def looks_like(tensors: dict[str, np.ndarray], marks: Sequence[Mark]) -> str:
    """A name such as "terramind base (768 wide)", by the first mark that fits; "nothing known" where none does."""
    for mark in marks:
        if any(mark.part in key for key in tensors):
            widths = [len(v) for k, v in tensors.items() if mark.wide and k.endswith(mark.wide) and v.ndim == 1]
            return sized(mark.model, widths[0], mark.sizes) if widths else mark.model
    return "nothing known"


def sized(family: str, width: int, sizes: dict) -> str:
    """A family, its size where the width is a published one, and the width."""
    size = next((f" {name}" for name, size in sizes.items() if size["width"] == width), "")
    return f"{family}{size} ({width} wide)"


def published_heads(width: int, sizes: dict) -> int | None:
    """The number of heads of the published size of this width; None where there is none."""
    return next((size["heads"] for size in sizes.values() if size["width"] == width), None)


def heads_of(file: str, asked: int | None, said: int | None, width: int, sizes: dict) -> int | None:
    """The number of heads: the one asked for, else what the file says, else that of the published size; None where none is.

    Raises:
      ValueError: it is less than one.
    """
    heads = asked if asked is not None else said if said is not None else published_heads(width, sizes)
    if heads is not None and heads < 1:
        raise ValueError(f"{file}: expected a number of heads from 1 on that divides its width of {width}, got {heads}.")
    return heads


def expect_size(file: str, tensors: dict, found: tuple[int, int], size: str | None, sizes: dict, marks: Sequence[Mark]) -> None:
    """Refuses a checkpoint of another size than the one asked for, or a published size with blocks cut off.

    Args:
      file: for the sentence.
      tensors: the checkpoint.
      found: its width and number of blocks.
      size: name of the size that will do; None: any.
      sizes: the published ones.
      marks: of the family.
    """
    if size is not None and size not in sizes:
        raise ValueError(f"size: expected one of {', '.join(sizes)}, got {size!r}.")
    width, depth = found
    if size is not None and sizes[size]["width"] != width:
        expected = f"expected {size} ({sizes[size]['width']} wide)"
        raise ValueError(f"{file} looks like {looks_like(tensors, marks)}, {expected}; give another file or another size.")
    published = next((s["depth"] for s in sizes.values() if s["width"] == width), depth)
    if published != depth:
        raise ValueError(
            f"{file} looks like {looks_like(tensors, marks)} with {depth} blocks, and the published one has {published}: keys "
            f"of block {min(depth, published)} on are missing or too many; fetch the file again."
        )


def expect_family(file: str, tensors: dict, family: str, part: str, looks: str = "") -> None:
    """Refuses a checkpoint that has no key with the mark of `family`; `looks` is what it looks like, where that is known."""
    if not any(part in key for key in tensors):
        first = next(iter(tensors), "none")
        seen = f" looks like {looks}," if looks else ":"
        raise ValueError(f"{file}{seen} expected {family}: no key of it holds {part!r}; the first is {first!r}.")


def count_blocks(tensors: dict, prefix: str) -> int:
    """How many blocks there are under `<prefix>.<number>.`; a number beyond their count by more is not believed."""
    dotted = f"{prefix}."
    numbers = {key.removeprefix(dotted).split(".")[0] for key in tensors if key.startswith(dotted)}
    return 1 + max((int(n) for n in numbers if n.isdecimal() and len(n) < 6 and int(n) <= len(numbers)), default=-1)


def telling(file: str, tensors: dict, key: str, rank: int, marks: Sequence[Mark]) -> np.ndarray:
    """A tensor a config is read from; a sentence with the file and the key where it is missing, empty or of another rank."""
    if key not in tensors or tensors[key].ndim != rank or not tensors[key].size:
        got = f"shape {list(tensors[key].shape)}" if key in tensors else "nothing"
        raise ValueError(f"{file}: expected {key} with {rank} axes, got {got}; it looks like {looks_like(tensors, marks)}.")
    return tensors[key]


def side(file: str, key: str, count: int) -> int:
    """The side of a square of `count` things, such as positions; a sentence where it is none."""
    root = math.isqrt(max(count, 0))
    if root < 1 or root * root != count:
        raise ValueError(f"{file}: {key} is for {count} in a square, and {count} is not a square number.")
    return root
