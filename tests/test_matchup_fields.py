"""Fields of match-up files as people write them: the right number, or file, field and row."""

import numpy as np
import pytest

from spectral_jax import matchups

NM = np.array([443.0, 490.0, 555.0, 620.0, 665.0, 709.0])


@pytest.fixture
def load(tmp_path):
    def load(**changes):
        rrs = (0.01 + 0.002 * np.random.default_rng(0).random((4, 3, 3, 6))).astype(np.float32)
        fields = {
            "rrs": rrs, "wavelength": NM, "station": np.array(["WE2", "WE4"] * 2), "lat": np.full(4, 41.76),
            "time": np.array([f"2024-07-0{i + 1}T17:00:00" for i in range(4)]), "lon": np.full(4, -83.33),
            "mc_surface": np.linspace(0.1, 3.0, 4), "mc_surface_censored": np.arange(4) == 0,
        }  # fmt: skip
        np.savez(tmp_path / "m.npz", **(fields | changes))
        return matchups.load(tmp_path / "m.npz")

    return load


@pytest.mark.parametrize(
    "flags",
    [
        [1, 0, 0, 0],
        [1.0, 0.0, np.nan, 0.0],
        ["True", "False", "False", "False"],
        ["true", "false", "0", ""],
        [b"1", b"0", b"0", b"0"],
    ],
)
def test_flags_in_every_form(load, flags):
    np.testing.assert_array_equal(load(mc_surface_censored=np.array(flags)).mc_now_censored[:2], [True, False])


def test_the_word_false_is_false(load):
    assert not load(simulated=np.array("False")).simulated
    assert load(simulated=np.array(1)).simulated


def test_times_of_other_zones_and_types(load):
    zone = np.array(["2024-07-01T19:00:00+02:00", "2024-07-02T17:00:00Z", "2024-07-03 17:00", "2024-07-04T17:00:00.5"])
    expected = np.array([f"2024-07-0{i + 1}T17:00:00" for i in range(4)], "datetime64[s]")
    np.testing.assert_array_equal(load(time=zone).time, expected)
    np.testing.assert_array_equal(load(time=expected.astype("datetime64[ns]")).time, expected)


def test_numbers_of_stations_and_one_pixel_a_row(load):
    data = load(station=np.array([2, 4, 2, 4]), rrs=np.full((4, 6), 0.01) + 1e-4 * np.arange(4)[:, None])
    assert list(data.station) == ["2", "4", "2", "4"]
    assert data.rrs.shape == (4, 1, 1, 6)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"mc_surface": np.array([1, np.inf, 1, 1])}, "m.npz: field 'mc_surface' of row 1 is inf; expected finite numbers"),
        ({"mc_surface": np.array([1, 1, 1, 30000.0])}, "field 'mc_surface' of row 3 is 30000"),
        ({"mc_surface": np.array(["1", "<0.1", "2", "3"])}, "field 'mc_surface' of row 1 is '<0.1'; expected a number"),
        ({"mc_surface": np.ones((4, 2))}, r"mc_now has shape \(4, 2\); expected one entry a row"),
        ({"chla_surface": np.array([1, -2, 1, 1.0])}, "field 'chla_surface' of row 1 is -2"),
        ({"mc_surface_censored": np.array([0, 2, 0, 0])}, "field 'mc_surface_censored' of row 1 is 2; expected True or False"),
        ({"mc_surface_censored": np.array(["maybe"] * 4)}, "of row 0 is 'maybe'"),
        ({"time": np.arange(4) + 1720000000}, "'time' is of type int64, whose unit and origin nobody knows"),
        ({"time": np.array(["2024-07-01", "NaT", "2024-07-03", "2024-07-04"])}, "'time' of row 1 is 'NaT'"),
        ({"time": np.array(["2024-07-01", "NaT"] * 2, "datetime64[s]")}, "field 'time' of row 1 is NaT"),
        ({"time": np.array(["1924-07-01T00:00:00"] * 4)}, "field 'time' of row 0 is 1924-07-01"),
        ({"lat": np.full(4, 141.0)}, "field 'lat' of row 0 is 141; expected finite numbers from -90 to 90"),
        ({"station": np.array([2.0, 4.0, 2.0, 4.0])}, "field 'station' is of type float64; expected names"),
        ({"rrs": np.full((4, 3, 3, 6), np.inf)}, "field 'rrs' of row 0 has infinite numbers"),
        ({"rrs": np.full((4, 3, 3, 6), 1e-6)}, "field 'rrs': expected remote-sensing reflectance .* a scale was applied twice"),
        ({"wavelength": np.array(["443 nm"] * 6)}, "field 'wavelength' of row 0 is '443 nm'; expected a number"),
    ],
)
def test_what_a_field_cannot_hold_is_named(load, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        load(**changes)


def test_files_that_are_cut_off_empty_or_of_one_array_are_named(load, tmp_path):
    load()
    whole = (tmp_path / "m.npz").read_bytes()
    np.save(tmp_path / "one.npy", np.zeros(3))
    for content in (b"", whole[:300], whole[: len(whole) // 2], (tmp_path / "one.npy").read_bytes()):
        (tmp_path / "m.npz").write_bytes(content)
        with pytest.raises(ValueError, match="m.npz cannot be read as an .npz of plain arrays"):
            matchups.load(tmp_path / "m.npz")
