"""From a scene to a map of embeddings: a cloud-optimised GeoTIFF, a quick-look and a page."""

import dataclasses
import time
from pathlib import Path

import numpy as np

from spectral_jax import places
from spectral_jax.ingest.raster import cog
from spectral_jax.ingest.raster.cog import Band, Layout
from spectral_jax.maps import components, embedder, observed, page, provenance, windows
from spectral_jax.maps.components import Components
from spectral_jax.maps.embedder import Embedder
from spectral_jax.maps.observed import Observed
from spectral_jax.maps.thumbnail import Thumbnail
from spectral_jax.maps.windows import Seams, Windows

# Components of a picture.
RGB = 3


@dataclasses.dataclass(frozen=True)
class Choices:
    """What a user may choose of a map.

    Attributes:
      level: of the encoder, of `readout.NAMES`; None: the finest.
      components: principal components that are written; None: all numbers of the level.
      int8: whole numbers of 8 bits with a scale and an offset for each band.
      overlap: share of a window's side that neighbours share; None: see `windows.planned`.
      sensor: key in the encoder's config, or a name of data_specs/sensors; None: found by the bands.
      offset: of Sentinel-2, see `observed.opened`.
      page: whether a quick-look and a page are written beside the map.
    """

    level: str | None = None
    components: int | None = None
    int8: bool = False
    overlap: float | None = None
    sensor: str | None = None
    offset: str | None = None
    page: bool = True


def embed_scene(scene: Path, encoder: str, out: Path, choices: Choices, command: str = "") -> str:
    """Maps a scene.

    Args:
      scene: a GeoTIFF with all bands of a sensor that the encoder takes.
      encoder: a model of the package by name, or a run's folder.
      out: the map; the picture and the page beside it have its name with .png and .html.
      choices: see `Choices`.
      command: how to make it again, for the page.

    Returns:
      A sentence about what was written.

    Raises:
      FileNotFoundError, ValueError, CheckpointError: there is no such scene, encoder, level or sensor; the scene is of another
        kind, smaller than a patch, or holds no data.
      ImportError: rasterio is not installed.
      OSError: `out` cannot be written, or the disk is full.
    """
    out = places.for_file(out, "--out")
    cfg, params = embedder.loaded(encoder)
    started = time.monotonic()
    with observed.opened(scene, cfg, params, choices.sensor, choices.offset) as (whole, known):
        small = Thumbnail(whole)
        seen = small.observed
        made = embedder.of_level(known, choices.level)
        cut = windows.planned(seen, made.cell_px, made.window_px, choices.overlap, made.alone)
        found = windows.sample(seen, cut, made.function) if choices.components else None
        axes = None if found is None else _fitted(found, choices.components or RGB, seen)
        tags = provenance.tags(seen, encoder, known.params["encoder"]) | _tags(made, cut, axes)
        layout = Layout(
            cut.shape,
            seen.crs,
            windows.cells_affine(seen.transform, made.cell_px),
            _bands(made, axes),
            tags=tags,
            int8=choices.int8,
        )
        seams, valid = Seams(cut), 0
        with cog.writing(out, layout) as rows:

            def write(down: slice, across: slice, values: np.ndarray) -> None:
                nonlocal valid
                values = values if axes is None else axes(values)
                valid += int(np.isfinite(values[..., 0]).sum())
                seams.add(down, values)
                rows.write(down, across, values)

            windows.mapped(seen, cut, made.function, write)
            rows.tags = provenance.measured(seams, valid / (cut.shape[0] * cut.shape[1]))
        seconds = time.monotonic() - started
        facts = tags | rows.tags | provenance.pace(seen.shape, seconds)
        if choices.page:
            shown, caption = page.three_colours(out, len(layout.bands))
            page.write(out, f"Embeddings of {scene.name}", facts, small.picture(), shown, caption, command)
    kind = f"{len(layout.bands)} components of the {made.width} numbers" if axes else f"{made.width} numbers"
    simulated = "SIMULATED scene " if seen.simulated else ""
    return (
        f"{simulated}{scene.name} mapped in {seconds:.1f} s: {cut.shape[0]} x {cut.shape[1]} cells of {made.cell_px} x "
        f"{made.cell_px} pixels, {kind} of {made.level} each, {float(rows.tags['VALID_SHARE']):.1%} of the cells with data; "
        f"sensor {known.key}, bands {seen.told}: {out}"
    )


def _fitted(found: np.ndarray, count: int, seen: Observed) -> Components:
    if not len(found):
        raise ValueError(
            f"{seen.path}: --components={count} is fitted on windows spread over the scene, and none of them holds data; look "
            "at its nodata value and masks, or leave --components out."
        )
    return components.fit(found, count)


def _tags(made: Embedder, cut: Windows, axes: Components | None) -> dict[str, str]:
    told = {"LEVEL": made.level, "WINDOWS": cut.text, "CELL_PX": f"{made.cell_px}", "CONTENT": "embedding"}
    return told if axes is None else told | {"COMPONENTS": axes.text}


def _bands(made: Embedder, axes: Components | None) -> tuple[Band, ...]:
    if axes is None:
        return tuple(Band(f"{made.level} {i + 1} of {made.width}", "1") for i in range(made.width))
    return tuple(
        Band(f"component {i + 1} of {made.level}, {100 * share:.1f} % of the variance of a sample", "1")
        for i, share in enumerate(axes.share)
    )
