"""Packing attributes in every form against plain NumPy: type, scale, offset, fills, valid range, unsigned."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_jax.ingest import packing
from spectral_jax.ingest.pace import file

DEFAULT = {"i2": -32767, "u2": 65535, "i4": -2147483647, "f4": 9.969209968386869e36, "f8": 9.969209968386869e36, "u1": None}


class Variable:
    """As much of a variable of an open file as is read."""

    def __init__(self, raw, attrs):
        self.raw, self.attrs, self.dtype, self.shape, self.name = raw, attrs, raw.dtype, raw.shape, "Rrs"

    def __getitem__(self, index):
        return self.raw[index]


def carried(form, number):
    """A number as a file may carry it."""
    text = repr(number)
    return {"number": number, "f4": np.float32(number), "array": np.array([number]), "text": text, "bytes": text.encode()}[form]


FORMS = st.sampled_from(["number", "f4", "array", "text", "bytes"])


@st.composite
def packed(draw):
    kind = draw(st.sampled_from(["u1", "i2", "u2", "i4", "f4", "f8"]))
    low, high = (0, 255) if kind == "u1" else (0, 65535) if kind == "u2" else (-32768, 32767)
    whole = st.integers(low, high)
    special = [
        x for x in (DEFAULT[kind], -32767, -30000, 7) if x is not None and (kind[0] == "f" or low <= x <= high or kind == "i4")
    ]
    raw = np.array(draw(st.lists(st.one_of(whole, st.sampled_from(special)), min_size=1, max_size=12)), kind)
    form = draw(FORMS)
    scale = draw(st.sampled_from([2e-6, 1e-4, -0.5, 2.0]))
    offset = draw(st.sampled_from([None, 0.05, -1000.0]))
    fill = draw(st.one_of(st.none(), whole, st.sampled_from([1e20, 0.5, math.nan])))
    missing = draw(st.lists(st.one_of(whole, st.just(-30000)), max_size=2))
    ends = draw(st.one_of(st.none(), st.tuples(whole, whole).map(sorted)))
    return kind, raw, form, scale, offset, fill, missing, ends


@pytest.mark.slow
@given(packed())
def test_every_carrier_means_what_it_says(made):
    kind, raw, form, scale, offset, fill, missing, ends = made
    attrs = {"scale_factor": carried(form, scale)}
    if offset is not None:
        attrs["add_offset"] = carried(form, offset)
    if fill is not None:
        attrs["_FillValue"] = fill
    if missing:
        attrs["missing_value"] = np.array(missing)
    if ends is not None:
        attrs["valid_range"] = np.array(ends)
    a, b = (float(np.float32(x)) if form == "f4" else x for x in (scale, offset or 0.0))
    numbers = raw.astype(np.float64)
    bad = np.zeros(raw.shape, bool)
    for x in [*missing, *([] if fill is None else [fill])]:
        bad |= numbers == (float(np.float32(x)) if kind == "f4" else x)
    limits = np.iinfo(kind) if kind[0] in "iu" else None
    held = fill is not None and (limits is None or (fill == fill and fill == int(fill) and limits.min <= fill <= limits.max))
    if not held and DEFAULT[kind] is not None:
        bad |= raw == np.array(DEFAULT[kind], kind)
    if ends is not None:
        bad |= (numbers < ends[0]) | (numbers > ends[1])
    expected = np.where(bad, np.nan, numbers * a + b).astype(np.float32)
    # Floats that stand for packed numbers are whole here, so they are unpacked like integers.
    out = file.unpacked(Variable(raw, attrs), (slice(None),), "x.nc: Rrs")
    np.testing.assert_array_equal(out, expected)


def test_a_table_of_16_bits_gives_the_same_as_arithmetic():
    raw = np.arange(-(2**15), 2**15).astype(np.int16)
    attrs = {"scale_factor": np.float32(2e-6), "add_offset": np.float32(0.05), "_FillValue": np.int16(-32767)}
    twice = file.unpacked(Variable(np.tile(raw, 2), attrs), (slice(None),), "x.nc")
    expected = (raw.astype(np.float64) * float(np.float32(2e-6)) + float(np.float32(0.05))).astype(np.float32)
    expected[1] = np.nan
    np.testing.assert_array_equal(twice, np.tile(expected, 2))


@pytest.mark.parametrize(
    ("attrs", "dtype", "ends"),
    [
        ({"valid_min": -10, "valid_max": np.int16(20)}, "i2", (-10, 20)),
        # Floats that the packing can reach bound physical numbers, others stored ones.
        ({"scale_factor": 0.5, "valid_range": np.array([-1.0, 2.0])}, "i2", (-2, 4)),
        ({"scale_factor": 1e-4, "valid_range": np.array([0.0, 10000.0])}, "i2", (0, 10000)),
        ({"scale_factor": 1e-4, "valid_range": [0, 10000]}, "i2", (0, 10000)),
        ({"_Unsigned": "true", "valid_range": np.array([0, -2], np.int8)}, "i1", (0, 254)),
    ],
)
def test_a_valid_range_is_in_stored_numbers(attrs, dtype, ends):
    said = packing.of_attributes(attrs, "x", np.dtype(dtype))
    assert (said.low, said.high) == ends


def test_unsigned_numbers_and_their_fill():
    said = packing.of_attributes({"_Unsigned": "true", "_FillValue": np.int8(-1), "scale_factor": 2.0}, "x", np.int8)
    values, good = packing.unpacked(np.array([-2, -1, 5], np.int8), said)
    np.testing.assert_array_equal(values[good], [508.0, 10.0])
    np.testing.assert_array_equal(good, [True, False, True])


def test_a_fill_of_nan_marks_no_integer_so_the_default_holds():
    attrs = {"scale_factor": 2e-6, "_FillValue": math.nan}
    assert np.isnan(file.unpacked(Variable(np.array([-32767], np.int16), attrs), (slice(None),), "x.nc"))[0]


def test_a_fill_of_64_bits_is_exact():
    raw = np.array([-9223372036854775806, -9223372036854775807], np.int64)
    assert list(packing.present(raw, packing.Packing(), packing.netcdf_fill({}, "x", np.int64))) == [False, True]


@pytest.mark.parametrize(
    ("attrs", "sentence"),
    [
        ({"scale_factor": "2e-6 sr^-1"}, "x.nc: attribute scale_factor: expected a number, got '2e-6 sr"),
        ({"scale_factor": "1_000"}, "attribute scale_factor: expected a number, got '1_000'"),
        ({"scale_factor": 0.0}, "expected a scale_factor above or below 0, got 0"),
        ({"scale_factor": math.nan}, "expected a scale_factor above or below 0, got nan"),
        ({"scale_factor": 1.0, "add_offset": math.inf}, "expected a finite add_offset, got inf"),
        ({"scale_factor": [1.0, 2.0]}, "expected one number in scale_factor, got 1, 2"),
        ({"scale_factor": 1.0, "valid_min": 5, "valid_max": 3}, "expected a lowest and a highest number"),
        ({"scale_factor": 1.0, "valid_min": math.nan}, "expected a lowest and a highest number"),
        ({"_FillValue": "none", "scale_factor": 1.0}, "attribute _FillValue: expected a number, got 'none'"),
    ],
)
def test_an_attribute_that_is_no_number_is_a_sentence(attrs, sentence):
    with pytest.raises(ValueError, match=sentence):
        file.unpacked(Variable(np.zeros(3, np.int16), attrs), (slice(None),), "x.nc")
