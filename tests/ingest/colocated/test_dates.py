"""Which products of a cell are taken, and the reason of each that is not."""

import dataclasses

import pytest

from spectral_jax.ingest.colocated import dates
from spectral_jax.ingest.colocated.dates import Candidate
from spectral_jax.ingest.colocated.quality import UNMEASURED, Quality
from spectral_jax.ingest.colocated.wanted import Wanted

ASKED = Wanted(("downloads",))


@dataclasses.dataclass(frozen=True)
class Seen:
    """As much of a sighting as the choice needs."""

    name: str
    key: str
    time_days: float
    version: tuple = ()


def candidate(name, key, days, clear=1.0, valid=1.0, how="own grid", version=()):
    return Candidate(Seen(name, key, days, version), Quality(valid, clear, how))


def names(place):
    return {key: [one.sighting.name for one in several] for key, several in place.taken.items()}


def reasons(choice):
    return {name: reason for (name, _), (reason, _) in choice.why.items()}


def test_the_nearest_comes_first_and_then_the_clearest_within_the_days():
    some = [
        candidate("e", "ENMAP", 100.0), candidate("near", "S2", 102.0, 0.91), candidate("clear", "S2", 114.0, 1.0),
        candidate("mixed", "S2", 90.0, 0.95), candidate("later", "S2", 112.0, 0.92), candidate("beyond", "S2", 116.0, 1.0),
    ]  # fmt: skip
    (place,) = dates.choose(some, dataclasses.replace(ASKED, dates=3)).places
    assert (place.days, names(place)) == (100.0, {"ENMAP": ["e"], "S2": ["mixed", "near", "clear"]})
    (alone,) = dates.choose(some, dataclasses.replace(ASKED, dates=1)).places
    assert names(alone)["S2"] == ["near"]
    told = reasons(dates.choose(some, dataclasses.replace(ASKED, dates=3)))
    assert told == {"later": "more dates than asked for", "beyond": "nearer ones are there"}


def test_where_a_sensor_has_none_near_the_search_is_wider_for_it_alone():
    some = [
        candidate("e", "ENMAP", 100.0),
        candidate("s", "S2", 101.0),
        candidate("r", "S1", 60.0),
        candidate("l", "LO", 150.1),
    ]
    choice = dates.choose(some, ASKED)
    assert names(choice.places[0]) == {"ENMAP": ["e"], "S2": ["s"], "S1": ["r"]}
    assert dates.gap(some[2], choice.places) == -40.0
    assert choice.why == {("l", "LO"): ("gap over the limit", "50.1 days from the nearest location's date, over 45")}


def test_what_is_cloudy_or_not_whole_is_refused_with_its_share():
    some = [
        candidate("e", "ENMAP", 100.0), candidate("s", "S2", 101.0), candidate("cloudy", "S2", 100.5, 0.8999),
        candidate("part", "S1", 100.0, 0.98, 0.98), Candidate(Seen("far", "LO", 300.0), UNMEASURED),
    ]  # fmt: skip
    assert dates.choose(some, ASKED).why == {
        ("cloudy", "S2"): ("too cloudy", "89.99% of the cell is clear, below 90.00%"),
        ("part", "S1"): ("too little data", "98.00% of the cell holds data, below 99.00%"),
        ("far", "LO"): ("gap over the limit", "no anchor that covers the cell lies within 45 days"),
    }


def test_of_one_pass_one_product_shows_a_cell():
    minute = 1 / 1440
    some = [
        candidate("e", "ENMAP", 100.0), candidate("warped", "S2", 101.0, how="bilinear", version=("05.11", "b")),
        candidate("own", "S2", 101.0 + 0.9 * minute, 0.95, version=("05.10", "a")),
        candidate("next", "S2", 101.0 + 2.5 * minute, 0.95),
    ]  # fmt: skip
    choice = dates.choose(some, ASKED)
    assert names(choice.places[0])["S2"] == ["own", "next"]
    assert choice.why == {("warped", "S2"): ("same pass", "own shows the cell in the same pass")}


def test_anchors_far_apart_in_time_make_locations_of_their_own_and_none_is_stored_twice():
    some = [
        candidate("april", "ENMAP", 100.0), candidate("may", "DESIS", 130.0), candidate("autumn", "EMIT", 280.0),
        candidate("s1", "S2", 105.0), candidate("s2", "S2", 281.0), candidate("winter", "ENMAP", 400.0),
    ]  # fmt: skip
    choice = dates.choose(some, ASKED)
    # DESIS lies 30 days from April, so that it is a wider date of that location and no anchor any more.
    assert [(place.days, names(place)) for place in choice.places] == [
        (100.0, {"ENMAP": ["april"], "DESIS": ["may"], "S2": ["s1"]}),
        (280.0, {"EMIT": ["autumn"], "S2": ["s2"]}),
    ]
    assert choice.why == {("winter", "ENMAP"): ("no second sensor", "no other sensor passes within 45 days of it")}


def test_a_location_is_made_around_the_anchor_that_most_sensors_are_near_to():
    some = [
        candidate("first", "ENMAP", 100.0), candidate("second", "ENMAP", 110.0, 0.95), candidate("s", "S2", 112.0),
        candidate("r", "S1", 120.0),
    ]  # fmt: skip
    (place,) = dates.choose(some, ASKED).places
    assert (place.days, names(place)) == (110.0, {"ENMAP": ["first", "second"], "S2": ["s"], "S1": ["r"]})


@pytest.mark.parametrize(
    ("some", "told"),
    [
        ([candidate("s", "S2", 100.0), candidate("r", "S1", 100.0)], {"s": "no clear anchor", "r": "no clear anchor"}),
        ([candidate("e", "ENMAP", 100.0, 0.1), candidate("s", "S2", 100.0)], {"e": "too cloudy", "s": "no clear anchor"}),
        ([candidate("e", "ENMAP", 100.0), candidate("f", "ENMAP", 105.0)], dict.fromkeys("ef", "no second sensor")),
        ([candidate("e", "ENMAP", 100.0), candidate("s", "S2", 180.0)], dict.fromkeys("es", "no second sensor")),
    ],
)
def test_without_an_anchor_and_a_second_sensor_there_is_no_location(some, told):
    choice = dates.choose(some, ASKED)
    assert (choice.places, reasons(choice)) == ((), told)


def test_the_choice_does_not_depend_on_the_order():
    some = [candidate(f"{key}{k}", key, 100.0 + 7 * k, 0.9 + 0.01 * (k % 5)) for key in ("ENMAP", "S2", "S1") for k in range(9)]
    assert dates.choose(some, ASKED) == dates.choose(some[::-1], ASKED)


def test_other_sensors_can_be_anchors():
    some = [candidate("s", "S2", 100.0), candidate("r", "S1", 103.0)]
    (place,) = dates.choose(some, dataclasses.replace(ASKED, anchors=("S2",))).places
    assert names(place) == {"S2": ["s"], "S1": ["r"]}
