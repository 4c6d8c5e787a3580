import numpy as np
import pytest

from spectral_jax.measure import scene_realism
from spectral_jax.sensors import SensorSpec


def test_nearest_angle_ignores_brightness_and_finds_the_nearest():
    library = np.array([[1.0, 0.0], [1.0, 1.0]])
    angles = scene_realism.nearest_angle(np.array([[5.0, 0.0], [0.0, 3.0], [2.0, 1.0]]), library)
    np.testing.assert_allclose(angles, [0.0, np.pi / 4, np.pi / 4 - np.arctan(0.5)], atol=1e-6)


def test_nearest_angle_of_other_bands_is_refused():
    with pytest.raises(ValueError, match="expected as many bands as the library has, 2, got 3"):
        scene_realism.nearest_angle(np.ones((1, 3)), np.ones((1, 2)))


def test_real_spectra_without_tiles_names_the_folder(tmp_path):
    pytest.importorskip("rasterio")
    with pytest.raises(FileNotFoundError, match="enmap_potsdam"):
        scene_realism.real_spectra(tmp_path, SensorSpec.load("enmap_l2a"))


def test_real_spectra_of_another_sensor_is_refused(real_data):
    pytest.importorskip("rasterio")
    with pytest.raises(ValueError, match="expected the bands of sentinel2a_l2a among the 224 of the tiles"):
        scene_realism.real_spectra(real_data, SensorSpec.load("sentinel2a_l2a"))


@pytest.mark.slow
def test_real_spectra_are_ordered_by_wavelength(real_data):
    pytest.importorskip("rasterio")
    spec = SensorSpec.load("enmap_l2a")
    real = scene_realism.real_spectra(real_data, spec)
    assert {name: len(x) for name, x in real.items()} == {"low_vegetation": 1138, "tree": 1301, "soil": 57, "water": 338}
    red, infrared = (int(np.abs(spec.centre_nm - nm).argmin()) for nm in (665, 865))
    assert (real["tree"][:, infrared] > real["tree"][:, red]).mean() > 0.99
    assert 0.2 < np.median(real["tree"][:, infrared]) < 0.5


@pytest.mark.slow
def test_real_spectra_split_every_tile_into_tuning_and_held_out(real_data):
    pytest.importorskip("rasterio")
    spec = SensorSpec.load("enmap_l2a")
    count = {t: {n: len(x) for n, x in scene_realism.real_spectra(real_data, spec, t).items()} for t in scene_realism.TILES}
    # Counted in the masks, by position of the tile; no even tile has water, so the first with water tunes it.
    assert count["tuning"] == {"low_vegetation": 833, "tree": 666, "soil": 34, "water": 207}
    for name, total in count["all"].items():
        assert count["tuning"][name] + count["held_out"][name] == total


def test_real_spectra_of_an_unknown_split_are_refused(real_data):
    with pytest.raises(ValueError, match="expected tiles to be one of all, tuning, held_out, got 'test'"):
        scene_realism.real_spectra(real_data, SensorSpec.load("enmap_l2a"), "test")


# Water misses the limit where scenes are large and most of it is open: ceilings above what was measured, not goals.
@pytest.mark.parametrize(("footprint_m", "water", "held_out_water"), [(480.0, 0.15, 0.19), (960.0, 0.21, 0.23)])
@pytest.mark.slow
def test_simulated_enmap_pixels_are_near_real_ones(real_data, footprint_m, water, held_out_water):
    pytest.importorskip("rasterio")
    result = scene_realism.report(real_data, count=500, seed=7, footprint_m=footprint_m)
    for name in ("low_vegetation", "tree", "soil"):
        assert result[name]["simulated"] >= 500
        assert result[name]["median_rad"] < scene_realism.LIMIT_RAD, scene_realism.text(result)
        assert result["held_out"][name] < scene_realism.LIMIT_RAD, scene_realism.text(result)
    assert result["water"]["median_rad"] < water, scene_realism.text(result)
    assert result["held_out"]["water"] < held_out_water, scene_realism.text(result)
    assert max(result["open_water"]["median_rad"], result["held_out"]["open_water"]) < 0.29, scene_realism.text(result)
    assert result["worst_median_rad"] == max(result[n]["median_rad"] for n in scene_realism.REAL_LABELS.values())
    assert "to be below 0.15 rad" in scene_realism.text(result)
    assert f"open_water {result['held_out']['open_water']:.3f}" in scene_realism.text(result)
