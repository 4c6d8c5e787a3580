import pytest

from spectral_jax.config import Config, spectralearth_sensors
from spectral_jax.measure.pod import placeholder_flops


def test_size_b_is_near_what_the_publications_shapes_give():
    """Counted by hand from the layers: 3.5 TFLOP for the two hyperspectral sensors with Sentinel-2, Landsat and radar."""
    cfg = Config("b", spectralearth_sensors())
    found = placeholder_flops.flops_per_sample(cfg, ["EMIT", "ENMAP", "S2", "LO", "LT", "S1"])
    assert found == pytest.approx(3.5e12, rel=0.1)
