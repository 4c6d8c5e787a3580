"""The report as text, for people."""

import itertools

from spectral_jax.measure.pod import collectives
from spectral_jax.measure.pod.fit import Tried
from spectral_jax.measure.pod.predict import Prediction
from spectral_jax.measure.pod.report import GroupReport, Run

GIB = 2**30


def text(run: Run) -> str:
    """The report for people."""
    lines = [f"{run.config} on {run.slices} x {run.where}: {run.chips} chips. Predicted; nothing ran."]
    for one in run.groups:
        lines += ["", *_group_text(one)]
    lines.append("")
    if run.hours is None:
        lines.append("The run as a whole is not predicted: a group does not fit.")
    else:
        cost = "" if run.dollars is None else f", {run.dollars:,.0f} dollars at {run.price:g} a chip-hour"
        lines.append(
            f"Whole run, {run.samples:,} samples: {run.hours:,.1f} h, {run.chip_hours:,.0f} chip-hours{cost}. This counts the "
            "steps alone: no start, no checkpoints, no waiting for input."
        )
    return "\n".join(lines)


def _group_text(one: GroupReport) -> list[str]:
    c = one.compiled
    lines = [
        f"{one.group} ({', '.join(one.sensors)}), {one.batch_per_chip} samples a chip",
        f"  traced in {c.trace_wall_s:.0f} s ({c.trace_cpu_s:.0f} CPU s), compiled in {c.compile_wall_s:.0f} s "
        f"({c.compile_cpu_s:.0f} CPU s), most host memory {c.host_bytes / GIB:.1f} GiB",
    ]
    if not one.fit.fits:
        needs, missing = one.fit.hbm_bytes / GIB, one.fit.missing_bytes / GIB
        lines.append(
            f"  does not fit: needs {needs:.2f} GiB a chip, {missing:.2f} more than there are; tried, each by compiling:"
        )
        lines += [f"    {_tried_text(tried)}" for tried in one.ways_in]
        return lines
    lines += [
        f"  memory a chip, GiB: {c.hbm_bytes / GIB:.2f} of {(c.hbm_bytes - one.fit.missing_bytes) / GIB:.2f}: arguments "
        f"{c.argument_bytes / GIB:.2f}, temporaries {c.temporary_bytes / GIB:.2f}, results "
        f"{(c.output_bytes - c.alias_bytes) / GIB:.2f}, program {c.program_bytes / GIB:.3f}; {c.hlo_lines:,} lines of HLO",
        f"  moved by a chip in a step, GB: {c.moved_bytes / 1e9:.3g} (XLA's count, loops once: {c.xla_moved_bytes / 1e9:.3g}); "
        f"model TFLOP a sample: {one.flops_per_sample / 1e12:.3g}",
    ]
    assert one.step is not None  # it fits
    if one.estimate_s:
        share = one.step.peak_share * one.step.longest_s / one.estimate_s
        lines.append(
            f"  by the compiler's own estimate {c.estimated_cycles / 1e6:,.0f} million cycles, {1e3 * one.estimate_s:.3g} ms, "
            f"{100 * share:.0f} % of the peak, without Pallas kernels and collectives"
        )
    if c.loops_unknown:
        lines.append(f"  {c.loops_unknown} computations in loops of unknown length count once: the times are too short")
    if one.searched:
        lines.append("  batches tried: " + ", ".join(f"{n} {'fits' if good else 'does not'}" for n, good in one.searched))
    lines.append("  collectives a step      arrays, MB    sent by a chip, MB    how many    of them in loops")
    for kind, between in itertools.product(collectives.KINDS, (False, True)):
        same = [x for x in c.collectives if x.kind == kind and x.between_slices == between]
        if same:
            lines.append(
                f"    {kind + between * ', slices':<20s}{sum(x.step_bytes for x in same) / 1e6:>12.2f}"
                f"{sum(x.sent_bytes for x in same) / 1e6:>22.2f}{sum(x.count for x in same):>12d}"
                f"{sum(x.count for x in same if x.in_loop):>20d}"
            )
    lines.append(
        f"  {'predicted':<26s}{'chips':>7s}{'arithmetic, memory, network, ms':>35s}{'step, ms':>17s}{'samples/s':>12s}"
        f"{'share of peak':>15s}"
    )
    rows = [one.step, *(row for row in one.scaling if row != one.step), *one.gpus]
    return lines + [_row_text(row) for row in rows] + [f"  {_scaling_text(one)}"]


def _row_text(row: Prediction) -> str:
    parts = ", ".join(f"{1e3 * part:.3g}" for part in (row.arithmetic_s, row.memory_s, row.network_s))
    note = "" if row.compiled else "  not compiled"
    step = f"{1e3 * row.shortest_s:.3g}-{1e3 * row.longest_s:.3g}"
    share = f"{100 * row.peak_share:.0f}-{100 * row.most_peak_share:.0f} %"
    return (
        f"    {row.where:<24s}{row.chips:>7d}{parts:>35s}{step:>17s}{row.samples_per_s:>12,.0f}{share:>15s}  {row.binds} "
        f"binds{note}"
    )


def _scaling_text(one: GroupReport) -> str:
    if len(one.scaling) < 2:
        return "weak scaling: one slice, so none"
    first, last = one.scaling[0], one.scaling[-1]
    kept = first.longest_s / last.longest_s
    return f"weak scaling from {first.chips} to {last.chips} chips keeps {100 * kept:.0f} % of the speed a chip"


def _tried_text(tried: Tried) -> str:
    if tried.refused:
        return f"{tried.what}: {tried.refused}"
    left = "fits" if tried.fits else f"does not fit, {tried.missing_bytes / GIB:.2f} GiB too many"
    return f"{tried.what}: {left} ({tried.hbm_bytes / GIB:.2f} GiB)"
