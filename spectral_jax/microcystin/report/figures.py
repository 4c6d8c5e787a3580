"""Figures of predictions and of comparisons, about as wide as a phone shows well; each function returns a `Figure`."""

import numpy as np

from spectral_jax.matchups import DETECTION_LIMIT_UG_L
from spectral_jax.microcystin.metrics import THRESHOLDS_UG_L, auc
from spectral_jax.microcystin.report.predictions import OutOfFoldSamples, reliability, roc
from spectral_jax.pages.style import BLUE, GREY, INK, SMALL_PT, Look, concentration_axis, new_figure, tidy

WIDTH_IN = 4.9
# Concentrations are drawn down to a third of the detection limit; what is below is nobody's knowledge.
LOWEST_UG_L = DETECTION_LIMIT_UG_L / 3
# A time without any image for longer is cut out of the time axis, days; a choice, longer than a month of cloud.
GAP_DAYS = 45
EDGES = np.array([0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0])
# Differences of R2 are drawn within these; a bar that reaches the edge goes on.
DIFFERENCE_RANGE = (-0.5, 1.0)
LOWEST_R2 = -0.5


def predicted_against_observed(samples: OutOfFoldSamples, look: Look, title: str, *, simulated: bool = False):
    """Log axes, ug/L; non-detects at the limit as open triangles, spread to the left; 90 % intervals as whiskers."""
    figure = new_figure(WIDTH_IN, WIDTH_IN, simulated=simulated)
    axes = figure.subplots()
    high = 1.5 * max(10.0, samples.observed.max(), samples.predicted.max())
    limit, seen = DETECTION_LIMIT_UG_L, ~samples.censored
    # Non-detects share one place; a golden-ratio sequence spreads them evenly inside the strip below the limit.
    x = samples.observed.copy()
    spread = (np.arange(samples.censored.sum()) * 0.618034) % 1.0
    x[samples.censored] = limit * (LOWEST_UG_L / limit) ** (0.9 * spread)
    axes.axvspan(LOWEST_UG_L, limit, color="#f1f1f1", zorder=0)
    low = np.maximum(samples.lower, LOWEST_UG_L)
    axes.vlines(x[seen], low[seen], samples.upper[seen], color=look.colour, alpha=0.3, linewidth=1.0, label="90 % interval")
    axes.vlines(x[~seen], low[~seen], samples.upper[~seen], color=look.colour, alpha=0.12, linewidth=0.8)
    axes.plot([LOWEST_UG_L, high], [LOWEST_UG_L, high], color=INK, linewidth=1.0, label="equal")
    for threshold, line in zip(THRESHOLDS_UG_L, ("--", ":"), strict=True):
        axes.axhline(threshold, color=GREY, linestyle=line, linewidth=0.9)
        axes.axvline(threshold, color=GREY, linestyle=line, linewidth=0.9, label=f"{threshold:g} µg/L")
    dots = {"linestyle": "none", "color": look.colour, "markersize": 4.5}
    axes.plot(x[seen], samples.predicted[seen], "o", alpha=0.75, markeredgewidth=0, label=f"detected ({seen.sum()})", **dots)
    name = f"below {limit:g} µg/L ({samples.censored.sum()})"
    axes.plot(x[~seen], samples.predicted[~seen], "^", markerfacecolor="none", markeredgewidth=0.8, label=name, **dots)
    tidy(axes, title, "observed, µg/L", "predicted, µg/L")
    for which in "xy":
        concentration_axis(axes, which, LOWEST_UG_L, high)
    axes.set_aspect("equal")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=3, fontsize=SMALL_PT, frameon=False)
    return figure


def station_series(
    samples: OutOfFoldSamples, station: str, span: np.ndarray, highest_ug_l: float, look: Look, *, simulated: bool = False
):
    """Predictions of one station with 90 % intervals, and the samples, over time.

    Args:
      samples: of all stations; those of `station` are drawn.
      station: its name.
      span: all times of the report, so that stations share their axis; long gaps are cut out of it.
      highest_ug_l: upper end of the axis, shared.
      look: of the model.
      simulated: named on the figure.
    """
    figure = new_figure(WIDTH_IN, 2.3, simulated=simulated)
    here = samples.take(samples.station == station)
    seasons = _seasons(span)
    days = np.array([(b - a) / np.timedelta64(1, "D") for a, b in seasons])
    panels = figure.subplots(1, len(seasons), sharey=True, squeeze=False, width_ratios=np.maximum(days, 0.16 * days.sum()))[0]
    for k, (axes, (start, end)) in enumerate(zip(panels, seasons, strict=True)):
        now = here.take((here.time >= start) & (here.time <= end))
        day = now.time.astype("datetime64[s]").astype(object)
        for threshold, line in zip(THRESHOLDS_UG_L, ("--", ":"), strict=True):
            axes.axhline(threshold, color=GREY, linestyle=line, linewidth=0.8)
        axes.axhspan(LOWEST_UG_L, DETECTION_LIMIT_UG_L, color="#f1f1f1", zorder=0)
        low = np.maximum(now.lower, LOWEST_UG_L)
        axes.vlines(day, low, now.upper, color=look.colour, alpha=0.35, linewidth=3.0)
        axes.plot(day, now.predicted, "_", color=look.colour, markersize=7, markeredgewidth=1.8)
        seen = ~now.censored
        axes.plot(np.array(day)[seen], now.observed[seen], "o", color=INK, markersize=3.6)
        blank = {"color": INK, "markersize": 4.6, "markerfacecolor": "white", "markeredgewidth": 0.9}
        axes.plot(np.array(day)[~seen], now.observed[~seen], "^", **blank)
        tidy(axes, station if k == 0 else "", "", "µg/L" if k == 0 else "")
        concentration_axis(axes, "y", LOWEST_UG_L, highest_ug_l)
        _date_axis(axes, start, end)
        if k:
            axes.spines["left"].set_visible(False)
            axes.tick_params(axis="y", length=0)
    return figure


def _seasons(span: np.ndarray) -> list[tuple[np.datetime64, np.datetime64]]:
    """First and last time of each run of images without a long gap, four days wider on both sides."""
    times = np.unique(span)
    cuts = np.flatnonzero(np.diff(times) > np.timedelta64(GAP_DAYS * 86400, "s"))
    edge = np.timedelta64(4 * 86400, "s")
    parts = np.split(times, cuts + 1)
    return [(part[0] - edge, part[-1] + edge) for part in parts]


def _date_axis(axes, start: np.datetime64, end: np.datetime64) -> None:
    """A tick at the first of each month inside, of every second where there are many; without any, the month's name alone."""
    months = np.arange(start.astype("datetime64[M]"), end.astype("datetime64[M]") + np.timedelta64(1, "M"))
    firsts = months[months.astype("datetime64[s]") >= start]
    firsts = firsts[:: 1 + len(firsts) // 7].astype("datetime64[s]")
    if not len(firsts):
        firsts = np.array([start + (end - start) // 2])
    axes.set_xlim(start.astype(object), end.astype(object))
    axes.set_xticks(firsts.astype(object), [f"{month:%b}" for month in firsts.astype(object)])
    axes.set_xlabel(f"{start.astype(object).year}", fontsize=SMALL_PT)


def roc_curves(
    models: dict[str, OutOfFoldSamples], looks: dict[str, Look], threshold_ug_l: float, title: str, *, simulated=False
):
    """Hit rate over false-alarm rate of each model's probability of exceeding a threshold."""
    figure = new_figure(WIDTH_IN, WIDTH_IN, simulated=simulated)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.9, linestyle=":", label="chance")
    for name, samples in models.items():
        above, probability = samples.observed >= threshold_ug_l, samples.exceedance(threshold_ug_l)
        alarms, hits = roc(above, probability)
        area, look = auc(above, probability), looks[name]
        axes.plot(alarms, hits, color=look.colour, linestyle=look.line, linewidth=1.8, label=f"{name}, area {area:.3f}")
    tidy(axes, title, "false alarms, share of samples below", "hits, share of samples at or above")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.legend(loc="lower right", fontsize=SMALL_PT)
    return figure


def reliability_diagram(samples: OutOfFoldSamples, look: Look, threshold_ug_l: float, title: str, *, simulated: bool = False):
    """Share of samples that exceeded, by the probability forecast, with Wilson 95 % intervals; below it, samples a bin."""
    figure = new_figure(WIDTH_IN, WIDTH_IN * 1.1, simulated=simulated)
    axes, counts = figure.subplots(2, 1, height_ratios=(3.4, 1), sharex=True)
    probability = samples.exceedance(threshold_ug_l)
    bins = reliability(samples.observed >= threshold_ug_l, probability, EDGES)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.9, linestyle=":", label="perfectly reliable")
    reach = np.stack([bins.observed - bins.low, bins.high - bins.observed]).clip(0)
    axes.errorbar(
        bins.forecast, bins.observed, reach, fmt="o", color=look.colour, linewidth=1.4, capsize=3, markersize=5,
        label="samples, 95 % interval",
    )  # fmt: skip
    tidy(axes, title, "", "share of samples that exceeded")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=2, fontsize=SMALL_PT, frameon=False)
    number, _ = np.histogram(probability, EDGES)  # of every bin, the empty ones too
    counts.bar(EDGES[:-1], number, np.diff(EDGES), align="edge", color=look.colour, alpha=0.45, edgecolor="white")
    for left, width, n in zip(EDGES[:-1], np.diff(EDGES), number, strict=True):
        counts.annotate(
            f"{n}", (left + width / 2, n), (0, 1.5), textcoords="offset points", ha="center", va="bottom", fontsize=SMALL_PT
        )
    counts.set_ylim(0, 1.35 * max(number.max(), 1))
    tidy(counts, "", f"forecast probability of {threshold_ug_l:g} µg/L or more", "samples")
    return figure


def label_efficiency(rows: list[dict], looks: dict[str, Look], title: str, *, simulated: bool = False):
    """R2 over the share of training labels that a model was given, with the deviation over seeds."""
    figure = new_figure(WIDTH_IN, 4.2, simulated=simulated)
    axes = figure.subplots()
    labels: dict[float, float | None] = {}
    for k, name in enumerate(dict.fromkeys(row["model"] for row in rows)):
        mine = sorted((row for row in rows if row["model"] == name), key=lambda row: row["fraction"])
        x, y = (np.array([row[key] for row in mine], float) for key in ("fraction", "r2_log10"))
        bar = np.array([row.get("r2_log10_sd") or 0.0 for row in mine])
        look = looks[name]
        # Bars of neighbours stand beside each other.
        axes.errorbar(
            x * 1.025**k, y, bar, color=look.colour, marker=look.marker, linestyle=look.line, linewidth=1.6, markersize=4.5,
            capsize=2, label=name,
        )  # fmt: skip
        labels |= {row["fraction"]: row.get("rows") for row in mine}
    axes.set_xscale("log")
    axes.minorticks_off()
    ticks = sorted(labels)
    axes.set_xticks(ticks, [f"{100 * t:g} %" + (f"\n{labels[t]:.0f}" if labels[t] else "") for t in ticks])
    tidy(axes, title, "share of the training labels, and how many samples", "R² of log10 µg/L")
    low = min(row["r2_log10"] for row in rows)
    axes.set_ylim(max(LOWEST_R2, min(0.0, low - 0.08)), 1.0)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=2, fontsize=SMALL_PT, frameon=False)
    return figure


def differences(rows: list[dict], title: str, *, simulated: bool = False):
    """Difference in R2 to each other model with its 95 % interval; coloured where the interval excludes 0."""
    rows = sorted(rows, key=lambda row: row["delta_r2_log10"], reverse=True)
    figure = new_figure(WIDTH_IN, 1.3 + 0.24 * len(rows), simulated=simulated)
    axes = figure.subplots()
    low, high = DIFFERENCE_RANGE
    axes.axvline(0.0, color=INK, linewidth=1.0)
    for at, row in enumerate(rows):
        colour = GREY if row["low"] <= 0 <= row["high"] else BLUE if row["low"] > 0 else "#D55E00"
        ends = np.clip([row["low"], row["high"]], low, high)
        axes.hlines(at, *ends, color=colour, linewidth=2.2)
        if low <= row["delta_r2_log10"] <= high:
            axes.plot(row["delta_r2_log10"], at, "o", color=colour, markersize=5)
        for end, mark in ((low, "<"), (high, ">")):
            if (row["low"] < end) if end == low else (row["high"] > end):
                axes.plot(end, at, mark, color=colour, markersize=6, clip_on=False)
    axes.set_yticks(range(len(rows)), [row["baseline"] for row in rows])
    least = min(0.0, *(row["low"] for row in rows))
    most = max(0.0, *(row["high"] for row in rows))
    axes.set_xlim(max(low, least - 0.05), min(high, most + 0.05))
    axes.set_ylim(-0.7, len(rows) - 0.3)
    tidy(axes, title, "difference in R² of log10 µg/L, 95 % interval", "")
    axes.title.set_horizontalalignment("left")
    axes.grid(axis="y", visible=False)
    return figure
