"""From a scene to a map of embeddings: a cloud-optimised GeoTIFF, a quick-look and a page."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spectral_jax import places
from spectral_jax.ingest.raster import cog
from spectral_jax.ingest.raster.cog import Band, Layout
from spectral_jax.maps import components, embedder, foreign, observed, page, provenance, windows
from spectral_jax.maps.components import Components
from spectral_jax.maps.embedder import Embedder
from spectral_jax.maps.observed import Observed
from spectral_jax.maps.page import Thumbnail
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
      weights: folder of an encoder of others, which `encoder` then names as a row of a comparison does: `presto`, `presto/srf`.
    """

    level: str | None = None
    components: int | None = None
    int8: bool = False
    overlap: float | None = None
    sensor: str | None = None
    offset: str | None = None
    page: bool = True
    weights: str | None = None


def embed_scene(scene: Path, encoder: str, out: Path, choices: Choices, command: str = "") -> str:
    """Maps a scene.

    Args:
      scene: a GeoTIFF with all bands of a sensor that the encoder takes.
      encoder: a model of the package by name, a run's folder, or with weights an encoder of others, see `foreign.named`.
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
    opened = _of_others(scene, encoder, choices) if choices.weights else _ours(scene, encoder, choices)
    with opened as (whole, key, name, make):
        started = time.monotonic()
        small = Thumbnail(whole)
        seen = small.observed
        made, params = make(seen)
        cut = windows.planned(seen, made.cell_px, made.window_px, choices.overlap, made.alone, made.most_windows)
        found = windows.sample(seen, cut, made.function) if choices.components else None
        axes = None if found is None else _fitted(found, choices.components or RGB, seen)
        tags = provenance.tags(seen, name, params) | dict(made.tags) | _tags(made, cut, axes)
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
        f"sensor {key}, bands {seen.told}: {out}"
    )


class _Opened(NamedTuple):
    """An open scene, its sensor's key, the encoder's name, and what makes a level of the encoder and its parameters of it."""

    whole: Observed
    key: str
    name: str
    make: Callable[[Observed], tuple[Embedder, dict]]


@contextlib.contextmanager
def _ours(scene: Path, encoder: str, choices: Choices) -> Iterator[_Opened]:
    cfg, params = embedder.loaded(encoder)
    with observed.opened(scene, cfg, params, choices.sensor, choices.offset) as (whole, known):
        make = lambda _: (embedder.of_level(known, choices.level), known.params["encoder"])  # noqa: E731
        yield _Opened(whole, known.key, encoder, make)


@contextlib.contextmanager
def _of_others(scene: Path, encoder: str, choices: Choices) -> Iterator[_Opened]:
    asked = foreign.named(encoder, choices.weights or "")
    if choices.level is not None:
        raise ValueError(f"--level: {asked.encoder.name} is mapped at its finest map alone, and {choices.level} is asked for.")
    with foreign.opened(scene, choices.sensor, choices.offset) as whole:
        yield _Opened(whole, whole.spec.name, asked.encoder.name, lambda seen: foreign.made(asked, seen))


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
