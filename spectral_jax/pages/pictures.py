"""Label maps and images as embedded PNGs."""

import base64
import colorsys
import io

import numpy as np

from spectral_jax.means import IGNORED
from spectral_jax.pages.html import absent, escape
from spectral_jax.pages.style import BLUE, GREEN, ORANGE, PINK, SKY, VERMILION
from spectral_jax.sensors import nearest_bands
from spectral_jax.sentences import needs

# Palette of Okabe and Ito (2008) and black, easy to tell apart with any common colour blindness; more classes get hues.
_FIRST = (VERMILION, "#595959", ORANGE, GREEN, PINK, BLUE, SKY, "#F0E442")
NO_LABEL = "#FFFFFF"
# A picture is this wide at least, pixels of the screen: its own pixels are repeated.
WIDTH_PX = 160
# Red, green and blue of a true-colour picture, nm, and the share of pixels that is left to be saturated.
RGB_NM, STRETCH = (665.0, 560.0, 490.0), (2.0, 98.0)


def colours(classes: int) -> list[str]:
    """A colour a class."""
    hues = [colorsys.hsv_to_rgb(k / max(1, classes - len(_FIRST)), 0.6, 0.85) for k in range(classes - len(_FIRST))]
    more = ["#" + "".join(f"{round(255 * x):02X}" for x in rgb) for rgb in hues]
    return [*_FIRST, *more][:classes]


def class_map(index: np.ndarray, classes: int) -> np.ndarray:
    """Class index [H W], -1 where there is none, to uint8 [H W 3]."""
    table = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in [*colours(classes), NO_LABEL]], np.uint8)
    return table[np.where(index == IGNORED, classes, index)]


def true_colour(image: np.ndarray, valid: np.ndarray, centre_nm: np.ndarray) -> np.ndarray:
    """Reflectance [H W C] to uint8 [H W 3], each colour stretched; white where invalid. Three bands if none is visible."""
    bands, _ = nearest_bands(centre_nm, np.array(RGB_NM))
    return stretched(image[..., bands].astype(np.float64), valid)


def stretched(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Numbers [H W K] to uint8 [H W K], each of the K from its low to its high percentile (`STRETCH`); white where invalid."""
    if not valid.any():
        return np.full(values.shape, 255, np.uint8)
    low, high = np.percentile(values[valid], STRETCH, axis=0)
    scaled = np.clip((values - low) / np.maximum(high - low, 1e-9), 0.0, 1.0)
    return np.where(valid[..., None], np.round(255 * np.nan_to_num(scaled)), 255).astype(np.uint8)


def figure(rgb: np.ndarray, alt: str, caption: str) -> str:
    """A picture uint8 [H W 3] as HTML, each pixel a square; a sentence where matplotlib is missing."""
    times = max(1, -(-WIDTH_PX // rgb.shape[1]))
    large = rgb.repeat(times, axis=0).repeat(times, axis=1)
    try:
        uri = "data:image/png;base64," + base64.b64encode(png(large)).decode()
    except ImportError as error:
        return absent(f"Picture left out ({alt}): {error}")
    style = "width:auto;max-width:100%;border:1px solid #d9d9d9;image-rendering:pixelated"
    box = "display:inline-block;vertical-align:top;margin:.3rem .6rem .3rem 0;overflow-wrap:anywhere"
    return (
        f'<figure style="{box};width:{large.shape[1] + 4}px"><img style="{style}" alt="{escape(alt)}" src="{uri}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def legend(names: list[str]) -> str:
    """Colour and name of every class as HTML."""
    swatch = '<span style="display:inline-block;width:1em;height:1em;background:{};border:1px solid #595959"></span> {}'
    cells = [swatch.format(c, escape(n)) for c, n in zip([*colours(len(names)), NO_LABEL], [*names, "no label"], strict=True)]
    return f"<p>{' &nbsp; '.join(cells)}</p>"


def png(rgb: np.ndarray) -> bytes:
    """A PNG file of uint8 [H W 3]; the same pixels give the same file.

    Raises:
      ImportError: matplotlib is not installed.
    """
    with needs("matplotlib", "plot", "drawing pictures"):
        from matplotlib.image import imsave
    file = io.BytesIO()
    imsave(file, rgb, format="png", metadata={"Software": None})  # type: ignore[dict-item]  # None leaves the version out
    return file.getvalue()
