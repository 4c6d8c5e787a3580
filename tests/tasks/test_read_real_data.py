"""Tasks on real observations, and the traps in them."""

import json

import numpy as np
import pytest

from spectral_jax.adapt.parts.blocks import block_disjoint, published, scene_disjoint
from spectral_jax.adapt.parts.leakage import report
from spectral_jax.tasks.read import read
from spectral_jax.tasks.samples import usable

rasterio = pytest.importorskip("rasterio", reason="needs the extra spectral-jax[geo]")


@pytest.mark.slow
def test_enmap_potsdam_is_one_scene_with_two_detectors_and_six_dead_bands(real_data):
    data = read("enmap_potsdam", real_data / "enmap_potsdam")
    assert len(data) == 14
    assert set(data.scene) == {"2022-07-24T10:45:26"}
    steps = np.diff(data.wavelength_nm)
    assert np.flatnonzero(steps < 0).tolist() == [90]
    assert (data.wavelength_nm[90], data.wavelength_nm[91]) == (pytest.approx(993, abs=1), pytest.approx(902, abs=1))
    assert (data.fwhm_nm > 5).all()
    for valid in data.valid:
        pixel, channel = usable(valid)
        dead = data.wavelength_nm[~channel]
        assert len(dead) == 6
        assert (dead.min().round(), dead.max().round()) == (1331, 1391)
        assert pixel.all()
    with rasterio.open(real_data / "enmap_potsdam" / "labels" / "enmap_potsdam_tile_128_128.tif") as file:
        codes = file.read(1)
    np.testing.assert_array_equal(data.labels[data.names.index("enmap_potsdam_tile_128_128")], codes.astype(int) - 1)
    assert np.concatenate(list(data.labels)).max() == 5


def test_enmap_potsdam_can_only_be_split_by_ground(real_data):
    data = read("enmap_potsdam", real_data / "enmap_potsdam")
    with pytest.raises(ValueError, match="at least 3 scenes, .* and its 14 samples are of 1"):
        scene_disjoint(data)
    with pytest.raises(ValueError, match="part 'train' of the published split is empty"):
        published(data)
    touching = report(data, block_disjoint(data, 2000.0, fractions=(0.6, 0.2, 0.2)))
    assert touching.touching_tiles > 0
    assert touching.shared_scenes == 1
    apart = report(data, block_disjoint(data, 2000.0, fractions=(0.6, 0.2, 0.2), buffer_m=100.0))
    assert apart.touching_tiles == 0
    assert apart.train_tiles < touching.train_tiles


@pytest.mark.slow
def test_fuel_moisture_keeps_sites_apart(real_data):
    folder = real_data / "fuel_moisture"
    data = read("fuel_moisture", folder)
    assert (data.split.count("train"), data.split.count("test")) == (1578, 735)
    listed = json.loads((folder / "train_test_split.json").read_text())
    assert [listed[site] for site in data.scene] == list(data.split)
    found = report(data, published(data))
    assert (found.test_scenes, found.shared_scenes, found.near_tiles) == (50, 0, 0)
    stored = np.load(folder / "s1_s2_era5_srtm.npy")
    ndvi = data.images[:, 0, 0, data.channel_index(sensor="ndvi")]
    np.testing.assert_allclose(
        stored[..., 17], (stored[..., 7] - stored[..., 3]) / (stored[..., 7] + stored[..., 3]), atol=1e-9
    )
    assert np.abs(ndvi - stored[..., 17]).max() > 0.4
    assert np.abs(ndvi).max() <= 1
    assert data.valid.all()


def test_soil_targets_are_partly_missing(real_data):
    data = read("soil", real_data / "soil")
    assert np.isfinite(data.labels).sum(axis=0).tolist() == [645, 732, 447]
    assert (data.split.count("train"), data.split.count("test")) == (618, 207)
    assert data.wavelength_nm[[0, -1]].tolist() == [1100, 2498]


def test_samson_spectra_and_abundances_are_of_the_same_pixels(real_data):
    data = read("samson", real_data / "samson")
    spectra = np.asarray(data.images).reshape(-1, 156)
    abundance = np.asarray(data.labels).reshape(-1, 3)
    assert len(spectra) == 95 * 95
    np.testing.assert_allclose(abundance.sum(axis=1), 1, atol=1e-5)

    def misfit(pixels):
        materials = np.linalg.lstsq(abundance, pixels, rcond=None)[0]
        return np.abs(abundance @ materials - pixels).mean()

    turned = np.asarray(data.images).reshape(5, 5, 19, 19, 156).transpose(1, 0, 3, 2, 4).reshape(-1, 156)
    assert misfit(spectra) < 0.05
    assert misfit(turned) > 0.08


def test_terramesh_chips_are_brought_to_one_convention(real_data):
    data = read("terramesh_lulc", real_data / "terramesh")
    assert data.notes == ("433D_629L_3_1: 1000 was taken off, the offset of processing baseline 04.00.",)
    optical = data.channel_index(sensor="sentinel2a_l2a")
    for i, name in enumerate(data.names):
        with rasterio.open(real_data / "terramesh" / "S2L2A" / f"{name}.tif") as file:
            raw = file.read().astype(float)
        offset = 1000.0 if name == "433D_629L_3_1" else 0.0
        np.testing.assert_array_equal(data.images[i][..., optical], raw.transpose(1, 2, 0) - offset)
    assert set(np.unique(data.labels)) == {0, 1, 2, 3, 4, 5, 8}
    assert len(set(data.scene)) == 4
    assert {place.epsg for place in data.georeference} == {32632, 32718, 32722, 32736}
    found = report(data, scene_disjoint(data, fractions=(0.5, 0.0, 0.5)))
    assert (found.shared_scenes, found.near_tiles) == (0, 0)
