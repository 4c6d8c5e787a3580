"""Sections of the report that are mostly figures: each takes the report and its predictions, and gives HTML or a sentence."""

import numpy as np

from spectral_jax.microcystin.metrics import THRESHOLDS_UG_L
from spectral_jax.microcystin.report import figures, spectra, words
from spectral_jax.microcystin.report.predictions import Book, OutOfFoldSamples
from spectral_jax.microcystin.report.tables import FEWEST_POSITIVES, compared
from spectral_jax.pages import html
from spectral_jax.pages.html import Words, number
from spectral_jax.pages.style import Look, looks

NO_ROWS = "Left out: out_of_fold.csv holds no predictions of the model with one ISO week left out at a time."
# Spectra shown as examples of a reconstruction; a choice.
MOST_EXAMPLES = 4


def _ours(report: dict, book: Book) -> tuple[str, dict[str, OutOfFoldSamples]]:
    """Name of our model, and target -> its predictions with one week left out at a time, `now` first."""
    ours = words.our_name(report) or ""
    samples = {target: p for (target, split, model), p in book.items() if (split, model) == ("week", ours)}
    return ours, dict(sorted(samples.items(), key=lambda item: item[0] != "now"))


def all_looks(report: dict, book: Book) -> dict[str, Look]:
    """One look a model, the same in every figure."""
    names = [words.our_name(report)]
    for part in ("results", "label_efficiency"):
        names += [row["model"] for row in words.rows_of(report, part, "model")]
    names += [model for _, _, model in book]
    for example in (report.get("reconstruction") or {}).get("examples") or []:
        names += list(example.get("predicted") or {})
    return looks([name for name in names if name], words.our_name(report))


def against_observed(report: dict, book: Book) -> str:
    """Predicted against observed."""
    ours, by_target = _ours(report, book)
    if not by_target:
        return html.absent(NO_ROWS)
    look, simulated = all_looks(report, book), bool(report.get("simulated"))
    drawn = [
        html.figure(
            lambda p=p, t=t: figures.predicted_against_observed(p, look[ours], words.target_name(t), simulated=simulated),
            f"predicted against observed microcystin, {words.target_name(t)}",
            f"{ours}, {words.SPLITS['week']}: {len(p.observed)} samples"
            + (f", predictions averaged over {p.seeds} seeds." if p.seeds > 1 else "."),
        )
        for t, p in by_target.items()
    ]
    return html.grid(drawn) + html.note(
        "Both axes are logarithmic. Open triangles are non-detects: the sample lies somewhere below 0.1 µg/L, and they are "
        "spread inside the grey strip only so that they do not hide each other. Whiskers are 90 % intervals."
    )


def over_time(report: dict, book: Book) -> str:
    """Time series of every station."""
    ours, by_target = _ours(report, book)
    if not by_target:
        return html.absent(NO_ROWS)
    look, simulated = all_looks(report, book), bool(report.get("simulated"))
    colour = look[ours]
    parts = [
        html.note(
            "Black dots: samples; open triangles: non-detects, somewhere below 0.1 µg/L. Blue dashes: predictions, with bars "
            "for the 90 % interval, by a model that has not seen that week. Lines at 1.6 (dashed) and 8 µg/L (dotted). Months "
            "without images are cut out."
        )
    ]
    for target, p in by_target.items():
        date = " (at the date of the image)" if target == "ahead" else ""
        parts.append(html.heading(f"{words.target_name(target)}{date}"))
        highest = 1.5 * max(10.0, p.observed.max(), np.nanmax(np.append(p.upper, 0.0)))
        parts.append(
            html.grid(
                html.figure(
                    lambda p=p, s=s, high=highest: figures.station_series(p, s, p.time, high, colour, simulated=simulated),
                    f"microcystin over time at station {s}, {words.target_name(target)}",
                )
                for s in np.unique(p.station)
            )
        )
    return "".join(parts)


def warnings(report: dict, book: Book) -> str:
    """ROC curves and reliability diagrams at the thresholds."""
    ours, by_target = _ours(report, book)
    if not by_target:
        return html.absent(NO_ROWS)
    look, simulated = all_looks(report, book), bool(report.get("simulated"))
    parts = []
    for target, p in by_target.items():
        name = words.target_name(target)
        for threshold in THRESHOLDS_UG_L:
            above = int((p.observed >= threshold).sum())
            below = len(p.observed) - above
            if min(above, below) < FEWEST_POSITIVES:
                parts.append(
                    html.absent(
                        f"No figures at {threshold:g} µg/L, {name}: {above} of {len(p.observed)} samples reach it, too "
                        f"{'few' if above < below else 'many'} to say how well a warning works."
                    )
                )
                continue
            same = {m: q for (t, s, m), q in book.items() if (t, s) == (target, "week") and _complete(q, threshold)}
            title = f"{threshold:g} µg/L, {name}"
            drawn = [
                html.figure(
                    lambda s=same, h=threshold, t=title: figures.roc_curves(s, look, h, f"ROC, {t}", simulated=simulated),
                    f"ROC curves at {title}",
                    f"{above} of {len(p.observed)} samples reach {threshold:g} µg/L.",
                )
            ] if same else []  # fmt: skip
            if _complete(p, threshold):
                drawn.append(
                    html.figure(
                        lambda p=p, h=threshold, t=title: figures.reliability_diagram(
                            p, look[ours], h, f"reliability, {t}", simulated=simulated
                        ),
                        f"reliability diagram at {title}",
                        f"{ours}: how often it happened, by the probability forecast; below, samples in each bin.",
                    )
                )
            parts.append(html.grid(drawn) if drawn else html.absent(f"No probabilities at {title} in out_of_fold.csv."))
    return "".join(parts)


def _complete(p: OutOfFoldSamples, threshold: float) -> bool:
    return bool(np.isfinite(p.exceedance(threshold)).all())


def efficiency(report: dict, book: Book) -> str:
    """R2 over the share of labels."""
    rows = words.rows_of(report, "label_efficiency", "target", "model", "fraction", "r2_log10")
    if not rows:
        return html.absent("Left out: report.json holds no label-efficiency curve.")
    look, simulated = all_looks(report, book), bool(report.get("simulated"))
    drawn, tables = [], []
    for target in dict.fromkeys(row["target"] for row in rows):
        name = words.target_name(target)
        mine = [row for row in rows if row["target"] == target]
        drawn.append(
            html.figure(
                lambda m=mine, n=name: figures.label_efficiency(m, look, f"fewer labels, {n}", simulated=simulated),
                f"R2 against the share of training labels, {name}",
                f"Bars: deviation over seeds. What lies below R² = {figures.LOWEST_R2:g} is not drawn; the table has it."
                .replace("-", "−"),
            )
        )  # fmt: skip
        shares = sorted({row["fraction"] for row in mine})
        cells = []
        for model in dict.fromkeys(row["model"] for row in mine):
            at = {row["fraction"]: row for row in mine if row["model"] == model}
            cells.append([Words(model), *(number(at[s]["r2_log10"]) if s in at else html.NOTHING for s in shares)])
        tables.append(html.table(("model", *(f"{100 * s:g} %" for s in shares)), cells, f"R² of log10, {name}"))
    return html.grid(drawn) + html.details("The numbers", *tables)


def masking(report: dict, book: Book) -> str:
    """Targeted against random masking."""
    rows = words.rows_of(report, "masking", "target", "baseline", "delta_r2_log10", "low", "high")
    if not rows:
        return html.absent("Left out: report.json holds no comparison of ways of masking.")
    parts = []
    for row in rows:
        if row.get("split", "week") != "week":
            continue
        said = {
            "better": "excludes 0: targeted masking is better",
            "worse": "excludes 0: targeted masking is WORSE",
            "cannot be told apart": "includes 0: no difference is shown",
        }[words.verdict(row)]
        name = words.target_name(row["target"])
        against = f"{row.get('model', 'targeted')} minus {row['baseline']}"
        parts.append(html.paragraph(f"{name[0].upper() + name[1:]}, {against}: {words.interval(row)}. The interval {said}."))
    tables: dict[str, list[dict]] = {}
    for row in rows:
        where = f"{words.target_name(row['target'])}; {words.split_name(row.get('split'))}"
        tables.setdefault(where, []).append(row)
    return "".join([*parts, *(compared(some, where) for where, some in tables.items())])


def reconstruction(report: dict, book: Book) -> str:
    """Hidden regions: numbers by region and method, and examples."""
    part = report.get("reconstruction") or {}
    regions = [r for r in part.get("regions") or [] if r.get("r") or r.get("rmse_sr1")]
    examples = [e for e in part.get("examples") or [] if e.get("observed") and e.get("predicted")]
    parts = [html.paragraph(words.reconstruction_verdict(regions))] if regions else []
    if regions:
        methods = list(dict.fromkeys(m for r in regions for m in (*(r.get("r") or {}), *(r.get("rmse_sr1") or {}))))
        header = ("region", "bands", *(f"r, {m}" for m in methods), *(f"RMSE, {m}, 10⁻⁴ sr⁻¹" for m in methods))
        cells = []
        for region in regions:
            rmse = {m: None if v is None else 1e4 * v for m, v in (region.get("rmse_sr1") or {}).items()}
            cells.append([
                Words(region.get("name") or ""), f"{region.get('bands') or html.NOTHING}",
                *(number((region.get("r") or {}).get(m), 4) for m in methods), *(number(rmse.get(m), 2) for m in methods),
            ])  # fmt: skip
        parts.append(html.table(header, cells))
    looks_of, simulated = all_looks(report, book), bool(report.get("simulated"))
    drawn = [figure for example in examples if (figure := _example(part, example, looks_of, simulated))]
    if drawn:
        parts.append(html.grid(drawn[:MOST_EXAMPLES]))
        parts.append(
            html.note(
                "Grey: hidden from every method. Below each spectrum: predicted minus observed, 10⁻³ sr⁻¹, scaled to "
                "the two best methods; a line that leaves the frame is further off."
            )
        )
    if part.get("note"):
        parts.append(html.note(part["note"]))
    return "".join(parts) or html.absent("Left out: report.json holds no reconstruction of masked regions.")


def _example(part: dict, example: dict, look: dict[str, Look], simulated: bool) -> str | None:
    """One spectrum with its reconstructions; None where bands and numbers do not fit, or nothing hidden was observed."""
    nm, hidden = np.array(part.get("wavelength_nm") or [], float), np.array(part.get("hidden") or [], bool)
    predicted = {name: np.array(v, float) for name, v in example["predicted"].items() if v and len(v) == len(nm)}
    observed = np.array(example["observed"], float)
    if not predicted or not len(nm) == len(hidden) == len(observed) or not np.isfinite(observed[hidden]).any():
        return None
    label = str(example.get("label") or "")
    return html.figure(
        lambda: spectra.reconstruction(nm, hidden, observed, predicted, look, label, simulated=simulated),
        f"reconstructed spectrum, {label}",
    )


def wavelengths(report: dict, book: Book) -> str:
    """Which wavelengths drive the prediction, against known absorption features."""
    parts, simulated = [], bool(report.get("simulated"))
    for target, part in (report.get("attribution") or {}).items():
        if not part or not part.get("wavelength_nm") or not part.get("importance"):
            continue
        name = words.target_name(target)
        features = part.get("features") or []
        cells = [
            (
                Words(f.get("name") or ""), f"{f['low_nm']:g}-{f['high_nm']:g}", number(f.get("mean_importance")),
                number(f.get("ratio_to_rest"), 2),
            )
            for f in features if f.get("low_nm") is not None and f.get("high_nm") is not None
        ]  # fmt: skip
        drawn = html.figure(
            lambda f=part, n=name: spectra.attribution(f, n, simulated=simulated),
            f"importance of wavelengths, {name}",
            "Shaded: phycocyanin absorption (PC), chlorophyll-a red absorption (Chl a), red edge and scattering peak.",
        )
        table = html.table(("feature", "nm", "mean importance", "times the rest"), cells) if cells else ""
        parts.append(f"<div>{html.heading(name)}{drawn}{html.paragraph(words.attribution_verdict(features))}{table}</div>")
    if not parts:
        return html.absent("Left out: report.json holds no attribution.")
    methods = dict.fromkeys(part["method"] for part in report["attribution"].values() if part and part.get("method"))
    said = "".join(f"Importance: {method}. " for method in methods)
    return html.grid(parts) + html.note(
        f"{said}The band about the line is a 95 % interval. Importance says what the model uses, not what makes the toxin."
    )
