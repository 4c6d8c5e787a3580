"""Figures of a comparison: medians with their range, ratios of interleaved steps, the share of the peak; and their table."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

OURS = "ours"
LABELS = {OURS: "ours", "eager": "torch, eager", "compile": "torch.compile"}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def of_contestant(
    steps: Sequence[Mapping[str, float]], resident_mib: float, samples: int, flops: float, peak: float
) -> dict[str, Any]:
    """What is told of one contestant.

    Args:
      steps: timed ones, each with `cpu_s`, `wall_s`, `peak_mib` (since before the first of them) and `loss`.
      resident_mib: before its first step, at which nothing of the step is compiled.
      samples: of a step.
      flops: model FLOPs of a step.
      peak: FLOP/s that a product of large matrices reaches on one core.

    Returns:
      JSON-ready: `cpu_s`, `wall_s` as of `spread`, `samples_per_s` (by the median wall time), `before_mib`, `peak_mib`,
      `above_mib`, `flops_per_s` (model FLOPs by median CPU seconds), `share_of_peak` and `losses`.
    """
    cpu, wall = (spread([step[name] for step in steps]) for name in ("cpu_s", "wall_s"))
    most = max(step["peak_mib"] for step in steps)
    return {
        "cpu_s": cpu,
        "wall_s": wall,
        "samples_per_s": samples / wall["median"],
        "before_mib": resident_mib,
        "peak_mib": most,
        "above_mib": most - resident_mib,
        "flops_per_s": flops / cpu["median"],
        "share_of_peak": flops / cpu["median"] / peak,
        "losses": [step["loss"] for step in steps],
    }


def ratios(steps: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    """CPU seconds of ours by those of the other with the least median, step by step in turn.

    Args:
      steps: timed ones of every contestant, in the order in which they took turns.

    Returns:
      `to`, the name of the other, and `spread` of the ratios of each turn; below 1 ours is faster.
    """
    cpu = {name: [step["cpu_s"] for step in timed] for name, timed in steps.items()}
    best = min((name for name in cpu if name != OURS), key=lambda name: statistics.median(cpu[name]))
    return {"to": best, **spread([a / b for a, b in zip(cpu[OURS], cpu[best], strict=True)])}


def text(result: Mapping[str, Any]) -> str:
    """The lines to print for one size of `compare.compare`."""
    lines = [
        f"{result['size']}, batch {result['batch']}, {result['threads']} thread{'s' * (result['threads'] > 1)}: "
        f"{result['flops_per_sample'] / 1e9:.1f} GFLOP a sample; a core multiplies matrices at "
        f"{result['peak'] / 1e9:.1f} GFLOP/s",
        f"  {'':14s}{'CPU s a step (range)':>24s}{'wall s':>8s}{'samples/s':>11s}{'GFLOP/s':>9s}{'of peak':>9s}"
        f"{'MiB before':>12s}{'peak':>7s}{'above':>7s}",
    ]
    for name, row in result["contestants"].items():
        cpu = row["cpu_s"]
        lines.append(
            f"  {LABELS[name]:14s}{cpu['median']:10.3f} ({cpu['min']:.3f}-{cpu['max']:.3f}){row['wall_s']['median']:8.3f}"
            f"{row['samples_per_s']:11.2f}{row['flops_per_s'] / 1e9:9.1f}{row['share_of_peak']:9.0%}"
            f"{row['before_mib']:12.0f}{row['peak_mib']:7.0f}{row['above_mib']:7.0f}"
        )
    ratio, equal = result["ratio"], result["equal"]
    lines.append(
        f"  CPU seconds of ours / {LABELS[ratio['to']]}, the faster: {ratio['median']:.2f} "
        f"({ratio['min']:.2f}-{ratio['max']:.2f} in {result['repeats']} turns); below 1 ours is faster"
    )
    lines.append(
        f"  largest relative difference to ours: embeddings {equal['embeddings']:.1e}, norm of the first gradient "
        f"{equal['grad_norms']:.1e}, losses of the first {equal['steps']} steps {equal['losses']:.1e}, of the timed steps "
        f"{result['timed_losses']:.1e}"
    )
    if not result["peak_of_steps_alone"]:
        lines.append(
            "  the kernel does not let a process reset its peak of memory: it may be that of compiling, not of the steps"
        )
    return "\n".join(lines)
