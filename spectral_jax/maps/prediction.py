"""From a scene to a map of what a fitted model says: classes with probabilities, or quantities with an interval."""

import contextlib
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spectral_jax import places
from spectral_jax.adapt.kept import COVERAGE
from spectral_jax.ingest.raster import cog, geotiff, tiled
from spectral_jax.ingest.raster.cog import Band, Layout
from spectral_jax.maps import observed, page, predictor, provenance, windows
from spectral_jax.maps.page import Thumbnail
from spectral_jax.maps.predictor import Predictor
from spectral_jax.maps.windows import Seams
from spectral_jax.pages import pictures

# A class map holds the number of a class from 1 on, and 0 where there is none.
NO_CLASS, MOST_CLASSES = 0, 254


def predict_scene(
    scene: Path, model: Path, out: Path, int8: bool = False, overlap: float | None = None, offset: str | None = None,
    with_page: bool = True, command: str = "",
) -> str:  # fmt: skip
    """Maps a scene with a model that `spectral-jax adapt` left.

    Of classes OUT holds the most probable one, with a colour table, and OUT with `_probabilities` in its name the probability
    of each; of sets OUT holds these; of quantities OUT holds each, and where the model has an interval its two ends.

    Args:
      scene: a GeoTIFF of the sensor that the model was trained on.
      model: its folder.
      out: the map.
      int8: probabilities and quantities as whole numbers of 8 bits with a scale and an offset for each band.
      overlap: share of a window's side that neighbours share; None: a quarter.
      offset: of Sentinel-2, see `observed.opened`.
      with_page: whether a quick-look and a page are written beside the map.
      command: how to make it again, for the page.

    Returns:
      A sentence about what was written.

    Raises:
      FileNotFoundError, ValueError: there is no such scene or model; the scene is of another sensor, smaller than the images
        that the model was trained on, or holds no data.
      ImportError: rasterio is not installed.
      OSError: `out` cannot be written, or the disk is full.
    """
    out = places.for_file(out, "--out")
    made = predictor.loaded(model)
    labels, classes = made.kept.labels, made.kind.labels == "class"
    if classes and len(labels.names) > MOST_CLASSES:
        raise ValueError(
            f"{model}: expected at most {MOST_CLASSES} classes, which a map of 8 bits holds, got {len(labels.names)}."
        )
    if not scene.is_file():
        raise FileNotFoundError(f"{scene} is no file; expected a scene: a GeoTIFF with the bands of {made.spec.name}.")
    started = time.monotonic()
    with geotiff.opened(scene) as dataset, contextlib.ExitStack() as stack:
        small = Thumbnail(observed.of_dataset(dataset, scene, made.spec.name, made.spec, offset))
        seen = small.observed
        cut = windows.planned(seen, made.cell_px, made.window_px, overlap)
        tags = provenance.tags(seen, made.kept.model.encoder.name, made.kept.params["encoder"])
        tags |= _tags(made, model) | {"WINDOWS": cut.text, "CELL_PX": f"{made.cell_px}"}
        place = cut.shape, seen.crs, windows.cells_affine(seen.transform, made.cell_px)
        beside = out.with_name(f"{out.stem}_probabilities{out.suffix}") if classes else out
        numbers = stack.enter_context(cog.writing(beside, Layout(*place, _bands(made), tags=tags, int8=int8)))
        index = None
        if classes:
            about = {"CLASSES": json.dumps({str(i + 1): name for i, name in enumerate(labels.names)})}
            index = stack.enter_context(cog.writing(out, Layout(
                *place, (Band(f"class of {labels.task}, 0: none"),), "uint8", NO_CLASS, tags | about, _colours(labels.names)
            )))  # fmt: skip
        seams, counts = Seams(cut), np.zeros(len(labels.names) + 1, int)

        def write(down: slice, across: slice, values: np.ndarray) -> None:
            seams.add(down, values)
            if index is None:
                counts[1:] += np.isfinite(values).sum(axis=(0, 1))
            else:
                best = tiled.classes(values, MOST_CLASSES + 1).astype(int) + 1
                best = np.where(best > MOST_CLASSES + 1, NO_CLASS, best).astype(np.uint8)
                counts[:] += np.bincount(best.ravel(), minlength=len(counts))
                index.write(down, across, best)
            numbers.write(down, across, _with_ends(values, made.kept.half_width))

        windows.mapped(seen, cut, made.function, write)
        share = (counts[1:].sum() if classes else counts[1:].max()) / np.prod(cut.shape)
        numbers.tags = provenance.measured(seams, share)
        if index is not None:
            index.tags = numbers.tags
    seconds = time.monotonic() - started
    facts = tags | numbers.tags | provenance.pace(seen.shape, seconds)
    if with_page:
        _page(out, made, facts, small, counts, command)
    simulated = "SIMULATED scene " if seen.simulated else ""
    return (
        f"{simulated}{scene.name} mapped in {seconds:.1f} s: {_said(made, counts)}; {share:.1%} of the cells with data; bands "
        f"{seen.told}: {out}{f' and {beside.name}' if classes else ''}"
    )


def _tags(made: Predictor, model: Path) -> dict[str, str]:
    about, labels = made.kept.about, made.kept.labels
    return {
        "CONTENT": "prediction", "MODEL": f"{model.name} (format {about['format']}, version {about['version']})",
        "TASK": f"{labels.task}: {labels.title}", "PROTOCOL": f"{about.get('row', '')} by {about.get('protocol', '')}",
        "WEIGHTS": str(about.get("weights", "")), "MODEL_SIMULATED": "true" if about.get("simulated") else "false",
        "INTERVAL": _interval(made),
    }  # fmt: skip


def _interval(made: Predictor) -> str:
    if made.kind.labels != "numbers":
        return "none: classes have probabilities, as the model gives them, and these are not calibrated"
    if made.kept.half_width is None:
        return "none: this model has no interval"
    return (
        f"prediction plus and minus the distance within which {COVERAGE:.0%} of the labels of the validation part lie, one for "
        "all places (split conformal; that part chose the epoch too)"
    )


def _bands(made: Predictor) -> tuple[Band, ...]:
    labels, width = made.kept.labels, made.kept.half_width
    if made.kind.labels != "numbers":
        return tuple(Band(f"probability of {name}", "1") for name in labels.names)
    named = [Band(name, unit) for name, unit in zip(labels.names, labels.units, strict=True)]
    if width is None:
        return tuple(named)
    ends = [
        Band(f"{band.description}, {end} end of its {COVERAGE:.0%} interval", band.unit)
        for band in named
        for end in ("lower", "upper")
    ]
    return (*named, *ends)


def _with_ends(values: np.ndarray, width: np.ndarray | None) -> np.ndarray:
    """Quantities [h W K], and behind them lower and upper end of each."""
    if width is None:
        return values
    off = width.astype(np.float32).reshape(1, 1, -1)
    ends = np.stack([values - off, values + off], axis=-1)
    return np.concatenate([values, ends.reshape(*values.shape[:2], -1)], axis=-1)


def _colours(names: Sequence[str]) -> dict[int, tuple[int, int, int, int]]:
    rgb = [tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5)) for colour in pictures.colours(len(names))]
    return {NO_CLASS: (255, 255, 255, 0)} | {i + 1: (r, g, b, 255) for i, (r, g, b) in enumerate(rgb)}


def _page(out: Path, made: Predictor, facts: dict[str, str], small: Thumbnail, counts: np.ndarray, command: str) -> None:
    labels, more = made.kept.labels, {}
    if made.kind.labels == "class":
        index = cog.decimated(out, page.MOST_PX)[..., 0]
        found = np.where(np.isfinite(index), index - 1, -1).astype(int)
        shown, caption = pictures.class_map(found, len(labels.names)), f"The most probable class of {labels.task}."
        more["Classes"] = pictures.legend(list(labels.names))
    else:
        shown, caption = page.three_colours(out, len(labels.names))
    if made.kept.about.get("simulated"):
        caption += " The model was trained on SIMULATED data."
    caption += f" {_said(made, counts)}.".replace("..", ".")
    page.write(out, f"{labels.title}: {facts['SOURCE_FILE']}", facts, small.picture(), shown, caption, command, more)


def _said(made: Predictor, counts: np.ndarray) -> str:
    names = made.kept.labels.names
    if made.kind.labels != "class":
        return f"{', '.join(names)} of {counts[1:].max()} cells"
    total = max(1, counts[1:].sum())
    return ", ".join(f"{name} {count / total:.0%}" for name, count in zip(names, counts[1:], strict=True))
