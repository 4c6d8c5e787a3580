"""The command: what its flags ask for, and its sentences."""

import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags

from spectral_jax.ingest.colocated.wanted import Wanted

TOOL = Path(__file__).resolve().parents[2] / "tools" / "colocate.py"


@pytest.fixture(scope="module")
def asked(load_command):
    command = load_command(TOOL)

    def parse(*arguments):
        flags.FLAGS.unparse_flags()
        flags.FLAGS(["colocate", "--out=my.zarr", *arguments])
        try:
            return command["asked"]()
        finally:
            for name in ("folder", "anchors", "days", "sensors", "holdout", "clouds", "cloud_weights", "cloud_threshold"):
                flags.FLAGS[name].unparse()

    return parse


def test_the_flags_say_what_is_wanted(asked):
    assert asked("--folder=a", "--folder=b") == Wanted(("a", "b"))
    given = asked("--folder=a", "--anchors=EMIT", "--sensors=EMIT,S2", "--days=3", "--holdout=0.2")
    assert given == Wanted(("a",), anchors=("EMIT",), sensors=("EMIT", "S2"), days=3.0, holdout=0.2)
    given = asked("--folder=a", "--clouds=spectf", "--cloud_weights=/w", "--cloud_threshold=0.4")
    assert given == Wanted(("a",), clouds=("spectf",), cloud_weights="/w", cloud_threshold=0.4)


def test_without_a_folder_nothing_is_asked(asked):
    with pytest.raises(ValueError, match="--folder: expected at least one folder of products, such as --folder=downloads"):
        asked()


@pytest.mark.slow
def test_an_error_is_a_sentence_and_code_1(tmp_path):
    words = [sys.executable, str(TOOL), f"--folder={tmp_path / 'none'}", f"--out={tmp_path / 'my.zarr'}"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip() == f"colocate: --folder: expected a folder of products, and {tmp_path / 'none'} is not a folder."
