"""Pretrains an encoder: `python experiments/pretrain.py --config=FILE --workdir=DIR [--config.optim.lr=3e-4 ...]`.

Run it again with the same arguments to continue where it stopped. On several hosts start it once on each, with --distributed
where the cluster announces itself (Cloud TPU, Slurm), or with --coordinator, --processes and --process.
"""

import os
import threading

from absl import flags

from spectral_jax import configure, launch

CONFIG = launch.DEFINE_place("config", None, "Config file (Python, or the config.json of a run).", required=True)
WORKDIR = launch.DEFINE_place("workdir", None, "Folder or address of the run; it is made, or continued.", "work", required=True)
DISTRIBUTED = flags.DEFINE_bool("distributed", False, "Several hosts, found from the environment.")
COORDINATOR = flags.DEFINE_string("coordinator", None, "HOST:PORT of process 0, where the environment does not say.")
PROCESSES = flags.DEFINE_integer("processes", None, "Number of processes, with --coordinator.")
PROCESS = flags.DEFINE_integer("process", None, "Number of this process, with --coordinator.")
LIMIT = flags.DEFINE_integer("coordinator_timeout_s", 300, "Seconds in which all processes must have come.", lower_bound=1)
SILENCE = flags.DEFINE_integer(
    "silence_timeout_s",
    40,
    "Seconds after which a process that gives no sign of life counts as gone, and all end.",
    lower_bound=2,
)
flags.adopt_module_key_flags(launch)


_SPEAKING = threading.Lock()  # several threads may find at once that another process is gone; the first one speaks


def give_up(text: str) -> None:
    """Says a sentence and ends at once: an orderly end would wait for others, and then abort with a trace."""
    _SPEAKING.acquire()
    launch.fail("pretrain", text)
    os._exit(1)


def job(overrides: list[str]) -> int:
    """One run, or the rest of one."""
    from spectral_jax.train import peers, pulse

    cfg = configure.read(CONFIG.value, overrides)  # what is wrong with it is told before anyone waits for others
    peers.check_numbers(COORDINATOR.value, PROCESSES.value, PROCESS.value, cfg.data.batch_size)
    if not (DISTRIBUTED.value or COORDINATOR.value):
        return run(cfg)
    which = "A process" if PROCESS.value is None else f"Process {PROCESS.value} of {PROCESSES.value}"
    with pulse.LastWords(
        f"pretrain: {which} of this run was ended by JAX, or from outside: see above. JAX ends all processes where one cannot "
        "be reached. Start all again with the same command; they continue from the newest finished checkpoint."
    ) as words:

        def end(text: str) -> None:
            words.dismiss()
            give_up(text)

        # JAX must hear of the other hosts before anything touches a device.
        peers.meet(COORDINATOR.value, PROCESSES.value, PROCESS.value, LIMIT.value, end)
        try:
            with pulse.kept(SILENCE.value, end):
                return run(cfg)
        except peers.ProcessLost as lost:
            end(str(lost))
            return 1


def run(cfg) -> int:
    """The run itself, whether of one process or several."""
    from spectral_jax.pretrain.run import pretrain
    from spectral_jax.train.loop import Preempted

    try:
        pretrain(cfg, WORKDIR.value)
    except Preempted as stop:
        print(stop.text, flush=True)
        return stop.code
    return 0


main = launch.script("pretrain", job, "optim.lr=3e-4")

if __name__ == "__main__":
    launch.run(main)
