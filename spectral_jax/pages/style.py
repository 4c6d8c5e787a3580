"""How figures look: one colour, marker and line a model, safe for colour-blind readers; figures without global state."""

import base64
import io
from collections.abc import Callable, Iterable
from typing import NamedTuple

from spectral_jax.sentences import needs

# Palette of Okabe and Ito (2008), made to be told apart with any common colour blindness; its yellow is too pale for lines.
BLUE, VERMILION, GREEN, PINK, SKY, ORANGE = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"
INK, GREY, PALE = "#1a1a1a", "#6b6b6b", "#d9d9d9"
# The same model has the same colour in every report.
_KNOWN = {
    "ridge": VERMILION, "season": GREEN, "climatology": GREEN, "cubic spline": GREEN, "persistence": PINK,
    "gaussian process": SKY, "random": ORANGE, "untrained": PINK,
}  # fmt: skip
# Names that come and go take these, which no model of `_KNOWN` that is drawn often has.
_SPARE = (ORANGE, SKY, PINK, GREY)
_MARKERS = "sD^vPX*<>"
# What is ours under another name: parts of the same model.
_OURS = ("masked model", "targeted", "frozen probe, targeted")
_LINES = ("-", "--", "-.", ":")
TEXT_PT, SMALL_PT = 9.0, 8.0


class Look(NamedTuple):
    """How one model is drawn."""

    colour: str
    marker: str
    line: str


def looks(names: Iterable[str], ours: str | None) -> dict[str, Look]:
    """A look for every name: ours is blue, a known baseline keeps its colour, and both are solid; others are broken lines."""
    out: dict[str, Look] = {}
    spare = 0
    for name in dict.fromkeys(names):
        colour = BLUE if name in (ours, *_OURS) else _KNOWN.get(name.removeprefix("frozen probe, "))
        first = name in (ours, "masked model", *_KNOWN)
        if colour is None:
            colour, spare = _SPARE[spare % len(_SPARE)], spare + 1
        taken = sum(look.colour == colour for look in out.values())
        line = "-" if first else _LINES[1 + taken % 3]
        out[name] = Look(colour, "o" if name == ours else _MARKERS[len(out) % len(_MARKERS)], line)
    return out


def new_figure(width_in: float, height_in: float, *, simulated: bool = False):
    """An empty matplotlib `Figure` of the Agg kind; simulated data is named on the figure itself, which may be cut out.

    Raises:
      ImportError: matplotlib is not installed.
    """
    with needs("matplotlib", "plot", "drawing figures"):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    figure = Figure(figsize=(width_in, height_in), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    if simulated:
        figure.suptitle("SIMULATED DATA", x=0.99, ha="right", fontsize=SMALL_PT, color="#b00020", weight="bold")
    return figure


def tidy(axes, title: str = "", x: str = "", y: str = "") -> None:
    """Title, axis labels with units, a light grid, and no frame on top and right."""
    if title:
        axes.set_title(title, fontsize=TEXT_PT + 0.5, loc="left", color=INK, weight="bold")
    axes.set_xlabel(x, fontsize=TEXT_PT)
    axes.set_ylabel(y, fontsize=TEXT_PT)
    axes.tick_params(labelsize=SMALL_PT)
    axes.grid(color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def concentration_axis(axes, which: str, low: float, high: float) -> None:
    """Makes the `x` or `y` axis logarithmic in ug/L, with ticks in plain numbers, from `low` to `high`."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    getattr(axes, f"set_{which}scale")("log")
    getattr(axes, f"set_{which}lim")(low, high)
    axis = getattr(axes, f"{which}axis")
    axis.set_major_locator(FixedLocator([v for k in range(-3, 5) for v in (10.0**k, 3 * 10.0**k) if low <= v <= high]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))


def as_svg(draw: Callable) -> str:
    """Calls `draw` for a figure and gives it as the data URI of an SVG; the same figure gives the same text.

    Names come from files, so a dollar sign in them is a dollar sign and no formula.

    Raises:
      ImportError: matplotlib is not installed.
    """
    with needs("matplotlib", "plot", "drawing figures"):
        import matplotlib
    out = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "spectral_jax", "text.parse_math": False}):
        draw().savefig(out, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(out.getvalue()).decode()
