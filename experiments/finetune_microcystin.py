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

from absl import app, flags, logging

from spectral_jax import configure

DEFAULT = Path(__file__).parent / "configs" / "microcystin_simulated.py"
CONFIG = flags.DEFINE_string("config", str(DEFAULT), "Config file (Python, or the config.json of a run).")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.")
PREDICT = flags.DEFINE_string("predict", None, "What to predict: match-ups without labels (.npz), or a PACE image (.nc).")
CHECKPOINT = flags.DEFINE_string("checkpoint", None, "Work folder of a finished run, with --predict.")
OUT = flags.DEFINE_string("out", "predictions.csv", "CSV to write, or GeoTIFF of an image, with --predict.")


def main(argv: list[str]) -> int:
    """Parses, calls, and turns expected failures into one sentence and exit code 1."""
    logging.set_verbosity(logging.WARNING)
    unknown, overrides = configure.split(argv[1:])
    if unknown:
        return _fail(f"argument {unknown[0]!r} is not known; overrides have the form {configure.PREFIX}data.matchups=FILE.npz.")
    from spectral_jax import launch
    from spectral_jax.microcystin.predict import predict_file, predict_image
    from spectral_jax.microcystin.run import finetune
    from spectral_jax.microcystin.settings import Finetune

    launch.keep()
    try:
        if PREDICT.value:
            if not CHECKPOINT.value:
                return _fail("--predict needs --checkpoint=DIR, the work folder of a finished run.")
            files = Path(PREDICT.value), Path(CHECKPOINT.value), Path(OUT.value)
            print(predict_image(*files) if files[0].suffix == ".nc" else predict_file(*files), flush=True)
            return 0
        if not WORKDIR.value:
            return _fail("--workdir=DIR is needed: the folder that gets the report and the predictor.")
        finetune(configure.read(CONFIG.value, overrides, Finetune), Path(WORKDIR.value), shlex.join(["python", *sys.argv]))
    except launch.expected() as error:
        return _fail(str(error))
    return 0


def _fail(text: str) -> int:
    print(f"finetune_microcystin: {text}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    app.run(main, flags_parser=configure.parse_flags)
