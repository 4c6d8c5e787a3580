"""Bio-optical indices against formulas written out here, and against figures measured on real Lake Erie spectra."""

import numpy as np
import pytest

from spectral_jax.sensors import SensorSpec
from spectral_jax.spectral.indices import INDICES, available, index

NM = np.array([885.0, 560, 600, 615, 620, 625, 629, 650, 659, 664.5, 681, 700, 708.5, 725, 753.5])  # no order is assumed


@pytest.fixture
def bands(rng):
    spectra = rng.uniform(0.002, 0.03, (5, len(NM))).astype(np.float32)

    def at(nm):
        return spectra[:, np.argmin(np.abs(NM - nm))].astype(np.float64)

    return spectra, at


def shape(at, low, middle, high):
    x = [NM[np.argmin(np.abs(NM - nm))] for nm in (low, middle, high)]
    return at(middle) - np.array([np.interp(x[1], (x[0], x[2]), pair) for pair in zip(at(low), at(high), strict=True)])


def test_heights_are_above_the_straight_line_between_their_neighbours(bands):
    spectra, at = bands
    lines = {
        "ss681": shape(at, 665, 681, 709), "ci": -shape(at, 665, 681, 709), "ss665": shape(at, 620, 665, 681),
        "bair": shape(at, 664, 709, 885), "mci": shape(at, 681, 709, 754), "pci": -shape(at, 560, 620, 665),
        "sicf": shape(at, 664, 681, 709), "sipf": shape(at, 619, 664, 681),
    }  # fmt: skip
    for name, expected in lines.items():
        np.testing.assert_allclose(index(name, spectra, NM), expected, atol=1e-7, err_msg=name)
    cyano = np.where(lines["ss665"] >= 0, np.maximum(lines["ci"], 0), 0)
    np.testing.assert_allclose(index("ci_cyano", spectra, NM), cyano, atol=1e-7)


def test_ratios_and_the_pigments_they_give(bands):
    spectra, at = bands
    x, d = at(708) / at(665), (at(708) - at(665)) / (at(708) + at(665))
    expected = {
        "ndci": d, "chlorophyll_ndci": 14.039 + 86.115 * d + 194.325 * d**2,
        "chlorophyll_gurlin": 25.28 * x**2 + 14.85 * x - 15.18,
        "chlorophyll_gilerson": np.where(35.75 * x > 19.30, np.abs(35.75 * x - 19.30) ** 1.124, np.nan),
        "chlorophyll_moses": 232.329 * at(753) * (1 / at(665) - 1 / at(708)) + 23.174,
        "pc_schalles": at(650) / at(625), "pc_simis": at(709) / at(620), "pc_mishra09": at(700) / at(600),
        "pc_hunter": (1 / at(615) - 1 / at(600)) * at(725), "pc_mishra14": (1 / at(629) - 1 / at(659)) * at(724),
    }  # fmt: skip
    for name, values in expected.items():
        np.testing.assert_allclose(index(name, spectra, NM), values, rtol=2e-4, atol=1e-5, err_msg=name)


def test_the_maximum_peak_height_takes_the_peak_where_it_is(bands):
    spectra, at = bands
    peaks = np.stack([at(681), at(709), at(753)])
    where = np.array([681.0, 708.5, 753.5])[peaks.argmax(0)]
    line = at(664) + (at(885) - at(664)) * (where - 664.5) / (885 - 664.5)
    np.testing.assert_allclose(index("mph", spectra, NM), peaks.max(0) - line, atol=1e-7)


def test_negative_reflectance_is_kept_and_never_divided_by(bands):
    spectra, _ = bands
    spectra[:, np.argmin(np.abs(NM - 620))] = -0.001
    assert np.isnan(index("pc_simis", spectra, NM)).all()
    assert np.isfinite(index("pci", spectra, NM)).all()
    spectra[0, np.argmin(np.abs(NM - 681))] = np.nan
    assert np.isnan(np.asarray(index("ci", spectra, NM))).tolist() == [True, False, False, False, False]


def test_pace_products_have_the_indices_whose_bands_they_have():
    rrs, sfrefl = (set(available(SensorSpec.load(name).centre_nm)) for name in ("pace_oci_rrs_v3", "pace_oci_sfrefl"))
    neither = {"pc_mishra09", "pc_hunter"}  # both lack 600 nm
    assert set(INDICES) - sfrefl == neither
    assert set(INDICES) - rrs == neither | {"mci", "mph", "bair", "chlorophyll_moses", "pc_mishra14"}


def test_a_product_without_the_band_is_refused(bands):
    spectra, _ = bands
    with pytest.raises(ValueError, match="index mci needs a band within 2.5 nm of 754 nm, and the nearest .* is at 725 nm"):
        index("mci", spectra[:, :14], NM[:14])
    with pytest.raises(ValueError, match="^indices: no index is called 'CI_cyan'; the names are, closest first: "):
        index("CI_cyan", spectra, NM)
    with pytest.raises(ValueError, match=r"expected one wavelength a band, got \(3,\) for spectra \(5, 15\)"):
        index("ci", spectra, NM[:3])


def test_real_lake_erie_spectra_lie_where_they_were_measured(real_data):
    """Ranges: percentiles 5 and 95 of 292 patch means of western Lake Erie 2024-25, of which these are 212.

    The order is that of rank correlations with microcystin over all 292, measured with other code.
    """
    data = np.load(real_data / "pace_erie" / "pace_glerl_matchups.npz")
    with np.errstate(invalid="ignore"):
        count = np.isfinite(data["rrs"]).sum((1, 2))
        spectra = (np.nansum(data["rrs"], (1, 2)) / np.where(count, count, np.nan)).astype(np.float32)
    ranges = {"ci": (-6.0e-4, 2.19e-3), "ss665": (-3.5e-4, 6.0e-4), "ndci": (-0.349, 0.135), "pc_schalles": (0.803, 1.014)}
    correlations = []
    for name, (low, high) in ranges.items():
        values = np.asarray(index(name, spectra, data["wavelength"]))
        good = np.isfinite(values)
        assert 0.85 < np.mean((low < values[good]) & (values[good] < high)) < 0.95, name
        ranks = [np.argsort(np.argsort(x[good])) for x in (values, data["mc_surface"])]
        correlations.append(np.corrcoef(ranks)[0, 1])
    assert correlations == sorted(correlations, reverse=True)
    assert correlations[0] > 0.744
