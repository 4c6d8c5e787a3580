"""Numbers that can be what they are said to be pass; those of another unit, packing or fill are told by what they look like."""

import numpy as np
import pytest

from spectral_jax import plausible
from spectral_jax.sensors import SensorSpec

ENMAP, RADAR, HEAT = (SensorSpec.load(name) for name in ("enmap_l2a", "sentinel1_rtc", "landsat_st"))
LAND = np.random.default_rng(0).gamma(2.0, 0.07, (202, 16, 16)).clip(0.001, 0.9)
SOME = np.random.default_rng(1).random(LAND.shape) < 0.05
ECHO = np.random.default_rng(0).normal(-12.0, 4.0, (2, 40, 40))
GROUND = np.random.default_rng(0).normal(295.0, 8.0, (1, 40, 40))


def told(values, spec=ENMAP, step=0.0, stated=False):
    limits = plausible.limits(spec)
    return plausible.fault(values, np.isfinite(values), limits, step, stated)


@pytest.mark.parametrize(
    ("values", "spec"),
    [
        (LAND, ENMAP), (np.full((202, 8, 8), 0.85), ENMAP), (LAND * 0.05 - 0.002, ENMAP), (ECHO, RADAR), (GROUND, HEAT),
        (np.where(LAND > 0.6, 1.4, LAND), ENMAP), (np.zeros((202, 0, 0)), ENMAP),
    ],
    ids=["land", "cloud", "dark water", "radar", "ground", "glint", "nothing"],
)  # fmt: skip
def test_what_can_be_passes(values, spec):
    assert told(values, spec) == ""


@pytest.mark.parametrize(
    ("values", "spec", "phrase"),
    [
        (LAND * 1e4, ENMAP, "they look like packed integers"),
        (LAND * 100, ENMAP, "they look like percent"),
        (LAND * 1e-4, ENMAP, "fractions were taken for packed numbers"),
        (LAND - 2.305, ENMAP, "the median of the numbers is -2"),
        (np.where(np.arange(16) < 4, -0.9999, LAND), ENMAP, "exactly -0.9999, outside -0.3 to 2: a fill value"),
        (np.where(SOME, LAND * 9 + 2.0, LAND), ENMAP, "of the numbers lie outside"),
        (10 ** (ECHO / 10), RADAR, "they look like linear power"),
        (ECHO * 100, RADAR, r"they look like dB * 100"),
        (np.where(np.arange(40) < 8, 0.0, ECHO), RADAR, "20.0 % of the numbers are exactly 0"),
        (GROUND - 273.15, HEAT, "they look like degrees Celsius"),
        ((GROUND - 149.0) / 0.00341802, HEAT, "the median of the numbers is"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_by_what_it_looks_like(values, spec, phrase):
    assert phrase in told(values, spec)


def test_one_number_decides_nothing():
    for odd in (2.4, -9.0, 6.5):
        values = LAND.copy()
        values[3, 2, 1] = odd
        assert told(values) == ""


def test_percent_taken_for_packed_numbers_unless_the_file_says_so():
    percent = np.rint(LAND * 50) * 1e-4
    assert "where 10000 stands for 1: they are percent" in told(percent, step=1e-4)
    assert told(percent, step=1e-4, stated=True) == ""
    assert "they are percent" in told(LAND * 50 * 1e-4, step=1e-4, stated=True)


def test_missing_numbers_and_unknown_quantities_are_not_judged():
    values = np.where(LAND > 0.1, np.nan, LAND)
    assert told(values) == ""
    unknown = SensorSpec("mine", "optical", "chlorophyll", "mg m^-3", 30.0, "float32", ENMAP.bands)
    assert plausible.limits(unknown) is None
    plausible.check(LAND * 1e4, LAND > 0, unknown, "x.tif")


def test_the_sentence_has_where_what_and_what_to_do():
    with pytest.raises(
        ValueError, match=r"^x.tif: expected surface reflectance, and the median .* packed integers \* 1e4; divide them\.$"
    ):
        plausible.check(LAND * 1e4, np.ones(LAND.shape, bool), ENMAP, "x.tif", advice="divide them")


def test_every_limit_has_an_order_and_every_sensor_of_reflectance_has_limits():
    for name in ("enmap_l2a", "emit_l2a", "sentinel2a_l2a", "landsat8_oli", "sentinel1_grd", "landsat_st", "pace_oci_rrs_v3"):
        limits = plausible.limits(SensorSpec.load(name))
        assert limits.low < limits.high
        assert not limits.median_low < limits.low
