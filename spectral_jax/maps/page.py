"""The picture and the page beside a map, and a small picture of its scene, kept while it is read for something else."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from spectral_jax.ingest.raster import cog
from spectral_jax.maps import components
from spectral_jax.maps.observed import Observed
from spectral_jax.pages import html, pictures
from spectral_jax.pages.html import Words
from spectral_jax.sensors import nearest_bands

# Side of a picture at most, cells or pixels; and of what its components are fitted on. Choice.
MOST_PX, FITTED_PX = 768, 128
# A small map's cells are repeated until the picture is about so wide.
WIDTH_PX = 480
# Bands that are read at once for the picture.
AT_ONCE = 8
# What the facts are called on the page, in its order; the others are left to the tags.
NAMES = {
    "SOURCE_FILE": "scene", "SOURCE_TIME": "seen", "SENSOR": "sensor", "SOURCE_BANDS": "bands found", "ENCODER": "encoder",
    "ENCODER_SHA256": "its numbers (SHA-256, first digits)", "ADAPTATION": "what is done to bands",
    "STATISTICS": "standardised by", "MODEL": "model", "TASK": "task", "PROTOCOL": "protocol", "LEVEL": "level",
    "WINDOWS": "windows", "COMPONENTS": "components", "VALID_SHARE": "share of cells with data",
    "SEAM_RATIO": "seams: steps between cells there, over those elsewhere", "INTERVAL": "interval", "SECONDS": "seconds",
    "PIXELS_PER_SECOND": "pixels of the scene a second", "SOFTWARE": "software",
}  # fmt: skip


class Thumbnail:
    """Every n-th pixel of a scene in the bands of a true-colour picture, or of radar in its first band.

    Attributes:
      observed: the scene, whose reads are seen here.
    """

    def __init__(self, observed: Observed):
        self._read, self._spec = observed.read, observed.spec
        self._step = max(1, -(-max(observed.shape) // MOST_PX))
        self._bands = _shown(observed)
        small = tuple(-(-side // self._step) for side in observed.shape)
        self._pixels = np.full((*small, len(self._bands)), np.nan, np.float32)
        self.observed = dataclasses.replace(observed, read=self._seen)

    def picture(self) -> np.ndarray:
        """Uint8 [h w 3], white where missing or never read."""
        valid: np.ndarray = np.asarray(np.isfinite(self._pixels).all(axis=-1))
        if len(self._bands) == len(pictures.RGB_NM):
            return pictures.true_colour(self._pixels, valid, np.array(pictures.RGB_NM))
        return pictures.stretched(self._pixels, valid).repeat(3, axis=-1)

    def _seen(self, rows: slice, columns: slice) -> np.ndarray:
        pixels, step = self._read(rows, columns), self._step
        top, left = (-(-one.start // step) for one in (rows, columns))  # of the picture
        some = pixels[top * step - rows.start :: step, left * step - columns.start :: step, self._bands]
        self._pixels[top : top + some.shape[0], left : left + some.shape[1]] = some
        return pixels


def _shown(observed: Observed) -> list[int]:
    centre = observed.spec.centre_nm
    if not np.isfinite(centre).all():
        return [0]
    found, _ = nearest_bands(centre, np.array(pictures.RGB_NM))
    return [int(i) for i in found]


def write(
    out: Path,
    title: str,
    facts: Mapping[str, str],
    scene: np.ndarray,
    shown: np.ndarray,
    caption: str,
    command: str = "",
    more: Mapping[str, str] | None = None,
) -> Path:
    """Writes OUT.png, the map alone, and OUT.html, the scene beside it and what both are; returns the page's path.

    Args:
      out: the map.
      title: of the page.
      facts: tags of the map, and more that is known of it.
      scene: uint8 [h w 3].
      shown: the map as a picture, uint8 [h w 3].
      caption: of the map.
      command: how to make it again.
      more: further sections, heading to HTML.

    Raises:
      ImportError: matplotlib is not installed.
      OSError: a file cannot be written.
    """
    picture, made = out.with_suffix(".png"), out.with_suffix(".html")
    times = max(1, WIDTH_PX // shown.shape[1])
    picture.write_bytes(pictures.png(shown.repeat(times, axis=0).repeat(times, axis=1)))
    rows = [[Words(NAMES[name]), Words(facts[name])] for name in NAMES if name in facts]
    sections = {
        "Scene and map": html.grid([
            pictures.figure(scene, "the scene", "The scene; white where data is missing."),
            pictures.figure(shown, "the map", caption),
        ]),
        **(more or {}),
        "What it is": html.table(["", ""], rows),
        "Again": html.code(command) if command else html.absent("It was not made by a command."),
    }  # fmt: skip
    banner = ""
    if facts.get("SIMULATED") == "true":
        banner = '<div class="banner">SIMULATED DATA<small>No number on this page says anything about the Earth.</small></div>'
    made.write_text(html.page(title, banner, html.paragraph(caption), sections), encoding="utf-8")
    return made


def three_colours(path: Path, bands: int) -> tuple[np.ndarray, str]:
    """A map of any numbers as a picture uint8 [h w 3], and a sentence that says what its colours are.

    Up to three bands are red, green and blue as they are; of more, the first three principal components of the picture's
    vectors are.
    """
    if bands <= 3:
        scores = cog.decimated(path, MOST_PX)
        low, high = pictures.STRETCH
        return _coloured(scores), f"Its {bands} bands as colours, each from its {low:g}th to its {high:g}th percentile."
    small = cog.decimated(path, FITTED_PX).reshape(-1, bands)
    axes = components.fit(small[np.isfinite(small).all(axis=-1)], 3)
    scores = np.zeros(0)
    for first in range(0, bands, AT_ONCE):
        some = slice(first, min(first + AT_ONCE, bands))
        values = cog.decimated(path, MOST_PX, tuple(range(some.start + 1, some.stop + 1)))
        part = (values - axes.mean[some].reshape(1, 1, -1)) @ axes.axes[some]
        scores = part if not first else scores + part
    shares = ", ".join(f"{100 * share:.0f} %" for share in axes.share)
    return _coloured(scores), (
        f"Three principal components of its {bands} bands as red, green and blue ({shares} of the variance of the picture); "
        "like colours are like embeddings, and no colour has a meaning of its own."
    )


def _coloured(scores: np.ndarray) -> np.ndarray:
    """Numbers [h w K], K to 3, as colours; white where there are none."""
    if scores.shape[-1] < 3:
        scores = scores[..., [0, scores.shape[-1] // 2, scores.shape[-1] - 1]]
    return pictures.stretched(scores, np.isfinite(scores).all(axis=-1))
