"""Cells of water samples: what people write is understood or named; nothing that a quantity cannot be comes out."""

import datetime
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_jax.ingest.matchups import glerl, glerl_cells, labels

HEAD = (
    "Date,Site,Station_Depth_m,Sample_Depth_m,Sample_Depth_category,Arrival_Time,Lat_deg,Long_deg,"
    "Particulate_Microcystin_ugL-1,Extracted_PC_ugL-1,Extracted_CHLa_ugL-1"
)
OLD_MC = "Particulate Microcystin (µg/L)"


def row(mc="1.5", date="7/8/2024", time="9:31", lat="41.763", lon="-83.33", site="WE2", depth_m="0.75", chla="5"):
    return f"{date},{site},5,{depth_m},Surface,{time},{lat},{lon},{mc},1,{chla}"


def read(folder, *rows, head=HEAD, encoding="utf-8", **options):
    path = folder / "s.csv"
    path.write_bytes("\n".join([head, *rows, ""]).encode(encoding))
    return glerl.read(path, **options)


@pytest.mark.parametrize(
    ("cell", "value", "censored"),
    [
        ("1.5", 1.5, False), (" 1.5 ", 1.5, False), (".5", 0.5, False), ("< 0.1", 0.1, True), ('"2,778.75"', 2778.75, False),
        ('"1,234"', 1234.0, False), ("2778.75 +/- 294", 2778.75, False), ("bdl", 0.1, True), ("ND", math.nan, False),
    ],
)  # fmt: skip
def test_a_concentration_is_understood(tmp_path, cell, value, censored):
    samples = read(tmp_path, row(cell))
    np.testing.assert_array_equal(samples.mc, [value])
    assert samples.mc_censored[0] == censored


@pytest.mark.parametrize(
    "cell",
    [
        "1e5",
        "nan",
        "inf",
        "-inf",
        "1_000",
        "0x1F",
        "-1",
        ">5",
        "≤0.1",
        "0.1*",
        "1.5 J",
        "<0.1 0.3",
        '"1,5"',
        '"12,34"',
        "٣",
        "25000",
    ],
)
def test_a_concentration_that_is_none_is_named(tmp_path, cell):
    text = re.escape(repr(cell.strip('"')))
    with pytest.raises(ValueError, match=rf"s.csv: row 2, column 'Particulate_Microcystin_ugL-1': unknown code {text}"):
        read(tmp_path, row(cell))


@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_other_separators_and_encodings(tmp_path, separator, encoding):
    head = HEAD.replace(",", separator)
    mc = "1,5" if separator == ";" else "1.5"
    lat = "41,763" if separator == ";" else "41.763"
    line = separator.join(
        ["7/8/2024", "WE2", "5", "0.75".replace(".", mc[1]), "Surface", "9:31", lat, "-83" + mc[1] + "33", mc, "1", "5"]
    )
    samples = read(tmp_path, line, head=head, encoding=encoding)
    assert (samples.mc[0], samples.lat[0], samples.lon[0], samples.depth_m[0]) == (1.5, 41.763, -83.33, 0.75)


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ({"date": "31/7/2024"}, "column 'Date': expected a date such as 7/8/2024, got '31/7/2024'"),
        ({"date": "7/8/0024"}, "got '7/8/0024'"),
        ({"date": "7/8/1924"}, "got '7/8/1924'"),
        ({"date": f"7/8/{datetime.date.today().year + 1}"}, "column 'Date'"),
        ({"date": "2024-13-01"}, "got '2024-13-01'"),
        ({"time": "0931"}, "column 'Arrival_Time': expected a time such as 9:31, or nothing, got '0931'"),
        ({"time": "24:00"}, "got '24:00'"),
        ({"time": "13:05 PM"}, "got '13:05 PM'"),
        ({"lat": "95"}, "column 'Lat_deg': expected degrees, or nothing, got '95'"),
        ({"lat": "nan"}, "got 'nan'"),
        ({"lat": "1e1"}, "got '1e1'"),
        ({"lon": "-83 19 48"}, "column 'Long_deg': expected degrees"),
        ({"lon": ""}, "row 2: expected latitude and longitude, or neither"),
        ({"depth_m": "75"}, "column 'Sample_Depth_m': expected metres, or nothing, got '75'"),
        ({"depth_m": "<0.75"}, "expected metres, or nothing, got '<0.75'"),
        ({"chla": "2000000"}, "column 'Extracted_CHLa_ugL-1': unknown code '2000000'"),
    ],
)
def test_a_cell_that_cannot_be_is_named(tmp_path, cells, sentence):
    with pytest.raises(ValueError, match=sentence):
        read(tmp_path, row(**cells))


def test_iso_dates_and_clocks_of_twelve_hours(tmp_path):
    samples = read(tmp_path, row(date="2024-07-08", time="1:31 PM"), row(date="7/9/24", time="12:05:30 am"))
    np.testing.assert_array_equal(samples.time, np.array(["2024-07-08T17:31", "2024-07-09T04:05"], "datetime64[s]"))


def test_what_was_wrong_with_a_position_is_told(tmp_path):
    samples = read(
        tmp_path, row(lon="83.33"), row(lat="-83.33", lon="41.763", date="7/9/2024"), row(lat="41.0", date="7/10/2024")
    )
    np.testing.assert_array_equal(samples.lon, [-83.33] * 3)
    assert samples.mended == {
        "longitude without its minus sign: the station's median taken": 1,
        "latitude and longitude exchanged: the station's median taken": 1,
        "position too far off: the station's median taken": 1,
    }


@pytest.mark.parametrize(
    "second", ["Particulate_Microcystin_ugL-1", "particulate_microcystin", OLD_MC, "Particulate_Microcystin_mgL-1"]
)
def test_two_columns_of_one_thing_are_refused(tmp_path, second):
    with pytest.raises(ValueError, match="one column of 'Particulate_Microcystin_ugL-1', and the header has 2: 'Particulate"):
        read(tmp_path, row() + ",9", head=f"{HEAD},{second}")


@pytest.mark.parametrize("unit", ["mgL-1", "ngmL-1", "ugg-1"])
def test_another_unit_is_another_column(tmp_path, unit):
    with pytest.raises(ValueError, match="it lacks Particulate_Microcystin_ugL-1"):
        read(tmp_path, row(), head=HEAD.replace("Microcystin_ugL-1", f"Microcystin_{unit}"))


def test_replicates_are_merged_by_their_mean_and_counted(tmp_path):
    two = [row("<0.1", date="7/9/2024"), row("bdl", date="7/9/2024", time="10:00")]
    three = [row("<0.1", date="7/10/2024"), row("0.3", date="7/10/2024")]
    samples = read(tmp_path, row("3"), row("5", chla="7"), *two, *three)
    keep, _ = labels.usable(samples)
    merged, keep, counts = labels.merged(samples, keep)
    np.testing.assert_allclose(merged.mc[keep], [4.0, 0.1, 0.2])
    np.testing.assert_array_equal(merged.mc_censored[keep], [False, True, False])
    assert merged.chla[0] == 6.0
    assert counts == {"samples: in the mean of the same station and date": 3}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "no known style"),
        (b"\xff\xfea", "expected text in UTF-16"),
        (b"a\x00b\n", "bytes of 0"),
        (b'Da"te\n"1', "style|quotation"),
    ],
)
def test_a_file_that_is_no_csv_is_named(tmp_path, content, sentence):
    (tmp_path / "s.csv").write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        glerl.read(tmp_path / "s.csv")


CELLS = st.one_of(
    st.text(max_size=12), st.from_regex(r"[<>≤ ]{0,2}[0-9.,eE_+-]{1,9}( ?[A-Za-z*±]{1,3})?", fullmatch=True),
    st.from_regex(r"[0-9]{1,4}[/:-][0-9]{1,2}[/:-]?[0-9]{0,4}( ?[aApP][mM])?", fullmatch=True),
)  # fmt: skip


@given(CELLS)
def test_any_text_is_a_number_that_can_be_or_unknown(cell):
    amount = glerl_cells.amount(cell, most=20000.0)
    plain = cell.strip().removeprefix("<").strip()
    if amount.known and not math.isnan(amount.value) and plain.lower() != "bdl":
        assert 0 <= amount.value <= 20000
        whole = re.split(r"±|\+/-|\+-|�", plain)[0].strip()
        assert set(whole) <= set("0123456789.,")
        assert amount.value == float(whole.replace(",", ""))
        assert amount.censored == cell.strip().startswith("<")
    place = glerl_cells.degrees(cell)
    assert place is None or math.isnan(place) or (-180 <= place <= 180 and place == float(cell))
    day = glerl_cells.date(cell)
    if day is not None:
        parts = [int(x) for x in re.split("[/-]", cell.strip())]
        year, month, date = parts if "-" in cell else (parts[2], *parts[:2])
        assert day == np.datetime64(datetime.date(year + 2000 if year < 100 else year, month, date))
        assert datetime.date(1990, 1, 1) <= day.item() <= datetime.date.today() + datetime.timedelta(days=2)
    time = glerl_cells.utc(np.datetime64("2024-07-08"), cell)
    if time is not None and not np.isnat(time):
        clock = [int(x) for x in re.findall("[0-9]+", cell)][:2]
        hour = clock[0] if not re.search("[aApP]", cell) else clock[0] % 12 + (12 if "p" in cell.lower() else 0)
        assert time == np.datetime64("2024-07-08T04:00:00") + np.timedelta64(60 * hour + clock[1], "m")
