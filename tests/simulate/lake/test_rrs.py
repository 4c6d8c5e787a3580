import dataclasses

import numpy as np
import pytest

from spectral_jax.sensors import SensorSpec
from spectral_jax.simulate.lake import correction, optics, prior, toxin
from spectral_jax.simulate.lake.optics import Water
from spectral_jax.simulate.lake.rrs import check as check_rrs
from spectral_jax.simulate.lake.rrs import in_bands, reflectance

PACE = SensorSpec.load("pace_oci_rrs_v3")
CLEAR = dict(chlorophyll_ug_l=1.0, cyanobacteria_share=0.0, phycocyanin_ug_l=0.0, suspended_g_m3=1.0, cdom_a440_1_m=0.2)


def band(rrs, nm):
    return rrs[..., int(np.abs(PACE.centre_nm - nm).argmin())]


def seen(**changes):
    return in_bands(Water(**(CLEAR | changes)), PACE)


def test_pure_water_absorbs_red_and_scatters_blue():
    nm = np.array([440.0, 550.0, 700.0])
    a, bb = optics.pure_water_absorption(nm), optics.pure_water_backscattering(nm)
    # Pope and Fry 1997: 0.00635 and 0.0565 1/m at 440 and 550 nm, 0.624 at 700.
    np.testing.assert_allclose(a, [0.00635, 0.0565, 0.624], rtol=0.1)
    assert (np.diff(bb) < 0).all()


def test_reflectance_is_gordons_of_the_inherent_properties():
    water = Water(**CLEAR, fluorescence_yield=0.0)
    nm = np.array([443.0, 560.0, 665.0])
    a, bb = optics.inherent(water, nm)
    u = bb / (a + bb)
    below = 0.0949 * u + 0.0794 * u**2
    np.testing.assert_allclose(reflectance(water, nm), 0.52 * below / (1 - 1.7 * below), rtol=0.05)


def test_phycocyanin_deepens_its_trough_and_sediment_raises_the_red():
    bloom = dict(chlorophyll_ug_l=40.0, cyanobacteria_share=0.8)
    pale, blue = seen(**bloom), seen(**bloom, phycocyanin_ug_l=60.0)
    trough = [band(x, 620) / (0.5 * (band(x, 560) + band(x, 650))) for x in (pale, blue)]
    assert trough[1] < trough[0]
    assert band(seen(suspended_g_m3=20.0), 665) > 2 * band(seen(), 665)


def test_cyanobacteria_raise_the_red_edge_over_the_red():
    ratio = [
        band(x, 709) / band(x, 665)
        for x in (seen(), seen(chlorophyll_ug_l=100.0, cyanobacteria_share=0.9, phycocyanin_ug_l=100.0))
    ]
    assert ratio[1] > 1 > ratio[0]


def test_packing_has_the_floor_and_the_step_of_the_product():
    stored = correction.pack(np.array([-1.0, 0.01, np.nan]), PACE)
    assert stored.dtype == np.int16
    assert stored[2] == -32767
    back = correction.unpack(stored, PACE)
    np.testing.assert_allclose(back[:2], [-0.015532, 0.01], atol=1e-6)
    assert np.isnan(back[2])


def test_the_toxin_peaks_in_summer_and_is_not_seen_in_the_spectrum():
    quota = toxin.quota_log10(np.array([150.0, 212.0, 290.0]))
    assert quota[1] == quota.max()
    a, _ = prior.simulate_spectra(np.random.default_rng(0), 50, PACE)
    b, state = prior.simulate_spectra(np.random.default_rng(0), 50, PACE)
    np.testing.assert_array_equal(a, b)
    assert set(state) == {"chlorophyll_ug_l", "phycocyanin_ug_l", "suspended_g_m3", "cdom_a440_1_m", "microcystin_ug_l"}


def test_bad_water_is_a_sentence():
    with pytest.raises(ValueError, match="expected suspended_g_m3 to be finite and not negative, got -1"):
        Water(**(CLEAR | {"suspended_g_m3": -1.0}))
    with pytest.raises(ValueError, match="expected an optical sensor, and sentinel1_grd is radar"):
        check_rrs(SensorSpec.load("sentinel1_grd"))
    with pytest.raises(ValueError, match="the optics of water hold for 340-900 nm"):
        check_rrs(dataclasses.replace(SensorSpec.load("enmap_l2a"), bad_intervals_nm=()))
    with pytest.raises(ValueError, match="expected phycocyanin from 0 ug/L, got -1"):
        toxin.microcystin(np.random.default_rng(0), np.array([-1.0]), 200.0, 0.0)
