"""Whether an encoder is worth keeping: its levels against what needs no encoder, at simulated places that no run has seen.

python tools/worth.py --runs=RUN_SEED0,RUN_SEED1,RUN_SEED2 --workdir=DIR

Runs whose configs differ in their seeds alone are one candidate. DIR gets the places (once; they are used again), worth.json
and worth.md. With --unseen, encoders that take any sensor are also asked whether a spectrum through PRISMA, and through 60
bands, finds its own EnMAP embedding.
"""

from pathlib import Path

from absl import flags

from spectral_jax import launch

RUNS = flags.DEFINE_list("runs", None, "Work folders of experiments/pretrain.py.", required=True)
WORKDIR = launch.DEFINE_place("workdir", None, "Folder for the places and the verdict.", "folder", required=True)
SENSOR = flags.DEFINE_string("sensor", "ENMAP", "Key of the one sensor that is shown.")
SEED = flags.DEFINE_integer("seed", None, "Seed of the simulator for the places; without it the criterion's own.")
PLACES = flags.DEFINE_integer("places", 3000, "Unseen places, beside 480 that may be labelled.")
LABELS = flags.DEFINE_list("labels", ["20", "50", "100", "480"], "Numbers of labels.")
DRAWS = flags.DEFINE_integer("draws", 20, "Draws of labels.")
UNSEEN = flags.DEFINE_bool("unseen", False, "Also through sensors that no run has seen.")
flags.adopt_module_key_flags(launch)


def job(overrides: list[str]) -> None:
    """A verdict for every candidate."""
    if overrides:
        raise ValueError(f"{overrides[0]}: the configs are those of the runs; this command takes no overrides.")
    from spectral_jax.measure.worth import report
    from spectral_jax.measure.worth.question import VERDICT_SEED, Question

    if not all(text.strip().isdigit() for text in LABELS.value):
        raise ValueError(f"--labels: expected whole numbers, got {','.join(LABELS.value)}.")
    question = Question(
        sensor=SENSOR.value, seed=VERDICT_SEED if SEED.value is None else SEED.value, unseen=PLACES.value,
        labels=tuple(int(text) for text in LABELS.value), draws=DRAWS.value,
    )  # fmt: skip
    report.report([Path(run) for run in RUNS.value], Path(WORKDIR.value), question, sensors=UNSEEN.value)


main = launch.script("worth", job, "...")

if __name__ == "__main__":
    launch.run(main)
