"""A step compiled in a process of its own, so that memory and time are those of this step, and no TPU is looked for here.

    python -m spectral_jax.measure.pod.child REQUEST ANSWER

is that process; it reads and writes JSON.
"""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from spectral_jax import configure
from spectral_jax.config import Config
from spectral_jax.measure.pod import program
from spectral_jax.measure.pod.chips import Slices
from spectral_jax.measure.pod.collectives import Collective
from spectral_jax.measure.pod.program import Compiled
from spectral_jax.sentences import needs

# No backend but the CPU's, no question to the metadata server of a cloud, no lock of the library, and nothing compiled before;
# and one arena of memory, of which less lies idle than of one a thread.
ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu", "TPU_SKIP_MDS_QUERY": "1", "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    "JAX_ENABLE_COMPILATION_CACHE": "false", "MALLOC_ARENA_MAX": "1",
}  # fmt: skip


def compile_step(cfg: Config, group: str, slices: Slices) -> Compiled:
    """Compiles the step of a config for slices of TPUs, in another process.

    Args:
      cfg: the run; `data.batch_size` counts all chips.
      group: of the archive, see `batches.sensors`.
      slices: for which.

    Raises:
      ImportError: libtpu is not installed.
      ValueError: the mesh or the batch does not divide, or an unknown group.
      RuntimeError: the compiler failed for another reason than memory of the chip; the end of its words is in the text.
      OSError: the process was killed, as the system does where memory of this machine runs out.
    """
    with needs("libtpu", "pod", "compiling for TPUs without one"):
        import libtpu  # noqa: F401  # only the child loads its library
    asked = {"config": configure.to_json(cfg), "group": group, "topology": slices.name, "slices": slices.count}
    with tempfile.TemporaryDirectory(prefix="spectral_jax_pod_") as folder:
        request, answer = Path(folder) / "request.json", Path(folder) / "answer.json"
        request.write_text(json.dumps(asked))
        done = subprocess.run(
            [sys.executable, "-m", __spec__.name, str(request), str(answer)],
            env=os.environ | ENVIRONMENT, capture_output=True, text=True, errors="replace",
        )  # fmt: skip
        said = json.loads(answer.read_text()) if answer.is_file() else {}
    what = f"compiling group {group} for {slices.name}"
    if done.returncode == -signal.SIGKILL:
        raise OSError(f"{what}: the compiler was killed, most likely for want of memory on this machine; give it more.")
    if "refused" in said:
        raise ValueError(said["refused"])
    if done.returncode or "compiled" not in said:
        last = "\n".join(done.stderr.strip().splitlines()[-15:])
        raise RuntimeError(f"{what}: the compiler failed (exit code {done.returncode}). The end of what it said:\n{last}")
    return from_dict(said["compiled"])


def from_dict(fields: dict) -> Compiled:
    """The inverse of `dataclasses.asdict`."""
    return Compiled(**fields | {"collectives": tuple(Collective(**one) for one in fields["collectives"])})


def main(request: Path, answer: Path) -> None:
    """What the other process does."""
    from jax.experimental import topologies

    asked = json.loads(request.read_text())
    # One device a chip also where two cores of a v4 chip could be two.
    more = {"chip_config_name": "megacore"} if asked["topology"].startswith("v4:") else {}
    more |= {"num_slices": asked["slices"]} if asked["slices"] > 1 else {}
    topology = topologies.get_topology_desc(platform="tpu", topology_name=asked["topology"], **more)
    # By number, as jax.devices() of such a slice lists them: hosts of 2 x 2 chips one after another.
    devices: list = sorted(topology.devices, key=lambda device: getattr(device, "id"))  # noqa: B009  # a type without attributes
    try:
        compiled = program.compile_step(configure.from_json(asked["config"]), asked["group"], devices)
    except ValueError as error:
        answer.write_text(json.dumps({"refused": str(error)}))
        return
    answer.write_text(json.dumps({"compiled": dataclasses.asdict(compiled)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
