"""l2_flags: names and bits from the file, presets, and what they take out."""

import numpy as np
import pytest
from made.pace_files import FLAGS, MASKS, write_l2

from spectral_jax.ingest.pace import read
from spectral_jax.ingest.pace.flags import DEFAULT, bits, flagged, mask, presets


class Variable:
    """As much of a NetCDF variable as `bits` looks at."""

    def __init__(self, **attrs):
        self.attrs = attrs


def test_names_and_bits_come_from_the_file(tmp_path):
    scene = read.read(write_l2(tmp_path))
    assert scene.flag_bits["ATMFAIL"] == 1
    assert scene.flag_bits["CLDICE"] == 2**9
    assert scene.flag_bits["PRODFAIL"] == 2**30
    assert "SPARE" not in scene.flag_bits
    assert len(scene.flag_bits) == 32 - FLAGS.split().count("SPARE")


def test_another_order_of_bits_is_followed():
    variable = Variable(flag_masks=np.array([4, 1], np.int32), flag_meanings="LAND CLDICE")
    bit_of = bits(variable, "x.nc")
    np.testing.assert_array_equal(flagged(np.array([1, 2, 4]), bit_of, ("LAND",), "x.nc"), [False, False, True])


def test_the_last_bit_makes_numbers_negative():
    bit_of = bits(Variable(flag_masks=MASKS, flag_meanings=FLAGS.replace("PRODFAIL SPARE", "PRODFAIL LAST")), "x.nc")
    assert bit_of["LAST"] == 2**31
    flags = np.array([[-(2**31), -(2**31) + 2, 2, 0]], np.int32)
    np.testing.assert_array_equal(flagged(flags, bit_of, ("LAST",), "x.nc"), [[True, True, False, False]])
    np.testing.assert_array_equal(flagged(flags, bit_of, ("LAND",), "x.nc"), [[False, True, True, False]])


def test_masks_written_as_text_are_read():
    assert bits(Variable(flag_masks="1, 2", flag_meanings=b"A B"), "x.nc") == {"A": 1, "B": 2}


# Position of each flag's bit, from the layout that NASA publishes.
BIT = {flag: i for i, flag in enumerate(FLAGS.split()) if flag != "SPARE"}
PRESETS = {
    "nasa_matchup": "LAND HIGLINT HILT STRAYLIGHT CLDICE ATMFAIL LOWLW FILTER NAVFAIL NAVWARN",
    "l3_standard": "ATMFAIL LAND HILT HISATZEN STRAYLIGHT CLDICE COCCOLITH LOWLW CHLWARN CHLFAIL NAVWARN MAXAERITER ATMWARN "
    "HISOLZEN NAVFAIL FILTER HIGLINT",
    "inland_bloom": "LAND CLDICE HIGLINT HILT NAVFAIL ATMFAIL",
}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_takes_out_its_flags_and_no_others(tmp_path, preset):
    flags = np.left_shift(1, np.arange(30, dtype=np.int64)).astype(np.int32).reshape(5, 6)  # one bit a pixel
    scene = read.read(write_l2(tmp_path, flags=flags))
    out = scene.flagged(mask(preset)).ravel()
    assert set(np.flatnonzero(out)) == {BIT[flag] for flag in PRESETS[preset].split()}


def test_presets_and_their_rules():
    assert set(presets()) == set(PRESETS)
    assert DEFAULT == "inland_bloom"
    nasa, bloom = mask("nasa_matchup"), mask("inland_bloom")
    assert (nasa.least_valid, nasa.most_cv, nasa.most_sd) == (0.55, 0.15, 1.5)
    assert (bloom.least_valid, bloom.most_cv, bloom.most_sd) == (0.0, None, None)
    assert mask("LAND, CLDICE").flags == ("LAND", "CLDICE")


@pytest.mark.parametrize(
    ("attrs", "sentence"),
    [
        ({"flag_masks": [1]}, "x.nc has no attribute 'flag_meanings'"),
        ({"flag_meanings": "A"}, "x.nc has no attribute 'flag_masks'"),
        ({"flag_masks": [1, 2], "flag_meanings": "A"}, "1 names in 'flag_meanings' and 2 numbers"),
        ({"flag_masks": [3], "flag_meanings": "A"}, "flag A has 3 in 'flag_masks', which is not one bit"),
        ({"flag_masks": [1, 2], "flag_meanings": "A A"}, "flag A is named twice"),
    ],
)
def test_wrong_attributes_are_a_sentence(attrs, sentence):
    with pytest.raises(ValueError, match=sentence):
        bits(Variable(**attrs), "x.nc")


def test_unknown_masks_and_flags_are_named():
    with pytest.raises(
        ValueError, match="mask: no mask is called 'inland_blom'; the names are, closest first: inland_bloom, .*LAND,CLDICE"
    ):
        mask("inland_blom")
    with pytest.raises(
        ValueError, match="x.nc: no flag of l2_flags is called 'CLOUD'; the names are, closest first: CLDICE, LAND. Take"
    ):
        flagged(np.zeros(1, np.int32), {"LAND": 2, "CLDICE": 512}, ("CLOUD",), "x.nc")
