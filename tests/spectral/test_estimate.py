"""Components of a reference's whitening as other bands give them, against sums written out in NumPy."""

import dataclasses

import numpy as np
import pytest
from made import tiny_stem

from spectral_jax.config import SensorInput, Whitening, spectralearth_sensors
from spectral_jax.sensors import Band, SensorSpec
from spectral_jax.spectral import estimate, whitening

ENMAP = SensorSpec.load("enmap_l2a")
NAME = "enmap_simulated"


def scaled_spectra(count: int, seed: int = 0) -> np.ndarray:
    """Reflectances [n 202] as the table says that they vary: its mean, and its 48 components drawn at random."""
    known = whitening.read_scaled(ENMAP, NAME, 1)
    directions = known.std[:, None] * known.table.kernel
    whole = 1.0 / (directions**2).sum(axis=0)
    loadings = known.std[:, None] * directions * np.sqrt(whole * np.maximum(whole - 2e-3, 0.0))
    z = np.random.default_rng(seed).normal(size=(count, 48))
    return known.mean + z @ loadings.T


def plain(name: str) -> SensorSpec:
    return dataclasses.replace(SensorSpec.load(name), mean=(), std=())


def found_by(spec: SensorSpec, spectra: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Components of spectra as EnMAP's bands and another sensor's give them."""
    table = estimate.estimated(spec, ENMAP, NAME, 1)
    own = whitening.read_scaled(ENMAP, NAME, 1).table
    seen = spectra @ estimate.bands_in(spec, ENMAP)[0].T
    return spectra @ own.kernel + own.offset, seen @ table.kernel + table.offset


def test_the_reference_itself_has_its_own_table():
    spec = plain("enmap_l2a")
    found, own = estimate.estimated(spec, ENMAP, NAME, 1), whitening.read(spec, NAME, 1)
    np.testing.assert_array_equal(found.kernel, own.kernel)
    np.testing.assert_array_equal(found.offset, own.offset)


def test_a_band_is_the_mean_of_the_reference_under_its_response():
    spec = plain("prisma_l2d")
    weights, unseen = estimate.bands_in(spec, ENMAP)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-9)
    counted = unseen <= 0.2
    # A spectrum that is straight over wavelength is seen at a band's own centre.
    np.testing.assert_allclose((weights @ ENMAP.centre_nm)[counted], spec.centre_nm[counted], atol=2.0)
    assert counted.sum() > 150
    assert not counted[(spec.centre_nm > 1365) & (spec.centre_nm < 1395)].any()  # water vapour


@pytest.mark.parametrize(("name", "components"), [("prisma_l2d", 30), ("emit_l2a", 30), ("desis_l2a", 15), ("landsat8_oli", 3)])
def test_components_are_found_again(name, components):
    """So many of the 48 with an R2 above 0.5, and the largest almost exactly; a few bands tell few."""
    own, found = found_by(plain(name), scaled_spectra(400))
    r2 = 1.0 - ((own - found) ** 2).mean(axis=0) / own.var(axis=0)
    assert (r2 > 0.5).sum() >= components
    assert r2[0] > 0.99
    assert (found.std(axis=0) < 1.5 * own.std(axis=0)).all()  # what is not seen is not made up


def test_the_estimate_is_the_best_linear_one():
    """Against the formula C_zx (C_xx + noise)^-1 of least squares, for a sensor of five bands."""
    bands = tuple(Band(f"{nm}", float(nm), 20.0) for nm in (490, 560, 665, 865, 1610))
    spec = SensorSpec("five", "optical", "surface reflectance", "1", 30.0, "float32", bands, low=0.0, high=1.0)
    known = whitening.read_scaled(ENMAP, NAME, 1)
    directions = known.std[:, None] * known.table.kernel
    whole = 1.0 / (directions**2).sum(axis=0)
    variance = np.maximum(whole - 2e-3, 0.0)
    weights = estimate.bands_in(spec, ENMAP)[0]
    seen = weights @ (known.std[:, None] * directions * np.sqrt(whole)) * np.sqrt(variance)
    noise = np.diag(5e-4 * (weights @ known.std) ** 2)
    expected = np.linalg.solve(seen @ seen.T + noise, seen * np.sqrt(variance / whole))
    found = estimate.estimated(spec, ENMAP, NAME, 1)
    np.testing.assert_allclose(found.kernel, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    np.testing.assert_allclose(found.offset, -(weights @ known.mean) @ expected, rtol=1e-3, atol=1e-3)


def test_standardised_values_and_several_pixels_a_cell_give_the_same_components():
    spec = plain("landsat8_oli")
    mean, std = tuple(0.1 + 0.01 * np.arange(7)), (0.2,) * 7
    standardised = dataclasses.replace(spec, mean=mean, std=std)
    x = np.random.default_rng(1).uniform(0.0, 0.5, (9, 7))
    one, other = (estimate.estimated(s, ENMAP, NAME, 1) for s in (spec, standardised))
    expected = x @ one.kernel + one.offset
    np.testing.assert_allclose((x - mean) / std @ other.kernel + other.offset, expected, atol=2e-3)
    several = estimate.estimated(spec, ENMAP, NAME, 3)
    assert several.kernel.shape == (14, 48)
    np.testing.assert_allclose(np.concatenate([x, x], axis=1) @ several.kernel + several.offset, expected, atol=1e-5)


def test_a_sensor_is_seen_through_the_reference():
    sensor = estimate.through(spectralearth_sensors(only=("EMIT",))[0], NAME, "enmap_l2a")
    assert (sensor.branch, sensor.tokenizer, sensor.any_sensor) == ("optical", "stem", True)
    assert sensor.whitening == Whitening(NAME, 48, estimate.digest(ENMAP, NAME), "enmap_l2a")


def test_what_cannot_be_estimated_is_refused():
    with pytest.raises(ValueError, match="expected an optical sensor of surface reflectance .* got radar of sigma0"):
        estimate.estimated(tiny_stem.SAR, ENMAP, NAME, 1)
    other = dataclasses.replace(plain("landsat8_oli"), quantity="radiance", unit="W m-2 sr-1 um-1")
    with pytest.raises(ValueError, match="got optical of radiance .* convert it, or give it a whitening of its own"):
        estimate.estimated(other, ENMAP, NAME, 1)
    far = dataclasses.replace(tiny_stem.MSI, bands=(Band("a", 3000.0, 20.0), Band("b", 3100.0, 20.0)))
    with pytest.raises(ValueError, match="stem_msi: none of its 2 bands lies where enmap_l2a sees"):
        estimate.estimated(far, ENMAP, NAME, 1)
    with pytest.raises(ValueError, match="estimated for the stem tokenizer alone, and the grouped tokenizer is given"):
        SensorInput("HSI", tiny_stem.HSI, "grouped", whitening=Whitening(NAME, 48, "0", "enmap_l2a"))
