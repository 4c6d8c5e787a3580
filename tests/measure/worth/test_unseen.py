import dataclasses

import numpy as np
import pytest

from spectral_jax.config import Config, Data, SensorInput, Synthetic, model_size
from spectral_jax.data.store import open_store
from spectral_jax.measure.worth import unseen
from spectral_jax.measure.worth.question import Question
from spectral_jax.sensors import SensorSpec
from spectral_jax.simulate.scenes.location import simulate_location

QUESTION = Question(sensor="S2", seed=9, labelled=2, unseen=4, labels=(2,), draws=2)
S2 = SensorSpec.load("sentinel2a_l2a")
CFG = Config("s2", (SensorInput("S2", S2),), model_size("tiny", footprint_m=240.0), Data(store="synthetic"))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder, said = tmp_path_factory.mktemp("places"), []
    return folder, unseen.places(QUESTION, CFG, folder, said.append), said


def test_places_are_simulated_once_and_say_so(written):
    folder, places, said = written
    assert said[0].startswith("Simulating 6 places of 240 m into")
    assert said[0].endswith("(simulated data, no observations).")
    again, more = unseen.places(QUESTION, CFG, folder, said.append), len(said)
    assert more == 2  # nothing was said, nothing simulated
    np.testing.assert_array_equal(again.truth["day"], places.truth["day"])


def test_truth_is_that_of_the_simulator_and_of_the_date_that_is_shown(written):
    _, places, _ = written
    store = open_store(places.path)
    valid = store.groups["enmap_only"].valid("S2")
    np.testing.assert_array_equal(places.usable["day"], valid.sum(1) > 1)
    assert places.usable["day"].any()
    for row in range(6):
        location = simulate_location(9, "enmap_only", row, {"S2": S2}, 240.0, unseen.DATES)
        np.testing.assert_allclose(places.truth["place"][row], location.truth)
        if not places.usable["day"][row]:
            assert not places.truth["day"][row].any()
            continue
        season, moisture, _, sun = places.truth["day"][row]
        assert 0 < abs(season) < 0.65
        assert 0 < abs(moisture) < 0.39
        # The sun of both dates: declination by the day of the year, at 10:30 local time; images are up to three days off.
        latitude = np.deg2rad(location.centre_lonlat[1])
        day = location.times["S2"][np.flatnonzero(valid[row])[:2]] % 365.25
        declination = np.deg2rad(23.44) * np.sin(2 * np.pi * (day - 81.0) / 365.25)
        hour = np.cos(np.deg2rad(22.5))
        zenith = np.rad2deg(np.arccos(np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * hour))
        assert sun == pytest.approx(zenith[0] - zenith[1], abs=2.5)


def test_a_loader_reads_them_as_a_run_does(written):
    _, places, _ = written
    loader = places.loader(dataclasses.replace(CFG, data=dataclasses.replace(CFG.data, groups=("emit_only",))))
    assert [len(rows) for rows in loader.usable.values()] == [6]


def test_places_that_a_run_has_seen_are_refused(written):
    seen = dataclasses.replace(CFG, data=Data(store="synthetic", synthetic=Synthetic(seed=9)))
    with pytest.raises(
        ValueError, match="--seed: the run 's2' was trained on scenes simulated with seed 9, so its places are not"
    ):
        unseen.places(QUESTION, seen, written[0])
    with pytest.raises(ValueError, match="was simulated with seed 9 too, so its places are not unseen; take another"):
        unseen.check_unseen(QUESTION, open_store(written[1].path))


def test_a_sensor_takes_the_group_of_its_own_or_the_first_that_has_it():
    assert unseen.group_of("EMIT") == "emit_only"
    assert unseen.group_of("S1") == "enmap_only"
    with pytest.raises(
        ValueError, match="--sensor: no sensor of the simulated groups is called 'ENMPA'; .* closest first: ENMAP"
    ):
        unseen.group_of("ENMPA")
