"""What chips send one another in a step: every collective of a compiled program, with its bytes and how often it runs.

After `found = collectives.of(compiled.as_text())` a test says `assert not any(c.in_loop for c in found)`, or
`assert collectives.step_bytes(found, "all-gather") <= 1.2 * bytes_of_weights`.
"""

import collections
import dataclasses
import re
from collections.abc import Iterable

from spectral_jax.measure.pod import hlo

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute", "collective-broadcast")
# How XLA for TPU marks what it sends to the same chip of other slices: which slices, and what for.
_SLICES = re.compile(r'_xla_megascale_target="\{([\d,]+)\}.*?_xla_megascale_transfer_type="(\w+)"')


@dataclasses.dataclass(frozen=True)
class Collective:
    """Collectives that are alike.

    Attributes:
      kind: one of `KINDS`.
      dtype: of the elements, as XLA writes it; several with "+" between.
      bytes: of the whole array, on one chip: what an all-gather gives, what a reduce-scatter takes, what the others take and
        give; of several operands the sum.
      group_size: chips that take part in one; slices, where it is between slices.
      count: how many such there are in the program.
      runs: how often each runs in a step; a loop whose length is not known counts once.
      in_loop: whether it stands in a loop's body.
      runs_known: whether the lengths of all loops around it are known.
      between_slices: whether it goes over the data-centre network, chips of one place in each slice with one another.
    """

    kind: str
    dtype: str
    bytes: int
    group_size: int
    count: int = 1
    runs: int = 1
    in_loop: bool = False
    runs_known: bool = True
    between_slices: bool = False

    @property
    def step_bytes(self) -> int:
        """Bytes of the arrays of all of them in one step."""
        return self.bytes * self.count * self.runs

    @property
    def sent_bytes(self) -> float:
        """Bytes that a chip sends in one step by the ring algorithms (Thakur et al. 2005, sections 4.1 to 4.4).

        With G chips: (G - 1) / G of the array in an all-gather, a reduce-scatter and an all-to-all, twice that in an
        all-reduce, and the array itself in a permutation or a broadcast.
        """
        if self.group_size < 2:
            return 0.0
        share = (self.group_size - 1) / self.group_size
        factors = {"all-reduce": 2 * share, "all-gather": share, "reduce-scatter": share, "all-to-all": share}
        return factors.get(self.kind, 1.0) * self.step_bytes


def of(text: str) -> list[Collective]:
    """The collectives of a compiled program that send anything, those of most bytes a step first.

    An asynchronous one is counted once, however many instructions start it, go along with it and end it; XLA for TPU writes
    the same operation, with one channel, in up to three fusions. An all-reduce of which each chip keeps a slice, in a fusion
    that XLA calls all-reduce-scatter, is a reduce-scatter. For several slices XLA parts a collective into collectives within
    the slices and what each chip sends through its host to the other slices.

    Args:
      text: `compiled.as_text()`.

    Raises:
      ValueError: the text is no compiled program.
    """
    program = hlo.read(text)
    runs, schedule = program.runs, _schedules(program)
    seen: set[tuple] = set()
    counts: collections.Counter[Collective] = collections.Counter()
    for name, instructions in program.computations.items():
        if name not in runs:
            continue
        for instruction in instructions:
            if instruction.opcode == "send" and (slices := _SLICES.search(instruction.rest)):
                counts[_between_slices(instruction, slices, runs[name])] += 1
            kind = instruction.opcode.removesuffix("-start")
            if kind not in KINDS:
                continue
            # Only fusions repeat one. A channel alone does not tell them apart: inside `shard_map` all have the same.
            if name in schedule and (channel := instruction.attribute("channel_id")):
                traced = re.search(r'op_name="[^"]*"', instruction.rest)
                shapes = tuple((array.dtype, array.shape) for array in instruction.arrays)
                key = (schedule[name], kind, channel, shapes, traced and traced[0])
                if key in seen:
                    continue
                seen.add(key)
            if name.startswith("all-reduce-scatter"):
                kind = "reduce-scatter"
            one = _collective(program, instruction, instructions, kind, runs[name])
            if one.group_size > 1:
                counts[one] += 1
    found = [dataclasses.replace(one, count=count) for one, count in counts.items()]
    return sorted(found, key=lambda c: (-c.step_bytes, c.kind, c.dtype, c.group_size))


def step_bytes(found: Iterable[Collective], kind: str) -> int:
    """Bytes of the arrays of all collectives of a kind within slices in one step."""
    return sum(one.step_bytes for one in found if one.kind == kind and not one.between_slices)


def group_size(text: str, devices: int) -> int:
    """How many devices take part in one collective, from its `replica_groups`; all where it names none.

    XLA writes `{{0,1},{2,3}}`, `[2,2]<=[4]`, or axes of a mesh: `mesh['a'=2,'b'=2] {'b'}`, and of a part of an axis
    `{'b':(1)2}`.
    """
    if found := re.search(r"replica_groups=\[(\d+),(\d+)\]", text):
        return int(found[2])
    if found := re.search(r"replica_groups=mesh\[([^]]*)\][^{]*\{([^}]*)\}", text):
        sizes = {axis: int(size) for axis, size in re.findall(r"'([^']+)'=(\d+)", found[1])}
        size = 1
        for axis, part in re.findall(r"'([^']+)'(?::\(\d+\)(\d+))?", found[2]):
            size *= int(part) if part else sizes[axis]
        return size
    if found := re.search(r"replica_groups=\{\{([\d,]*)\}", text):
        return len([device for device in found[1].split(",") if device])
    if "source_target_pairs=" in text:
        return 2
    return devices


def _collective(program: hlo.Program, instruction: hlo.Instruction, around, kind: str, runs: hlo.Runs) -> Collective:
    by_name = {other.name: other for other in around}
    given = [a for a in instruction.arrays if a.bytes]
    taken = [a for name in instruction.operands if name in by_name for a in by_name[name].arrays]
    if instruction.opcode.endswith("-start") and kind != "all-reduce":
        # The start of these gives its operands and its results together; the results stand last, but for marks of u32[].
        given = [a for a in given if a.shape or a.dtype != "u32"]
        given = given[len(given) // 2 :]
    arrays = taken if kind == "reduce-scatter" else given
    dtype = "+".join(sorted({array.dtype for array in arrays}))
    size = sum(array.bytes for array in arrays)
    return Collective(
        kind, dtype, size, group_size(instruction.rest, program.devices),
        runs=runs.count, in_loop=runs.in_loop, runs_known=runs.known,
    )  # fmt: skip


def _between_slices(send: hlo.Instruction, slices: re.Match, runs: hlo.Runs) -> Collective:
    kind = slices[2].lower().replace("_", "-")
    array = send.arrays[0]
    return Collective(
        kind if kind in KINDS else "collective-permute", array.dtype, array.bytes, len(slices[1].split(",")),
        runs=runs.count, in_loop=runs.in_loop, runs_known=runs.known, between_slices=True,
    )  # fmt: skip


def _schedules(program: hlo.Program) -> dict[str, str]:
    """Computation -> the one that is not fused around it, in whose order it runs."""
    fused = {
        called: name
        for name, instructions in program.computations.items()
        for instruction in instructions
        if instruction.opcode == "fusion" or instruction.opcode.startswith("async-")
        for called in instruction.called
    }

    def outermost(name: str) -> str:
        return outermost(fused[name]) if name in fused else name

    return {name: outermost(name) for name in fused}
