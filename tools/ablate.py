"""Trains a table of configs at equal CPU time with several seeds, and compares them by the criterion of tools/worth.py.

python tools/ablate.py --ablation=experiments/ablations/quickstart.py --workdir=DIR

Run it again with the same arguments to go on where it stopped. Rows are judged at simulated places of another seed than those
of tools/worth.py, so that a recipe chosen here is not chosen by the places of its verdict.
"""

import dataclasses
from pathlib import Path

from absl import flags

from spectral_jax import launch

ABLATION = launch.DEFINE_place("ablation", None, "File with BASE, ROWS and BUDGET.", required=True)
WORKDIR = launch.DEFINE_place("workdir", None, "Folder for the runs and the comparison.", "folder", required=True)
ONLY = flags.DEFINE_list("only", [], "Rows to take beside the first, by name.")
SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "Training seeds.")
BUDGET = flags.DEFINE_string("budget", None, 'CPU seconds a row and seed, or "steps"; without it that of the file.')
PLACES = flags.DEFINE_integer("places", 3000, "Unseen places, beside 480 that may be labelled.")
flags.adopt_module_key_flags(launch)


def job(overrides: list[str]) -> None:
    """One table."""
    if overrides:
        raise ValueError(f"{overrides[0]}: the configs are those of the ablation's file; change its BASE or ROWS.")
    from spectral_jax.measure.ablation import rows
    from spectral_jax.measure.ablation.run import ablate
    from spectral_jax.measure.worth.question import SELECTION_SEED, Question

    if not SEEDS.value or not all(text.strip().isdigit() for text in SEEDS.value):
        raise ValueError(f"--seeds: expected whole numbers, got {','.join(SEEDS.value)}.")
    ablation = rows.read(Path(ABLATION.value))
    if ONLY.value:
        ablation = ablation.only([name.strip() for name in ONLY.value])
    if BUDGET.value:
        ablation = dataclasses.replace(ablation, budget=rows.budget(BUDGET.value))
    question = Question(seed=SELECTION_SEED, unseen=PLACES.value)
    ablate(ablation, Path(WORKDIR.value), [int(text) for text in SEEDS.value], question)


main = launch.script("ablate", job, "...")

if __name__ == "__main__":
    launch.run(main)
