"""What the scripts share: our errors are one sentence, bugs keep their trace, and --trace shows both."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest
from absl import flags
from absl.testing import flagsaver

from spectral_jax import launch
from spectral_jax.addresses import bucket
from spectral_jax.train.checkpoint import CheckpointError
from spectral_jax.train.loop import NonFiniteLoss


def failing(error):
    def job(overrides):
        raise error

    return launch.script("forecast", job, "optim.lr=3e-4")


@pytest.fixture(autouse=True)
def unchanged_cache(monkeypatch):
    """Kept programs would otherwise go to a folder of this user's own for the tests after this file."""
    monkeypatch.setattr(launch, "keep", lambda: None)


@pytest.mark.parametrize("kind", [ValueError, FileNotFoundError, ImportError, CheckpointError])
def test_an_expected_error_is_a_sentence_that_tells_of_trace(kind, capsys):
    assert failing(kind("expected rain, got sun."))(["forecast"]) == 1
    assert capsys.readouterr().err == "forecast: expected rain, got sun. (--trace shows where this was raised.)\n"


def test_trace_shows_where_it_was_raised_and_then_the_sentence(capsys):
    with flagsaver.flagsaver(trace=True):
        assert failing(ValueError("expected rain, got sun."))(["forecast"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("Traceback")
    assert "in job" in said
    assert said.endswith("forecast: expected rain, got sun.\n")


def test_a_key_error_is_a_bug_and_keeps_its_trace():
    with pytest.raises(KeyError, match="rain"):
        failing(KeyError("rain"))(["forecast"])
    assert KeyError not in launch.expected()
    assert NonFiniteLoss in launch.expected()


def test_an_unknown_argument_is_told_with_the_form_of_overrides(capsys):
    assert failing(ValueError())(["forecast", "rain"]) == 1
    assert (
        capsys.readouterr().err == "forecast: argument 'rain' is not known; overrides have the form --config.optim.lr=3e-4.\n"
    )


def test_the_job_gets_the_overrides_and_its_exit_code_is_that_of_the_script():
    seen = []

    def job(overrides):
        seen.append(overrides)
        return 75

    assert launch.script("forecast", job, "a=1")(["forecast", "--config.a.b=1"]) == 75
    assert launch.script("forecast", lambda overrides: None, "a=1")(["forecast"]) == 0
    assert seen == [["--config.a.b=1"]]


def test_programs_are_kept_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.undo()
    before = jax.config.jax_compilation_cache_dir
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
    try:
        launch.keep()
        assert jax.config.jax_compilation_cache_dir == str(tmp_path)
    finally:
        jax.config.update("jax_compilation_cache_dir", before)


def test_launch_does_not_import_jax():
    """So that --help is fast."""
    code = "import sys; import spectral_jax.launch; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ), check=True)
    assert done.stdout.strip() == "False"


def test_flags_that_hold_addresses_hold_paths_of_this_machine_while_the_command_runs(bucket_address):
    values = flags.FlagValues()
    for name, use in (("image", "read"), ("out", "file"), ("folder", "folder"), ("store", "store"), ("none", "file")):
        flags.DEFINE(launch._Place(name, use), name, None, "", flag_values=values)
    bucket.write(f"{bucket_address}/a.tif", b"scene")
    given = {"image": "a.tif", "out": "map.tif", "folder": "run", "store": "s.zarr"}
    values(["command", *(f"--{name}={bucket_address}/{last}" for name, last in given.items())])
    with launch.on_this_machine(values) as written:
        assert Path(values.image).read_bytes() == b"scene"
        Path(values.out).write_bytes(b"map")
        (Path(values.folder) / "report.html").write_text("page")
        assert (values.store, values.none) == (f"{bucket_address}/s.zarr", None)
    assert values.out == f"{bucket_address}/map.tif"
    assert bucket.sizes(bucket_address) == {"a.tif": 5, "map.tif": 3, "run/report.html": 4}
    assert written == [f"{bucket_address}/map.tif", f"{bucket_address}/run"]
