"""Stores straight from products as agencies deliver them, on their own grids."""

import numpy as np
import pytest
from made import delivered, delivered_landsat, delivered_sentinel1, omnicloudmask_stand_in
from made.tiny_geotiffs import build_into, pixels_of

from spectral_jax.ingest.masks import by_spectf
from spectral_jax.ingest.patches.products import table


def test_an_enmap_product_becomes_patches_and_what_is_unclear_is_missing(tmp_path):
    folder = delivered.write_enmap(tmp_path / "downloads")
    (tmp_path / "zips").mkdir()
    delivered.zipped(folder, tmp_path / "zips" / "product.ZIP")
    lines = []
    store = build_into(tmp_path / "out.zarr", f"delivered:{tmp_path / 'zips'}", footprint_m=90.0, lines=lines).store
    group = store.groups["enmap"]
    assert (group.locations, group.dates) == (4, 1)
    expected, pixels = delivered.enmap_pixels(), pixels_of(store, "enmap", "ENMAP", 0)
    clear = np.ones((3, 3), bool)
    clear[0] = False  # cloud, its shadow and cirrus in the first row
    np.testing.assert_array_equal(pixels, np.where(clear, expected[:, :3, :3], -32768))
    assert "EnMAP L2A: enmap_l2a, unclear (background, cloud, cloud_shadow, cirrus): missing" in lines
    assert any("bands by the product's metadata, at most 0.30 nm off" in line for line in lines)
    assert build_into(tmp_path / "out.zarr", f"delivered:{tmp_path / 'zips'}", footprint_m=90.0).written == 0


def test_unclear_pixels_are_kept_on_request_and_the_time_is_the_products(tmp_path):
    delivered.write_enmap(tmp_path / "downloads")
    command = f"delivered:{tmp_path / 'downloads'},unclear=keep"
    store = build_into(tmp_path / "out.zarr", command, footprint_m=90.0).store
    np.testing.assert_array_equal(pixels_of(store, "enmap", "ENMAP", 0), delivered.enmap_pixels()[:, :3, :3])
    days = store.groups["enmap"].times("ENMAP")[0, 0]
    # 25 years with 7 leap days (2000, 04, ... 24), 332 days of 2025, and 11:20:21.123456.
    assert days == pytest.approx(25 * 365 + 7 + 332 + (11 + (20 + 21.123456 / 60) / 60) / 24, abs=1e-9)


def test_landsat_gives_reflectance_or_temperature(tmp_path):
    delivered_landsat.write(tmp_path / "downloads")
    for sensor, group, key in (("landsat8_oli", "lo", "LO"), ("landsat_st", "lt", "LT")):
        command = f"delivered:{tmp_path / 'downloads'},sensor={sensor},unclear=keep"
        store = build_into(tmp_path / f"{key}.zarr", command, footprint_m=150.0).store
        want = delivered_landsat.temperature() if key == "LT" else delivered_landsat.reflectance(1)
        np.testing.assert_array_equal(pixels_of(store, group, key, 0)[0], want)


def test_another_sensor_beside_the_first_and_other_pixels_are_refused(tmp_path):
    delivered.write_enmap(tmp_path / "both")
    delivered.write_desis(tmp_path / "both")
    with pytest.raises(ValueError, match=r"expected a product of desis_l2a, as the first of its folder, got .* enmap"):
        build_into(tmp_path / "a.zarr", f"delivered:{tmp_path / 'both'}", footprint_m=90.0)
    delivered_sentinel1.write(tmp_path / "radar", "hyp3")
    with pytest.raises(ValueError, match=r"expected pixels of 10 m, and those of S1B_IW.* are 30 x 30 m; .*warp it first"):
        build_into(tmp_path / "b.zarr", f"delivered:{tmp_path / 'radar'}", footprint_m=90.0)


def test_a_folder_without_products_is_told(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"--product=delivered: .* holds no product: no folder, and no file of .zip"):
        table.parsed(f"delivered:{tmp_path}").read()
    with pytest.raises(FileNotFoundError, match=r"--product=delivered: expected a folder of products, and .* is not a folder"):
        table.parsed(f"delivered:{tmp_path / 'nowhere'}").read()


def test_what_a_model_calls_cloud_is_missing_too_and_the_option_is_in_the_provenance(tmp_path, monkeypatch):
    delivered.write_enmap(tmp_path / "downloads")
    second = lambda product, window, wanted, folder, threshold: wanted & (np.arange(wanted.shape[1]) == 1)  # noqa: E731
    monkeypatch.setattr(by_spectf, "cloudy", second)
    monkeypatch.setattr(by_spectf, "loaded", lambda folder: None)
    lines = []
    command = f"delivered:{tmp_path / 'downloads'},clouds=spectf,cloud_weights={tmp_path / 'w'}"
    store = build_into(tmp_path / "out.zarr", command, footprint_m=90.0, lines=lines).store
    clear = np.ones((3, 3), bool)
    clear[0], clear[:, 1] = False, False
    expected = np.where(clear, delivered.enmap_pixels()[:, :3, :3], -32768)
    np.testing.assert_array_equal(pixels_of(store, "enmap", "ENMAP", 0), expected)
    assert any("missing; model_cloud: cloud by SpecTf, of surface reflectance" in line for line in lines)
    (said,) = store.provenance["command"]["products"]
    assert (said["options"]["clouds"], said["options"]["cloud_weights"]) == ("spectf", str(tmp_path / "w"))
    with pytest.raises(FileExistsError, match=r"was begun with --product=delivered:.*clouds=spectf.*, and now it is"):
        build_into(tmp_path / "out.zarr", f"delivered:{tmp_path / 'downloads'}", footprint_m=90.0)


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ("clouds=spectf", ValueError, "clouds=spectf: expected cloud_weights=FOLDER beside it, and it is not given; convert"),
        (
            "clouds=cloudy",
            ValueError,
            "option clouds of --product=delivered: expected product or spectf or omnicloudmask or none",
        ),
        ("cloud_threshold=0.4", ValueError, "cloud_threshold: 0.4 is of one model's probability, and clouds is product"),
        (
            "clouds=spectf,cloud_weights=gone",
            FileNotFoundError,
            "gone/config.json does not exist; expected a folder that tools/",
        ),
        (
            "clouds=omnicloudmask",
            ValueError,
            "clouds=omnicloudmask: it looks at Sentinel-2 and Landsat, and there is enmap_l2a",
        ),
    ],
)
def test_a_model_that_cannot_tell_cloud_is_refused_before_a_store_is_made(tmp_path, monkeypatch, options, error, sentence):
    omnicloudmask_stand_in.installed(monkeypatch)
    delivered.write_enmap(tmp_path / "downloads")
    with pytest.raises(error, match=sentence):
        build_into(tmp_path / "out.zarr", f"delivered:{tmp_path / 'downloads'},{options}", footprint_m=90.0)
    assert not (tmp_path / "out.zarr").exists()
