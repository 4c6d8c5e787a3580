"""Batches of a store: pure functions of config, seed and number; every refusal a sentence."""

import dataclasses
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from made.tiny_store import HY, MS, SENSORS, TH, build, config, same, sensor

from spectral_jax.config import Views
from spectral_jax.data import store_format
from spectral_jax.data.loader import Loader
from spectral_jax.data.schedule import words
from spectral_jax.data.store import open_store
from spectral_jax.measure import throughput


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """Two groups of different sensors, dates missing at random."""
    path = tmp_path_factory.mktemp("sample") / "s"
    keys = {"one": ("HY", "MS", "TH"), "two": ("MS",)}
    _, written = build(path, {"one": 11, "two": 6}, keys=keys, valid_share=0.5)
    return path, written


def garble(file, wanted, rows: int, dates: int):
    """Overwrites the inner chunks for which `wanted(row, date)` holds, found through the shard's index."""
    raw = bytearray(file.read_bytes())
    index = np.frombuffer(bytes(raw[-16 * rows * dates - 4 : -4]), "<u8").reshape(rows, dates, 2)
    for row, date in np.ndindex(rows, dates):
        if wanted(row, date):
            offset, size = (int(v) for v in index[row, date])
            raw[offset : offset + size] = b"\xa5" * size
    file.write_bytes(raw)


def test_batch_holds_the_chosen_date_of_each_sensor(sample):
    path, written = sample
    cfg = config()
    loader = Loader(cfg, path)
    seen_absent = False
    for i in range(12):
        batch = loader.batch(i)
        name = loader.group_name(i)
        assert list(batch.sensors) == {"one": ["HY", "MS", "TH"], "two": ["MS"]}[name]
        assert batch.group.tolist() == [["one", "two"].index(name)] * 4
        for key, data in batch.sensors.items():
            pixels, valid, times = written[name, key]
            draws = words(cfg.data.seed, f"date of {key}", i, 4)
            for b, row in enumerate(batch.location):
                dates = np.flatnonzero(valid[row])
                assert data.present[b] == (len(dates) > 0)
                if not len(dates):
                    seen_absent = True
                    assert (data.pixels[b] == SENSORS[key].nodata).all()
                    assert data.time[b] == 0.0
                    continue
                date = dates[int(draws[b]) % len(dates)]
                expected = np.moveaxis(pixels[row, date], 0, -1)[..., list(SENSORS[key].used_index)]
                np.testing.assert_array_equal(data.pixels[b], expected)
                assert data.time[b] == np.float32(times[row, date])
    assert seen_absent


def test_another_date_comes_along_where_views_ask_for_it(sample):
    path, written = sample
    cfg = dataclasses.replace(config(), views=Views(dates=2))
    loader, plain = Loader(cfg, path), Loader(config(), path)
    apart = 0
    for i in range(8):
        batch, name = loader.batch(i), loader.group_name(i)
        assert same(plain.batch(i), dataclasses.replace(batch, other=None))
        for key, data in batch.other.items():
            pixels, valid, times = written[name, key]
            first = batch.sensors[key]
            np.testing.assert_array_equal(data.present, first.present)
            for b, row in enumerate(batch.location):
                dates = [d for d in np.flatnonzero(valid[row]) if np.float32(times[row, d]) == data.time[b]]
                if not data.present[b]:
                    assert (data.pixels[b] == SENSORS[key].nodata).all()
                    continue
                assert (data.time[b] != first.time[b]) == (valid[row].sum() > 1)
                apart += data.time[b] != first.time[b]
                expected = np.moveaxis(pixels[row, dates[0]], 0, -1)[..., list(SENSORS[key].used_index)]
                np.testing.assert_array_equal(data.pixels[b], expected)
    assert apart > 10


def test_leaves_are_numpy_of_the_promised_types(sample):
    batch = Loader(config(groups=("one",)), sample[0]).batch(0)
    assert {k: (v.pixels.dtype.name, v.pixels.shape) for k, v in batch.sensors.items()} == {
        "HY": ("int16", (4, 16, 16, 4)),
        "MS": ("uint16", (4, 8, 8, 3)),
        "TH": ("uint16", (4, 4, 4, 1)),
    }
    for data in batch.sensors.values():
        assert (data.present.dtype.name, data.time.dtype.name, data.valid) == ("bool", "float32", None)
        assert type(data.pixels) is np.ndarray
    assert (batch.location.dtype.name, batch.group.dtype.name) == ("int32", "int32")


def test_sensors_come_in_the_order_of_the_config(sample):
    assert list(Loader(config(("TH", "HY"), groups=("one",)), sample[0]).batch(0).sensors) == ["TH", "HY"]


def test_batch_is_pure(sample):
    first, second = Loader(config(), sample[0]), Loader(config(), sample[0])
    forwards = [first.batch(i) for i in range(6)]
    for i in (5, 0, 3):
        assert same(second.batch(i), forwards[i])
        assert same(first.batch(i), forwards[i])
    assert not same(forwards[0], Loader(config(seed=8), sample[0]).batch(0))


@pytest.mark.parametrize("processes", [2, 4])
@pytest.mark.parametrize("footprint_m", [480.0, 240.0])
def test_shares_of_processes_make_up_the_batch_of_one(sample, processes, footprint_m):
    cfg = config(footprint_m=footprint_m)
    whole = Loader(cfg, sample[0])
    shares = [Loader(cfg, sample[0], process_index=p, process_count=processes) for p in range(processes)]
    for i in range(5):
        parts = [loader.batch(i) for loader in shares]
        expected = whole.batch(i)
        np.testing.assert_array_equal(np.concatenate([p.location for p in parts]), expected.location)
        for key, data in expected.sensors.items():
            for leaf in ("pixels", "present", "time"):
                joined = np.concatenate([getattr(p.sensors[key], leaf) for p in parts])
                np.testing.assert_array_equal(joined, getattr(data, leaf))


def test_crops_are_one_square_of_ground_for_all_sensors(tmp_path):
    """Pixels that hold their own place on the ground: tokens are 120 m, the footprint has 240 m of 480 m."""
    made, _ = build(tmp_path / "s", {"g": 5}, valid_share=1.0, dates=1)
    for key, spec in SENSORS.items():
        side = round(480.0 / spec.gsd_m)
        per_token = side // 4
        place = 1 + 10 * (np.arange(side)[:, None] // per_token) + np.arange(side)[None, :] // per_token
        pixels = np.broadcast_to(place, (5, 1, len(spec.bands), side, side)).astype(spec.dtype)
        made.groups["g"].write_block(0, key, pixels, np.ones((5, 1), bool), np.ones((5, 1)))
    loader = Loader(config(footprint_m=240.0), tmp_path / "s")
    corners = set()
    for i in range(12):
        batch = loader.batch(i)
        assert [d.pixels.shape[1:3] for d in batch.sensors.values()] == [(8, 8), (4, 4), (2, 2)]
        for b in range(4):
            top_left = [int(d.pixels[b, 0, 0, 0]) for d in batch.sensors.values()]
            bottom_right = [int(d.pixels[b, -1, -1, 0]) for d in batch.sensors.values()]
            assert len(set(top_left)) == 1
            assert bottom_right == [top_left[0] + 11] * 3
            corners.add(top_left[0])
    # Two tokens of four: three places along each side.
    assert corners == {1, 2, 3, 11, 12, 13, 21, 22, 23}


def test_only_the_chosen_date_is_read(tmp_path):
    made, written = build(tmp_path / "s", {"g": 6}, keys={"g": ("HY",)}, valid_share=1.0)
    pixels, _, times = written["g", "HY"]
    only = np.zeros((6, 3), bool)
    only[:, 1] = True
    made.groups["g"].write_block(0, "HY", pixels, only, times)
    garble(tmp_path / "s/g/HY/c/0/0/0/0/0", lambda row, date: date != 1, rows=6, dates=3)
    loader = Loader(config(("HY",)), tmp_path / "s")
    for i in range(3):
        batch = loader.batch(i)
        expected = np.moveaxis(pixels[batch.location, 1], 1, -1)[..., [0, 1, 3, 4]]
        np.testing.assert_array_equal(batch.sensors["HY"].pixels, expected)
    with pytest.raises(ValueError, match="missing or corrupt"):
        loader.store.groups["g"].read("HY", 0, 0)


def test_float_products_fill_absent_samples_with_nan_only_without_nodata(tmp_path):
    spec = sensor(30.0, 2, "float32", -9999.0)
    build(tmp_path / "s", {"g": 6}, keys={"g": ("HY", "MS")}, specs={"HY": spec}, valid_share=0.2, seed=2)
    loader = Loader(config(("HY", "MS"), specs={"HY": spec}), tmp_path / "s")
    batches = [loader.batch(i) for i in range(4)]
    absent = np.concatenate([b.sensors["HY"].pixels[~b.sensors["HY"].present] for b in batches])
    assert len(absent)
    assert (absent == -9999.0).all()
    assert all(np.isfinite(b.sensors["HY"].time).all() for b in batches)


def test_wrong_settings_are_sentences(sample):
    path, _ = sample
    with pytest.raises(ValueError, match="4 locations do not split over 3 processes .* take a multiple of 3"):
        Loader(config(), path, process_count=3)
    with pytest.raises(ValueError, match="this one is number 2"):
        Loader(config(), path, process_index=2, process_count=2)
    with pytest.raises(ValueError, match="patches have a side of 480 m, and model.footprint_m asks for 960 m"):
        Loader(config(footprint_m=960.0), path)
    with pytest.raises(
        ValueError, match="data.groups: store .*: no group is called 'oen'; the names are, closest first: one, two."
    ):
        Loader(config(groups=("oen",)), path)
    with pytest.raises(ValueError, match=r"no sensor of the config \(HY\) is in the groups two; they hold MS"):
        Loader(config(("HY",), groups=("two",)), path)
    with pytest.raises(ValueError, match=r"no sensor of the config \(XX\) is in the groups one, two; they hold HY, MS, TH"):
        Loader(config(("XX",), specs={"XX": TH}), path)
    with pytest.raises(ValueError, match="expected a number from 0, got -1"):
        Loader(config(), path).batch(-1)


def test_groups_without_sensors_of_the_config_are_not_drawn(sample):
    loader = Loader(config(("HY", "TH")), sample[0])
    assert loader.schedule.names == ["one"]
    assert set(loader.batch(0).group.tolist()) == {0}


def test_locations_without_any_valid_date_are_left_out_and_counted(tmp_path):
    made, _ = build(tmp_path / "s", {"g": 8}, keys={"g": ("HY", "MS")}, valid_share=1.0)
    nothing, times = np.zeros((3, 3), bool), np.zeros((3, 3))
    for key, spec in (("HY", HY), ("MS", MS)):
        side = round(480.0 / spec.gsd_m)
        made.groups["g"].write_block(2, key, np.zeros((3, 3, len(spec.bands), side, side), spec.dtype), nothing, times)
    loader = Loader(config(("HY", "MS")), tmp_path / "s")
    assert loader.left_out == {"g": 3}
    assert {int(x) for i in range(5) for x in loader.batch(i).location} == {0, 1, 5, 6, 7}
    assert "g: 5 locations, 100.0 % of batches, HY, MS, 3 without any valid date are left out" in loader.describe()


def test_a_group_with_nothing_valid_is_refused(tmp_path):
    build(tmp_path / "s", {"g": 3}, keys={"g": ("HY", "MS")}, valid_share=0.0)
    with pytest.raises(ValueError, match="in group g all dates of HY, MS are invalid; finish building the store"):
        Loader(config(("HY", "MS")), tmp_path / "s")


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=[pytest.mark.multiprocess, pytest.mark.slow]),
                                     pytest.param(3, marks=[pytest.mark.multiprocess, pytest.mark.slow])])  # fmt: skip
@pytest.mark.parametrize("start", [2])
def test_batches_are_the_same_for_any_number_of_workers(sample, workers, start):
    loader = Loader(config(), sample[0])
    found = list(loader.batches(start, 9, workers))
    assert len(found) == 7
    for i, batch in enumerate(found, start):
        assert same(batch, loader.batch(i))
        assert type(batch.sensors["MS"].pixels) is np.ndarray


def test_batches_resume_at_any_number(sample):
    loader = Loader(config(), sample[0])
    for start in (0, 1, 40, 1000):
        found = list(loader.batches(start, start + 2, 0))
        assert [same(b, loader.batch(start + j)) for j, b in enumerate(found)] == [True, True]
    assert list(loader.batches(5, 5, 0)) == []


def test_loader_travels_to_a_worker(sample):
    loader = Loader(config(), sample[0])
    expected = loader.batch(3)
    assert same(pickle.loads(pickle.dumps(loader)).batch(3), expected)


def test_what_is_sent_to_a_worker_does_not_grow_with_the_store_nor_with_what_was_read(tmp_path):
    sizes = []
    for locations in (6, 600):
        build(tmp_path / str(locations), {"g": locations}, keys={"g": ("TH",)})
        loader = Loader(config(("TH",)), tmp_path / str(locations))
        before = len(pickle.dumps(loader))
        loader.names(loader.batch(0))
        sizes += [before, len(pickle.dumps(loader))]
    assert max(sizes) - min(sizes) < 50
    group = pickle.loads(pickle.dumps(loader.store.groups["g"]))
    np.testing.assert_array_equal(group.valid("TH"), loader.store.groups["g"].valid("TH"))
    assert len(pickle.dumps(group)) < 5000


def test_a_store_that_changed_under_a_run_is_refused_by_its_workers(tmp_path):
    made, _ = build(tmp_path / "s", {"g": 6}, keys={"g": ("TH",)}, valid_share=0.0)
    made.groups["g"].write_patch(2, 0, "TH", np.ones((1, 4, 4), np.uint16), 3.0)
    sent = pickle.dumps(Loader(config(("TH",)), tmp_path / "s"))
    made.groups["g"].write_patch(4, 0, "TH", np.ones((1, 4, 4), np.uint16), 3.0)
    with pytest.raises(ValueError, match="flags of valid dates have changed since this run opened it.* wait until the store"):
        pickle.loads(sent)


def test_few_rows_of_flags_times_and_names_are_those_of_the_whole(tmp_path, monkeypatch):
    """Blocks of four locations, so that some are never read; three dates, so that a location's bits lie across bytes."""
    monkeypatch.setattr(store_format, "SMALL_ROWS", 4)
    _, written = build(tmp_path / "s", {"g": 23}, keys={"g": ("TH",)})
    group = open_store(tmp_path / "s").groups["g"]
    _, valid, times = written["g", "TH"]
    for rows in ([22], [3, 0, 3, 9], list(range(23))):
        np.testing.assert_array_equal(group.valid("TH", np.array(rows)), valid[rows])
        expected = np.where(valid, times, 0.0)[rows]
        for dtype in (np.float32, np.float64):
            np.testing.assert_array_equal(group.ask_times("TH", np.array(rows), dtype)(), expected.astype(dtype))
        assert group.ids(rows) == [f"g-place-{row}" for row in rows]
        if len(rows) < 5:
            assert group._times["TH", np.float32]._read.tolist() == [b in {r // 4 for r in (22, *rows)} for b in range(6)]
    assert group.rows_with(["TH"]).tolist() == np.flatnonzero(valid.any(1)).tolist()


def test_times_whose_bytes_changed_are_named_when_a_batch_needs_them(tmp_path):
    build(tmp_path / "s", {"g": 6}, keys={"g": ("TH",)}, valid_share=1.0)
    file = tmp_path / "s/g/TH_time/c/0/0"
    raw = bytearray(file.read_bytes())
    raw[9] ^= 4
    file.write_bytes(raw)
    with pytest.raises(ValueError, match="group g, array TH_time is corrupt .*; copy it again"):
        Loader(config(("TH",)), tmp_path / "s").batch(0)


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.multiprocess)])
@pytest.mark.slow
def test_a_corrupt_shard_is_named_in_this_process(tmp_path, workers):
    build(tmp_path / "s", {"g": 6}, keys={"g": ("HY",)}, valid_share=1.0)
    garble(tmp_path / "s/g/HY/c/0/0/0/0/0", lambda row, date: row == 4, rows=6, dates=3)
    loader = Loader(config(("HY",)), tmp_path / "s")
    with pytest.raises(ValueError, match=r"group g, array HY, location 4, file .*/g/HY/c/0/0/0/0/0: .*missing or corrupt"):
        list(loader.batches(0, 3, workers))


def test_a_shard_lost_while_a_run_goes_on_is_an_error_and_not_nodata(tmp_path):
    build(tmp_path / "s", {"g": 6}, keys={"g": ("HY",)}, valid_share=1.0)
    loader = Loader(config(("HY",)), tmp_path / "s")
    os.remove(tmp_path / "s/g/HY/c/0/0/0/0/0")
    with pytest.raises(ValueError, match="the stored bytes are missing or corrupt"):
        loader.batch(0)


@pytest.mark.multiprocess
@pytest.mark.slow
def test_workers_in_a_script_without_parsed_flags_get_a_sentence(sample):
    script = f"""
        from made.tiny_store import config
        from spectral_jax.data.loader import Loader
        try:
            list(Loader(config(), {str(sample[0])!r}).batches(0, 1, 2))
        except RuntimeError as error:
            print(error)
    """
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, env=environment)
    assert "2 worker processes need absl's flags to be parsed; start the script with absl.app.run(main)" in run.stdout, (
        run.stderr
    )


def test_names_are_those_of_the_store(sample):
    loader = Loader(config(), sample[0])
    batch = loader.batch(1)
    assert loader.names(batch) == [f"{loader.group_name(1)}-place-{row}" for row in batch.location]


def test_survey_sees_every_location_once_with_its_truth(sample):
    loader = Loader(config(), sample[0])
    rows = {"one": [], "two": []}
    for batch, truth in loader.survey():
        name = ["one", "two"][batch.group[0]]
        rows[name] += batch.location.tolist()
        np.testing.assert_array_equal(truth, loader.store.groups[name].truth()[batch.location])
        _, valid, times = sample[1][name, "MS"]
        first = np.argmax(valid[batch.location], axis=1)
        expected = np.where(valid[batch.location].any(1), times[batch.location, first], 0.0).astype(np.float32)
        np.testing.assert_array_equal(batch.sensors["MS"].time, expected)
    for name, found in rows.items():
        usable = np.any([v.any(1) for (group, _), (_, v, _) in sample[1].items() if group == name], axis=0)
        assert sorted(found) == np.flatnonzero(usable).tolist()


def test_throughput_counts_the_bytes_of_what_is_read(tmp_path):
    build(tmp_path / "s", {"g": 8}, keys={"g": ("HY", "MS")}, valid_share=1.0, dates=2)
    cfg = config(("HY", "MS"))
    found = throughput.loader(cfg, tmp_path / "s", batches=3, repeats=2)
    # Three batches of four locations: 16 x 16 pixels of 4 used bands, and 8 x 8 of 3, two bytes each.
    assert found["bytes"] == 3 * 4 * 2 * (16 * 16 * 4 + 8 * 8 * 3)
    assert found["ratio"] == found["loader"]["median"] / found["bare"]["median"]
    assert len(found["ratios"]) == 2
    with pytest.raises(ValueError, match="expected a store of the config's footprint 240 m, got 480 m"):
        throughput.loader(config(("HY",), footprint_m=240.0), tmp_path / "s")


def test_memory_is_measured_in_bytes(sample):
    found = throughput.memory(config(), sample[0], batches=4, settled=2)
    assert found["batches"] == 4
    assert all(10**7 < found[k] < 10**11 for k in ("start", "settled", "end"))
