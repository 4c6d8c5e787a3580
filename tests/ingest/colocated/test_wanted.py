"""What is asked for: every number and name that is refused, by its sentence."""

import json

import pytest

from spectral_jax.ingest.colocated.wanted import SENSORS, Wanted


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"anchors": ("ENMPA",)}, "--anchors: no sensor is called 'ENMPA'; the names are, closest first: ENMAP"),
        ({"sensors": ("S3",)}, "--sensors: no sensor is called 'S3'"),
        (
            {"anchors": ("EMIT",), "sensors": ("ENMAP", "S2")},
            "--anchors: expected at least one of --sensors=ENMAP,S2, got EMIT; a location is made around an anchor's date.",
        ),
        ({"days": -1.0}, "--days: expected a number from 0 to 36525, got -1."),
        ({"days": 20.0, "most_days": 10.0}, r"--most_days: expected a number from 20 \(--days\) to 36525, got 10."),
        ({"dates": 0}, "--dates: expected a number from 1 to 366, got 0."),
        ({"clear": 90.0}, "--clear: expected a number from 0 to 1, got 90."),
        ({"valid": float("nan")}, "--valid: expected a number from 0 to 1, got nan."),
        ({"holdout": 1.5}, "--holdout: expected a number from 0 to 1, got 1.5."),
        ({"block_deg": 0.0}, "--block_deg: expected a number from 0.01 to 10, got 0."),
        ({"footprint_m": 0.0}, "--footprint_m: expected a number from 1 to 100000, got 0."),
        ({"unclear": "drop"}, "--unclear: expected missing or keep, got 'drop'."),
        ({"satellites": "all"}, "--satellites: expected one or alike, got 'all'."),
    ],
)
def test_what_cannot_be_asked_for_is_told_in_a_sentence(more, sentence):
    with pytest.raises(ValueError, match=sentence):
        Wanted(("downloads",), **more)


def test_the_command_is_the_same_in_whatever_order_folders_are_named(tmp_path):
    one, other = (Wanted(tuple(str(tmp_path / x) for x in names)) for names in ("ab", "ba"))
    assert one.command() == other.command() == json.loads(json.dumps(one.command()))
    assert one.command()["sensors"] == list(SENSORS)
