"""The sentences that many places say."""

import pytest

from spectral_jax.sentences import closest, counted, needs, unknown


def test_a_number_of_things_is_told_as_people_tell_it():
    assert [counted(n, "group") for n in (0, 1, 2)] == ["0 groups", "1 group", "2 groups"]
    assert [counted(n, "cell lies", "cells lie") for n in (1, 3)] == ["1 cell lies", "3 cells lie"]


def test_the_most_similar_name_stands_first():
    assert closest("terra", ["dofa", "ours", "terramind"]) == "terramind, ours, dofa"
    assert closest("terra", ["dofa", "ours", "terramind"], 1) == "terramind"
    assert closest("terra", []) == ""


def test_an_unknown_name_is_a_value_error_that_names_the_closest():
    error = unknown("rows", "encoder", "tera", ["dofa", "ours", "terramind"])
    assert type(error) is ValueError
    assert str(error) == "rows: no encoder is called 'tera'; the names are, closest first: terramind, ours, dofa."


def test_of_many_names_three_are_told_and_how_many_there_are():
    error = unknown("data.task", "task", "samsn", ["samson", "soil", "mados", "pastis_r"])
    assert (
        str(error) == "data.task: no task is called 'samsn'; the names are, closest first: samson, mados, pastis_r (4 in all)."
    )


def test_where_there_are_no_names_the_sentence_says_so():
    assert str(unknown("data.groups", "group", "a", [])) == "data.groups: no group is called 'a'; there are none."


def test_a_missing_library_is_named_with_the_command_that_installs_it():
    sentence = (
        "reading moons needs moonlib, and it is not installed; install the extra geo: pip install 'spectral-jax\\[geo\\]'."
    )
    with pytest.raises(ImportError, match=sentence), needs("moonlib", "geo", "reading moons"):
        import no_such_library_anywhere  # noqa: F401


def test_other_errors_pass_through():
    with pytest.raises(KeyError), needs("moonlib", "geo", "reading moons"):
        raise KeyError("a bug")
