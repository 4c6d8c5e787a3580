"""Measures of maps and of tiled inference: how much memory a big scene takes above its model, and how visible the tiles are."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from spectral_jax.ingest.raster import scene, tiled
from spectral_jax.maps import embedding
from spectral_jax.measure import made_scene
from spectral_jax.measure.throughput import resident_bytes

# Seconds between two looks at the memory.
LOOK_S = 0.005


def scene_memory(
    folder: str | Path,
    function: Callable[[np.ndarray], np.ndarray],
    side: int = 4096,
    bands: int = 12,
    tile: int = 256,
    overlap: int = 64,
    batch: int = 4,
) -> dict[str, float]:
    """Predicts a made GeoTIFF of `side` x `side` x `bands` into another one, and measures the memory above the model.

    The model's own memory is not counted: it is called once, and thereby compiled, before the measurement starts. For
    `tools/benchmark.py`: `scene_memory(folder, jax.jit(model))`, which prints as `memory` does. Linux only.

    Args:
      folder: an existing one, for both files, about `side * side * 2 * bands` bytes and the prediction.
      function: pixels [B tile tile C], uint16, to numbers [B tile tile K].
      side: pixels.
      bands: C.
      tile: as in `predict_scene`.
      overlap: as in `predict_scene`.
      batch: as in `predict_scene`.

    Returns:
      JSON-ready: "before", "peak" and "above" (bytes of resident memory), "seconds", and "written" (bytes of the prediction's
      file).
    """
    source, target = Path(folder) / "scene.tif", Path(folder) / "prediction.tif"
    outputs = np.asarray(function(np.zeros((batch, tile, tile, bands), np.uint16))).shape[-1]
    made_scene.write_random_scene(source, side, bands)
    before, started = resident_bytes(), time.perf_counter()
    with _Peak() as peak, scene.open_scene(source) as opened:
        names = tuple(f"output {i}" for i in range(outputs))
        with scene.create_prediction(target, opened, names) as made:
            tiled.predict_scene(opened.read, opened.shape, function, tile, overlap, made.write, batch)
    return {
        "before": before, "peak": peak.bytes, "above": peak.bytes - before, "seconds": time.perf_counter() - started,
        "written": target.stat().st_size,
    }  # fmt: skip


def map_memory(
    folder: str | Path, sides: Sequence[int] = (1024, 2048, 4096), encoder: str = "spectral-mini", level: str = "pixels"
) -> list[dict[str, float]]:
    """Maps made scenes of Sentinel-2's 12 bands with an encoder of ours, as `spectral-jax embed` does, page included.

    The model's own memory is not counted: a small scene is mapped first. Linux only.

    Args:
      folder: an existing one, for the files.
      sides: of the scenes, pixels, in the order in which they are mapped.
      encoder: a model of the package by name, or a run's folder; with the sensor S2.
      level: of it.

    Returns:
      A JSON-ready row for each side: "side", "above" (bytes of resident memory above that after the small scene), "seconds",
      "pixels_per_second", and "written" (bytes of the map).
    """
    # Random numbers say nothing of an offset.
    choices = embedding.Choices(level=level, sensor="S2", offset="0")
    source, target, rows = Path(folder) / "scene.tif", Path(folder) / "map.tif", []
    made_scene.write_random_scene(source, 256, 12)
    embedding.embed_scene(source, encoder, target, choices)
    before = resident_bytes()
    for side in sides:
        made_scene.write_random_scene(source, side, 12)
        started = time.perf_counter()
        with _Peak() as peak:
            embedding.embed_scene(source, encoder, target, choices)
        seconds = time.perf_counter() - started
        rows.append({
            "side": side, "above": peak.bytes - before, "seconds": seconds, "pixels_per_second": side * side / seconds,
            "written": target.stat().st_size,
        })  # fmt: skip
    return rows


def seam_steps(prediction: np.ndarray, tile: int, overlap: int, margin: int | None = None) -> tuple[float, float]:
    """Mean absolute difference of neighbouring pixels where one tile fades into the next, and everywhere else.

    Seams show where the first is above the second, over a scene whose content does not know of tiles.

    Args:
      prediction: [H W K], of `predict_scene`.
      tile: as it was given.
      overlap: as it was given.
      margin: as it was given.

    Raises:
      ValueError: the scene is one tile and has no seam.
    """
    seams, elsewhere = [], []
    for axis in (0, 1):
        length = prediction.shape[axis]
        there = tiled.fading(tiled.plan(length, tile, overlap, margin), length)
        steps = np.abs(np.diff(prediction.astype(np.float64), axis=axis)).mean(axis=(1 - axis, 2))
        seams.append(steps[there])
        elsewhere.append(steps[~there])
    if not sum(map(len, seams)):
        raise ValueError(f"prediction: a scene of {prediction.shape[:2]} px is a single tile of {tile} px and has no seams.")
    return float(np.concatenate(seams).mean()), float(np.concatenate(elsewhere).mean())


class _Peak:
    """The most resident memory, bytes, while it is entered."""

    def __enter__(self):
        self.bytes, self._ended = resident_bytes(), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _look(self):
        while not self._ended.wait(LOOK_S):
            self.bytes = max(self.bytes, resident_bytes())
