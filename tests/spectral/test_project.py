"""Fixed projections: what the matrices are, what they do to spectra, and every policy and refusal."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectral_jax.sensors import Band, SensorSpec, response
from spectral_jax.spectral.project import METHODS, UNCOVERED, apply, project, target_valid

ENMAP, HYPERVIEW, S2A = (SensorSpec.load(n) for n in ("enmap_l2a", "hyperview", "sentinel2a_l2a"))


def sensor(name, *bands, **fields):
    bands = tuple(Band(f"b{i}", float(c), float(f)) for i, (c, f) in enumerate(bands))
    return SensorSpec(name, "optical", "surface reflectance", "1", 30.0, "float32", bands, **fields)


FINE = sensor("fine", (690, 10), (700, 10), (710, 10))
COARSE = sensor("coarse", (700, 20), (900, 20))
# Of a Gaussian of FWHM 20 nm, the shares from -15 to -5, -5 to 5 and 5 to 15 nm, of their sum.
SIDE, MIDDLE = 0.2594, 0.4812


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("source", [ENMAP, HYPERVIEW], ids=lambda s: s.name)
def test_rows_sum_to_one_and_a_flat_spectrum_stays_flat(source, method):
    made = project(source, S2A, method, "nearest")
    assert (made.matrix.shape, made.matrix.dtype) == ((12, len(source.used)), np.float32)
    np.testing.assert_allclose(made.matrix.sum(axis=1), 1.0, atol=1e-6)
    flat = apply(made.matrix, jnp.full((2, 3, len(source.used)), 0.3))
    assert (flat.shape, flat.dtype) == ((2, 3, 12), jnp.float32)
    np.testing.assert_allclose(flat, 0.3, atol=1e-7)


def test_nearest_takes_one_band():
    made = project(HYPERVIEW, S2A, "nearest", "nearest")
    assert np.all((made.matrix == 0) | (made.matrix == 1))
    picked = apply(made.matrix, jnp.asarray(HYPERVIEW.centre_nm, jnp.float32))
    expected = [462.1, 494.0, 561.2, 663.5, 705.0, 740.2, 781.7, 832.9, 864.85, 938.4, 938.4, 938.4]
    np.testing.assert_allclose(picked, expected, atol=0.06)


def test_srf_agrees_with_the_integral_of_a_fine_spectrum():
    # Against the definition, without any source: the mean of a smooth spectrum with a red edge under the target's response.
    spectrum = lambda nm: 0.05 + 0.4 / (1 + np.exp(-(nm - 715) / 12)) - 0.2 * np.exp(-(((nm - 1940) / 200) ** 2))  # noqa: E731
    grid = np.arange(380.0, 2500.0, 0.5)
    truth = response(S2A, grid) @ spectrum(grid)
    # What a source reports is the spectrum under its own response.
    values = jnp.asarray(response(ENMAP, grid) @ spectrum(grid), jnp.float32)
    errors = {m: np.abs(np.asarray(apply(project(ENMAP, S2A, m, "refuse").matrix, values)) - truth) for m in METHODS}
    # Most is left in B05 and B06, on the red edge: three bands there, and EnMAP's own width.
    assert errors["srf"].max() < 0.003
    assert errors["nearest"].max() > 2 * errors["srf"].max()


def test_small_matrices_by_hand():
    np.testing.assert_allclose(project(FINE, COARSE, "srf", "zero").matrix, [[SIDE, MIDDLE, SIDE], [0, 0, 0]], atol=2e-4)
    np.testing.assert_array_equal(project(FINE, COARSE, "nearest", "zero").matrix, [[0, 1, 0], [0, 0, 0]])


@pytest.mark.parametrize("method", METHODS)
def test_every_policy_says_what_becomes_of_an_uncovered_band(method):
    near, zero, left = (project(FINE, COARSE, method, p) for p in ("nearest", "zero", "leave_out"))
    assert near.status == ("covered", "nearest")
    np.testing.assert_array_equal(near.matrix[1], [0, 0, 1])
    assert zero.status == ("covered", "zero")
    np.testing.assert_array_equal(zero.matrix[1], [0, 0, 0])
    assert left.status == ("covered", "left out")
    assert (left.kept, left.kept_index, left.matrix.shape) == (("b0",), (0,), (1, 3))
    assert (near.kept, near.kept_index) == (("b0", "b1"), (0, 1))
    np.testing.assert_array_equal(left.matrix[0], near.matrix[0])


def test_leave_out_names_the_channels_of_a_patch_embedding():
    made = project(HYPERVIEW, S2A, "srf", "leave_out")
    assert made.kept == ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09")
    assert made.kept_index == tuple(range(1, 10))


def test_a_projection_names_its_sensors_and_cannot_be_changed():
    made = project(HYPERVIEW, S2A, "srf", "zero")
    assert (made.source, made.source_digest) == ("hyperview", HYPERVIEW.digest)
    assert (made.target, made.target_digest) == ("sentinel2a_l2a", S2A.digest)
    assert made.text().splitlines()[-1] == "Method srf; uncovered bands: B01 zero, B11 zero, B12 zero."
    assert project(ENMAP, S2A, "srf", "refuse").text().endswith("\nMethod srf; no band is uncovered.")
    data = json.loads(made.to_json())
    assert (data["method"], data["uncovered"], data["status"][0], data["kept"][0]) == ("srf", "zero", "zero", "B01")
    assert data["coverage"]["bands"][0]["band"] == "B01"
    with pytest.raises(ValueError, match="read-only"):
        made.matrix[0, 0] = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.method = "nearest"


def test_bad_bands_are_no_sources_and_no_targets():
    bad = dataclasses.replace(FINE, bad_intervals_nm=((705.0, 715.0),))
    np.testing.assert_allclose(project(bad, COARSE, "srf", "leave_out").matrix, [[0.3502, 0.6498]], atol=2e-4)
    less = dataclasses.replace(COARSE, bad_intervals_nm=((800.0, 1000.0),))
    assert project(FINE, less, "srf", "refuse").kept == ("b0",)


def test_apply_is_linear_and_that_of_numpy(rng):
    matrix = project(ENMAP, S2A, "srf", "refuse").matrix
    x, y = rng.uniform(size=(2, 4, 5, 202)).astype(np.float32)
    np.testing.assert_allclose(apply(matrix, jnp.asarray(x)), x.astype(float) @ matrix.T.astype(float), atol=1e-6)
    both = apply(matrix, jnp.asarray(2 * x - 3 * y))
    np.testing.assert_allclose(both, 2 * apply(matrix, jnp.asarray(x)) - 3 * apply(matrix, jnp.asarray(y)), atol=1e-5)
    assert apply(matrix, jnp.asarray(x, jnp.bfloat16)).dtype == jnp.float32
    np.testing.assert_allclose(jax.jit(apply)(matrix, x[0, 0]), apply(matrix, jnp.asarray(x))[0, 0], atol=1e-6)


def test_invalid_bands_have_no_influence_and_the_others_take_their_weight():
    matrix = project(FINE, COARSE, "srf", "zero").matrix
    values = jnp.array([[0.1, 0.2, 0.4], [0.1, 0.2, jnp.nan], [jnp.nan, jnp.inf, 0.4], [jnp.nan, jnp.nan, jnp.nan]])
    valid = jnp.isfinite(values)
    out = apply(matrix, values, valid)
    np.testing.assert_allclose(out, [[0.2259, 0.0], [0.1650, 0.0], [0.4, 0.0], [0.0, 0.0]], atol=2e-4)
    # The third pixel has 26 % of the weight, and the middle band alone 48 %; a row of zeros needs any band.
    np.testing.assert_array_equal(target_valid(matrix, valid), [[True, True], [True, True], [False, True], [False, False]])
    np.testing.assert_array_equal(target_valid(matrix, jnp.array([False, True, False])), [False, True])
    gradient = jax.grad(lambda v: apply(matrix, v, valid).sum())(values)
    assert np.all(np.isfinite(gradient))
    np.testing.assert_array_equal(np.asarray(gradient)[~np.asarray(valid)], 0.0)


def test_a_row_of_zeros_can_be_learned():
    matrix = jnp.asarray(project(FINE, COARSE, "srf", "zero").matrix)
    gradient = jax.grad(lambda m: apply(m, jnp.ones((2, 3)), jnp.ones((2, 3), bool)).sum())(matrix)
    np.testing.assert_allclose(gradient[1], 2.0)


def test_an_uncovered_band_is_refused_by_name():
    sentence = (
        r"^hyperview covers 9 of the 12 bands of sentinel2a_l2a, not B01 at 442.69 nm \(nearest 462.08 nm\), B11 .*; choose "
        r"what becomes of them: uncovered='nearest', 'zero' or 'leave_out'\.$"
    )
    with pytest.raises(ValueError, match=sentence):
        project(HYPERVIEW, S2A, "srf", "refuse")


@pytest.mark.parametrize("policy", UNCOVERED)
@pytest.mark.parametrize("method", METHODS)
def test_sensors_that_do_not_overlap_are_refused_whatever_the_policy(method, policy):
    sentence = (
        r"^landsat_st \(.* nm\) has no band inside the response of any band of sentinel2a_l2a \(442.69 to 2202.37 nm\); choose "
        r"a source and a target that overlap\.$"
    )
    with pytest.raises(ValueError, match=sentence):
        project(SensorSpec.load("landsat_st"), S2A, method, policy)


def test_other_quantities_and_units_are_refused():
    with pytest.raises(
        ValueError, match="from pace_oci_rrs_v3 to sentinel2a_l2a: quantity is 'remote-sensing reflectance', exp"
    ):
        project(SensorSpec.load("pace_oci_rrs_v3"), S2A, "srf", "zero")
    with pytest.raises(ValueError, match=r"unit is '%', expected '1'; convert .* dataclasses.replace\(source, unit='1'\)"):
        project(dataclasses.replace(ENMAP, unit="%"), S2A, "srf", "zero")


def test_radar_is_refused():
    with pytest.raises(ValueError, match="sentinel1_grd is a radar"):
        project(SensorSpec.load("sentinel1_grd"), S2A, "nearest", "zero")


def test_unknown_names_are_refused_with_the_closest_first():
    with pytest.raises(ValueError, match="projection: no method is called 'srfs'; the names are, closest first: srf, nearest"):
        project(ENMAP, S2A, "srfs", "zero")
    with pytest.raises(ValueError, match="is called 'leave out'; the names are, closest first: leave_out, "):
        project(ENMAP, S2A, "srf", "leave out")


def test_the_policy_has_no_default():
    with pytest.raises(TypeError, match="uncovered"):
        project(ENMAP, S2A, "srf")


def test_sizes_are_checked():
    matrix = project(FINE, COARSE, "srf", "zero").matrix
    with pytest.raises(ValueError, match=r"values \[... C_source\] for a matrix .* shape \(2, 3\), got shape \(4, 2\); give"):
        apply(matrix, jnp.zeros((4, 2)))
    with pytest.raises(ValueError, match=r"expected valid of the shape of values \(4, 3\), got \(4,\); broadcast it"):
        apply(matrix, jnp.zeros((4, 3)), jnp.ones(4, bool))
    with pytest.raises(ValueError, match=r"got shape \(4,\)"):
        target_valid(matrix, jnp.ones(4, bool))
