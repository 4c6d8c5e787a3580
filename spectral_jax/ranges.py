"""Ranges of the fields of configs: every number of every dataclass has one, checked when the config is made.

A dataclass has a table, field -> `Range`, and calls `check` in its `__post_init__`. The sentence names the field as a user
writes it, the range and the value.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any

LARGEST = 3.4e38  # of what float32 holds; NaN and infinity are above it


@dataclasses.dataclass(frozen=True)
class Range:
    """What a number may be, or each of several numbers.

    Attributes:
      low: it is at least this.
      high: and at most this.
      above: it is above `low`, not `low` itself.
      below: it is below `high`, not `high` itself.
      rising: of two numbers the first is not above the second; of more, they rise.
      total: what several numbers add up to.
    """

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False
    rising: bool = False
    total: float | None = None

    def __contains__(self, number: float) -> bool:
        over = number > self.low if self.above else number >= self.low
        under = number < self.high if self.below else number <= self.high
        return abs(number) <= LARGEST and over and under

    def text(self) -> str:
        """The range in words."""
        if self.low == -math.inf and self.high == math.inf:
            words = "finite numbers" if self.rising or self.total else "a finite number"
        elif self.high == math.inf:
            words = f"above {self.low:g}" if self.above else f"at least {self.low:g}"
        else:
            words = f"{'above ' if self.above else ''}{self.low:g} to {'below ' if self.below else ''}{self.high:g}"
        words += ", the first not above the second" if self.rising else ""
        return words + ("" if self.total is None else f", with a sum of {self.total:g}")


ANY = Range()
POSITIVE = Range(0.0, above=True)
NOT_NEGATIVE = Range(0.0)
COUNT = Range(1)
SEED = Range(-(2**31), 2**32 - 1)  # of which the generators take 32 bits
SHARE = Range(0.0, 1.0)


def check(node: Any, where: str, table: Mapping[str, Range]) -> None:
    """Checks types and ranges of the fields of a dataclass.

    Args:
      node: a dataclass whose fields are annotated with plain types, tuples of them, and None.
      where: before a field's name, such as "data."; the dot is part of it.
      table: range of each field that holds numbers.

    Raises:
      ValueError: a field holds another type, NaN, infinity, or a number out of its range; the sentence names the field as
        `--config.` takes it.
    """
    hints = typing.get_type_hints(type(node))
    for field in dataclasses.fields(node):
        value, kind = getattr(node, field.name), hints[field.name]
        options = [one for one in typing.get_args(kind) if one is not types.NoneType]
        if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
            if value is None:
                continue
            kind = options[0]
        _check(value, kind, f"{where}{field.name}", table.get(field.name))


def _check(value: Any, kind: Any, name: str, allowed: Range | None) -> None:
    if typing.get_origin(kind) is tuple:
        parts = typing.get_args(kind)
        several = parts[-1] is Ellipsis
        if not isinstance(value, tuple) or (not several and len(value) != len(parts)):
            count = "" if several else f"{len(parts)} "
            raise ValueError(f"{name}: expected a tuple of {count}{_spell(parts[0])}, got {value!r}.")
        for one, part in zip(value, [parts[0]] * len(value) if several else parts, strict=True):
            _check_one(one, part, name, allowed, value)
        if allowed is not None and value:
            _check_together(value, name, allowed)
    elif kind in (int, float, str, bool):
        _check_one(value, kind, name, allowed, value)


def _check_one(value: Any, kind: type, name: str, allowed: Range | None, whole: Any) -> None:
    right = isinstance(value, int | float) if kind is float else isinstance(value, kind)
    if not right or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{name}: expected {_spell(kind)}, got {value!r}.")
    if allowed is not None and kind in (int, float) and value not in allowed:
        raise ValueError(f"{name}: expected {allowed.text()}, got {whole!r}.")


def _check_together(value: tuple, name: str, allowed: Range) -> None:
    if allowed.rising and list(value) != sorted(value):
        raise ValueError(f"{name}: expected {allowed.text()}, got {value!r}.")
    if allowed.total is not None and abs(math.fsum(value) - allowed.total) > 1e-6:
        raise ValueError(f"{name}: expected {allowed.text()}, got {value!r}, which add up to {math.fsum(value):g}.")


def _spell(kind: Any) -> str:
    return {int: "a whole number", float: "a number", str: "a text", bool: "True or False"}.get(kind, str(kind))
