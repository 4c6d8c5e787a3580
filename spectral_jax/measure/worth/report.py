"""From run folders to a printed verdict, worth.json and worth.md."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from spectral_jax import api
from spectral_jax.measure.worth import candidates, other_sensors, words
from spectral_jax.measure.worth.candidates import Candidate
from spectral_jax.measure.worth.judge import Judge
from spectral_jax.measure.worth.question import Question


def report(
    runs: Sequence[Path], workdir: Path, question: Question, *, sensors: bool = False, say: Callable[[str], None] = print
) -> None:
    """Judges runs and writes what was found.

    Args:
      runs: run folders; those of one recipe are a candidate.
      workdir: gets the simulated places, worth.json and worth.md.
      question: what is asked.
      sensors: also ask how sensors fare that were never shown.
      say: gets what is printed.

    Raises:
      ValueError, CheckpointError, FileNotFoundError: see `candidates` and `judge`.
    """
    found = candidates.by_recipe([candidates.read(run) for run in runs])
    judge = Judge(question, workdir, say)
    judged, numbers = [], []
    for candidate in found:
        judged.append(judge.judge(candidate))
        numbers.append(words.numbers(judged[-1], question))
        say(f"\n{words.plain(judged[-1], question)}\n")
        if sensors:
            numbers[-1]["other_sensors"] = _other_sensors(candidate, question, say)
    (workdir / "worth.json").write_text(json.dumps({"question": words.about(question), "candidates": numbers}, indent=1))
    (workdir / "worth.md").write_text(words.markdown(judged, question))
    say(f"Written: {workdir / 'worth.json'}, {workdir / 'worth.md'}.")


def _other_sensors(
    candidate: Candidate, question: Question, say: Callable[[str], None]
) -> dict[str, other_sensors.Found] | str:
    """By training seed; a sentence where the encoder takes no other sensor, which is no error here."""
    out = {}
    for run in candidate.runs:
        cfg, params = api.load(run.folder)
        try:
            out[str(cfg.train.seed)] = other_sensors.top1(params, cfg, question.sensor, question.seed)
        except ValueError as refused:
            say(str(refused))
            return str(refused)
        say(f"{candidate.name}, training seed {cfg.train.seed}. {other_sensors.text(out[str(cfg.train.seed)])}")
    return out
