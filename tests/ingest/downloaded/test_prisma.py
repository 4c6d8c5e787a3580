"""PRISMA L2D from miniature files of another hand: two cubes and their ends, lost channels, and where the grid lies."""

import numpy as np
import pytest

pytest.importorskip("h5py")
from made import delivered_hdf5 as made

from spectral_jax.ingest.downloaded.recognise import open_product
from spectral_jax.sensors import SensorSpec

WHOLE = slice(0, 6), slice(0, 6)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return made.write_prisma(tmp_path_factory.mktemp("prisma"))


def test_bands_are_put_in_the_order_of_the_spec_and_channels_never_acquired_are_left_out(file):
    with open_product(file) as product:
        spec = SensorSpec.load("prisma_l2d")
        assert (product.kind, product.shape, len(product.bands)) == ("PRISMA L2D", (6, 6), 234)
        np.testing.assert_allclose(product.wavelength_nm, [b.centre_nm + 0.2 for b in spec.bands])
        # Both cubes descend: the spec's first VNIR band is the 63rd of its cube, its last SWIR band the first.
        vnir, swir = made.prisma_numbers()
        np.testing.assert_array_equal(
            product.read(*WHOLE)[[0, 62, 63, 233]], [vnir[:, 62], vnir[:, 0], swir[:, 170], swir[:, 0]]
        )
        np.testing.assert_array_equal(
            product.read(slice(2, 4), slice(1, 5), bands=[233, 0]), [swir[2:4, 0, 1:5], vnir[2:4, 62, 1:5]]
        )


def test_each_cube_is_scaled_between_its_own_ends(tmp_path):
    with open_product(made.write_prisma(tmp_path, vnir=(0.1, 0.9), swir=(0.0, 1.2))) as product:
        # VNIR band 63 at (0, 1): 10000 + 6200 + 1; SWIR band 1 there: 10001.
        found = product.physical(slice(0, 1), slice(0, 2), bands=[0, 233])[:, 0]
        np.testing.assert_allclose(found, [[np.nan, 0.1 + 16201 * 0.8 / 65535], [np.nan, 10001 * 1.2 / 65535]], rtol=1e-6)
        # 0.1 + 16201 * 0.8 / 65535 = 0.297770 -> 2978; 10001 * 1.2 / 65535 = 0.183127 -> 1831.
        assert product.stored(*WHOLE).pixels[[0, 233], 0, 1].tolist() == [2978, 1831]
        assert "scaled between [0.1, 0.9] and [0.0, 1.2], not 0 and 1" in product.notes[0]


def test_zero_is_missing_and_the_sun_tells_the_swath(file):
    with open_product(file) as product:
        assert product.good(*WHOLE)[:, :, 0].sum() == 0
        assert (product.stored(*WHOLE).pixels[:, :, 0] == -32768).all()
        np.testing.assert_array_equal(product.clear(*WHOLE), np.broadcast_to(np.arange(6) > 0, (6, 6)))
        assert any("has no cloud mask" in note for note in product.notes)
        assert product.provenance["scene"] == {"Cloudy_pixels_percentage": 3.5, "Sun_zenith_angle": 40.0}


def test_errors_of_a_pixel_take_its_number_out_but_not_what_is_negative(tmp_path):
    errors = {"VNIR": {(1, 0, 2): 1, (1, 1, 2): 2, (1, 2, 2): 4}, "SWIR": {(1, 170, 2): 4}}
    with open_product(made.write_prisma(tmp_path, errors=errors)) as product:
        # The spec's bands 62, 61, 60 are the first three of VNIR; its band 63 the 171st of SWIR.
        assert product.good(*WHOLE)[[62, 61, 60, 63, 64], 1, 2].tolist() == [False, True, False, False, True]


@pytest.mark.parametrize("corners", ["centres", "edges"])
def test_the_places_in_the_file_tell_whether_corners_are_centres_or_edges(tmp_path, corners):
    with open_product(made.write_prisma(tmp_path, corners=corners)) as product:
        np.testing.assert_allclose(product.geotransform, (499_985.0, 30.0, 0.0, 5_800_015.0, 0.0, -30.0))
        assert product.crs.to_epsg() == 32633
        assert product.time == np.datetime64("2020-08-14T10:11:12.345678")


def short(arm):
    centres = made.prisma_centres()
    centres[arm] = tuple(x[:-1] for x in centres[arm])
    return centres


def without(arm, channel):
    centres = made.prisma_centres()
    centres[arm][2][channel] = 0
    return centres


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"name": made.PRISMA_NAME.replace("L2D", "L2C")}, r"expected PRISMA L2D, and PRS_L2C.* is of level L2C"),
        ({"level": "2C"}, r"its attribute Processing_Level is 2C; it was renamed"),
        ({"vnir": (0.5, 0.5)}, r"expected L2ScaleVnirMin below L2ScaleVnirMax, .* got 0.5 and 0.5"),
        ({"swir": (1.0, 0.0)}, r"expected L2ScaleSwirMin below L2ScaleSwirMax, .* got 1 and 0"),
        ({"swir": (0.0, 65535.0)}, r"both from -1 to 10, got 0 and 65535"),
        (
            {"move": 15.0},
            r"Latitude and Longitude lie 0.50 pixels from the grid .* taken as centres .* at most 0.1 is expected",
        ),
        ({"leave_out": ("L2ScaleVnirMax",)}, r"expected the attribute L2ScaleVnirMax, and it is missing"),
        ({"leave_out": ("Epsg_Code",)}, r"expected the attribute Epsg_Code, and it is missing"),
        ({"centres": short(0)}, r"expected 66 numbers in List_Cw_Vnir.* one for each band of VNIR_Cube, got 65, 65 and 65"),
        ({"centres": without(1, 5)}, r"expected 234 bands of prisma_l2d, got 233"),
        ({"centres": made.prisma_centres(drift=9.0)}, r"List_Cw_Vnir and List_Cw_Swir, detector VNIR: expected a band near"),
    ],
)
def test_a_damaged_or_wrong_file_is_refused_in_a_sentence(tmp_path, how, sentence):
    path = made.write_prisma(tmp_path, **how)
    with pytest.raises(ValueError, match=sentence):
        open_product(path)
