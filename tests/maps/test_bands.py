"""Which sensor of an encoder a scene's bands are."""

import numpy as np
import pytest
from made import tiny_run

import spectral_jax
from spectral_jax.ingest.raster.wavelengths import Wavelengths
from spectral_jax.maps import bands
from spectral_jax.sensors import SensorSpec


def told(spec):
    return Wavelengths(spec.centre_nm, spec.fwhm_nm)


@pytest.fixture(scope="module")
def mini():
    return spectral_jax.load("spectral-mini")


def test_a_sensor_of_the_encoder_is_found_by_wavelength():
    cfg = tiny_run.config()
    assert bands.of_wavelengths(cfg, {}, told(tiny_run.HSI), 30.0, "a.tif").key == "HSI"
    assert bands.of_wavelengths(cfg, {}, told(tiny_run.MSI), 20.0, "a.tif").key == "MSI"


def test_an_encoder_for_any_sensor_takes_prisma_and_bands_of_nobody(mini):
    prisma = bands.of_wavelengths(*mini, told(SensorSpec.load("prisma_l2d")), 30.0, "a.tif")
    assert (prisma.key, prisma.spec.name) == ("prisma_l2d", "prisma_l2d")
    own = bands.of_wavelengths(*mini, Wavelengths(np.linspace(420, 900, 50), np.full(50, np.nan)), 30.0, "a.tif")
    assert (own.key, len(own.spec.bands), own.spec.unit) == ("SCENE", 50, "1")
    np.testing.assert_allclose(own.spec.fwhm_nm, 480 / 49)


def test_enmap_in_other_pixels_is_a_sensor_of_its_own(mini):
    found = bands.of_wavelengths(*mini, told(SensorSpec.load("enmap_l2a")), 10.0, "a.tif")
    assert (found.key, found.spec.gsd_m) == ("ENMAP_10m", 10.0)


def test_a_named_sensor_is_one_of_the_encoder_or_of_the_package(mini):
    assert bands.named(*mini, "S2").spec.name == "sentinel2a_l2a"
    assert bands.named(*mini, "desis_l2a").key == "desis_l2a"
    with pytest.raises(ValueError, match="--sensor: no sensor is called 'ENMPA'; the names are, closest first: ENMAP"):
        bands.named(*mini, "ENMPA")


def test_bands_without_overlap_are_refused(mini):
    thermal = Wavelengths(np.linspace(8000.0, 12000.0, 20), np.full(20, 100.0))
    with pytest.raises(ValueError, match="a.tif: there are 20 bands from 8000 to 12000 nm, in pixels of 30 m, and the encoder"):
        bands.of_wavelengths(*mini, thermal, 30.0, "a.tif")
    with pytest.raises(ValueError, match=r"a.tif: expected the bands of a sensor of this encoder, HSI \(6 bands"):
        bands.of_wavelengths(tiny_run.config(), {}, thermal, 30.0, "a.tif")
