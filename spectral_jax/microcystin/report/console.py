"""What a run says on the terminal: its data, each result as it comes, and what was found."""

from pathlib import Path

from spectral_jax.microcystin.report import words


def data_card(about: dict, simulated: bool) -> str:
    """What the data are, in a few sentences.

    Args:
      about: `data` of report.json.
      simulated: whether they are simulated.
    """
    rows, non_detects = about["rows"], about["non_detects"]
    left_out = ", ".join(f"{n} {reason}" for reason, n in about["left_out"].items()) or "none"
    return (
        f"{'SIMULATED match-ups, no observations' if simulated else 'Match-ups of ' + about['source']}: "
        f"{rows['now']} with a sample of now ({non_detects['now']} non-detects), "
        f"{rows['ahead']} with one 8 days ahead ({non_detects['ahead']}); "
        f"{about['weeks']} ISO weeks, {about['stations']} stations, {about['scenes']} scenes. Rows left out: {left_out}."
    )


def result(row: dict) -> str:
    """A row of the results in one line."""
    return (
        f"  {row['target']:<6s} {row['split']:<8s} {row['model']:<38s} R2 {_number(row['r2_log10'])}  "
        f"AUC {_number(row['auc_1_6'])}  coverage {_number(row['coverage_90'])}  n {row['n']}"
    )


def closing(report: dict, workdir: Path, page: Path) -> str:
    """The ensemble beside the best baseline, by target, and what to do next.

    Args:
      report: what report.json holds.
      workdir: of the run.
      page: its report.html.
    """
    lines = [f"\n{'SIMULATED data. ' if report['simulated'] else ''}Leave one ISO week out, log10 of microcystin:"]
    lines += [text for target in words.TARGETS if (text := _found(report, target))]
    return "\n".join([
        *lines, "", "What to do next:", f"  look at    {page}",
        f"  predict    python experiments/finetune_microcystin.py --predict=FILE.npz --checkpoint={workdir} "
        "--out=predictions.csv",
    ])  # fmt: skip


def _found(report: dict, target: str) -> str:
    """The ensemble and the best baseline of one target; empty where either was not tested."""
    rows = words.results(report, target, "week")
    ours = next((r for r in rows if r["kind"] == "ours"), None)
    best = next((r for r in rows if r["kind"] == "baseline" and r["r2_log10"] is not None), None)
    if ours is None or best is None:
        return ""
    pair = words.pair(report, ours, best["model"])
    assert pair is not None  # a run compares the ensemble with every baseline
    return (
        f"  {target}: R2 {ours['r2_log10']:.3f}, 90 % intervals hold {ours['coverage_90']:.1%}; best baseline "
        f"{best['model']} {best['r2_log10']:.3f}, difference {pair['delta_r2_log10']:+.3f} "
        f"({pair['low']:+.3f} to {pair['high']:+.3f})"
    )


def _number(value: float | None) -> str:
    return "  -  " if value is None else f"{value:5.3f}"
