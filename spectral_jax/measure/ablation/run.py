"""An ablation from its file to ablation.json and ablation.md."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from spectral_jax.measure.ablation import compare, training
from spectral_jax.measure.ablation.rows import Ablation
from spectral_jax.measure.worth import candidates, words
from spectral_jax.measure.worth.candidates import Candidate
from spectral_jax.measure.worth.judge import Judge
from spectral_jax.measure.worth.question import Question


def ablate(
    ablation: Ablation, workdir: Path, seeds: Sequence[int], question: Question, say: Callable[[str], None] = print
) -> list[compare.Row]:
    """Trains, judges and compares; a cut command goes on where it stopped.

    Args:
      ablation: rows and budget.
      workdir: gets the runs, the places, ablation.json and ablation.md.
      seeds: of training.
      question: what is asked of every row.
      say: gets what is printed.

    Raises:
      ValueError, RuntimeError: see `training.train_all` and `worth.judge`.
    """
    trained = training.train_all(ablation, workdir, seeds, say)
    judge, rows = Judge(question, workdir, say), []
    for name, runs in trained.items():
        candidate = Candidate(name, tuple(candidates.read(run.folder) for run in runs))
        rows.append(compare.Row(name, runs, judge.judge(candidate)))
    tables = compare.tables(rows, question)
    say("\n" + "\n\n".join(table.plain() for table in tables))
    about = {"question": words.about(question), "budget": ablation.budget, "rows": compare.numbers(rows, question)}
    (workdir / "ablation.json").write_text(json.dumps(about, indent=1))
    (workdir / "ablation.md").write_text("\n\n".join(table.markdown() for table in tables) + "\n")
    say(f"\nWritten: {workdir / 'ablation.json'}, {workdir / 'ablation.md'}.")
    return rows
