"""Draws the pictures of docs/gallery; what each needs, `gallery` makes."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np


def overview(scene: dict, lake: dict):
    """README's picture: spectra in, the map of their embedding and a map of microcystin out."""
    from matplotlib.colors import LogNorm

    from spectral_jax.pages import pictures, style

    figure = style.new_figure(12.0, 3.3, simulated=True)
    left, photo, middle, right = figure.subplots(1, 4, width_ratios=(1.0, 1.0, 1.0, 1.14))
    reflectance, nm = scene["reflectance"], scene["nm"]
    places = _typical(reflectance, nm)
    gaps = np.flatnonzero(np.diff(nm) > 40.0) + 1  # of water vapour; the lines have them too
    for (name, (row, column)), colour in zip(places.items(), (style.GREEN, style.ORANGE, style.BLUE), strict=True):
        line = np.insert(100 * reflectance[row, column], gaps, np.nan)
        left.plot(np.insert(nm, gaps, np.nan), line, color=colour, linewidth=1.3, label=name)
        for axes, scale in ((photo, 1.0), (middle, len(scene["maps"]) / len(reflectance))):
            axes.plot((column + 0.5) * scale - 0.5, (row + 0.5) * scale - 0.5, "o", markersize=8, markerfacecolor=colour,
                      markeredgecolor="white", markeredgewidth=1.5)  # fmt: skip
    style.tidy(left, "spectra in", "wavelength, nm", "reflectance, %")
    left.set_ylim(0.0, 1.4 * np.nanmax([100 * reflectance[place] for place in places.values()]))  # room for the legend
    left.set_box_aspect(1.0)
    left.legend(loc="upper left", fontsize=style.SMALL_PT, frameon=False)
    photo.imshow(pictures.true_colour(reflectance, np.isfinite(reflectance).all(axis=-1), nm))
    middle.imshow(_components(scene["maps"]))
    for axes, title in ((photo, "from a scene of EnMAP"), (middle, "the embedding out")):
        axes.set_title(title, fontsize=style.TEXT_PT + 0.5, loc="left", color=style.INK, weight="bold")
        axes.set_xlabel(f"{scene['side_m'] / 1000:g} km", fontsize=style.TEXT_PT)
        axes.set(xticks=[], yticks=[])
    b = lake["bounds"]
    image = right.imshow(np.ma.masked_invalid(lake["mc"]), extent=(b.left, b.right, b.bottom, b.top), cmap="viridis",
                         norm=LogNorm(0.1, 30.0), aspect=1 / np.cos(np.deg2rad(b.top)))  # fmt: skip
    right.set_facecolor("#e4e4e4")
    style.tidy(right, "microcystin out", "longitude, °E", "latitude, °N")
    right.grid(False)
    right.locator_params(nbins=4)
    bar = figure.colorbar(image, ax=right, extend="both", fraction=0.05, pad=0.03, format="%g", ticks=(0.1, 0.3, 1, 3, 10, 30))
    bar.set_label("µg/L", fontsize=style.TEXT_PT)
    bar.ax.tick_params(labelsize=style.SMALL_PT)
    return figure


def _typical(reflectance: np.ndarray, nm: np.ndarray) -> dict[str, tuple[int, int]]:
    """A place of plants, one of bare ground and one of open water, whose neighbours are of the same kind."""
    from scipy.ndimage import uniform_filter

    red, near, short = (
        uniform_filter(np.nan_to_num(reflectance[..., np.abs(nm - centre).argmin()]), 5) for centre in (665.0, 865.0, 2200.0)
    )
    green = (near - red) / (near + red + 0.02)
    picks = {
        "plants": np.argmax(green),
        "bare ground": np.argmax(short - green * (short + 0.1)),
        "water": np.argmin(near + short),
    }
    return {name: np.unravel_index(at, red.shape) for name, at in picks.items()}


def _components(maps: np.ndarray) -> np.ndarray:
    """Maps [R Q D] to their first three principal components as red, green and blue [R Q 3], each stretched to 0..1."""
    x = maps.reshape(-1, maps.shape[-1])
    x = x - x.mean(axis=0)
    scores = x @ np.linalg.svd(x, full_matrices=False)[2][:3].T
    low, high = np.percentile(scores, (2, 98), axis=0)
    return np.clip((scores - low) / (high - low), 0.0, 1.0).reshape(*maps.shape[:2], 3)


def curves(run: Path):
    """InfoNCE and effective rank of every level that is trained: what shows that an encoder learns and does not collapse."""
    from spectral_jax.pages import style

    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    step = [row["step"] for row in rows]
    levels = [name.removesuffix("_contrast") for name in rows[0] if name.endswith("_contrast")]
    figure = style.new_figure(10.0, 3.0, simulated=True)
    colours = (style.BLUE, style.VERMILION, style.ORANGE, style.SKY, style.PINK, style.GREY)
    panels = (("InfoNCE between views of a place", "nats", "contrast"), ("effective rank of the vectors", "", "rank"))
    for axes, (title, unit, kind) in zip(figure.subplots(1, 2), panels, strict=True):
        for level, colour in zip(levels, colours, strict=False):
            axes.plot(step, [row[f"{level}_{kind}"] for row in rows], color=colour, linewidth=1.4, label=level)
        style.tidy(axes, title, "step", unit)
        axes.set_ylim(0.0, None)
        axes.legend(fontsize=style.SMALL_PT, frameon=False)
    return figure


def observed_and_predicted(run: Path):
    """The report's figure of this week's microcystin, one ISO week left out at a time."""
    from spectral_jax.microcystin.report import figures, predictions
    from spectral_jax.pages import style

    book = predictions.read(run / "out_of_fold.csv")
    model = json.loads((run / "report.json").read_text())["model"]
    title = "this week's microcystin, one ISO week left out"
    return figures.predicted_against_observed(
        book["now", "week", model], style.looks([model], model)[model], title, simulated=True
    )


# Lines of the comparison that the picture of maps shows, from what needs no encoder to the one trained here.
SHOWN = (
    "image, true colour", "labels", "pixel logistic regression/none", "dofa/none", "spectralearth/none", "terramind/nearest",
    "ours/none",
)  # fmt: skip


def label_maps(run: Path):
    """Images, labels and predictions of the page's first two test samples, each pixel a square."""
    import matplotlib.image
    from matplotlib.patches import Patch

    from spectral_jax.pages import pictures, style
    from spectral_jax.simulate.task import spec

    page = (run / "report.html").read_text(encoding="utf-8")
    # The page shows each picture with its name below.
    found = re.findall(
        r'alt="[^"]*test sample (\d)"[^>]*src="data:image/png;base64,([^"]+)".*?<figcaption>([^<]*)<', page, re.S
    )
    maps = {(int(sample), name): data for sample, data, name in found}
    figure = style.new_figure(11.0, 3.9, simulated=True)
    for row, all_axes in enumerate(figure.subplots(2, len(SHOWN))):
        for axes, name in zip(all_axes, SHOWN, strict=True):
            picture = matplotlib.image.imread(io.BytesIO(base64.b64decode(maps[row + 1, name])))
            axes.imshow(picture, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            if row == 0:
                title = name.replace("pixel ", "").replace("image, ", "").replace("/none", ",\nall bands").replace("/", ",\n")
                axes.set_title(title, fontsize=style.SMALL_PT, color=style.INK)
    names = spec().class_names
    patches = [Patch(color=colour, label=name) for name, colour in zip(names, pictures.colours(len(names)), strict=True)]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(names), fontsize=style.SMALL_PT, frameon=False)
    return figure


def scores(run: Path):
    """Macro IoU of every line of the table: mean over seeds, its 95 % interval, and each seed."""
    from matplotlib.lines import Line2D

    from spectral_jax.pages import style

    each = [r for r in json.loads((run / "results.json").read_text()) if r["metric"] == "iou_macro"]
    rows = [r for r in json.loads((run / "statistics.json").read_text())["rows"] if r["metric"] == "iou_macro"]
    baseline = {r["row"] for r in each if r["weights"] == "none needed"}
    colours = {"no encoder": style.GREY, "encoder, all bands": style.BLUE, "encoder, 12 projected bands": style.VERMILION}
    figure = style.new_figure(7.5, 3.5, simulated=True)
    axes = figure.subplots()
    rows = sorted(rows, key=lambda row: row["mean"])
    for at, row in enumerate(rows):
        kind = "no encoder" if row["row"] in baseline else "encoder, all bands"
        colour = colours[kind if row["adaptation"] == "none" else "encoder, 12 projected bands"]
        axes.plot((row["low"], row["high"]), (at, at), color=colour, linewidth=1.6)
        values = [r["value"] for r in each if r["row"] == row["row"]]
        axes.plot(values, [at] * len(values), "|", color=colour, markersize=7)
        axes.plot(row["mean"], at, "o", color=colour, markersize=6)
    axes.set_yticks(range(len(rows)), [row["row"].removesuffix("/none") for row in rows])
    style.tidy(axes, "a simulated task, encoders of random initialisation", "macro IoU: mean, 95 % interval, each seed")
    handles = [Line2D([], [], color=colour, marker="o", label=kind) for kind, colour in colours.items()]
    axes.legend(handles=handles, loc="lower right", fontsize=style.SMALL_PT, frameon=False)
    return figure
