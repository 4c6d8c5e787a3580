"""Pretrains an encoder: `python experiments/pretrain.py --config=FILE --workdir=DIR [--config.optim.lr=3e-4 ...]`.

Run it again with the same arguments to continue where it stopped. On several hosts start it once on each, with --distributed
where the cluster announces itself (Cloud TPU, Slurm), or with --coordinator, --processes and --process.
"""

import os

from absl import flags

from spectral_jax import configure, launch

CONFIG = launch.DEFINE_place("config", None, "Config file (Python, or the config.json of a run).", required=True)
WORKDIR = launch.DEFINE_place("workdir", None, "Folder or address of the run; it is made, or continued.", "work", required=True)
DISTRIBUTED = flags.DEFINE_bool("distributed", False, "Several hosts, found from the environment.")
COORDINATOR = flags.DEFINE_string("coordinator", None, "HOST:PORT of process 0, where the environment does not say.")
PROCESSES = flags.DEFINE_integer("processes", None, "Number of processes, with --coordinator.")
PROCESS = flags.DEFINE_integer("process", None, "Number of this process, with --coordinator.")
flags.adopt_module_key_flags(launch)
HEARTBEAT_SECONDS = 60  # a process that is silent so long counts as gone


def job(overrides: list[str]) -> int:
    """One run, or the rest of one."""
    # JAX must hear of the other hosts before anything touches a device.
    if DISTRIBUTED.value or COORDINATOR.value:
        import jax

        jax.distributed.initialize(
            COORDINATOR.value, PROCESSES.value, PROCESS.value, heartbeat_timeout_seconds=HEARTBEAT_SECONDS
        )
    from spectral_jax.pretrain.run import pretrain
    from spectral_jax.train.loop import Preempted
    from spectral_jax.train.peers import ProcessLost

    try:
        pretrain(configure.read(CONFIG.value, overrides), WORKDIR.value)
    except Preempted as stop:
        print(stop.text, flush=True)
        return stop.code
    except ProcessLost as lost:
        launch.fail("pretrain", str(lost))
        os._exit(1)  # an orderly end would wait for the process that is gone, and then abort with a trace
    return 0


main = launch.script("pretrain", job, "optim.lr=3e-4")

if __name__ == "__main__":
    launch.run(main)
