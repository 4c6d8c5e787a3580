"""Kills a run at random moments, again and again, and compares its end with a run that was never killed.

uv run python tools/soak.py --kills=100 --workdir=/tmp/soak
uv run python tools/soak.py --kills=100 --workdir=/tmp/soak --at=s3://BUCKET/soak
"""

from pathlib import Path

from absl import flags

from spectral_jax import launch

KILLS = flags.DEFINE_integer("kills", 100, "How often it is killed; three of four by SIGKILL, the others by SIGTERM.")
SEED = flags.DEFINE_integer("seed", 0, "Of the moments and the signals.")
WORKDIR = launch.DEFINE_place(
    "workdir", None, "Folder for the run that is left alone, and the killed one.", "folder", required=True
)
AT = launch.DEFINE_place(
    "at", None, "Work folder of the killed run, a path or an address; a folder in --workdir if not given.", "work"
)
CONFIG = launch.DEFINE_place("config", "experiments/configs/soak.py", "Config of the run; it must outlast its kills.")
flags.adopt_module_key_flags(launch)


def job(overrides: list[str]) -> int:
    """All lives, and the verdict."""
    from spectral_jax.measure.soak import soak

    script = Path(__file__).resolve().parent.parent / "experiments" / "pretrain.py"
    command = [str(script), f"--config={CONFIG.value}", *overrides]
    folder = Path(WORKDIR.value)
    outcome = soak(
        command, folder / "undisturbed", AT.value or str(folder / "killed"), KILLS.value, SEED.value,
        lambda line: print(line, flush=True),
    )  # fmt: skip
    print(outcome.text(), flush=True)
    return 0 if outcome.survived else 1


main = launch.script("soak", job, "train.steps=4000")

if __name__ == "__main__":
    launch.run(main)
