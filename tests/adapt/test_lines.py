"""What the rows of a comparison name: encoder, adaptation, and how the line is fitted."""

import dataclasses
import re

import pytest

from spectral_jax.adapt.lines import parse
from spectral_jax.adapt.protocols import (
    PANGAEA,
    SPECTRALEARTH_FM_FROZEN,
    STUDY_AS_PUBLISHED,
    STUDY_CORRECTED,
    TERRAMIND_STUDY,
)

SHORT = dataclasses.replace(TERRAMIND_STUDY, epochs=3)


def test_two_parts_are_trained_by_the_protocol_of_the_run():
    line = parse("terramind/srf", SHORT)
    assert line == ("terramind/srf", "terramind", "srf", SHORT, "")
    assert line.how == "terramind_study, changed"
    assert parse("dofa/none", PANGAEA).how == "pangaea"


@pytest.mark.parametrize("protocol", [TERRAMIND_STUDY, SPECTRALEARTH_FM_FROZEN, PANGAEA])
def test_a_third_part_is_a_protocol_as_published(protocol):
    row = f"spectralearth_resnet/none/{protocol.name}"
    line = parse(row, SHORT)
    assert line == (row, "spectralearth_resnet", "none", protocol, "")
    assert line.how == protocol.name


def test_a_version_of_the_runs_study_has_the_runs_changes():
    smaller = dataclasses.replace(STUDY_CORRECTED, epochs=3, head="linear", head_width=None)
    line = parse("terramind/srf/terramind_study/as_published", smaller)
    assert line.protocol == dataclasses.replace(smaller, name=STUDY_AS_PUBLISHED.name, statistics="task_as_published")
    assert line.how == "terramind_study/as_published, changed"
    assert parse("terramind/srf/pangaea", smaller).protocol == PANGAEA
    assert parse("terramind/srf/terramind_study", smaller).protocol == TERRAMIND_STUDY
    assert parse("terramind/srf/terramind_study/corrected", SHORT).protocol == STUDY_CORRECTED


@pytest.mark.parametrize("probe", ["knn_probe", "linear_probe"])
def test_a_third_part_is_a_probe(probe):
    line = parse(f"ours/none/{probe}", SHORT)
    assert (line.encoder, line.adaptation, line.protocol, line.probe, line.how) == ("ours", "none", SHORT, probe, probe)


def test_lines_can_be_keys_and_differ_by_how_they_are_fitted():
    lines = [parse(f"dofa/srf{how}", SHORT) for how in ("", "/pangaea", "/knn_probe", "/linear_probe")]
    assert len({line: line.how for line in lines}) == 4


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("spectralearth_resnt/none", "rows: no encoder is called 'spectralearth_resnt'; the names are, closest first: "
         "spectralearth_resnet, spectralearth, "),
        ("dofa/wavelength_atention", "rows: no adaptation is called 'wavelength_atention'; the names are, closest first: "
         "wavelength_attention, "),
        ("dofa/none/pangea", "rows: no protocol or probe is called 'pangea'; the names are, closest first: pangaea, "),
        ("dofa/none/knn", "rows: no protocol or probe is called 'knn'; the names are, closest first: knn_probe, "),
        ("dofa/none/", "rows: no protocol or probe is called ''"),
        ("dofa", "rows: expected encoder/adaptation, such as terramind/srf, or encoder/adaptation/protocol, got 'dofa'."),
        ("dofa/none/pangaea/0", "rows: no protocol or probe is called 'pangaea/0'; the names are, closest first: pangaea, "),
        ("dofa/none/terramind_study/corected", "closest first: terramind_study/corrected, "),
    ],
)  # fmt: skip
def test_unknown_names_are_refused_with_the_closest_first(row, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        parse(row, SHORT)


def test_a_sentence_names_everything_that_there_is():
    with pytest.raises(ValueError, match="no protocol or probe") as found:
        parse("dofa/none/x", SHORT)
    versions = {"terramind_study/as_published", "terramind_study/corrected"}
    names = {"terramind_study", "spectralearth_fm_frozen", "pangaea", "knn_probe", "linear_probe"} | versions
    assert set(re.findall(r"[\w/]+", str(found.value).split("closest first:")[1])) == names
