"""Bytes that a compiled program moves between HBM and the chip in a step, counted from its text.

XLA's own count, `cost_analysis()["bytes accessed"]`, takes the body of a loop once and arrays without the padding of tiles.
This one takes every round of a loop, whole tiles, and leaves out what stays in fast memory on the chip. As there, an
instruction reads its operands and writes its results once, and only the part of an array that is sliced or updated counts. A
Pallas kernel counts with the bytes of its `pl.CostEstimate`, or else with its operands and results, so that what it reads again
and again is missing.
"""

import re

from spectral_jax.measure.pod.hlo import Instruction, Program

# Instructions that move nothing themselves.
_STILL = (
    "parameter", "constant", "tuple", "get-tuple-element", "bitcast", "while", "conditional", "call", "after-all",
    "partition-id", "replica-id", "iota", "async-start", "async-update", "opt-barrier", "domain",
)  # fmt: skip
_STILL_CALLS = ("AllocateBuffer", "ConcatBitcast", "Sharding", "AssumeGatherIndicesInBound")
_SLICES = ("dynamic-slice", "slice", "gather")
_ESTIMATE = re.compile(r'"cost_estimate":\{[^}]*"bytes_accessed":"([1-9]\d*)"')
_CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
_ALIASES = ("bitcast", "get-tuple-element")


def step_bytes(program: Program) -> int:
    """Bytes to and from HBM of one step on one chip."""
    total = 0
    for runs, instructions in program.running:
        by_name = {instruction.name: instruction for instruction in instructions}
        total += runs * sum(_moved(program, one, by_name) for one in instructions)
    return total


def step_cycles(program: Program) -> int:
    """Cycles of one step on one chip as XLA for TPU estimates them for itself; 0 where it notes none.

    It knows layouts and registers, which bytes and FLOPs do not show. Pallas kernels, collectives and what is fetched ahead are
    not in it.
    """
    found = ((runs, _CYCLES.search(one.rest)) for runs, instructions in program.running for one in instructions)
    return sum(runs * int(cycles[1]) for runs, cycles in found if cycles)


def _moved(program: Program, one: Instruction, by_name: dict[str, Instruction]) -> int:
    if one.opcode in _STILL or one.opcode.endswith("-done") or any(f'"{call}"' in one.rest for call in _STILL_CALLS):
        return 0
    operands = [by_name[name] for name in one.operands if name in by_name]
    taken = [sum(a.hbm_bytes for a in operand.arrays) for operand in operands]
    given = [a.hbm_bytes for a in one.arrays]
    if one.opcode == "custom-call" and (estimate := _ESTIMATE.search(one.rest)):
        return int(estimate[1])
    if one.opcode == "copy-start":  # gives target, source and a mark
        return given[0] + given[1]
    if one.opcode == "slice-start":  # gives its operand, the slice and a mark; no more than the slice is read
        return min(given[0], one.arrays[1].tiled_bytes) + given[1]
    if one.opcode in _SLICES:
        return sum(given) + (min(sum(given) or _tiled(one), taken[0]) if taken else 0)
    if one.opcode == "dynamic-update-slice":
        return taken[1] + min(_tiled(operands[1]), given[0])
    if one.opcode == "fusion":
        inside = program.computations[one.called[0]]
        reads = [min(size, _read(program, inside, place)) for place, size in enumerate(taken)]
        writes = [min(size, written) for size, written in zip(given, _written(program, inside), strict=False)]
        return sum(reads) + sum(writes)
    if one.opcode.endswith("-start"):  # a collective reads its operands and writes as much as its results
        return sum(taken) + max(0, sum(given) - sum(taken))
    return sum(taken) + sum(given)


def _read(program: Program, inside: tuple[Instruction, ...], place: int) -> int:
    """Bytes that a fused computation reads of its parameter number `place`."""
    parameter = next(one for one in inside if one.opcode == "parameter" and one.rest.startswith(f"{place})"))
    return _read_of(program, inside, parameter)


def _read_of(program: Program, inside: tuple[Instruction, ...], source: Instruction) -> int:
    whole, total = _tiled(source), 0
    for user in inside:
        for place, name in enumerate(user.operands):
            if name != source.name:
                continue
            if user.opcode in _SLICES and place == 0:
                total += _tiled(user)
            elif user.opcode == "dynamic-update-slice" and place == 0:
                continue
            elif user.opcode in _ALIASES:
                total += _read_of(program, inside, user)
            elif user.opcode == "fusion":
                total += _read(program, program.computations[user.called[0]], place)
            else:
                return whole
    return min(whole, total)


def _written(program: Program, inside: tuple[Instruction, ...]) -> list[int]:
    """Bytes that a fused computation writes of each of its results."""
    by_name = {instruction.name: instruction for instruction in inside}

    def of(one: Instruction) -> list[int]:
        if one.opcode == "tuple":
            return [size for name in one.operands for size in of(by_name[name])]
        if one.opcode == "dynamic-update-slice" and one.operands[1] in by_name:
            return [_tiled(by_name[one.operands[1]])]
        if one.opcode == "bitcast" and one.operands[0] in by_name:
            return of(by_name[one.operands[0]])
        if one.opcode == "fusion":
            return _written(program, program.computations[one.called[0]])
        return [array.tiled_bytes for array in one.arrays]

    return of(next(one for one in inside if one.root))


def _tiled(one: Instruction) -> int:
    return sum(array.tiled_bytes for array in one.arrays)
