"""Compiles the step that trains for TPUs without one, and predicts memory, time and cost of a run on a pod.

    python tools/compile_pod.py --config=experiments/configs/spectralearth_fm_b.py --topology=v5e:16x16 \
        [--group=pair_emit_enmap] [--batch_per_chip=2] [--search] [--price=1.2] [--out=FOLDER] [--config.train.fsdp=1]

Needs the extra pod (libtpu), a CPU and patience. Nothing runs: memory, program and collectives are the compiler's, times are
computed from them and data sheets, and every prediction says how.
"""

import dataclasses
import json
import os
from pathlib import Path

from absl import flags

from spectral_jax import configure, launch

CONFIG = launch.DEFINE_place("config", None, "Config of the run.", required=True)
TOPOLOGY = flags.DEFINE_string("topology", "v5e:16x16", "Slice of TPUs, such as v5e:4x4, v5p:4x4x8, v6e:16x16, v4:2x2x1.")
SLICES = flags.DEFINE_integer("slices", 1, "How many such slices, joined by the data-centre network.")
GROUP = flags.DEFINE_list(
    "group",
    None,
    "Groups of the archive, or 'all': every sensor together; each group with a sensor of the config if not given.",
)
BATCH_PER_CHIP = flags.DEFINE_integer("batch_per_chip", None, "Samples a chip, instead of data.batch_size over all chips.")
SEARCH = flags.DEFINE_bool("search", False, "Look for the largest batch a chip that fits; compiles up to 8 programs a group.")
SCALING = flags.DEFINE_bool("scaling", False, "Compile for each slice of the weak scaling, 16 to 256 chips, too.")
PRICE = flags.DEFINE_float("price", None, "Dollars for an hour of one chip.")
OUT = launch.DEFINE_place("out", None, "Folder for report.json and report.txt.", "folder")


def job(overrides: list[str]) -> int:
    """Compiles, prints the report and writes it; exit code 1 where a group does not fit."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")  # whoever has a TPU would otherwise take it for this
    from spectral_jax.measure import flops
    from spectral_jax.measure.pod import child, chips, report, words

    cfg = configure.read(CONFIG.value, overrides)
    wanted = report.Wanted(tuple(GROUP.value or ()), BATCH_PER_CHIP.value, SEARCH.value, SCALING.value, PRICE.value)
    where = chips.slices(TOPOLOGY.value, SLICES.value)

    def counted(cfg, keys):
        return flops.training_sample(cfg, keys).total

    run = report.make(cfg, where, wanted, counted, child.compile_step, lambda line: print(line, flush=True))
    text = words.text(run)
    print(text)
    if OUT.value:
        folder = Path(OUT.value)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.txt").write_text(text + "\n", encoding="utf-8")
        (folder / "report.json").write_text(json.dumps(dataclasses.asdict(run), indent=1), encoding="utf-8")
    return 0 if all(one.fit.fits for one in run.groups) else 1


main = launch.script("compile_pod", job, "train.fsdp=1")

if __name__ == "__main__":
    launch.run(main)
