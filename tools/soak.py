"""Strikes a run at random moments, again and again, and compares its end with a run that was left alone.

uv run python tools/soak.py --kills=100 --workdir=/tmp/soak
uv run python tools/soak.py --kills=100 --workdir=/tmp/soak --at=s3://BUCKET/soak
uv run python tools/soak.py --kills=100 --workdir=/tmp/soak --at=gs://BUCKET/soak --server="COMMAND OF A SERVER"
uv run python tools/soak.py --full_disk=20 --workdir=/tmp/soak --at=/mnt/small/soak
"""

import contextlib
import shlex
import shutil
import signal
import sys
from pathlib import Path

from absl import flags

from spectral_jax import launch
from spectral_jax.addresses import address

KILLS = flags.DEFINE_integer("kills", 100, "How often it is killed; three of four by SIGKILL, the others by SIGTERM.")
FULL = flags.DEFINE_integer(
    "full_disk", 0, "How often, instead of being killed, the disk of --at is filled until it ends by itself; a small one."
)
SERVER = flags.DEFINE_string(
    "server", None, "Command of a server of --at, which is run, and killed and started again every 10 to 40 s meanwhile."
)
SEED = flags.DEFINE_integer("seed", 0, "Of the moments and the signals.")
LIFE = flags.DEFINE_float("life", None, "It is struck within so many seconds of processor time; measured if not given.")
WORKDIR = launch.DEFINE_place(
    "workdir", None, "Folder for the run that is left alone, and those that are struck.", "folder", required=True
)
AT = launch.DEFINE_place(
    "at", None, "Work folders of the runs that are struck, a path or an address; in --workdir if not given.", "work"
)
CONFIG = launch.DEFINE_place("config", "experiments/configs/soak.py", "Config of the run.")
flags.adopt_module_key_flags(launch)
SMALL_BYTES = 2**30


def job(overrides: list[str]) -> int:
    """All lives, and the verdict."""
    from spectral_jax.measure.soak import server, strikes
    from spectral_jax.measure.soak.lives import soak

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # in order, so that no process of ours goes on
    folder = Path(WORKDIR.value)
    at = AT.value or str(folder / "struck")
    if FULL.value:
        check_small(at, folder)
    script = Path(__file__).resolve().parent.parent / "experiments" / "pretrain.py"
    command = [str(script), f"--config={CONFIG.value}", *overrides]
    restarts = server.restarted(shlex.split(SERVER.value), SEED.value) if SERVER.value else contextlib.nullcontext()
    with restarts as times:
        outcome = soak(
            command, folder / "undisturbed", at, FULL.value or KILLS.value, SEED.value, lambda line: print(line, flush=True),
            LIFE.value, strikes.disk_filled if FULL.value else strikes.killed, server.CUT if SERVER.value else None,
        )  # fmt: skip
        if times:
            print(f"The server was killed and started again {times()} times.")
    print(outcome.text(), flush=True)
    return 0 if outcome.survived else 1


def check_small(at: str, folder: Path) -> None:
    """Refuses to fill a disk that others need.

    Args:
      at: of the runs that are struck.
      folder: of the run that is left alone.

    Raises:
      ValueError: `at` is an address, or on the disk of `folder`, or on one with more than `SMALL_BYTES`.
    """
    if address.is_address(at):
        raise ValueError(f"--full_disk fills a disk of this machine, and --at={at} is an address; give a folder.")
    for place in (Path(at), folder):
        place.mkdir(parents=True, exist_ok=True)
    room = shutil.disk_usage(at).total
    if Path(at).stat().st_dev == folder.stat().st_dev or room > SMALL_BYTES:
        raise ValueError(
            f"--full_disk fills the disk of --at={at} ({room / 1e6:.0f} MB): give one of its own, of 1 GB at most, such as "
            "mount -t tmpfs -o size=24m tmpfs FOLDER makes."
        )


main = launch.script("soak", job, "train.steps=1000")

if __name__ == "__main__":
    launch.run(main)
