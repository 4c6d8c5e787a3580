"""The command: what its flags ask for, and its sentences."""

import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags
from made import catalogues, command_line, region

from spectral_jax import launch
from spectral_jax.data.store import open_store
from spectral_jax.ingest.colocated import page
from spectral_jax.ingest.colocated.wanted import Wanted

TOOL = Path(__file__).resolve().parents[2] / "tools" / "colocate.py"


@pytest.fixture(scope="module")
def command(load_command):
    return load_command(TOOL)


@pytest.fixture(scope="module")
def asked(command):
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


@pytest.fixture
def run(command, monkeypatch):
    """The exit text of a command line, "" where it ends well."""
    monkeypatch.setattr(page, "page", lambda plan, table_name: "")

    forgotten = ("folder", "anchors", "plan_only", "footprint_m", *launch.CATALOGUE)
    return lambda *arguments: command_line.exit_text(command["main"], "colocate", arguments, forgotten)


def test_products_of_a_catalogue_are_planned_and_built_and_what_it_lacks_is_told(run, tmp_path, capsys):
    # EnMAP in the catalogue, radar in a folder, as if behind a login.
    made = region.enmap(tmp_path / "served" / "files")
    region.radar(tmp_path / "radar")
    assets = {p.stem: f"../../files/{made.name}/{p.name}" for p in made.iterdir()}
    first = catalogues.write(tmp_path / "served", catalogues.item("whole", assets), catalogues.item("lacking", {}))
    arguments = [
        f"--stac={first}", f"--cache={tmp_path / 'cache'}", "--footprint_m=240", f"--out={tmp_path / 'my.zarr'}",
        f"--folder={tmp_path / 'radar'}",
    ]  # fmt: skip
    told = "colocate: the plan lacks 1 item of the catalogue:\n  item lacking of scenes: neither it nor its"
    assert run(*arguments, "--plan_only").startswith(told)
    assert sorted(p.name for p in tmp_path.glob("my*")) == ["my.plan.csv", "my.plan.html"]
    assert run(*arguments).startswith(told)
    assert "2 items, 1 product of them is in" in capsys.readouterr().out
    (group,) = open_store(tmp_path / "my.zarr").groups.values()
    assert (group.name, group.locations) == ("enmap_s1", 9)
    nothing = run(*arguments[:-1], "--from=2030-01-01")
    assert nothing.startswith("colocate: nothing was fetched, so there is nothing to plan:")
    assert run("--bbox=1,2,3,4", *arguments[2:]).startswith("colocate: --bbox: expected --stac=CATALOGUE beside it, and it is")
    assert run(arguments[0], *arguments[2:]).startswith("colocate: --stac: expected --cache=FOLDER beside it")


@pytest.mark.slow
def test_an_error_is_a_sentence_and_code_1(tmp_path):
    words = [sys.executable, str(TOOL), f"--folder={tmp_path / 'none'}", f"--out={tmp_path / 'my.zarr'}"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip() == f"colocate: --folder: expected a folder of products, and {tmp_path / 'none'} is not a folder."
