"""All encoders on all tasks, by one call; a task without a folder is left out, and a cell that cannot be says why."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spectral_jax.adapt.monthly.comparison import MonthlyWeights
from spectral_jax.adapt.settings import WeightFolders
from spectral_jax.adapt.survey import contestants, land_cover, monthly_points, simulated
from spectral_jax.adapt.survey.contestants import ALL, TEN, Contestant
from spectral_jax.adapt.survey.land_cover import LandCover
from spectral_jax.adapt.survey.sums import Scored
from spectral_jax.sentences import unknown

# Labels where they are few: pixels or cells of a class, points, simulated places. Choices of before any score was seen.
EACH, POINTS, PLACES = 10, 100, 20
TASKS = ("potsdam", "terramesh", "fuel_moisture", "algae_blooms", "simulated")


class Size(NamedTuple):
    """How large the survey is: seeds, simulated places that train and test, and the encoders."""

    seeds: int = 3
    train: int = 480
    test: int = 500
    encoders: tuple[str, ...] = tuple(contestants.ADAPTATIONS)


class Task(NamedTuple):
    """One column: its heading, rows of the bands themselves, features of a contestant, and scores of features."""

    heading: str
    bands: Callable[[], dict[str, Any]]
    features: Callable[[Contestant], list]
    scored: Callable[[list, bool], Scored]


def take(
    folders: dict[str, str],
    weights: WeightFolders,
    size: Size,
    said: Callable[[str], None] = print,
    kept: Callable[[dict], None] = lambda record: None,
    before: dict | None = None,
) -> dict:
    """Scores of every contestant on every task, with few labels and all.

    Args:
      folders: task to the folder of its files: "potsdam", "terramesh", "fuel_moisture", "algae_blooms"; "simulated" with any.
      weights: of encoders that have some.
      size: how large.
      said: gets a line for each score, and for each cell that is left out.
      kept: gets what is returned after each score, as far as it is.
      before: what an earlier call kept; its cells of the same task, size and weights are taken from there.

    Returns:
      `tasks` (headings), `rows` (names, and of each task the scores with few labels and all, or None), `left_out` (cells that
      cannot be, and why), `weights`, `size`, and `seconds`, those of the earlier calls too.

    Raises:
      ValueError, FileNotFoundError: a task or a folder of weights does not do.
    """
    seeds = range(size.seeds)
    entered = contestants.of(weights, size.encoders)
    tasks = list(_tasks(folders, weights, size, seeds))
    named = [name for one in entered for name in (one.name, *([one.with_bands] if one.beside_bands else []))]
    done = _done(before, size, weights) if before else {}
    started = time.monotonic() - (before["seconds"] if before and done else 0.0)
    rows: dict[str, list] = {name: [None] * len(tasks) for name in (TEN, ALL, *named)}
    record: dict[str, Any] = {"tasks": [{"heading": task.heading} for task in tasks], "left_out": [], "size": size._asdict()}
    record["weights"] = {name: folder for name, folder in vars(weights).items() if folder}
    for at, task in enumerate(tasks):
        bands = task.bands()
        entrants: list[tuple[str, Callable[[], list]]] = [(name, partial(list, [x])) for name, x in bands.items()]
        for one in entered:
            entrants.append((one.name, partial(task.features, one)))
            if one.beside_bands:
                entrants.append((one.with_bands, partial(_beside, bands[ALL if ALL in bands else TEN], task.features, one)))
        for name, features in entrants:
            if (task.heading, name) in done:
                rows[name][at] = done[task.heading, name]
                continue
            try:
                found = features()
            except ValueError as error:
                record["left_out"].append({"task": task.heading, "row": name, "why": str(error)})
                said(f"{task.heading:<60s} {name:<36s} left out: {error}")
                continue
            scores = [task.scored(found, few)._asdict() for few in (True, False)]
            rows[name][at] = scores
            values = " ".join(f"{score['value']:8.3f}" for score in scores)
            said(f"{task.heading:<60s} {name:<36s} {values}  {time.monotonic() - started:6.0f} s")
            kept(_so_far(record, rows, started))
    return _so_far(record, rows, started)


def _so_far(record: dict, rows: dict[str, list], started: float) -> dict:
    """The record with the rows that have a score."""
    have = [{"name": name, "scores": list(cells)} for name, cells in rows.items() if any(cells)]
    return record | {"rows": have, "seconds": time.monotonic() - started}


def _tasks(folders: dict[str, str], weights: WeightFolders, size: Size, seeds: range) -> Iterator[Task]:
    for name in folders:
        if name not in TASKS:
            raise unknown("tasks", "task of the table", name, TASKS, most=len(TASKS))
    if "potsdam" in folders:
        cover = land_cover.potsdam(Path(folders["potsdam"]), EACH)
        yield _land(cover, f"Potsdam, EnMAP: macro F1, {EACH} labels a class; all {int((cover.labels >= 0).sum())}", seeds)
    if "terramesh" in folders:
        cover = land_cover.terramesh(Path(folders["terramesh"]), EACH)
        yield _land(
            cover, f"TerraMesh, Sentinel-2: macro F1, {EACH} labels a class; all {int((cover.labels >= 0).sum())}", seeds
        )
    monthly = MonthlyWeights(**{name: getattr(weights, name) for name in vars(MonthlyWeights())})
    for name, title in (("fuel_moisture", "fuel moisture"), ("algae_blooms", "algal blooms")):
        if name in folders:
            points = monthly_points.points_of(name, Path(folders[name]), monthly)
            yield Task(
                f"{title}: RMSE, lower is better, {POINTS} labels; all {len(points.train)}",
                partial(_named, ALL, partial(getattr, points, "raw")),
                partial(monthly_points.features, points, seeds=seeds),
                partial(_with_few, partial(monthly_points.scored, points), seeds, POINTS),
            )
    if "simulated" in folders:
        scenes = simulated.scenes(size.train, size.test)
        yield Task(
            f"SIMULATED EnMAP: mean R2 of 11 parameters, {PLACES} labels; all {size.train}",
            partial(_named, ALL, partial(simulated.bands, scenes)),
            partial(simulated.embedded, scenes, seeds=seeds),
            partial(_with_few, partial(simulated.scored, scenes), seeds, PLACES),
        )


def _done(before: dict, size: Size, weights: WeightFolders) -> dict[tuple[str, str], list]:
    """Scores by task and row that need not be measured again."""
    same = all(before["size"][name] == getattr(size, name) for name in ("seeds", "train", "test"))
    now = {name: folder for name, folder in vars(weights).items() if folder}
    differing = {name for name in {*now, *before["weights"]} if now.get(name) != before["weights"].get(name)}
    return {
        (task["heading"], row["name"]): scores
        for row in (before["rows"] if same else [])
        for task, scores in zip(before["tasks"], row["scores"], strict=True)
        if scores is not None and row["name"].split(",")[0] not in differing
    }


def _beside(bands: np.ndarray, features: Callable[[Contestant], list], one: Contestant) -> list:
    return [np.concatenate([bands, found], axis=-1) for found in features(one)]


def _land(cover: LandCover, heading: str, seeds: range) -> Task:
    return Task(
        heading,
        partial(land_cover.bands, cover),
        partial(land_cover.embedded, cover, seeds=seeds),
        partial(_of_land, cover, seeds),
    )


def _of_land(cover: LandCover, seeds: range, found: list, few: bool) -> Scored:
    return land_cover.scored(cover, found, seeds, few)


def _with_few(scored: Callable[..., Scored], seeds: range, labels: int, found: list, few: bool) -> Scored:
    return scored(found, seeds, labels if few else 0)


def _named(name: str, made: Callable[[], Any]) -> dict[str, Any]:
    return {name: made()}
