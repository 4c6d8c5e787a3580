"""The command `spectral-jax`: each of its words runs a script of experiments/ or tools/, with the script's own flags."""

import runpy
import sys
from pathlib import Path

from spectral_jax.sentences import unknown

# Word -> script. The scripts lie beside the package in a checkout, and inside it in an installation.
SCRIPTS = {
    "pretrain": "experiments/pretrain.py",
    "microcystin": "experiments/finetune_microcystin.py",
    "adapt": "experiments/adapt.py",
    "build-store": "tools/build_store.py",
    "colocate": "tools/colocate.py",
    "build-matchups": "tools/build_matchups.py",
    "embed": "tools/embed.py",
    "predict": "tools/predict.py",
    "convert-weights": "tools/convert_weights.py",
    "band-statistics": "tools/band_statistics.py",
    "climatology": "tools/climatology.py",
    "worth": "tools/worth.py",
    "ablate": "tools/ablate.py",
    "rank-tasks": "tools/rank_tasks.py",
    "encoder-table": "tools/encoder_table.py",
    "water-realism": "tools/water_realism.py",
    "benchmark": "tools/benchmark.py",
    "compile-pod": "tools/compile_pod.py",
}


def path_of(word: str) -> Path:
    """The script behind a word of the command.

    Raises:
      ValueError: there is no such word; the sentence names the closest.
      FileNotFoundError: the installation lacks the script.
    """
    if word not in SCRIPTS:
        raise unknown("spectral-jax", "command", word, SCRIPTS, most=len(SCRIPTS))
    here = Path(__file__).resolve().parent
    for root in (here, here.parent):
        if (root / SCRIPTS[word]).is_file():
            return root / SCRIPTS[word]
    raise FileNotFoundError(f"spectral-jax {word}: {SCRIPTS[word]} is neither in {here} nor in {here.parent}; install again.")


def summary(script: Path) -> str:
    """The first line of a script's docstring."""
    return script.read_text(encoding="utf-8").removeprefix('"""').split("\n", 1)[0].removesuffix('"""')


def main() -> int:
    """Runs `spectral-jax WORD FLAGS...`; without a word, or with --help, lists the words."""
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help"):
        print("spectral-jax COMMAND [FLAGS]; spectral-jax COMMAND --help tells the flags.\n")
        for word in SCRIPTS:
            print(f"  {word:<16s} {summary(path_of(word))}")
        return 0 if words else 1
    try:
        script = path_of(words[0])
    except (ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    sys.argv = [str(script), *words[1:]]
    runpy.run_path(str(script), run_name="__main__")
    return 0
