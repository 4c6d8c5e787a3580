"""Coverage of one sensor by another: the published comparison with Sentinel-2A, small cases by hand, and the report."""

import dataclasses
import json

import numpy as np
import pytest

from spectral_jax.sensors import Band, SensorSpec
from spectral_jax.spec_files import folder
from spectral_jax.spectral.coverage import LEAST_RESPONSE, coverage, nearest_index, srf_weights, stands_for_nm

S2A = SensorSpec.load("sentinel2a_l2a")
# The adaptation study (arXiv 2603.06690) as computed from the responses of ESA COPE-GSEG-EOPG-TN-15-0007 v4.0: for each band of
# S2A the nearest centre (nm) and how many source bands lie where its response is above 1 %, for the 202 bands of EnMAP and the
# 150 of Hyperview. All 48 cells are reproduced; the table has tenths of a nanometre, and rounds Hyperview's 864.85 nm up.
TABLE = {
    "B01": (444.5, 6, 462.1, 0),
    "B02": (491.6, 16, 494.0, 22),
    "B03": (560.9, 9, 561.2, 14),
    "B04": (666.4, 6, 663.5, 12),
    "B05": (706.4, 3, 705.0, 6),
    "B06": (741.6, 3, 740.2, 5),
    "B07": (785.8, 4, 781.7, 8),
    "B08": (831.9, 18, 832.9, 42),
    "B8A": (863.5, 4, 864.9, 10),
    "B09": (944.2, 5, 938.4, 2),
    "B11": (1609.4, 10, 938.4, 0),
    "B12": (2199.7, 28, 938.4, 0),
}
EDGE = {"enmap_l2a": set(), "hyperview": {"B01", "B09", "B11", "B12"}}


def sensor(name, *bands, **fields):
    bands = tuple(Band(f"b{i}", float(c), float(f)) for i, (c, f) in enumerate(bands))
    return SensorSpec(name, "optical", "surface reflectance", "1", 30.0, "float32", bands, **fields)


def shuffled(spec, seed=0):
    order = np.random.default_rng(seed).permutation(len(spec.used))
    return dataclasses.replace(spec.without_bad_bands(), bands=tuple(spec.used[i] for i in order), mean=(), std=()), order


@pytest.mark.parametrize(("source", "column"), [("enmap_l2a", 0), ("hyperview", 2)])
def test_the_table_of_the_study_is_reproduced_band_by_band(source, column):
    seen = coverage(SensorSpec.load(source), S2A)
    assert [b.band for b in seen.bands] == list(TABLE)
    for band in seen.bands:
        nearest_nm, count = TABLE[band.band][column : column + 2]
        assert band.nearest_nm == pytest.approx(nearest_nm, abs=0.0501), band.band
        assert len(band.used) == count, band.band
        assert band.response == "measured"
    assert {b.band for b in seen.bands if b.beyond} == EDGE[source]
    assert {b.band for b in seen.uncovered} == {name for name, row in TABLE.items() if row[column + 1] == 0}


def test_the_other_list_of_enmap_bands_leaves_three_in_b11():
    # The list that drops 146-152 instead of 161-167 (1-based): the study says what it would do to B11.
    enmap = SensorSpec.load("enmap_l2a")
    bands = tuple(b for i, b in enumerate(enmap.bands, 1) if not (127 <= i <= 141 or 146 <= i <= 152))
    b11 = coverage(dataclasses.replace(enmap, bands=bands, bad_intervals_nm=()), S2A).bands[10]
    assert (b11.band, round(b11.nearest_nm), len(b11.used)) == ("B11", 1653, 3)


@pytest.mark.parametrize("source", ["enmap_l2a", "hyperview", "prisma_l2d", "emit_l2a", "landsat9_oli"])
@pytest.mark.parametrize("target", ["sentinel2a_l2a", "sentinel2c_l2a", "landsat8_oli", "desis_l2a"])
def test_rows_sum_to_one_where_covered_and_the_report_holds_the_matrix(source, target):
    source, target = SensorSpec.load(source), SensorSpec.load(target)
    weights, seen = srf_weights(source, target)
    report = coverage(source, target)
    covered = np.array([b.covered for b in report.bands])
    assert covered.any()
    np.testing.assert_allclose(weights.sum(axis=1), covered.astype(float), atol=1e-12)
    assert np.all((seen >= 0) & (seen <= 1 + 1e-12))
    for row, band in zip(weights, report.bands, strict=True):
        np.testing.assert_array_equal(np.sort(row[row > 0]), np.sort(band.weights))
        assert list(band.used_nm) == sorted(band.used_nm)


def test_weights_are_those_of_a_computation_without_the_package():
    source = SensorSpec.load("enmap_l2a")
    file = folder("sensors") / "srf/sentinel2a_msi.csv"
    samples = np.genfromtxt(file, delimiter=",", dtype=None, names=True, skip_header=1, encoding="utf8")
    # On a grid of 0.01 nm: each wavelength belongs in equal parts to the source bands within half an FWHM of it.
    grid = np.arange(400, 2500, 0.01) + 0.005
    near = [np.abs(grid - c) < f / 2 for c, f in zip(source.centre_nm, source.fwhm_nm, strict=True)]
    parts = 1 / np.maximum(np.sum(near, axis=0), 1)
    weights, seen = srf_weights(source, S2A)
    for row, share, band in zip(weights, seen, S2A.used, strict=True):
        nm, height = samples["wavelength_nm"], samples["relative_response"]
        mine = samples["band"] == band.name
        curve, at = (np.interp(x, nm[mine], height[mine], left=0.0, right=0.0) for x in (grid, source.centre_nm))
        expected = np.array([np.sum((curve * parts)[inside]) for inside in near]) * (at > 0.01 * height[mine].max())
        np.testing.assert_allclose(row, expected / expected.sum(), rtol=5e-3)  # 0.01 nm of 7 nm, at each limit
        assert share == pytest.approx(np.sum(curve[np.any(near, axis=0)]) / curve.sum(), abs=1e-3)


@pytest.mark.parametrize(
    ("source", "within_nm"), [("enmap_l2a", 0.3), ("desis_l2a", 0.1), ("emit_l2a", 1.0), ("prisma_l2d", 1.0)]
)
def test_a_spectrum_that_rises_steadily_is_read_at_the_target_s_centroid(source, within_nm):
    source = SensorSpec.load(source)
    weights, seen = srf_weights(source, S2A)
    off = (weights @ source.centre_nm - S2A.centre_nm)[seen > 0.9]
    assert len(off) >= 9
    assert np.abs(off).max() < within_nm


def test_three_sentinel_2_are_three_targets():
    source = SensorSpec.load("enmap_l2a")
    a, b, c = (srf_weights(source, SensorSpec.load(f"sentinel2{x}_l2a"))[0] for x in "abc")
    centroid = [w[-1] @ source.centre_nm for w in (a, b, c)]
    np.testing.assert_allclose(centroid, [2202.4, 2185.7, 2191.3], atol=2.0)
    assert min(np.abs(a - b).sum(), np.abs(a - c).sum(), np.abs(b - c).sum()) > 0.5


def test_a_gaussian_target_by_hand():
    source = sensor("fine", (690, 10), (700, 10), (710, 10), (740, 10))
    target = sensor("coarse", (700, 20))
    weights, seen = srf_weights(source, target)
    # Of a Gaussian of deviation 8.493 nm, 44.40 % lie within 5 nm of the centre and 23.93 % from 5 to 15 nm on either side.
    np.testing.assert_allclose(weights, [[0.2594, 0.4812, 0.2594, 0.0]], atol=2e-4)
    assert seen[0] == pytest.approx(0.9226, abs=2e-4)
    (band,) = coverage(source, target).bands
    assert (band.response, band.used, band.used_nm) == ("Gaussian", ("b0", "b1", "b2"), (690.0, 700.0, 710.0))
    assert (band.nearest, band.distance_nm, band.beyond) == ("b1", 0.0, False)


def test_a_band_below_one_percent_of_the_peak_does_not_count():
    sigma = 20 / 2.354820045
    just = sigma * np.sqrt(-2 * np.log(LEAST_RESPONSE))
    source = sensor("edge", (700 + just - 0.01, 5), (700 - just - 0.01, 5))
    assert coverage(source, sensor("coarse", (700, 20))).bands[0].used == ("b0",)


def test_overlapping_bands_share_the_wavelengths_they_stand_for():
    np.testing.assert_allclose(stands_for_nm(sensor("apart", (500, 10), (600, 20))), [10, 20])
    np.testing.assert_allclose(stands_for_nm(sensor("touching", (500, 10), (505, 10))), [7.5, 7.5])
    np.testing.assert_allclose(stands_for_nm(sensor("twice", (500, 10), (500, 10), (500, 30))), [10 / 3, 10 / 3, 20 + 10 / 3])


def test_enmap_does_not_count_the_overlap_of_its_detectors_twice():
    enmap = SensorSpec.load("enmap_l2a")
    overlap = (enmap.centre_nm > 915) & (enmap.centre_nm < 980)
    detector = np.array([b.detector for b in enmap.used])
    assert {*detector[overlap]} == {"VNIR", "SWIR"}
    assert stands_for_nm(enmap)[overlap].sum() == pytest.approx(980 - 915, abs=8)
    # A response across the edge of the overlap at 902 nm: if each band had a weight of its own the centroid would move.
    weights, _ = srf_weights(enmap, sensor("across", (902, 60)))
    assert weights[0] @ enmap.centre_nm == pytest.approx(902, abs=0.2)
    alone = np.exp(-0.5 * ((enmap.centre_nm - 902) / (60 / 2.3548)) ** 2) * enmap.fwhm_nm
    assert alone @ enmap.centre_nm / alone.sum() - 902 > 2


@pytest.mark.parametrize("name", ["enmap_l2a", "prisma_l2d"])
def test_the_order_of_bands_does_not_matter(name):
    spec = SensorSpec.load(name)
    other, order = shuffled(spec)
    np.testing.assert_allclose(srf_weights(other, S2A)[0], srf_weights(spec, S2A)[0][:, order], atol=1e-12)
    np.testing.assert_array_equal(order[nearest_index(other, S2A)], nearest_index(spec, S2A))
    assert coverage(other, S2A).text().split("\n")[1:] == coverage(spec, S2A).text().split("\n")[1:]


def test_equally_near_bands_give_the_shorter_wavelength_then_the_narrower():
    target = sensor("t", (600, 10))
    assert nearest_index(sensor("s", (610, 5), (590, 8), (590, 5)), target).tolist() == [2]


def test_text_and_json_say_the_same():
    report = coverage(SensorSpec.load("hyperview"), S2A)
    lines = report.text().splitlines()
    assert lines[0] == "hyperview seen as sentinel2a_l2a: 12 target bands, uncovered: B01, B11, B12."
    assert len(lines) == 14
    assert " ".join(lines[2].split()) == "B01 442.7 measured 0 0 % - - 462.1 19.4 uncovered beyond the edge"
    assert " ".join(lines[6].split()) == "B05 704.1 measured 6 100 % 695.4-711.4 0.237 at 701.8 705.0 0.9"
    assert " ".join(lines[11].split()) == "B09 945.0 measured 2 24 % 935.2-938.4 0.675 at 938.4 938.4 6.7 beyond the edge"
    data = json.loads(report.to_json())
    assert (data["source_digest"], data["target_digest"]) == (SensorSpec.load("hyperview").digest, S2A.digest)
    assert data["bands"][0]["used"] == []
    assert data["bands"][1]["weights"] == list(report.bands[1].weights)


def test_radar_is_refused():
    radar = SensorSpec.load("sentinel1_grd")
    with pytest.raises(ValueError, match="coverage of sentinel2a_l2a by sentinel1_grd: sentinel1_grd is a radar, expected a"):
        coverage(radar, S2A)
    with pytest.raises(ValueError, match="coverage of sentinel1_grd by sentinel2a_l2a: sentinel1_grd is a radar"):
        coverage(S2A, radar)
