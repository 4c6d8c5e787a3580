"""A compiled program's text, read: computations, their instructions, who calls whom, and how often each runs.

XLA's own cost analysis counts the body of a loop once; here every computation has the number of its runs in one step.
"""

import collections
import dataclasses
import functools
import math
import re
from collections.abc import Iterator

# Bytes of an element; what is not listed (tokens, opaque) has none.
ITEM_BYTES = {
    "pred": 1, "s4": 0.5, "u4": 0.5, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "s32": 4, "u32": 4, "s64": 8, "u64": 8, "f16": 2,
    "bf16": 2, "f32": 4, "f64": 8, "c64": 8, "c128": 16, "f8e4m3fn": 1, "f8e5m2": 1,
}  # fmt: skip
_COMMENT = re.compile(r"/\*.*?\*/")
_HEADER = re.compile(r"^(ENTRY )?%?([\w.-]+) \(.*\{$")
_NAMED = re.compile(r"^\s+(ROOT )?%?([\w.-]+) = ")
_ARRAY = re.compile(r"(\w+)\[([\d,<=]*)\](\{[^}]*\})?")
_CALLED = re.compile(r"\b(?:calls|to_apply|body|condition|true_computation|false_computation)=%?([\w.-]+)")
_BRANCHES = re.compile(r"\b(?:branch_computations|called_computations)=\{([^}]*)\}")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')
_OPERAND = re.compile(r"%([\w.-]+)")


@dataclasses.dataclass(frozen=True)
class Array:
    """Type of an array.

    Attributes:
      dtype: of the elements, as XLA writes it.
      shape: sides.
      on_chip: whether it lies in fast memory on the chip instead of HBM.
      padded: sides as they lie in memory, filled up to whole tiles.
    """

    dtype: str
    shape: tuple[int, ...]
    on_chip: bool = False
    padded: tuple[int, ...] = ()

    @property
    def bytes(self) -> int:
        """Bytes without padding."""
        return math.ceil(math.prod(self.shape) * ITEM_BYTES.get(self.dtype, 0))

    @property
    def tiled_bytes(self) -> int:
        """Bytes with padding."""
        return math.ceil(math.prod(self.padded or self.shape) * ITEM_BYTES.get(self.dtype, 0))

    @property
    def hbm_bytes(self) -> int:
        """Bytes in HBM, with padding: 0 of what lies on the chip."""
        return 0 if self.on_chip else self.tiled_bytes


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One line of a computation.

    Attributes:
      name: unique in the program.
      arrays: types of what it gives; several where it gives a tuple.
      opcode: such as "fusion".
      operands: names of what it takes.
      rest: the text after the operands; of a constant and a parameter from its value or number on.
      root: whether its result is the computation's.
    """

    name: str
    arrays: tuple[Array, ...]
    opcode: str
    operands: tuple[str, ...]
    rest: str
    root: bool = False

    @functools.cached_property
    def called(self) -> list[str]:
        """Names of the computations that it calls; the end of an asynchronous operation calls none again."""
        if self.opcode in ("async-done", "async-update"):
            return []
        listed = [name.strip().lstrip("%") for found in _BRANCHES.findall(self.rest) for name in found.split(",")]
        return [*_CALLED.findall(self.rest), *(name for name in listed if name)]

    def attribute(self, name: str) -> str:
        """The text of a simple attribute such as `channel_id`; empty where it has none."""
        found = re.search(rf"\b{name}=([\w.%-]+)", self.rest)
        return found[1].lstrip("%") if found else ""


@dataclasses.dataclass(frozen=True)
class Runs:
    """How often a computation runs in one step.

    Attributes:
      count: the number; loops whose length is not known count once.
      in_loop: whether it stands in a loop, however long.
      known: whether the lengths of all loops around it are known.
    """

    count: int
    in_loop: bool
    known: bool


@dataclasses.dataclass(frozen=True)
class Program:
    """A compiled program.

    Attributes:
      computations: name -> instructions, in the order of the text.
      entry: name of the computation that runs.
      devices: how many run it together.
    """

    computations: dict[str, tuple[Instruction, ...]]
    entry: str
    devices: int

    @functools.cached_property
    def runs(self) -> dict[str, Runs]:
        """How often each computation runs in one step; those that never run are left out.

        Which branch a conditional takes is not known here: each counts as if it were taken, which is too often.
        """
        callers: dict[str, list[tuple[str, int | None, bool]]] = collections.defaultdict(list)
        for name, instructions in self.computations.items():
            for instruction in instructions:
                loop = instruction.opcode == "while"
                trips = self._trips(instruction) if loop else 1
                for called in instruction.called:
                    callers[called].append((name, trips, loop))
        runs: dict[str, Runs] = {}

        def count(name: str) -> Runs:
            if name == self.entry:
                return Runs(1, False, True)
            if name not in runs:
                total, in_loop, known = 0, False, True
                for caller, trips, loop in callers[name]:
                    around = count(caller)
                    total += around.count * (trips or 1)
                    if around.count:
                        in_loop |= around.in_loop or loop
                        known &= around.known and trips is not None
                runs[name] = Runs(total, in_loop, known)
            return runs[name]

        return {name: found for name in self.computations if (found := count(name)).count}

    @property
    def running(self) -> Iterator[tuple[int, tuple[Instruction, ...]]]:
        """Runs in a step, and instructions, of every computation that is no part of a single instruction, as fused ones are."""
        within = {
            called
            for instructions in self.computations.values()
            for instruction in instructions
            if instruction.opcode not in ("while", "conditional", "call", "async-start")
            for called in instruction.called
        }
        for name, found in self.runs.items():
            if name not in within:
                yield found.count, self.computations[name]

    def _trips(self, loop: Instruction) -> int | None:
        """Rounds of a loop, or None: as the compiler notes it, else the constant that its condition compares with.

        JAX's scans count from 0 in steps of 1 while they are below their length.
        """
        if found := _TRIPS.search(loop.rest):
            return int(found[1])
        condition = self.computations.get(loop.attribute("condition"), ())
        by_name = {instruction.name: instruction for instruction in condition}
        for instruction in condition:
            if instruction.root and instruction.opcode == "compare" and "direction=LT" in instruction.rest:
                bounds = [by_name[o] for o in instruction.operands if o in by_name and by_name[o].opcode == "constant"]
                numbers = [re.match(r"\s*(\d+)\)", bound.rest) for bound in bounds]
                if len(numbers) == 1 and numbers[0]:
                    return int(numbers[0][1])
        return None


def read(text: str) -> Program:
    """The program of a compiled function's `as_text()`.

    Raises:
      ValueError: the text is no compiled program.
    """
    computations: dict[str, tuple[Instruction, ...]] = {}
    entry, name = "", ""
    current: list[Instruction] = []
    for line in text.splitlines():
        if header := _HEADER.match(line):
            current, name = [], header[2]
            entry = name if header[1] else entry
        elif line.startswith("}"):
            computations[name] = tuple(current)
        elif named := _NAMED.match(line):
            current.append(_instruction(named, _COMMENT.sub("", line[named.end() :])))
    if not entry:
        raise ValueError("hlo: expected the text of a compiled program, with a computation ENTRY; give compiled.as_text().")
    sizes = [int(n) for n in re.findall(r"(?:num_partitions|replica_count)=(\d+)", text[: text.find("\n")])]
    return Program(computations, entry, math.prod(sizes))


def _instruction(named: re.Match, text: str) -> Instruction:
    kind, rest = _closed(text) if text.startswith("(") else text.split(" ", 1)
    opcode, _, rest = rest.strip().partition("(")
    if opcode in ("constant", "parameter"):  # a number stands in the parentheses
        return Instruction(named[2], _arrays(kind), opcode, (), rest, bool(named[1]))
    operands, rest = _closed("(" + rest)
    return Instruction(named[2], _arrays(kind), opcode, tuple(_OPERAND.findall(operands)), rest, bool(named[1]))


def _arrays(text: str) -> tuple[Array, ...]:
    found = []
    for dtype, shape, layout in _ARRAY.findall(text):
        sides = tuple(int(side.lstrip("<=")) for side in shape.split(",") if side)
        found.append(Array(dtype, sides, re.search(r"S\([1-9]", layout) is not None, _padded(sides, layout)))
    return tuple(found)


def _padded(sides: tuple[int, ...], layout: str) -> tuple[int, ...]:
    """Sides filled up to the first tile of a layout such as `{2,1,0:T(8,128)(2,1)}`, fastest axis first."""
    tile = re.match(r"\{([\d,]*):T\(([\d,]+)\)", layout)
    if not tile:
        return sides
    padded = list(sides)
    for axis, side in zip(tile[1].split(","), reversed(tile[2].split(",")), strict=False):
        if axis:
            padded[int(axis)] = -(-padded[int(axis)] // int(side)) * int(side)
    return tuple(padded)


def _closed(text: str) -> tuple[str, str]:
    """A text in parentheses, and what follows it."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return text[: place + 1], text[place + 1 :]
    return text, ""
