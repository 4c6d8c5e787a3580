"""A training step on the devices of this machine: seconds to compile and to run it, FLOP/s, and its parts one by one.

Parts are timed alone, each a program of its own: what the compiler fuses across them in a step is not seen, and their sum is
not the step's time. They say where the time goes, not how much of it.
"""

import contextlib
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.profiler import trace

from spectral_jax.batch import Batch, decode
from spectral_jax.config import Config
from spectral_jax.measure import flops, machine
from spectral_jax.model.encoder import branch, projector
from spectral_jax.model.encoder.fuse import Fuse
from spectral_jax.model.encoder.hiera import Stage
from spectral_jax.train import partition, state
from spectral_jax.train.step import update


def step(cfg: Config, batch: Batch, steps: int = 10, trace_to: str | None = None, parts: bool = True) -> dict[str, Any]:
    """Times steps on one batch, the first of which is not counted.

    Args:
      cfg: the run.
      batch: of B locations.
      steps: 2 or more.
      trace_to: folder for a trace of two steps more, in the profiler's format; None: none is written.
      parts: whether parts are timed too.

    Returns:
      JSON-ready: `devices`, `compile_s`, `seconds` of each counted step, `batch`, `flops` a step and `parts`, of `time_parts`;
      `temporary_mib`, what the compiler lays out beside arguments and results, None where it does not say; and `peak_mib`,
      the most that the process had resident while it made the steps.

    Raises:
      ValueError: fewer than 2 steps.
    """
    if steps < 2:
        raise ValueError(f"--batches: expected 2 steps or more, of which the first is not counted, got {steps}.")
    mesh = partition.make_mesh(cfg)
    batch = jax.device_put(batch, partition.batch_sharding(mesh))
    now, key = partition.create_state(cfg, mesh), jax.random.key(0)
    began = time.perf_counter()
    run = partition.place_step(cfg, mesh).lower(now, batch, key).compile()
    out = {"devices": f"{mesh.devices.size} x {jax.devices()[0].device_kind}", "compile_s": time.perf_counter() - began}
    memory = run.memory_analysis()
    temporary = None if memory is None else memory.temp_size_in_bytes / 2**20
    machine.reset_peak()  # compiling took more than the steps do
    seconds = []
    for number in range(steps + (2 if trace_to else 0)):
        with trace(trace_to) if trace_to and number == steps else contextlib.nullcontext():
            began = time.perf_counter()
            now, metrics = run(now, batch, key)
            jax.block_until_ready(metrics)
            seconds.append(time.perf_counter() - began)
    sample = flops.training_sample(cfg, tuple(batch.sensors)).total
    out |= {"temporary_mib": temporary, "peak_mib": machine.memory()["peak_mib"]}
    timed = time_parts(cfg, now, batch) if parts else {}
    return out | {"seconds": seconds[1:steps], "batch": batch.size, "flops": sample * batch.size, "parts": timed}


def time_parts(cfg: Config, now: state.State, batch: Batch, repeats: int = 3) -> dict[str, dict[str, float]]:
    """Times the parts of one global view, forward and backward, each alone; and the optimiser with the teacher.

    Args:
      cfg: the run.
      now: any state of it.
      batch: of B locations; its first sensors are shown, as many as a global view shows.
      repeats: of which the median is taken.

    Returns:
      Part -> `seconds` and model `flops`, 0 for the optimiser.
    """
    keys = tuple(batch.sensors)[: cfg.views.global_sensors]
    counted = flops.view(cfg, keys) * (3 * batch.size)
    out = {}
    for name, (function, arguments, count) in _parts(cfg, now, batch, keys, counted).items():
        run = jax.jit(function).lower(*arguments).compile()
        out[name] = {"seconds": statistics.median(_seconds(run, arguments) for _ in range(repeats)), "flops": count}
    return out


def text(result: Mapping[str, Any]) -> str:
    """The lines to print for a `step`."""
    ordered = sorted(result["seconds"])
    median = statistics.median(ordered)
    lines = [
        f"devices: {result['devices']}; compile {result['compile_s']:.1f} s",
        f"step: min {ordered[0]:.3f} s, median {median:.3f} s, max {ordered[-1]:.3f} s; "
        f"{result['batch'] / median:.1f} samples/s at batch {result['batch']}",
        f"model FLOPs: {result['flops'] / 1e9:.2f} GFLOP a step, {result['flops'] / median / 1e9:.1f} GFLOP/s",
        f"memory: {result['peak_mib']:.0f} MiB resident at most while steps ran; temporaries of a step, as compiled: "
        + ("not told" if result["temporary_mib"] is None else f"{result['temporary_mib']:.0f} MiB"),
    ]
    if result["parts"]:
        lines.append("parts of one global view, forward and backward, each timed alone; their sum is not the time of a step:")
    for name, part in result["parts"].items():
        rate = (
            f"{part['flops'] / 1e9:10.2f} GFLOP {part['flops'] / part['seconds'] / 1e9:8.1f} GFLOP/s" if part["flops"] else ""
        )
        lines.append(f"  {name:22s}{part['seconds']:9.4f} s{rate}")
    return "\n".join(lines)


def _parts(cfg: Config, now: state.State, batch: Batch, keys: tuple[str, ...], counted: flops.Flops):
    """Name -> function, its arguments and its FLOPs; inputs of the later parts are random numbers of the right shape."""
    m, dtype, size = cfg.model, jnp.dtype(cfg.model.dtype), batch.size
    params, windows = now.params["encoder"], (m.grid // m.mask_unit) ** 2
    sensors = [cfg.sensor(key) for key in keys]
    options: dict[str, Any] = dict(mlp_ratio=m.mlp_ratio, dtype=dtype)
    stage1 = Stage(m.width, m.heads, m.depths[0], pool=False, **options)
    stage2 = Stage(2 * m.width, 2 * m.heads, m.depths[1], pool=True, carry=m.carry, **options)
    stage3 = Stage(4 * m.width, 4 * m.heads, m.depths[2], pool=True, whole=True, carry=m.carry, **options)
    names = branch.names(cfg.sensors)
    fuse = Fuse(names, m.fusion_width, m.fusion_heads, dtype, m.carry)
    numbers = branch.numbers(sensors, names)[None]
    decoded = {sensor.key: decode(batch.sensors[sensor.key], sensor.spec) for sensor in sensors}

    def tokenize(params, decoded):
        return [branch.Branch(s, cfg).apply({"params": params[s.branch]}, *decoded[s.key], method="tokens")[0] for s in sensors]

    def stages(params, tokens):
        out = []
        for s, x in zip(sensors, tokens, strict=True):
            x, valid = stage1.apply({"params": params[s.branch]["stage1"]}, x, _valid(x))
            out.append(stage2.apply({"params": params[s.branch]["stage2"]}, x, valid)[0])
        return out

    def random(*shape):
        return jax.random.normal(jax.random.key(0), shape, dtype)

    def fusion(params, x):
        return fuse.apply({"params": params}, x, _valid(x), numbers)

    def shared(params, x):
        return stage3.apply({"params": params}, x, _valid(x))[0]

    local = [random(size, windows, m.mask_unit**2, 1, m.width) for _ in sensors]
    cells = random(size, m.grid**2 // 4, len(keys), m.widths[1])
    fused = random(size, windows, m.mask_unit**2 // 4, 1, m.widths[1])
    embedding = random(1, size, m.widths[2]).astype(jnp.float32)
    pixels, both = _backward(tokenize, 0), (0, 1)
    return {
        "tokenizer": (pixels, (params["branches"], decoded), counted.tokenizer),
        "stages 1 and 2": (_backward(stages, both), (params["branches"], local), counted.stages),
        "fusion": (_backward(fusion, both), (params["fuse"], cells), counted.fusion),
        "stage 3": (_backward(shared, both), (params["stage3"], fused), counted.shared),
        "projector": (
            _backward(lambda p, x: projector.project(p, x, dtype=dtype), both),
            (now.params["projector"], embedding),
            counted.projector,
        ),
        "optimiser and teacher": (_updated(cfg), (now, batch, now.params), 0.0),
    }


def _valid(x: jax.Array) -> jax.Array:
    return jnp.ones(x.shape[:-1], bool)


def _backward(function: Callable, argnums: int | tuple[int, ...]) -> Callable:
    """Value and gradient of the mean square of what a part gives; a sum alone would let the compiler leave out the forward."""

    def value(*arguments):
        return jnp.stack([jnp.mean(x.astype(jnp.float32) ** 2) for x in jax.tree.leaves(function(*arguments))]).sum()

    return jax.value_and_grad(value, argnums)


def _updated(cfg: Config) -> Callable:
    def function(now: state.State, batch: Batch, grads):
        return update(now, batch, jax.random.key(0), cfg, lambda *_: ({}, grads))

    return function


def _seconds(run: Callable, arguments) -> float:
    began = time.perf_counter()
    jax.block_until_ready(run(*arguments))
    return time.perf_counter() - began
