import numpy as np
from made import tiny_matchups

from spectral_jax.microcystin.study import attribution


def test_a_prediction_that_hangs_on_the_red_edge_is_attributed_to_it():
    data = tiny_matchups.make()
    nm, rrs = data.wavelength_nm, data.mean_rrs()
    found = attribution.importance(lambda x: 100 * x[:, nm == 700][:, 0], rrs, nm, data.iso_week, shortest_nm=420)
    assert min(found["wavelength_nm"]) == 443
    level = {f["name"]: f["ratio_to_rest"] for f in found["features"]}
    assert max(level, key=level.get) == "red edge and scattering peak"
    assert level["phycocyanin absorption"] == 0.0
    assert all(a <= b for a, b in zip(found["low"], found["high"], strict=True))


def test_a_straight_line_stays_as_it_is():
    nm = np.array([600.0, 603, 611, 620, 624, 640])
    line = (0.01 + 1e-4 * nm)[None]
    np.testing.assert_allclose(attribution.flattened(line, nm, 612.0), line, atol=1e-12)
