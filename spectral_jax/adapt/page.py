"""The page of a comparison of adaptations: one file that opens without a network."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spectral_jax.adapt.fit.prepared import RANDOM
from spectral_jax.adapt.score import tables
from spectral_jax.adapt.words import MOST_COLUMNS
from spectral_jax.pages import html, pictures
from spectral_jax.pages.html import Best, Words, number
from spectral_jax.tasks.spec import TaskSpec

PAGE = "report.html"
PER_CLASS = "iou_per_class/"
NAMES = {
    "iou_macro": "IoU, mean over classes (macro)", "iou_micro": "IoU, all pixels together (micro)",
    "accuracy_overall": "accuracy, overall", "accuracy_mean": "accuracy, mean over classes", "f1_macro": "F1, macro",
    "f1_micro": "F1, micro", "map": "mean average precision", "r2_mean": "R², mean over targets",
    "hyperview_score": "HYPERVIEW score (lower is better)",
}  # fmt: skip
# Metrics, or what their names begin with, of which the lowest is best.
LOWER_IS_BETTER = ("hyperview_score", "rmse_per_target")
Sample = tuple[np.ndarray, np.ndarray, np.ndarray]


def write(
    workdir: Path, report: dict, centre_nm: np.ndarray, shown: Sequence[Sample], maps: dict[str, list], task: TaskSpec
) -> Path:
    """Writes report.html.

    Args:
      workdir: gets it.
      report: what `adapt.run.adapt` returns.
      centre_nm: of the bands of the images [C].
      shown: test samples of the first seed: image [T H W C], valid [T H W], label.
      maps: name of a line -> its predicted classes [H W] of those samples.
      task: for the names of classes.

    Returns:
      Its path.
    """
    sections = {
        "Results": _results(report),
        "Paired comparisons": _comparisons(report),
        "Each class": _classes(report),
        "Labels beside predictions": _maps(centre_nm, shown, maps, task),
        "Coverage of the target's bands": _coverage(report),
        "Leakage of the split": _leakage(report),
        "How it was run": _method(report),
    }
    made = html.page(
        f"Adaptations on {report['task']}", _banner(report), "".join(html.paragraph(t) for t in _headline(report)), sections
    )
    out = Path(workdir) / PAGE
    out.write_text(made, encoding="utf-8")
    return out


def _banner(report: dict) -> str:
    if not report["simulated"]:
        return ""
    return '<div class="banner">SIMULATED DATA<small>No number on this page says anything about the Earth.</small></div>'


def _headline(report: dict) -> list[str]:
    out = list(report["verdict"])
    fresh = [name for name, weights in report["weights"].items() if weights == RANDOM]
    if fresh:
        out.append(
            f"Random initialisation: {', '.join(fresh)} start from random numbers. Their names are those of the architectures; "
            "no published weights were used, and nothing here says how a pretrained encoder would do."
        )
    return out


def _results(report: dict) -> str:
    summary, columns = report["statistics"], report["columns"][:MOST_COLUMNS]
    cells = {(r["row"], r["metric"]): r for r in summary["rows"]}
    best = {
        m: (min if m.startswith(LOWER_IS_BETTER) else max)(
            (r["mean"] for r in summary["rows"] if r["metric"] == m), default=None
        )
        for m in columns
    }
    weights = {r["row"]: r["weights"] for r in report["results"]}
    # One protocol for all rows needs no column.
    about = ("encoder", "adaptation", "protocol") if len(report["how"]) > 1 else ("encoder", "adaptation")
    rows = []
    for row in tables.of(summary, columns[0]):
        line = []
        for metric in columns:
            found = cells.get((row["row"], metric))
            text = tables.spell(found).replace("+-", "±")
            line.append(Best(text) if found and found["mean"] == best[metric] else text)
        interval = html.NOTHING if row["low"] is None else f"{number(row['low'])} to {number(row['high'])}"
        names = [Words(row[k]) for k in about]
        rows.append([*names, *line, interval, str(len(row["seeds"])), Words(weights[row["row"]])])
    head = [*about, *map(_named, columns), f"95 % interval of {columns[0]}", "seeds", "weights"]
    varied = " and the split" if report["split_varies"] else ""
    return html.table(head, rows, f"{report['task']}, test part; {'; '.join(report['how'])}") + html.note(
        f"± is the standard deviation over seeds; a seed changes initial numbers, the order of batches{varied}. results.json "
        "has every metric. Macro IoU leaves out classes that are neither in the labels nor in the predictions of a test part."
    )


def _named(metric: str) -> str:
    """A metric as a heading; of one target its name: `rmse_per_target/severity`."""
    first, _, target = metric.partition("/")
    return f"RMSE, {target} (lower is better)" if first == "rmse_per_target" else NAMES[metric]


def _comparisons(report: dict) -> str:
    metric, found = report["columns"][0], report["statistics"]["comparisons"]
    rows = [
        [Words(c["first"]), Words(c["second"]), number(c["difference"], sign=True),
         f"{number(c['low'], sign=True)} to {number(c['high'], sign=True)}", f"{c['p']:.2g}", str(len(c["seeds"]))]
        for c in found if c["metric"] == metric
    ]  # fmt: skip
    if not rows:
        return html.absent("Left out: at least two rows and two seeds are needed to compare.")
    table = html.table(["first", "second", "first less second", "95 % interval", "p", "seeds"], rows, _named(metric))
    return table + html.note(
        f"Paired t-tests, seed by seed, on the same splits. {len(rows)} comparisons are shown and p is not corrected for that: "
        f"of so many without any difference, {0.05 * len(rows):.1f} would fall below 0.05. Where the split changes with the "
        "seed, its test parts overlap, so intervals are narrower than for new places."
    )


def _classes(report: dict) -> str:
    found = [r for r in report["statistics"]["rows"] if r["metric"].startswith(PER_CLASS)]
    if not found:
        return html.absent("Left out: the task has no class for each pixel.")
    classes = list(dict.fromkeys(r["metric"].removeprefix(PER_CLASS) for r in found))
    cells = {(r["row"], r["metric"]): r for r in found}
    rows = []
    for row in tables.of(report["statistics"], report["columns"][0]):
        line = [tables.spell(cells.get((row["row"], PER_CLASS + one))).replace("+-", "±") for one in classes]
        rows.append([Words(row["row"]), *line])
    return html.table(["row", *classes], rows, "IoU of each class") + html.note(
        "Mean and standard deviation over the seeds whose test part has the class, in labels or predictions."
    )


def _maps(centre_nm: np.ndarray, shown: Sequence[Sample], maps: dict[str, list], task: TaskSpec) -> str:
    if not task.kind.is_map or not shown:
        return html.absent("Left out: the task has no class for each pixel.")
    names = list(task.class_names or map(str, range(task.classes)))
    parts = [pictures.legend(names)]
    for at, (image, valid, label) in enumerate(shown):
        dates = [f"image, true colour{f', date {d + 1}' if len(image) > 1 else ''}" for d in range(len(image))]
        row = [
            *(
                pictures.figure(pictures.true_colour(one, seen, centre_nm), f"test sample {at + 1}", name)
                for one, seen, name in zip(image, valid, dates, strict=True)
            ),
            pictures.figure(pictures.class_map(label, task.classes), f"labels of test sample {at + 1}", "labels"),
        ]
        for name, predicted in maps.items():
            if at < len(predicted):
                drawn = pictures.class_map(predicted[at], task.classes)
                row.append(pictures.figure(drawn, f"{name} on test sample {at + 1}", name))
        parts.append(html.heading(f"test sample {at + 1}") + f"<div>{''.join(row)}</div>")
    return "".join(parts) + html.note("Test samples of the first seed. Encoders predict pixels without a label too.")


def _coverage(report: dict) -> str:
    if not report["coverage"]:
        return html.absent("Left out: no row projects bands.")
    texts = dict.fromkeys(c["text"] for c in report["coverage"].values())
    return "".join(html.code(text) for text in texts) + html.note(
        "Learned projections start from srf (learned_linear), nearest (learned_from_nearest), or close to srf "
        "(wavelength_attention), and keep the same bands."
    )


def _leakage(report: dict) -> str:
    rows = [
        [str(r["seed"]), str(r["train_tiles"]), str(r["test_tiles"]), f"{r['shared_scenes']} of {r['test_scenes']}",
         f"{r['shared_blocks']} of {r['test_blocks']}", _count(r["touching_tiles"]), _count(r["near_tiles"])]
        for r in report["leakage"]
    ]  # fmt: skip
    near = report["leakage"][0]["distance_m"]
    head = ["seed", "training samples", "test samples", "test scenes in training", "test locations in training",
            "test samples that touch training", f"within {near:g} m of training"]  # fmt: skip
    return html.paragraph(report["leakage"][0]["text"]) + html.table(head, rows, "split of every seed")


def _method(report: dict) -> str:
    dates = f" on {report['dates']} dates" if report["dates"] > 1 else ""
    parts = [
        html.paragraph(
            f"{report['bands']} bands of {report['source']}{dates}. All rows have the same splits, seeds and labels; none of "
            "their numbers was chosen on a test part. Bands are standardised by the training part, or by an encoder's own "
            "statistics where it has weights."
        ),
        *(html.paragraph(text) for text in report["protocols"]),
        *(html.paragraph(text) for text in report["notes"]),
        html.table(["row", "weights", "epoch kept, each seed"],
                   [[Words(n), Words(w), Words(", ".join(map(_count, report["best_epochs"].get(n, []))))]
                    for n, w in report["weights"].items()]),
    ]  # fmt: skip
    return "".join(parts) + html.code(report["command"] or "no command was given") + html.note(f"{report['seconds']:.0f} s.")


def _count(value: int | None) -> str:
    return html.NOTHING if value is None else str(value)
