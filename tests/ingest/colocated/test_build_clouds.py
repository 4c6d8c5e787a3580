"""Cloud by models in a co-located store: in the plan, in the pixels, and in the command that goes on with it."""

import csv
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from made import region

from spectral_jax.ingest.colocated import build
from spectral_jax.ingest.colocated.wanted import Wanted
from spectral_jax.ingest.masks import by_spectf

FILL = -32768


@pytest.fixture
def models(monkeypatch):
    """SpecTf finds cloud in the first row of every window, OmniCloudMask in all that lies in the first 240 m."""
    calls = []

    def cloudy(product, window, wanted, folder, threshold):
        calls.append((product.name, *((cut.start, cut.stop) for cut in window)))
        return wanted & (np.arange(len(wanted)) == 0)[:, None]

    def predict_from_array(array, **more):
        # Sentinel-2's red is a ramp of 7 a column and 3 a row: 24 columns are 240 m.
        row, column = np.mgrid[0 : array.shape[1], 0 : array.shape[2]]
        assert np.ptp(array[0] * 1e4 - 7 * column - 3 * row) < 0.1
        return (column < 24).astype(np.uint8)[None]

    monkeypatch.setattr(by_spectf, "cloudy", cloudy)
    monkeypatch.setattr(by_spectf, "loaded", lambda folder: None)
    monkeypatch.setitem(sys.modules, "omnicloudmask", SimpleNamespace(predict_from_array=predict_from_array))
    monkeypatch.setattr(build.page, "page", lambda plan, table_name: "")
    return calls


def built(folder, out, lines=None, **more):
    plan_only = more.pop("plan_only", False)
    wanted = Wanted((str(folder),), **{"footprint_m": 240.0, "clear": 0.8} | more)
    return build.build(wanted, out, plan_only, (lines if lines is not None else []).append)


def rows(done):
    with open(done.table, newline="") as file:
        return list(csv.DictReader(file))


def test_models_are_joined_with_the_products_own_layers(models, tmp_path):
    region.enmap(tmp_path / "d", cloud=1 / 24)
    region.sentinel2(tmp_path / "d")
    lines: list[str] = []
    asked = {"clouds": ("spectf", "omnicloudmask"), "cloud_weights": str(tmp_path / "w")}
    done = built(tmp_path / "d", tmp_path / "my.zarr", lines, **asked)
    # The westernmost cells are cloud to Sentinel-2; of the others' 8 rows of EnMAP one is cloud, by its own layer in the north
    # and by SpecTf further south.
    found = rows(done)
    assert {r["clear_fraction"] for r in found if r["sensor"] == "ENMAP"} == {"0.8750"}
    west = {f"32633_2083_{row}" for row in (24164, 24165, 24166)}
    assert {r["cell"] for r in found if r["sensor"] == "S2" and r["clear_fraction"] == "0.0000"} == west
    (group,) = done.built["train"].store.groups.values()
    assert (group.name, group.locations, set(group.ids()) & west) == ("enmap_s2", 6, set())
    for i in range(6):
        empty = (group.read("ENMAP", i, 0)[0] == FILL).all(axis=1)
        assert empty.tolist() == [True, *[False] * 7]
    assert len(models) == len(set(models)) == 9  # the patches asked for what the plan had asked for
    told = [line for line in lines if "model_cloud" in line]
    assert [line.partition(":")[0] for line in told] == ["ENMAP", "S2"]
    said = done.built["train"].store.provenance
    assert said["command"]["clouds"] == ["spectf", "omnicloudmask"]
    assert {about["sensor"]: "model_cloud" in about for about in said["sources"]} == {"ENMAP": True, "S2": True}


def test_a_store_goes_on_with_the_same_clouds_alone_and_one_without_models_says_nothing_of_them(models, tmp_path):
    region.enmap(tmp_path / "d", cloud=1 / 24)
    region.radar(tmp_path / "d")
    plain = built(tmp_path / "d", tmp_path / "plain.zarr")
    command = plain.built["train"].store.provenance["command"]
    assert not {"clouds", "cloud_weights", "cloud_threshold"} & command.keys()
    with pytest.raises(FileExistsError, match=r"begun with clouds not given, and now it is \['none'\]; run the same command"):
        built(tmp_path / "d", tmp_path / "plain.zarr", clouds=("none",))
    done = built(tmp_path / "d", tmp_path / "none.zarr", clouds=("none",))
    (group,) = done.built["train"].store.groups.values()
    assert all((group.read("ENMAP", i, 0)[0] != FILL).all() for i in range(9))
    with pytest.raises(FileExistsError, match=r"begun with clouds \['none'\], and now it is not given"):
        built(tmp_path / "d", tmp_path / "none.zarr")
    assert not models


def test_a_model_that_looks_at_no_product_is_refused(models, tmp_path):
    region.enmap(tmp_path / "d")
    with pytest.raises(ValueError, match="clouds=omnicloudmask: it looks at Sentinel-2 and Landsat, and there is enmap_l2a"):
        built(tmp_path / "d", tmp_path / "my.zarr", clouds=("omnicloudmask",))
