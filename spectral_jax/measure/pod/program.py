"""The step of a config compiled for devices, which need not be there, and what the compiler says of it."""

import dataclasses
import math
import re
import resource
import time
from typing import Any

import jax

from spectral_jax.config import Config
from spectral_jax.measure import machine
from spectral_jax.measure.pod import batches, collectives, hlo, traffic
from spectral_jax.measure.pod.collectives import Collective
from spectral_jax.train import partition

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SIZE = r"([\d.]+)([KMGT]?)"
# The two sentences of XLA for TPU (libtpu 0.0.42.1); the second counts temporaries without arguments.
_USED = re.compile(rf"Used {_SIZE} of {_SIZE} hbm")
_TEMPORARIES = re.compile(rf"memory required for HLO temporaries \({_SIZE}\) exceeds available HBM \({_SIZE}\)")


@dataclasses.dataclass(frozen=True)
class Compiled:
    """What is known of a compiled step; bytes are of one chip.

    Attributes:
      fits: whether the compiler took it.
      hbm_bytes: memory it needs: arguments, temporaries, results that are no arguments, and the program itself.
      hbm_usable_bytes: as the compiler states it; 0 where it does not, which is where the program fits.
      argument_bytes: state and batch.
      temporary_bytes: activations and the like.
      output_bytes: the new state and the metrics.
      alias_bytes: results that take the place of arguments.
      program_bytes: of machine code.
      moved_bytes: between HBM and chip in a step, see `traffic`.
      estimated_cycles: of a step, by the compiler's own estimate, without kernels, see `traffic.step_cycles`.
      xla_moved_bytes: XLA's own count, which takes the body of a loop once.
      xla_flops: XLA's own count; neither loops nor Pallas kernels count in full.
      hlo_lines: of the program's text.
      loops_unknown: computations that run in loops whose length is not known, so that they are counted once.
      parameters: numbers in the student.
      gradient_bytes: of its float32 gradients.
      collectives: what chips send one another.
      trace_wall_s: to trace and lower the step.
      trace_cpu_s: the same, processor seconds.
      compile_wall_s: to compile it.
      compile_cpu_s: the same, processor seconds.
      host_bytes: most memory that this process had till then; of the compiler alone only in a process of its own (`child`).
    """

    fits: bool
    hbm_bytes: int
    hbm_usable_bytes: int = 0
    argument_bytes: int = 0
    temporary_bytes: int = 0
    output_bytes: int = 0
    alias_bytes: int = 0
    program_bytes: int = 0
    moved_bytes: int = 0
    estimated_cycles: int = 0
    xla_moved_bytes: float = 0.0
    xla_flops: float = 0.0
    hlo_lines: int = 0
    loops_unknown: int = 0
    parameters: int = 0
    gradient_bytes: int = 0
    collectives: tuple[Collective, ...] = ()
    trace_wall_s: float = 0.0
    trace_cpu_s: float = 0.0
    compile_wall_s: float = 0.0
    compile_cpu_s: float = 0.0
    host_bytes: int = 0


def compile_step(cfg: Config, group: str, devices: list) -> Compiled:
    """Compiles `partition.place_step` for a batch of a group, exactly as the training loop does.

    Args:
      cfg: the run.
      group: of the archive, see `batches.sensors`.
      devices: real ones, or those of a topology.

    Raises:
      ValueError: the mesh or the batch does not divide, see `partition.make_mesh`; or an unknown group.
    """
    mesh = partition.make_mesh(cfg, devices)
    state = partition.abstract_state(cfg, mesh)
    batch = batches.abstract(cfg, group, partition.batch_sharding(mesh))
    key = jax.eval_shape(jax.random.key, 0)
    key = jax.ShapeDtypeStruct(key.shape, key.dtype, sharding=state.step.sharding)  # whole on every device
    numbers = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(state.params))
    before = _now()
    lowered = partition.place_step(cfg, mesh).lower(state, batch, key)
    traced = _now()
    known: dict[str, Any] = {"trace_wall_s": traced[0] - before[0], "trace_cpu_s": traced[1] - before[1]}
    known |= {"parameters": numbers, "gradient_bytes": 4 * numbers}
    try:
        compiled = lowered.compile()
    except jax.errors.JaxRuntimeError as error:
        sizes = too_large(str(error), held := _held((state, batch)))
        if sizes is None:
            raise
        return Compiled(False, *sizes, argument_bytes=held, **known | _spent(traced))
    known |= _spent(traced)
    memory, costs, text = compiled.memory_analysis(), compiled.cost_analysis(), compiled.as_text()
    program = hlo.read(text)
    needed = (
        memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes + memory.temp_size_in_bytes
    )
    return Compiled(
        True,
        needed + memory.generated_code_size_in_bytes,
        argument_bytes=memory.argument_size_in_bytes,
        temporary_bytes=memory.temp_size_in_bytes,
        output_bytes=memory.output_size_in_bytes,
        alias_bytes=memory.alias_size_in_bytes,
        program_bytes=memory.generated_code_size_in_bytes,
        moved_bytes=traffic.step_bytes(program),
        estimated_cycles=traffic.step_cycles(program),
        xla_moved_bytes=costs.get("bytes accessed", 0.0),
        xla_flops=costs.get("flops", 0.0),
        hlo_lines=text.count("\n"),
        loops_unknown=sum(not runs.known for runs in program.runs.values()),
        collectives=tuple(collectives.of(text)),
        **known,
    )


def too_large(text: str, argument_bytes: int) -> tuple[int, int] | None:
    """Bytes that a program needs and bytes that there are, from XLA's message when it does not fit; None for others.

    Args:
      text: the message.
      argument_bytes: of a chip, added where the message leaves them out.
    """
    found = _USED.search(text) or _TEMPORARIES.search(text)
    if not found:
        return None
    more = argument_bytes if found.re is _TEMPORARIES else 0
    return _bytes(found[1], found[2]) + more, _bytes(found[3], found[4])


def _held(tree) -> int:
    """Bytes of a chip's share of the leaves, without padding."""
    leaves = jax.tree.leaves(tree)
    return sum(math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize for leaf in leaves)


def _bytes(number: str, unit: str) -> int:
    return round(float(number) * _UNITS[unit])


def _now() -> tuple[float, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.monotonic(), used.ru_utime + used.ru_stime


def _spent(since: tuple[float, float]) -> dict[str, Any]:
    wall, cpu = _now()
    # `ru_maxrss` would begin with the memory of the process that started this one.
    peak = round(machine.memory()["peak_mib"] * 2**20)
    return {"compile_wall_s": wall - since[0], "compile_cpu_s": cpu - since[1], "host_bytes": peak}
