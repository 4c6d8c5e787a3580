import numpy as np
import pytest

from spectral_jax import matchups

NM = np.array([443.0, 490.0, 555.0, 620.0, 665.0, 709.0])


def fields(n=4, **changes):
    """A small file: spectra as bright as water, two labelled weeks."""
    rng = np.random.default_rng(0)
    made = {
        "rrs": (0.01 + 0.002 * rng.random((n, 3, 3, len(NM)))).astype(np.float32),
        "wavelength": NM,
        "station": np.array(["WE2", "WE4"] * (n // 2)),
        "time": np.array([f"2024-07-{1 + 7 * (i // 2):02d}T17:00:00" for i in range(n)]),
        "lat": np.full(n, 41.76),
        "lon": np.full(n, -83.33),
        "mc_surface": np.linspace(0.1, 3.0, n),
        "mc_surface_censored": np.arange(n) == 0,
        "mc_ahead": np.full(n, np.nan),
        "mc_ahead_dt_days": np.full(n, np.nan),
    }
    return {k: v for k, v in (made | changes).items() if v is not None}


@pytest.fixture
def write(tmp_path):
    def write(**changes):
        np.savez(tmp_path / "m.npz", **fields(**changes))
        return tmp_path / "m.npz"

    return write


def test_a_file_comes_back_as_it_was_saved(write, tmp_path):
    first = matchups.load(write())
    matchups.save(tmp_path / "again.npz", first)
    again = matchups.load(tmp_path / "again.npz")
    assert list(again.iso_week) == ["2024-W27", "2024-W27", "2024-W28", "2024-W28"]
    np.testing.assert_array_equal(again.rrs, first.rrs)
    np.testing.assert_array_equal(again.mc_now_censored, [True, False, False, False])
    assert not again.simulated


def test_day_of_year_and_labels(write):
    data = matchups.load(write())
    assert data.day_of_year[0] == pytest.approx(31 + 29 + 31 + 30 + 31 + 30 + 17 / 24)
    np.testing.assert_array_equal(data.label("now")[0], fields()["mc_surface"])
    with pytest.raises(ValueError, match="expected one of now, ahead, got 'later'"):
        data.label("later")


def test_missing_pixels_are_skipped_in_the_mean_and_negative_ones_are_kept():
    rrs = np.array([[[[1.0], [np.nan]], [[-4.0], [np.nan]]], [[[np.nan]] * 2] * 2], np.float32)
    np.testing.assert_array_equal(matchups.patch_mean(rrs), [[-1.5], [np.nan]])


def test_rows_that_cannot_be_used_are_left_out_and_counted(write):
    full = fields(n=6)
    full["rrs"][0] = np.nan
    full["mc_surface"][1] = np.nan
    for name in ("rrs", "station", "time"):
        full[name][3] = full[name][2]
    data = matchups.load(write(**full))
    assert len(data) == 3
    assert data.left_out == {"no valid pixel": 1, "no microcystin label": 1, "the same spectrum twice": 1}


def test_for_prediction_every_row_stays_in_order(write):
    rrs = fields()["rrs"]
    rrs[2] = np.nan
    data = matchups.load(
        write(rrs=rrs, mc_surface=None, mc_surface_censored=None, mc_ahead=None, mc_ahead_dt_days=None), labelled=False
    )
    assert list(data.station) == ["WE2", "WE4", "WE2", "WE4"]
    assert np.isnan(data.mean_rrs()[2]).all()
    assert np.isnan(data.mc_now).all()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"wavelength": None}, "field 'wavelength' is missing; expected rrs, wavelength, station"),
        ({"mc_surface": None}, "field 'mc_surface' is missing"),
        ({"wavelength": NM[:5]}, r"field 'wavelength' has shape \(5,\), and rrs has 6 bands"),
        ({"wavelength": NM[::-1]}, "field 'wavelength' must be finite and increase"),
        ({"wavelength": NM / 1000}, "looks like micrometres; expected nanometres"),
        ({"wavelength": NM - 400}, "runs from 43 to 309; expected nanometres within 300-2600"),
        ({"rrs": (fields()["rrs"] / 2e-6).astype(np.int16)}, "type int16, packed integers; apply the product's scale_factor"),
        ({"rrs": fields()["rrs"] * 1e6}, "looks like packed integers"),
        ({"rrs": fields()["rrs"] * 100 * np.pi}, "looks like percent"),
        ({"rrs": fields()["rrs"] * 2 * np.pi}, "looks like surface reflectance rhos"),
        ({"rrs": fields()["rrs"][:, :, :2]}, r"field 'rrs' has shape \(4, 3, 2, 6\); expected \[N K K C\]"),
        ({"rrs": np.full((4, 3, 3, 6), np.nan)}, "no row is left: 4 no valid pixel"),
        ({"lat": np.full(4, 41.0127)}, r"row 0 \(station WE2\) are 41.0127, -83.33, outside the region"),
        ({"lon": np.full(3, -83.3)}, "lon has 3 rows, and rrs has 4"),
        ({"time": np.array(["noon"] * 4)}, "fields 'time', 'lat' and 'lon' must be ISO times"),
        ({"mc_surface": np.array([0.1, -1, 1, 1])}, "row 1 has a negative microcystin"),
        (
            {"mc_ahead": np.ones(4), "mc_ahead_dt_days": np.array([7, 8, -3, 7.0])},
            "field 'mc_ahead_dt_days' of row 2 is -3, a label before the image",
        ),
        ({"mc_ahead": np.ones(4), "mc_ahead_dt_days": np.full(4, 20.0)}, "a label outside 6 to 10 days"),
        (
            {"mc_surface": np.ones(4), "mc_surface_dt_days": np.array([0, -9, 1, 2.0])},
            "field 'mc_surface_dt_days' of row 1 is -9; a sample of now must be taken within 3.5 days of its image",
        ),
    ],
)
def test_bad_input_is_a_sentence(write, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        matchups.load(write(**changes))


def test_a_missing_file_a_text_and_a_pickle_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.npz does not exist"):
        matchups.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("rrs")
    with pytest.raises(ValueError, match="text.npz cannot be read as an .npz of plain arrays"):
        matchups.load(tmp_path / "text.npz")
    np.savez(tmp_path / "pickle.npz", rrs=np.array([{"a": 1}], object))
    with pytest.raises(ValueError, match="no pickled objects are read"):
        matchups.load(tmp_path / "pickle.npz")


def test_the_real_file(real_data):
    data = matchups.load(real_data / "pace_erie" / "pace_glerl_matchups.npz")
    assert len(data) == 212
    assert data.left_out == {"no microcystin label": 2}
    assert np.isfinite(data.mc_ahead).sum() == 130
    assert (data.mean_rrs()[:, data.wavelength_nm <= 348] < 0).mean() > 0.5  # negative in the ultraviolet, and kept
