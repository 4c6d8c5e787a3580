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
LIMIT = flags.DEFINE_integer("coordinator_timeout_s", 300, "Seconds in which all processes must have come.", lower_bound=1)
flags.adopt_module_key_flags(launch)


def give_up(text: str) -> None:
    """Says a sentence and ends at once: an orderly end would wait for others, and then abort with a trace."""
    launch.fail("pretrain", text)
    os._exit(1)


def job(overrides: list[str]) -> int:
    """One run, or the rest of one."""
    from spectral_jax.train import peers

    cfg = configure.read(CONFIG.value, overrides)  # what is wrong with it is told before anyone waits for others
    peers.check_numbers(COORDINATOR.value, PROCESSES.value, PROCESS.value, cfg.data.batch_size)
    # JAX must hear of the other hosts before anything touches a device.
    if DISTRIBUTED.value or COORDINATOR.value:
        peers.meet(COORDINATOR.value, PROCESSES.value, PROCESS.value, LIMIT.value, give_up)
    from spectral_jax.pretrain.run import pretrain
    from spectral_jax.train.loop import Preempted

    try:
        pretrain(cfg, WORKDIR.value)
    except Preempted as stop:
        print(stop.text, flush=True)
        return stop.code
    except peers.ProcessLost as lost:
        give_up(str(lost))
    return 0


main = launch.script("pretrain", job, "optim.lr=3e-4")

if __name__ == "__main__":
    launch.run(main)
