"""Pretrains an encoder: `python experiments/pretrain.py --config=FILE --workdir=DIR [--config.optim.lr=3e-4 ...]`.

Run it again with the same arguments to continue where it stopped. On several hosts start it once on each, with --distributed
where the cluster announces itself (Cloud TPU, Slurm), or with --coordinator, --processes and --process.
"""

import sys
from pathlib import Path

from absl import app, flags, logging

from spectral_jax import configure

CONFIG = flags.DEFINE_string("config", None, "Config file (Python, or the config.json of a run).", required=True)
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; it is made, or continued.", required=True)
DISTRIBUTED = flags.DEFINE_bool("distributed", False, "Several hosts, found from the environment.")
COORDINATOR = flags.DEFINE_string("coordinator", None, "HOST:PORT of process 0, where the environment does not say.")
PROCESSES = flags.DEFINE_integer("processes", None, "Number of processes, with --coordinator.")
PROCESS = flags.DEFINE_integer("process", None, "Number of this process, with --coordinator.")


def main(argv: list[str]) -> int:
    """Parses, calls, and turns expected failures into one sentence and exit code 1."""
    logging.set_verbosity(logging.WARNING)
    unknown, overrides = configure.split(argv[1:])
    if unknown:
        return _fail(f"argument {unknown[0]!r} is not known; overrides have the form {configure.PREFIX}optim.lr=3e-4.")
    # JAX must hear of the other hosts before anything touches a device.
    if DISTRIBUTED.value or COORDINATOR.value:
        import jax

        jax.distributed.initialize(COORDINATOR.value, PROCESSES.value, PROCESS.value)
    from spectral_jax import launch
    from spectral_jax.pretrain.run import pretrain
    from spectral_jax.train.loop import Preempted

    try:
        cfg = configure.read(CONFIG.value, overrides)
        pretrain(cfg, Path(WORKDIR.value))
    except Preempted as stop:
        print(stop.text, flush=True)
        return stop.code
    except launch.expected() as error:
        return _fail(str(error))
    return 0


def _fail(text: str) -> int:
    print(f"pretrain: {text}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    app.run(main, flags_parser=configure.parse_flags)
