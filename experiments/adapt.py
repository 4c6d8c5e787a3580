"""Compares spectral adaptations of encoders on a labelled task: encoder x adaptation x task x protocol, over seeds.

python experiments/adapt.py --workdir=DIR                                            # simulated, under three minutes
python experiments/adapt.py --config=experiments/configs/adapt_enmap_potsdam.py \
        --config.data.root=DATA/enmap_potsdam --workdir=DIR
"""

import shlex
import sys
from pathlib import Path

from absl import app, flags, logging

from spectral_jax import configure

DEFAULT = Path(__file__).parent / "configs" / "adapt_quickstart.py"
CONFIG = flags.DEFINE_string("config", str(DEFAULT), "Config file (Python, or the config.json of a run).")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run: results.json, statistics.json, report.html and more.")


def main(argv: list[str]) -> int:
    """Parses, calls, and turns expected failures into one sentence and exit code 1."""
    logging.set_verbosity(logging.WARNING)
    unknown, overrides = configure.split(argv[1:])
    if unknown:
        return _fail(f"argument {unknown[0]!r} is not known; overrides have the form {configure.PREFIX}data.root=DIR.")
    if not WORKDIR.value:
        return _fail("--workdir=DIR is needed: the folder that gets the results and the page.")
    from spectral_jax import launch
    from spectral_jax.adapt.run import adapt
    from spectral_jax.adapt.settings import Adapt

    launch.keep()
    try:
        adapt(configure.read(CONFIG.value, overrides, Adapt), Path(WORKDIR.value), shlex.join(["python", *sys.argv]))
    except launch.expected() as error:
        return _fail(str(error.args[0] if isinstance(error, KeyError) and error.args else error))
    return 0


def _fail(text: str) -> int:
    print(f"adapt: {text}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    app.run(main, flags_parser=configure.parse_flags)
