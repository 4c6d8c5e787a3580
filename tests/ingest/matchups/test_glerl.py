"""GLERL CSVs: three header styles, censor codes, positions and times, and every cell that cannot be read."""

import numpy as np
import pytest

from spectral_jax.ingest.matchups import glerl, glerl_cells

OLD = (
    "Date,Site,Station Depth (m),Sample Depth (m),Sample Depth (category),Local Time (Eastern Time Zone),"
    "Latitude (decimal deg),Longitude (decimal deg),"
    "Sample Temperature (°C),Particulate Microcystin (µg/L),Dissolved Microcystin (µg/L),"
    "Extracted Phycocyanin (µg/L),Extracted Chlorophyll a (µg/L)"
)
SNAKE = (
    "date,station_name,station_depth_m,sample_depth_m,sample_depth_category,time,lat,lon,ctd_temp,particulate_microcystin,"
    "dissolved_microcystin,extracted_phycocyanin,extracted_chla"
)
NEW = (
    "Date,Site,Station_Depth_m,Sample_Depth_m,Sample_Depth_category,Arrival_Time,Departure_Time,Lat_deg,Long_deg,"
    "Particulate_Microcystin_ugL-1,Dissolved_Microcystin_ugL-1,Extracted_PC_ugL-1,Extracted_CHLa_ugL-1,mycE_genes_copiesmL-1"
)
ROW = "7/8/2024,WE2,5.5,0.75,Surface,9:31,9:44,41.762,-83.33,{mc},bdl,{pc},{chla},ns"


def write(folder, header, *rows, encoding="utf-8", name="in_situ.csv"):
    path = folder / name
    path.write_bytes("\n".join([header, *rows, ""]).encode(encoding))
    return path


def new(folder, *, mc="1.5", pc="0.4", chla="5.1", row=ROW, **more):
    return write(folder, NEW, row.format(mc=mc, pc=pc, chla=chla), **more)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig"])
def test_the_style_of_2012(tmp_path, encoding):
    path = write(
        tmp_path, OLD,
        "5/15/2012,WE2,5.1,0.75,Surface,10:40,41.7640,-83.3301,17.9,<0.1,,0.28,3.67",
        "11/5/2012,WE12,5.1,,Scum,,,,,2778.75 ± 294,nd,<0.36,12",
        "7/30/2013,WE 2013.3,4,1,Mid-column,,41.8261,-83.3837,,,,,",
        encoding=encoding,
    )  # fmt: skip
    samples = glerl.read(path)
    assert list(samples.station) == ["WE2", "WE12", "WE 2013.3"]
    assert list(samples.depth) == ["surface", "scum", "mid"]
    np.testing.assert_array_equal(samples.mc, [0.1, 2778.75, np.nan])
    np.testing.assert_array_equal(samples.mc_censored, [True, False, False])
    np.testing.assert_array_equal(samples.pc, [0.28, 0.36, np.nan])
    np.testing.assert_array_equal(samples.chla, [3.67, 12, np.nan])
    np.testing.assert_array_equal(samples.depth_m, [0.75, np.nan, 1.0])
    # Daylight saving on 15 May: UTC is four hours ahead.
    np.testing.assert_array_equal(samples.time, np.array(["2012-05-15T14:40:00", "NaT", "NaT"], "datetime64[s]"))
    np.testing.assert_array_equal(samples.date, np.array(["2012-05-15", "2012-11-05", "2013-07-30"], "datetime64[D]"))
    np.testing.assert_array_equal(samples.row, [2, 3, 4])
    np.testing.assert_array_equal(samples.lat, [41.7640, 41.704, 41.8261])  # WE12 has no fix: its median
    assert samples.mended == {"no position: the station's median taken": 1}


def test_the_style_of_2020(tmp_path):
    row = "11/2/2020,WE02,6.18,0.75,Surface,8:45,41.7637,-83.3286,20.3,0.11,0.13,0.42,2.43"
    samples = glerl.read(write(tmp_path, SNAKE, row))
    assert (samples.station[0], samples.mc[0], samples.pc[0], samples.chla[0]) == ("WE2", 0.11, 0.42, 2.43)
    assert samples.time[0] == np.datetime64("2020-11-02T13:45:00")  # standard time since 1 November


def test_the_style_of_2024_with_its_codes(tmp_path):
    rows = [
        ROW.format(mc="bdl", pc="bdl", chla="5"),
        "4/28/25,WE2,,4.6,B,,N/A,,,BDL,BDL,,3.42,NS",
        "10/6/25,WE8,,3.8,,,,,,ns,0.1,0.2,0.3,NS",
        "6/2/25,WE6,3.2,0.75,S,0:00,11:10,41.70311667,-83.38331667,n/a,1,2,3,4",
    ]
    samples = glerl.read(write(tmp_path, NEW, *rows))
    assert list(samples.depth) == ["surface", "bottom", "unknown", "surface"]
    np.testing.assert_array_equal(samples.mc, [0.1, 0.1, np.nan, np.nan])
    np.testing.assert_array_equal(samples.mc_censored, [True, True, False, False])
    assert np.isnan(samples.pc[0])  # below a limit that is not published
    assert samples.date[1] == np.datetime64("2025-04-28")
    assert np.isnat(samples.time[3])  # midnight is no time
    assert samples.mended == {"no position: the station's median taken": 2}


def test_a_position_on_land_becomes_the_stations_median_and_is_counted(tmp_path):
    rows = [ROW.replace("41.762,-83.33", p).replace("WE2", s).format(mc=1, pc=1, chla=1) for s, p in (
        ("WE2", "41.0127,-83.0055"), ("WE4", "41.826,-83.195"), ("2024.1", "41.0,-83.0"), ("2024.2", ","),
    )]  # fmt: skip
    samples = glerl.read(write(tmp_path, NEW, *rows))
    np.testing.assert_array_equal(samples.lat, [41.763, 41.826, 41.0, np.nan])
    np.testing.assert_array_equal(samples.lon, [-83.330, -83.195, -83.0, np.nan])
    assert samples.mended == {"position too far off: the station's median taken": 1}
    assert glerl.read(write(tmp_path, NEW, *rows), most_shift_km=100.0).mended == {}


def test_the_same_row_twice_and_empty_rows_are_counted(tmp_path):
    path = new(tmp_path)
    again = new(tmp_path, row=ROW.replace("7/8/2024,WE2", "7/8/24,WE02"), name="again.csv")
    other = write(tmp_path, NEW, ROW.format(mc=7, pc=1, chla=1), "," * 13, name="other.csv")
    samples = glerl.read([path, again, path, other])
    assert len(samples) == 2
    assert samples.left_out == {"the same sample twice": 2, "empty row": 1}
    assert list(samples.source) == ["in_situ.csv", "other.csv"]


def test_an_unknown_code_is_named_or_collected(tmp_path):
    path = new(tmp_path, mc="trace", chla="??")
    sentence = "in_situ.csv: row 2, column 'Particulate_Microcystin_ugL-1': unknown code 'trace'; expected a number, a limit"
    with pytest.raises(ValueError, match=sentence):
        glerl.read(path)
    samples = glerl.read(path, unknown="collect")
    assert np.isnan(samples.mc[0])
    assert [code[1:] for code in samples.unknown] == [
        (2, "Particulate_Microcystin_ugL-1", "trace"),
        (2, "Extracted_CHLa_ugL-1", "??"),
    ]
    with pytest.raises(ValueError, match="expected 'raise' or 'collect', got 'skip'"):
        glerl.read(path, unknown="skip")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (ROW.replace("7/8/2024", "31/7/2024"), "row 2, column 'Date': expected a date such as 7/8/2024, got '31/7/2024'"),
        (ROW.replace("7/8/2024", "13/8/2024"), "column 'Date': expected a date"),
        (ROW.replace("9:31", "morning"), "column 'Arrival_Time': expected a time such as 9:31, or nothing, got 'morning'"),
        (ROW.replace("9:31", "25:10"), "column 'Arrival_Time': expected a time"),
        (ROW.replace("Surface", "Deck"), "column 'Sample_Depth_category': expected Surface, Bottom, .* got 'Deck'"),
        (ROW.replace("41.762", "41 45"), "column 'Lat_deg': expected degrees, or nothing, got '41 45'"),
        (ROW.replace("0.75", "top"), "column 'Sample_Depth_m': expected metres, or nothing, got 'top'"),
        (ROW.replace("WE2", ""), "column 'Site': expected the name of a station, got ''"),
        (ROW.replace("{mc}", "-1"), "unknown code '-1'"),
        (ROW + ",7", "row 2 has 15 cells, and the header has 14"),
    ],
)  # fmt: skip
def test_a_wrong_cell_is_a_sentence(tmp_path, row, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        glerl.read(new(tmp_path, row=row))
    assert "in_situ.csv" in str(error.value)


def test_an_unknown_header_names_what_it_lacks(tmp_path):
    header = NEW.replace("Arrival_Time", "When")
    with pytest.raises(
        ValueError, match="in_situ.csv: the header is of no known style .* datashare_2024, and it lacks Arrival_T"
    ):
        glerl.read(write(tmp_path, header, ROW))
    with pytest.raises(FileNotFoundError, match="none.csv does not exist"):
        glerl.read(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        ("2013-03-09", 5), ("2013-03-10", 4), ("2013-11-02", 4), ("2013-11-03", 5),
        ("2024-03-10", 4), ("2024-11-02", 4), ("2024-11-03", 5), ("2015-03-08", 4), ("2015-11-01", 5),
    ],
)  # fmt: skip
def test_daylight_saving_of_the_eastern_zone(day, hours):
    found = glerl_cells.utc(np.datetime64(day), "12:30")
    assert found == np.datetime64(f"{day}T{12 + hours}:30:00")


# Counted in the files by hand: rows, surface rows, below detection at the surface and below, and the largest number.
REAL = {
    "2012_2018_v2.csv": (1244, 884, 420, 2778.75),
    "2019.csv": (219, 140, 108, 142.26),
    "2020_2021.csv": (413, 272, 162, 16.76),
    "2022.csv": (233, 151, 89, 71.63),
    "2024_WLE_weekly.csv": (211, 136, 96, 55.31),
    "2025_WLE_weekly.csv": (245, 163, 130, 7.491512279),
}


@pytest.mark.parametrize("name", REAL)
def test_the_real_files(real_data, name):
    samples = glerl.read(real_data / "pace_erie" / "insitu" / name)
    rows, surface, censored, most = REAL[name]
    assert len(samples) + sum(samples.left_out.values()) == rows
    assert (samples.depth == "surface").sum() == surface
    assert samples.mc_censored.sum() == censored
    assert np.nanmax(samples.mc) == most
    assert samples.unknown == ()
    known = np.char.startswith(samples.station, "WE") & (np.char.find(samples.station, ".") < 0)
    assert ((samples.lat > 41.55) & (samples.lat < 41.95) & (samples.lon > -83.5) & (samples.lon < -82.9))[known].all()


def test_the_first_row_of_2012_lies_on_land_and_is_put_right(real_data):
    samples = glerl.read(real_data / "pace_erie" / "insitu" / "2012_2018_v2.csv")
    assert (samples.lat[0], samples.lon[0]) == (41.763, -83.330)
    assert samples.mended["position too far off: the station's median taken"] == 31
