"""EMIT L2A from miniature granules of another hand: the lookup table, bad bands, and masks of both versions."""

import numpy as np
import pytest

pytest.importorskip("h5py")
from made import delivered_hdf5 as made

from spectral_jax.ingest.downloaded.recognise import open_product

WHOLE = slice(0, 7), slice(0, 6)


@pytest.fixture(scope="module")
def granule(tmp_path_factory):
    return made.write_emit(tmp_path_factory.mktemp("emit"))


def test_a_pixel_is_the_one_of_the_swath_that_the_table_names(granule):
    with open_product(granule) as product:
        assert (product.kind, product.shape) == ("EMIT L2A", (7, 6))
        expected = np.full((7, 6, 285), -9999.0, np.float32)
        expected[1:6, 1:5] = made.emit_reflectance()
        np.testing.assert_array_equal(product.read(*WHOLE), expected.transpose(2, 0, 1))
        part = product.read(slice(3, 5), slice(2, 4), bands=[7, 3])
        np.testing.assert_array_equal(part, expected[3:5, 2:4, [7, 3]].transpose(2, 0, 1))


def test_a_swath_that_lies_across_and_a_pixel_that_fills_a_hole_mix_no_spectra(tmp_path):
    """Lines go east and samples south, and one pixel of the swath stands in two of the grid."""
    glt_x, glt_y = (table.T.copy() for table in made.emit_table())
    glt_x[2, 3], glt_y[2, 3] = glt_x[2, 2], glt_y[2, 2]
    with open_product(made.write_emit(tmp_path, table=(glt_x, glt_y), turned=True)) as product:
        assert product.shape == (6, 7)
        cube = made.emit_reflectance()
        found = product.read(slice(1, 5), slice(1, 6))
        expected = cube.transpose(2, 1, 0).copy()
        expected[:, 1, 2] = expected[:, 1, 1]
        np.testing.assert_array_equal(found, expected)


def test_the_bands_that_hold_minus_001_are_no_data(granule):
    with open_product(granule) as product:
        good = product.good(slice(2, 3), slice(2, 3))[:, 0, 0]
        np.testing.assert_array_equal(good, made.emit_good())
        assert (good.sum(), np.isnan(product.physical(slice(2, 3), slice(2, 3))).sum()) == (244, 41)
        assert product.notes == ()


def test_a_store_gets_32767_for_one_and_what_exceeds_it_is_clipped_and_counted(tmp_path):
    cube = made.emit_reflectance()
    cube[1, 1, :3] = 1.0, 1.2, 0.5
    with open_product(made.write_emit(tmp_path, cube=cube)) as product:
        stored = product.stored(*WHOLE)
        assert stored.pixels[:3, 2, 2].tolist() == [32767, 32767, 16384]
        assert stored.clipped == 1
        # 0.1 * 32767 = 3276.7; fill and what lies outside the swath are missing.
        assert stored.pixels[0, 1, 1] == 3277
        assert stored.pixels[0, 5, 4] == stored.pixels[0, 0, 0] == -32768


@pytest.mark.parametrize(
    ("version", "unclear"),
    [
        # Cloud, cirrus (0, 0) and (0, 1); dilated (1, 1); spacecraft (1, 2); no number (2, 0).
        (1, [(0, 0), (0, 1), (1, 1), (1, 2), (2, 0)]),
        # SpecTf (0, 3), cirrus (0, 1), buffer (1, 0), no number (2, 0); cloud of the old test counts no more.
        (2, [(0, 1), (0, 3), (1, 0), (2, 0)]),
    ],
)
def test_masks_of_both_versions_by_the_names_of_their_layers(tmp_path, version, unclear):
    with open_product(made.write_emit(tmp_path, version=version)) as product:
        expected = np.zeros((7, 6), bool)
        expected[1:6, 1:5] = True
        for line, sample in unclear:
            expected[line + 1, sample + 1] = False
        np.testing.assert_array_equal(product.clear(*WHOLE), expected)
        # Water is a flag, and no reason to drop a pixel.
        assert product.flagged(*WHOLE)["water"].nonzero() == ([1], [3])
        assert "aggregate" in product.flags
        assert product.provenance["mask"] == f"EMIT_L2A_MASK_{version:03d}_{made.SCENE}"


def test_layers_are_found_by_name_and_not_by_place(tmp_path):
    with open_product(made.write_emit(tmp_path, names=made.LAYERS_2[::-1])) as product:
        assert product.flagged(*WHOLE)["cirrus"].nonzero() == ([1], [2])


def test_of_two_masks_the_newest_version_counts(tmp_path):
    made.write_emit(tmp_path, mask_version=1)
    with open_product(made.write_emit(tmp_path, mask_version=2)) as product:
        assert "spectf_cloud" in product.dropped


def test_place_and_time(granule):
    with open_product(granule.parent) as product:
        assert product.crs.to_epsg() == 4326
        assert product.geotransform == (15.0, made.STEP, 0.0, 52.0, 0.0, -made.STEP)
        assert product.time == np.datetime64("2023-07-14T10:11:12")
        expected = [(1.5, 1.5), (4.5, 1.5), (4.5, 5.5), (1.5, 5.5)]
        np.testing.assert_allclose(product.outline, [(15.0 + x * made.STEP, 52.0 - y * made.STEP) for x, y in expected])


def beyond():
    glt_x, glt_y = made.emit_table()
    glt_x[2, 2] = made.SAMPLES + 1
    return glt_x, glt_y


def empty():
    return (np.zeros((7, 6), np.int32),) * 2


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"leave_out": ("MASK",)}, r"expected the mask EMIT_L2A_MASK_..._2023.* beside the reflectance, and there is none"),
        (
            {"names": ("Cloud Flag", "Cirrus Flag", "Fog Flag")},
            r"the layer 'fog flag' in sensor_band_parameters/mask_bands is not",
        ),
        (
            {"names": ("Cloud Flag", "Water Flag")},
            r"expected a layer for the flag cirrus in mask_bands, got cloud flag, water flag",
        ),
        ({"mask_shape": (3,)}, r"expected mask of shape \(5, 4, 11\).* got \(3, 4, 11\); is it of another granule"),
        ({"table": beyond()}, r"location/glt_x from 0 \(none\) to 4, the size of the swath, got 0 to 5"),
        ({"table": tuple(-x for x in made.emit_table())}, r"location/glt_x from 0 .* got -4 to 0"),
        ({"table": empty()}, r"expected a pixel of the swath in location/glt_x and glt_y, and all are 0"),
        ({"left": 52.0, "top": 15.0}, r"location/lon of the swath's pixels is .* pixels from where geotransform"),
        ({"fill": None}, r"expected -9999 declared as no data .* a band declares none"),
        ({"fill": 0.1}, r"expected -9999 as no data.* declares 0.1, which is a number that data can have"),
        ({"drift": 9.0}, r"wavelengths: expected a band near"),
        ({"leave_out": ("fwhm",)}, r"expected the array sensor_band_parameters/fwhm, and it is missing"),
        ({"good": np.ones(284, bool)}, r"expected 285 numbers in .* one for each band, got 285, 285 and 284"),
        ({"cube": made.emit_reflectance().astype(np.int16)}, r"expected reflectance in floats, got int16"),
        ({"cube": made.emit_reflectance()[..., 0]}, r"expected reflectance with 3 dimensions, got shape \(5, 4\)"),
    ],
)
def test_a_damaged_or_contradictory_granule_is_refused_in_a_sentence(tmp_path, how, sentence):
    path = made.write_emit(tmp_path, **how)
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        open_product(path)


def test_another_choice_of_good_bands_is_told(tmp_path):
    good = made.emit_good()
    good[10] = False
    with open_product(made.write_emit(tmp_path, good=good)) as product:
        assert "good_wavelengths and the bad intervals of emit_l2a differ in 1 bands, the first being B11" in product.notes[0]


def test_radiance_and_truncated_files_are_refused(granule, tmp_path):
    radiance = tmp_path / granule.name.replace("L2A_RFL", "L1B_RAD")
    radiance.write_bytes(b"")
    with pytest.raises(ValueError, match=r"expected EMIT L2A reflectance, and EMIT_L1B_RAD.* is of level L1B"):
        open_product(radiance)
    half = tmp_path / "half" / granule.name
    half.parent.mkdir()
    half.write_bytes(granule.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"expected a whole HDF5 file, and it cannot be opened .*truncated"):
        open_product(half)
