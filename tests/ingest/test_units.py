"""Units as files write them."""

import pytest

from spectral_jax.ingest import units


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", ""), ("1", "1"), ("Reflectance", "1"), ("%", "percent"), ("DB", "dB"), ("Kelvin", "K"), ("sr-1", "sr^-1"),
        ("1/sr", "sr^-1"), ("reflectance * 1e4", "stored numbers"), ("10000*reflectance", "stored numbers"),
        ("\u00b0C", "degrees Celsius"), ("brightness * 255", "stored numbers"),
    ],
)  # fmt: skip
def test_a_unit_is_understood(text, meant):
    assert units.meaning(text, "x") == meant


def test_what_is_stated_and_not_known_is_refused_and_what_differs_too():
    with pytest.raises(ValueError, match="x.tif: band 3: the unit 'furlongs' is not known here; expected .*percent"):
        units.meaning("furlongs", "x.tif: band 3")
    units.expect("", "1", "x.tif")
    units.expect("reflectance * 1e4", "1", "x.tif")
    with pytest.raises(ValueError, match=r"x.tif: the unit is '%', and numbers in the unit 1 \(a fraction\) are expected"):
        units.expect("%", "1", "x.tif")
    with pytest.raises(ValueError, match="x.tif: the unit is 'linear', and numbers in dB are expected"):
        units.expect("linear", "dB", "x.tif")
    with pytest.raises(ValueError, match="the unit is 'DN'"):
        units.expect("DN", "1", "x.tif", stored=False)
