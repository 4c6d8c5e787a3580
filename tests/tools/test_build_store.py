"""The command: its flags, its sentences and its exit codes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from absl import flags
from made import catalogues, command_line, delivered
from made.tiny_geotiffs import write_s1

from spectral_jax.ingest.patches.products import table

TOOL = Path(__file__).resolve().parents[2] / "tools" / "build_store.py"


@pytest.fixture(scope="module")
def command(load_command):
    """The names of the command; its short flags are forgotten with the others."""
    names = load_command(TOOL)
    yield names
    short = names["SHORT"]
    for flag in [*short, *(flag for options in short.values() for flag in options.values())]:
        delattr(flags.FLAGS, flag)


@pytest.fixture
def sources(command):
    """Folders of a command line."""

    def parse(*arguments):
        flags.FLAGS.unparse_flags()
        flags.FLAGS(["build_store", "--out=out.zarr", *arguments])
        try:
            return command["sources"]()
        finally:
            for name in ("product", *command["SHORT"], "sentinel2_unit", "sentinel2_offset", "sentinel1_product"):
                flags.FLAGS[name].unparse()

    return parse


def test_the_short_flags_say_the_same_as_products(sources):
    expected = (
        table.ProductFolder("enmap", "tiles"), table.ProductFolder("sentinel2", "chips", {"unit": "b", "offset": "0"}),
        table.ProductFolder("sentinel1", "radar", {"kind": "grd"}),
    )  # fmt: skip
    products = ("--product=enmap:tiles", "--product=sentinel2:chips,unit=b,offset=0", "--product=sentinel1:radar,kind=grd")
    short = ("--enmap=tiles", "--sentinel2=chips", "--sentinel2_unit=b", "--sentinel2_offset=0", "--sentinel1=radar")
    assert sources(*products) == expected
    assert sources(*short, "--sentinel1_product=grd") == expected
    assert sources("--product=sentinel2:chips", "--enmap=tiles") == (
        table.ProductFolder("sentinel2", "chips"), table.ProductFolder("enmap", "tiles"),
    )  # fmt: skip


def test_a_short_option_without_its_folder_is_refused(sources):
    sentence = "--sentinel2_unit: expected --sentinel2 beside it, .*write --product=sentinel2:FOLDER,unit=b."
    with pytest.raises(ValueError, match=sentence):
        sources("--product=sentinel2:chips", "--sentinel2_unit=b")


@pytest.fixture
def run(command):
    """The exit text of a command line, "" where it ends well."""

    forgotten = ("product", "stac", "cache", "bbox", "from", "to", "collection", "workers", "scheduler", "shard_mb")
    return lambda *arguments: command_line.exit_text(command["main"], "build_store", arguments, forgotten)


def test_products_of_a_catalogue_are_built_and_what_it_lacks_is_told_with_the_exit(run, tmp_path, capsys):
    pixels = np.full((224, 8, 8), 1500, np.int16)
    layers = {f"QL_QUALITY_{kind}": np.zeros((8, 8), np.uint8) for kind in ("CLOUD", "CLOUDSHADOW", "CIRRUS", "HAZE", "SNOW")}
    layers["QL_QUALITY_CLASSES"] = np.ones((8, 8), np.uint8)
    inner = delivered.write_enmap(tmp_path / "served" / "files", pixels=pixels, layers=layers)
    assets = {p.stem: f"../../files/{inner.name}/{p.name}" for p in inner.iterdir()}
    first = catalogues.write(tmp_path / "served", catalogues.item("whole", assets), catalogues.item("lacking", {}))
    arguments = [f"--stac={first}", f"--cache={tmp_path / 'cache'}", "--footprint_m=120", f"--out={tmp_path / 'out.zarr'}"]
    text = run(*arguments)
    assert text.startswith(
        "build_store: the store lacks 1 item of the catalogue:\n  item lacking of scenes: neither it nor its"
    )
    assert f"{tmp_path / 'out.zarr'} is complete: 4 patches of 120 m written." in capsys.readouterr().out
    assert "nothing was fetched, so there is nothing to build:" in run(*arguments, "--from=2030-01-01")
    assert run(arguments[0], *arguments[2:]) == (
        "build_store: --stac: expected --cache=FOLDER beside it, for the products; what is in it is not fetched again."
    )
    assert run("--bbox=1,2,3,4", *arguments[1:]).startswith("build_store: --bbox: expected --stac=CATALOGUE beside it")
    assert run(*arguments, "--workers=2", "--scheduler=tcp://a:1").startswith("build_store: --workers starts workers on this")


def run_tool(*arguments):
    return subprocess.run([sys.executable, str(TOOL), *arguments], capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_command_prints_sentences_and_exit_codes(tmp_path):
    write_s1(tmp_path / "S1RTC" / "x.tif")
    arguments = [f"--product=sentinel1:{tmp_path / 'S1RTC'}", "--footprint_m=120", f"--out={tmp_path / 'out.zarr'}"]
    done = run_tool(*arguments)
    assert done.returncode == 0, done.stderr
    assert "Sentinel-1: RTC, backscatter gamma0 (from the folder's name S1RTC)" in done.stdout
    assert "1 of 1 patches" in done.stdout
    assert f"--config.data.store={tmp_path / 'out.zarr'}" in done.stdout
    short = run_tool(f"--sentinel1={tmp_path / 'S1RTC'}", *arguments[1:])
    assert short.returncode == 0, short.stderr
    assert "was complete already: 1 patches; nothing was written." in short.stdout
    refused = run_tool(*arguments[:-1], f"--out={tmp_path / 'S1RTC'}")
    assert refused.returncode == 1
    assert refused.stderr.startswith("build_store: --out: ")
    unknown = run_tool("--product=enmpa:tiles", arguments[-1])
    assert unknown.returncode == 1
    assert unknown.stderr.startswith(
        "build_store: --product: no product is called 'enmpa'; the names are, closest first: enmap"
    )
    assert "Traceback" not in refused.stderr + unknown.stderr
