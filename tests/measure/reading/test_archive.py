"""A store of the archive's shape, small: what a process needs for its first batch, and whether steps are fed."""

import pytest

from spectral_jax.config import Config, Data, model_size, spectralearth_sensors
from spectral_jax.data.loader import Loader
from spectral_jax.measure.reading import archive, startup, steps

CFG = Config(
    "archive", spectralearth_sensors(), model_size("tiny", footprint_m=240.0), Data(store="x", batch_size=8, seed=3)
)  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("archive") / "s")
    archive.write(path, {"enmap_only": 41, "pair_emit_enmap": 30}, footprint_m=240.0, shard_bytes=200_000)
    return path


def test_the_store_reads_as_one_with_every_patch(store):
    loader = Loader(CFG, store)
    assert loader.store.simulated
    assert sum(len(rows) for rows in loader.usable.values()) > 60
    shares = [loader.store.groups[name].valid(key).mean() for name, keys in loader.bands.items() for key in keys]
    assert sum(shares) / len(shares) == pytest.approx(2.2 / 4, abs=0.06)
    for i in range(6):
        for key, data in loader.batch(i).sensors.items():
            assert data.pixels[data.present].any(), key
    assert loader.location_names(0)[0].split("/")[0] == loader.group_name(0)


@pytest.mark.slow
def test_a_process_tells_what_it_needed(store):
    found = startup.measure(CFG, store, process=1, processes=4)
    assert 0 < found["opened"] < found["first"]
    assert found["named"] == 2
    assert 10**4 < found["pickled"] < 10**6
    assert 0 < found["first_bytes"] <= found["most_bytes"] < 10**9
    with pytest.raises(RuntimeError, match="process 1 of 3 failed: ValueError: data.batch_size: 8 locations do not split"):
        startup.measure(CFG, store, process=1, processes=3)


@pytest.mark.slow
def test_requests_and_bytes_of_a_fed_run_are_told(store):
    found = steps.feed(CFG, store, batches=2, step_s=0.01, latency_ms=1.0)
    assert 0 < found["requests"] <= 2 * 6
    assert found["bytes"] > 0.5
    assert found["step"] > 0.01
    assert found["keeps_up"] == (found["waited"] < 0.05)
