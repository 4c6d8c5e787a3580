"""Predicts the toxin microcystin from PACE OCI spectra, this week and 8 days ahead, and reports how far that can be trusted.

python experiments/finetune_microcystin.py --workdir=DIR                          # simulated lake
python experiments/finetune_microcystin.py --config=experiments/configs/microcystin.py \
        --config.data.matchups=FILE.npz --workdir=DIR
python experiments/finetune_microcystin.py --predict=FILE.npz --checkpoint=DIR --out=predictions.csv
python experiments/finetune_microcystin.py --predict=PACE.nc --checkpoint=DIR --out=map.tif
"""

import shlex
import sys
from pathlib import Path

from absl import flags

from spectral_jax import configure, launch

DEFAULT = Path(__file__).parent / "configs" / "microcystin_simulated.py"
CONFIG = launch.DEFINE_place("config", str(DEFAULT), "Config file (Python, or the config.json of a run).")
WORKDIR = launch.DEFINE_place("workdir", None, "Folder of the run.", "folder")
PREDICT = launch.DEFINE_place("predict", None, "What to predict: match-ups without labels (.npz), or a PACE image (.nc).")
CHECKPOINT = launch.DEFINE_place("checkpoint", None, "Work folder of a finished run, with --predict.")
OUT = launch.DEFINE_place("out", "predictions.csv", "CSV to write, or GeoTIFF of an image, with --predict.", "file")
flags.adopt_module_key_flags(launch)


def job(overrides: list[str]) -> None:
    """One comparison with its predictor, or the predictions of a finished one."""
    from spectral_jax.microcystin.predict import predict_file, predict_image
    from spectral_jax.microcystin.run import compare_and_fit
    from spectral_jax.microcystin.settings import Microcystin

    if PREDICT.value:
        if not CHECKPOINT.value:
            raise ValueError("--predict needs --checkpoint=DIR, the work folder of a finished run.")
        files = Path(PREDICT.value), Path(CHECKPOINT.value), Path(OUT.value)
        print(predict_image(*files) if files[0].suffix == ".nc" else predict_file(*files), flush=True)
        return
    if not WORKDIR.value:
        raise ValueError("--workdir=DIR is needed: the folder that gets the report and the predictor.")
    cfg = configure.read(CONFIG.value, overrides, Microcystin)
    compare_and_fit(cfg, Path(WORKDIR.value), shlex.join(["python", *sys.argv]))


main = launch.script("finetune_microcystin", job, "data.matchups=FILE.npz")

if __name__ == "__main__":
    launch.run(main)
