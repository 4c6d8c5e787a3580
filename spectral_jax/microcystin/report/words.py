"""Sentences that the report computes from its numbers: what was found, in plain words, and no more than was found."""

from spectral_jax.pages.html import number, percent

TARGETS = {"now": "this week", "ahead": "8 days ahead"}
TARGETS_LONG = {
    "now": "microcystin of this week (a sample within 2 days of the image)",
    "ahead": "microcystin 8 days ahead (a sample 6 to 10 days after the image)",
}
SPLITS = {
    "week": "one ISO week left out at a time",
    "station": "one station left out at a time",
    "random": "five random parts: OPTIMISTIC",
}
WHY_OPTIMISTIC = (
    "A random split is optimistic: neighbours of a test sample, a day or a bay away, stand in training. It is shown because "
    "others report it, not as what to expect of new weeks."
)
NO_PROOF = (
    "A high r by itself proves nothing here: neighbouring bands are nearly copies of each other, and a linear reconstruction "
    "reaches it too."
)


def target_name(target: str | None) -> str:
    """What a target is called in a sentence: an unknown one as it is, nothing as nothing."""
    return TARGETS.get(target or "", target or "")


def split_name(split: str | None) -> str:
    """As `target_name`, of a split."""
    return SPLITS.get(split or "", split or "")


def rows_of(report: dict, name: str, *needed: str) -> list[dict]:
    """The rows of a list in the report that have all the numbers needed."""
    return [row for row in report.get(name) or [] if all(row.get(key) is not None for key in needed)]


def our_name(report: dict) -> str | None:
    """Name of the package's own model among the results."""
    named = (row.get("model") for row in report.get("results") or [] if row.get("kind") == "ours")
    return report.get("model") or next(named, None)


def targets(report: dict) -> list[str]:
    """Targets that have results, `now` first."""
    names = dict.fromkeys(row["target"] for row in rows_of(report, "results", "target", "split", "model"))
    return sorted(names, key=lambda target: (list(TARGETS).index(target) if target in TARGETS else 99, target))


def splits(report: dict, target: str) -> list[str]:
    """Splits of a target's results, the honest default first and the optimistic one last."""
    names = dict.fromkeys(r["split"] for r in rows_of(report, "results", "target", "split", "model") if r["target"] == target)
    return sorted(names, key=lambda split: list(SPLITS).index(split) if split in SPLITS else 1)


def results(report: dict, target: str, split: str) -> list[dict]:
    """Results of a target and a split, best R2 first, those without R2 last."""
    rows = [r for r in rows_of(report, "results", "target", "split", "model") if (r["target"], r["split"]) == (target, split)]
    return sorted(rows, key=lambda row: -row["r2_log10"] if row.get("r2_log10") is not None else float("inf"))


def pair(report: dict, row: dict, baseline: str) -> dict | None:
    """The comparison, on left-out weeks, of a row of the results with a baseline; None where there is none."""
    wanted = (row["target"], "week", row["model"], baseline)
    rows = rows_of(report, "comparisons", "delta_r2_log10", "low", "high")
    return next((r for r in rows if tuple(r.get(key) for key in ("target", "split", "model", "baseline")) == wanted), None)


def verdict(row: dict) -> str:
    """What a difference's interval says."""
    if row["low"] > 0:
        return "better"
    return "worse" if row["high"] < 0 else "cannot be told apart"


def interval(row: dict) -> str:
    """A difference with its 95 % interval."""
    low, high = (number(row[key], 3, True) for key in ("low", "high"))
    return f"{number(row['delta_r2_log10'], 3, True)} (95 % interval {low} to {high})"


def headline(report: dict) -> list[str]:
    """Paragraphs of plain sentences: the question, then what was found for each target."""
    out = []
    ours = our_name(report)
    if report.get("simulated"):
        out.append(
            "All numbers here come from SIMULATED data, no observations. They show that the programs work; they say nothing "
            "about any lake."
        )
    out.append(
        "Question: how much of the toxin microcystin in lake water (particulate, in µg/L) can be told from the spectra that a "
        "satellite sees, for weeks that the model has never seen?"
    )
    out += [_found(report, ours, target) for target in targets(report)]
    if not targets(report):
        out.append("report.json holds no results, so nothing can be said.")
    return out


def _found(report: dict, ours: str | None, target: str) -> str:
    name = TARGETS_LONG.get(target, target)
    name = name[0].upper() + name[1:]
    rows = results(report, target, "week")
    mine = next((row for row in rows if row["model"] == ours and row.get("r2_log10") is not None), None)
    if mine is None:
        return f"{name}: the model was not tested with {SPLITS['week']}, so there is no honest number to give."
    r2 = mine["r2_log10"]
    weeks = next((c["weeks"] for c in rows_of(report, "comparisons", "weeks", "target") if c["target"] == target), None)
    text = f"{name}: the model {ours} was tested on {mine.get('n') or 'an unknown number of'} samples"
    text += f" of {weeks} weeks, each" if weeks else ", each"
    text += f" predicted without having seen anything of its week. It reaches R² = {number(r2)} in log10 of the concentration"
    if r2 <= 0:
        text += ", which is no better than always predicting the mean"
    if mine.get("mdsa_percent") is not None:
        factor = 1 + mine["mdsa_percent"] / 100
        text += f"; half of its predictions are within a factor of {number(factor, 2)} of the sample"
    if mine.get("coverage_90") is not None:
        text += f"; its 90 % intervals held {percent(mine['coverage_90'], 1)} of the samples"
        if mine.get("coverage_90_detected") is not None:
            text += f" ({percent(mine['coverage_90_detected'], 1)} of those with toxin detected)"
    return f"{text}. {_against_best(report, mine, rows)}"


def _against_best(report: dict, mine: dict, rows: list[dict]) -> str:
    best = next((row for row in rows if row.get("kind") == "baseline" and row.get("r2_log10") is not None), None)
    if best is None:
        return "It was compared with no baseline, so it is not known whether something simpler does as well."
    text = f"The best baseline, {best['model']}, reaches R² = {number(best['r2_log10'])}."
    difference = pair(report, mine, best["model"])
    if difference is None:
        return f"{text} The two were not compared sample by sample."
    said = {
        "better": "the interval excludes 0: the model beats the best baseline",
        "worse": "the interval excludes 0 on the wrong side: the model is WORSE than the best baseline",
        "cannot be told apart": "the interval includes 0: the model does NOT demonstrably beat the best baseline",
    }[verdict(difference)]
    return f"{text} The difference is {interval(difference)}; {said}."


def attribution_verdict(features: list[dict]) -> str:
    """Whether the known absorption features weigh more than other wavelengths."""
    known = [f for f in features if all(f.get(key) is not None for key in ("name", "low_nm", "high_nm", "ratio_to_rest"))]
    if not known:
        return "No known absorption feature was measured, so agreement cannot be judged."
    weigh = "; ".join(f"{f['name']} ({f['low_nm']:g}-{f['high_nm']:g} nm) {number(f['ratio_to_rest'], 1)} times" for f in known)
    above = sum(f["ratio_to_rest"] > 1 for f in known)
    said = "the prediction hangs on the known features: they agree"
    if above < len(known):
        said = (
            f"only {above} of {len(known)} known features weigh more than the rest: they agree in part"
            if above
            else "the prediction does NOT hang on the known features: they do not agree"
        )
    return f"Compared with all other wavelengths, importance is: {weigh}. So {said}."


def reconstruction_verdict(regions: list[dict], ours: str = "masked model", linear: str = "ridge") -> str:
    """Whether the model reconstructs hidden regions better than a line, from the RMSE by region."""
    pairs = [(r["rmse_sr1"].get(ours), r["rmse_sr1"].get(linear)) for r in regions if r.get("rmse_sr1")]
    pairs = [(a, b) for a, b in pairs if a is not None and b is not None]
    if not pairs:
        return NO_PROOF
    better = sum(a < b for a, b in pairs) or "none"
    return f"{NO_PROOF} In {better} of {len(pairs)} regions the {ours} has a smaller error than {linear}."
