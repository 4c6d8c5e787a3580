"""Figures along the wavelength: what was reconstructed of hidden regions, and which wavelengths drive the prediction."""

import numpy as np

from spectral_jax.microcystin.report.figures import WIDTH_IN
from spectral_jax.microcystin.study.attribution import FEATURES
from spectral_jax.pages.style import BLUE, GREY, INK, SMALL_PT, Look, new_figure, tidy

# Tints of the three known absorption features, and their names where there is little room.
TINTS = ("#cfe8f7", "#d5efd9", "#f9dfd3")
SHORT = ("PC", "Chl a", "red edge")
# A line is not drawn over a gap between bands wider than this, nm (PACE OCI has one from 588 to 613 nm).
GAP_NM = 12.0
# Beside the hidden regions, nm of seen spectrum that the figure shows; a choice.
MARGIN_NM = 30.0


def attribution(part: dict, title: str, *, simulated: bool = False):
    """Importance by wavelength with its 95 % interval; known absorption features are shaded and named."""
    figure = new_figure(WIDTH_IN, 3.6, simulated=simulated)
    axes = figure.subplots()
    nm, mean = (np.array(part[key], float) for key in ("wavelength_nm", "importance"))
    for (_, low, high), tint, name in zip(FEATURES, TINTS, SHORT, strict=True):
        axes.axvspan(low, high, color=tint, zorder=0)
        axes.text(
            (low + high) / 2, 1.01, name, transform=axes.get_xaxis_transform(), ha="center", va="bottom", fontsize=SMALL_PT
        )
    for run in _runs(nm):
        if part.get("low") and part.get("high"):
            low, high = (np.array(part[key], float)[run] for key in ("low", "high"))
            axes.fill_between(nm[run], low, high, color=BLUE, alpha=0.25, linewidth=0)
        axes.plot(nm[run], mean[run], color=BLUE, linewidth=1.7)
    axes.set_ylim(bottom=0.0)
    axes.set_xlim(nm.min() - 3, max(nm.max(), FEATURES[-1][2]) + 3)
    tidy(axes, "", "wavelength, nm", "change of log10 µg/L")
    axes.set_title(title, fontsize=9.5, loc="left", weight="bold", color=INK, pad=17)
    return figure


def reconstruction(
    wavelength_nm: np.ndarray, hidden: np.ndarray, observed: np.ndarray, predicted: dict[str, np.ndarray],
    looks: dict[str, Look], title: str, *, simulated: bool = False,
):  # fmt: skip
    """One spectrum about its hidden regions, and below it by how much each method is off.

    Args:
      wavelength_nm: [C].
      hidden: [C] True where the methods did not see the spectrum.
      observed: [C] Rrs, sr^-1, NaN where missing.
      predicted: method -> [C], sr^-1; drawn where hidden.
      looks: of the methods.
      title: of the figure.
      simulated: named on the figure.
    """
    figure = new_figure(WIDTH_IN, 4.6, simulated=simulated)
    axes, off = figure.subplots(2, 1, height_ratios=(2.2, 1), sharex=True)
    blocks = [part for part in _runs(wavelength_nm, ~hidden) if hidden[part].all()]
    for panel in (axes, off):
        for part in blocks:
            panel.axvspan(wavelength_nm[part[0]], wavelength_nm[part[-1]], color="#ececec", zorder=0)
    for part in _runs(wavelength_nm):
        axes.plot(wavelength_nm[part], 1e3 * observed[part], color=INK, linewidth=1.4)
    axes.plot([], [], color=INK, linewidth=1.4, label="observed")
    off.axhline(0.0, color=INK, linewidth=1.0)
    for name, values in predicted.items():
        look = looks[name]
        style = {"color": look.colour, "linestyle": look.line, "linewidth": 1.5}
        for part in blocks:
            axes.plot(wavelength_nm[part], 1e3 * values[part], **style)
            off.plot(wavelength_nm[part], 1e3 * (values - observed)[part], **style)
        axes.plot([], [], label=name, **style)
    at = wavelength_nm[hidden]
    near = (wavelength_nm >= at.min() - MARGIN_NM) & (wavelength_nm <= at.max() + MARGIN_NM)
    axes.set_xlim(wavelength_nm[near][0] - 2, wavelength_nm[near][-1] + 2)
    shown = 1e3 * np.concatenate([observed[near], *(values[hidden] for values in predicted.values())])
    low, high = np.nanmin(shown), np.nanmax(shown)
    axes.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))
    # The two best methods fill the lower panel; a worse one leaves it, so that their difference is seen.
    largest = sorted(1e3 * np.nanmax(np.abs((values - observed)[hidden])) for values in predicted.values())
    reach = 1.15 * max(largest[min(1, len(largest) - 1)], 1e-6)
    off.set_ylim(-reach, reach)
    tidy(axes, title, "", "Rrs, 10⁻³ sr⁻¹")
    tidy(off, "", "wavelength, nm", "difference")
    off.tick_params(axis="y", colors=GREY)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=4, fontsize=SMALL_PT, frameon=False)
    return figure


def _runs(nm: np.ndarray, split: np.ndarray | None = None) -> list[np.ndarray]:
    """Positions of bands that a line may join: no wide gap between them, and no change of `split`."""
    cut = np.diff(nm) > GAP_NM
    if split is not None:
        cut |= np.diff(split.astype(int)) != 0
    return np.split(np.arange(len(nm)), np.flatnonzero(cut) + 1)
