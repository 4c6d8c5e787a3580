"""Predictions of a gridded product as a GeoTIFF and a picture: concentration, its interval, and where not to trust either."""

from pathlib import Path

import numpy as np

from spectral_jax.microcystin.maps import grid
from spectral_jax.microcystin.maps.grid import MapPrediction
from spectral_jax.microcystin.metrics import log10_label
from spectral_jax.pages import style
from spectral_jax.sentences import needs

__all__ = ["MapPrediction", "write_geotiff", "write_png"]
# Field of `MapPrediction` -> unit of its band, in the order of the file.
BANDS = {
    "mc_now": "ug/L", "lower": "ug/L", "upper": "ug/L", "p_exceed_1_6": "1", "p_exceed_8": "1", "outside": "1",
    "mc_ahead": "ug/L", "ahead_lower": "ug/L", "ahead_upper": "ug/L",
}  # fmt: skip
DESCRIPTIONS = {
    "mc_now": "mc_now: particulate microcystin", "lower": "mc_now_lower: lower end of its 90 % interval",
    "upper": "mc_now_upper: upper end of its 90 % interval",
    "p_exceed_1_6": "p_exceed_1_6: probability that mc_now exceeds 1.6 ug/L",
    "p_exceed_8": "p_exceed_8: probability that mc_now exceeds 8 ug/L",
    "outside": "outside_training_range: 1 where the spectrum is outside the range of the training spectra",
    "mc_ahead": "mc_ahead: particulate microcystin 8 days ahead",
    "ahead_lower": "mc_ahead_lower: lower end of its 90 % interval",
    "ahead_upper": "mc_ahead_upper: upper end of its 90 % interval",
}  # fmt: skip
# One colour scale for every map, so that maps of two days compare: from the detection limit to past the upper threshold.
CONCENTRATION_UG_L = (0.1, 30.0)
WIDTH_LOG10 = (0.0, 2.0)
NO_DATA, OUTSIDE = "#e4e4e4", "#6e6e6e"
PANEL_IN = 4.3


def write_geotiff(path: Path, prediction: MapPrediction) -> str:
    """Writes a GeoTIFF in degrees (EPSG:4326), north up, float32, NaN where there is no prediction.

    Bands are named and carry their unit; `outside` is 1, 0, or NaN where there is no prediction. Tags say whether the numbers
    come from simulated data, from which model, when the image was taken, and how the grid was made: a swath is put on a
    regular grid by nearest neighbour (`maps.grid.gridded`).

    Returns:
      A sentence about what was written.

    Raises:
      ImportError: rasterio is not installed.
      ValueError: the grid cannot be mapped; see `maps.grid`.
    """
    with needs("rasterio", "geo", "writing a GeoTIFF"):
        import rasterio
    mapped, how = grid.north_up(prediction)
    step_lon, step_lat = grid.steps(mapped)
    valid = np.isfinite(mapped.mc_now)
    fields = [name for name in BANDS if getattr(mapped, name) is not None]
    pixels = [np.where(valid, mapped.outside, np.nan) if name == "outside" else getattr(mapped, name) for name in fields]
    profile = {
        "driver": "GTiff", "dtype": "float32", "nodata": np.nan, "count": len(fields), "crs": "EPSG:4326",
        "height": len(mapped.lat), "width": len(mapped.lon), "compress": "deflate", "predictor": 3,
        # Coordinates are pixel centres, and the file wants the outer corner of the first pixel.
        "transform": rasterio.Affine(step_lon, 0.0, mapped.lon[0] - step_lon / 2, 0.0, -step_lat, mapped.lat[0] + step_lat / 2),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.write(np.stack(pixels).astype(np.float32))
        file.descriptions = [DESCRIPTIONS[name] for name in fields]
        file.units = [BANDS[name] for name in fields]
        file.update_tags(
            simulated="true" if mapped.simulated else "false", model=mapped.model, time=mapped.time, grid=how, interval="90 %",
            detection_limit_ug_l="0.1",
        )  # fmt: skip
    return f"{path}: {len(fields)} bands of {valid.shape[0]} x {valid.shape[1]} pixels; {_counts(mapped)} {how}"


def write_png(path: Path, prediction: MapPrediction, title: str) -> str:
    """Draws concentration, width of the 90 % interval, and probability of exceeding 1.6 ug/L side by side.

    Pixels outside the training range are hatched, those without prediction light grey. Where the prediction has 8 days ahead,
    a second row shows its concentration and interval. The width counts what lies below the detection limit as the limit, as
    `width_90_log10` of the report does.

    Returns:
      A sentence about what was drawn.

    Raises:
      ImportError: matplotlib is not installed.
      ValueError: the grid cannot be mapped; see `maps.grid`.
    """
    mapped, how = grid.north_up(prediction)
    rows: list[tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]] = [
        ("", mapped.mc_now, mapped.lower, mapped.upper, mapped.p_exceed_1_6)
    ]
    if mapped.mc_ahead is not None and mapped.ahead_lower is not None and mapped.ahead_upper is not None:  # all or none
        rows.append((", 8 days ahead", mapped.mc_ahead, mapped.ahead_lower, mapped.ahead_upper, None))
    shape = np.ptp(mapped.lat) / (np.ptp(mapped.lon) * np.cos(np.deg2rad(mapped.lat.mean())))
    height = float(np.clip((PANEL_IN - 0.7) * shape, 1.5, 7.5))
    figure = style.new_figure(3 * PANEL_IN, len(rows) * (height + 1.35) + 1.0)
    simulated = "SIMULATED DATA. " if mapped.simulated else ""
    about = ", ".join(
        text
        for text in (mapped.model and f"model {mapped.model}", mapped.time, how if prediction.lat.ndim == 2 else "")
        if text
    )
    figure.suptitle(
        f"{simulated}{title}" + (f"\n{about}" if about else ""), fontsize=13, color="#b00020" if simulated else "#1a1a1a",
        weight="bold" if simulated else "normal", parse_math=False,
    )  # fmt: skip
    for axes, (name, value, lower, upper, probability) in zip(figure.subplots(len(rows), 3, squeeze=False), rows, strict=True):
        _concentration(figure, axes[0], mapped, value, f"microcystin{name}")
        _panel(
            figure, axes[1], mapped, log10_label(upper) - log10_label(lower), f"width of the 90 % interval{name}", "YlGnBu",
            WIDTH_LOG10, "log10 of upper / lower end (below 0.1 counts as 0.1)", "max",
        )  # fmt: skip
        if probability is None:
            axes[2].set_axis_off()
        else:
            where = f"probability of exceeding 1.6 µg/L{name}"
            _panel(figure, axes[2], mapped, probability, where, "magma_r", (0.0, 1.0), "probability", "neither")
    figure.legend(handles=_legend(mapped), loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    figure.savefig(path, dpi=130)
    return f"{path}: {_counts(mapped)} {how}"


def _counts(mapped: MapPrediction) -> str:
    valid = np.isfinite(mapped.mc_now)
    simulated = " The numbers come from SIMULATED data." if mapped.simulated else ""
    return f"{valid.sum()} pixels predicted, {(mapped.outside & valid).sum()} of them outside the training range.{simulated}"


def _concentration(figure, axes, mapped: MapPrediction, value: np.ndarray, title: str) -> None:
    from matplotlib.colors import LogNorm

    low, high = CONCENTRATION_UG_L
    shown = np.maximum(value, low / 10)  # a concentration of 0 has no logarithm
    bar = _panel(figure, axes, mapped, shown, title, "viridis", LogNorm(low, high), "µg/L, logarithmic", "both")
    bar.set_ticks([0.1, 0.3, 1.0, 1.6, 3.0, 8.0, 30.0], labels=["0.1", "0.3", "1", "1.6", "3", "8", "30"], minor=False)
    bar.minorticks_off()
    inside = shown[np.isfinite(shown)]
    for threshold, line in zip((1.6, 8.0), _LINES, strict=True):
        if inside.min() < threshold <= inside.max() and min(value.shape) > 1:
            axes.contour(mapped.lon, mapped.lat, np.ma.masked_invalid(shown), [threshold], **line)
        bar.ax.axvline(threshold, color=line["colors"], linewidth=line["linewidths"], linestyle=line["linestyles"])


_LINES: tuple[dict, ...] = (
    {"colors": "black", "linewidths": 1.1, "linestyles": "dashed"},
    {"colors": "#c4007a", "linewidths": 1.6, "linestyles": "solid"},
)


def _panel(figure, axes, mapped: MapPrediction, value: np.ndarray, title: str, colours: str, scale, unit: str, extend: str):
    """One map with its colour bar below; returns the bar."""
    import matplotlib

    step_lon, step_lat = grid.steps(mapped)
    west, north = mapped.lon[0] - step_lon / 2, mapped.lat[0] + step_lat / 2
    east, south = mapped.lon[-1] + step_lon / 2, mapped.lat[-1] - step_lat / 2
    limits = {"vmin": scale[0], "vmax": scale[1]} if isinstance(scale, tuple) else {"norm": scale}
    image = axes.imshow(
        np.ma.masked_invalid(value), extent=(west, east, south, north), origin="upper", interpolation="nearest",
        cmap=matplotlib.colormaps[colours], aspect=1 / np.cos(np.deg2rad((north + south) / 2)), **limits,
    )  # fmt: skip
    axes.set_facecolor(NO_DATA)
    _hatch(axes, mapped, step_lon, step_lat)
    axes.set(xlim=(west, east), ylim=(south, north))
    axes.set_title(title, fontsize=11, loc="left")
    axes.set_xlabel("longitude, °E", fontsize=9)
    axes.set_ylabel("latitude, °N", fontsize=9)
    axes.ticklabel_format(useOffset=False)
    axes.locator_params(axis="x", nbins=5)
    axes.tick_params(labelsize=8)
    bar = figure.colorbar(image, ax=axes, orientation="horizontal", extend=extend, fraction=0.06, pad=0.02, aspect=35)
    bar.set_label(unit, fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return bar


def _hatch(axes, mapped: MapPrediction, step_lon: float, step_lat: float) -> None:
    """Greys and hatches the pixels outside the training range, as one shape, so that the hatching runs on across pixels."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    row, column = np.nonzero(mapped.outside & np.isfinite(mapped.mc_now))
    if not len(row):
        return
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]) / 2 * (step_lon, step_lat)
    centres = np.stack([mapped.lon[column], mapped.lat[row]], axis=1)
    codes = np.tile([Outline.MOVETO, *[Outline.LINETO] * 3, Outline.CLOSEPOLY], len(row))
    shape = Outline((centres[:, None] + corners).reshape(-1, 2), codes)
    axes.add_patch(PathPatch(shape, facecolor=_faded(OUTSIDE), edgecolor="white", hatch="////", linewidth=0.0))


def _faded(colour: str) -> tuple[float, float, float, float]:
    from matplotlib.colors import to_rgba

    return to_rgba(colour, 0.72)


def _legend(mapped: MapPrediction) -> list:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    outside = int((mapped.outside & np.isfinite(mapped.mc_now)).sum())
    lines = [
        Line2D([], [], color=line["colors"], linewidth=line["linewidths"], linestyle=line["linestyles"], label=f"{t:g} µg/L")
        for t, line in zip((1.6, 8.0), _LINES, strict=True)
    ]
    grey = Patch(
        facecolor=_faded(OUTSIDE), edgecolor="white", hatch="////", linewidth=0.0,
        label=f"outside the training range: do not trust ({outside} pixels)",
    )  # fmt: skip
    return [*lines, grey, Patch(facecolor=NO_DATA, edgecolor="#a0a0a0", label="no water seen: land, cloud, flags")]
