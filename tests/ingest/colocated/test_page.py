"""The page of a plan: what it counts, that all text is escaped, and that it opens without a network."""

import base64
import re

import numpy as np
import pytest
from made.region import LEFT, TOP, in_memory

from spectral_jax.ingest.colocated import footprints, page, rows
from spectral_jax.ingest.colocated.cells import Cell
from spectral_jax.ingest.colocated.dates import Candidate, Choice, Place
from spectral_jax.ingest.colocated.plan import Plan, PlannedCell
from spectral_jax.ingest.colocated.quality import Quality
from spectral_jax.ingest.colocated.survey import LeftOut, Sighting
from spectral_jax.ingest.colocated.wanted import Wanted

SENSORS = {"ENMAP": ("enmap_l2a", 30.0), "S2": ("sentinel2b_l2a", 10.0), "S1": ("sentinel1_rtc", 10.0)}


def sighting(name, key, days, east=0.0):
    spec, pixel = SENSORS[key]
    product = in_memory(spec, np.zeros((224, 2, 2), np.int16), (LEFT + east, pixel * 24, 0.0, TOP, 0.0, -pixel * 24))
    return Sighting(name, name, key, product.spec, days, footprints.of(product), ("", name), {}, key != "S1")


def planned(cells=3):
    """Cells in a row: the first of three sensors, the second held out and of two, the others without a location."""
    e, s, r = sighting("enmap <1>", "ENMAP", 100.0), sighting("msi", "S2", 120.0), sighting("radar", "S1", 99.0)
    measured = {x.key: Candidate(x, Quality(1.0, 0.95, "nearest" if x is s else "own grid")) for x in (e, s, r)}
    out = []
    for k in range(cells):
        keys = (("ENMAP", "S2", "S1"), ("ENMAP", "S1"), ())[min(k, 2)]
        places = (Place(100.0, {key: (measured[key],) for key in keys}),) if keys else ()
        why = {} if keys else {("enmap <1>", "ENMAP"): ("too cloudy", "told")}
        cell = Cell(32633, 2083 + k, 24166, 240.0)
        out.append(PlannedCell(cell, "holdout" if k == 1 else "train", tuple(measured.values()), Choice(places, why)))
    left = (LeftOut("torn.zip", "", "cannot be read", "torn.zip: <b>it is truncated</b>."),)
    return Plan(Wanted(("downloads",), holdout=0.1), (e, s, r), left, tuple(out))


def table_of(html, heading):
    section = html.partition(f"<h2>{heading}</h2>")[2].partition("</section>")[0]
    lines = re.findall(r"<tr[^>]*>(.*?)</tr>", section, re.S)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, re.S) for line in lines]


@pytest.fixture
def html(monkeypatch):
    monkeypatch.setattr(page.html, "figure", lambda draw, alt, caption="": f"<figure>{alt}</figure>")
    return page.page(planned(), "my.plan.csv")


def test_locations_are_counted_by_group_and_split_and_sensor(html):
    assert table_of(html, "Groups") == [
        ["group", "split", "locations", "ENMAP, dates", "S2, dates", "S1, dates"],
        ["enmap_s1", "holdout", "1", "1", "–", "1"],
        ["enmap_s2_s1", "train", "1", "1", "1", "1"],
    ]
    assert table_of(html, "Sensors")[1:] == [
        ["ENMAP", "enmap_l2a", "1", "2", "2", "95 %", "own grid 2"],
        ["S2", "sentinel2b_l2a", "1", "1", "1", "95 %", "nearest 1"],
        ["S1", "sentinel1_rtc", "1", "2", "2", "no cloud layer", "own grid 2"],
    ]
    assert table_of(html, "Gaps in time")[1:] == [
        ["ENMAP", "2", "0.0", "0.0", "0"], ["S2", "1", "20.0", "20.0", "1"], ["S1", "2", "1.0", "1.0", "0"],
    ]  # fmt: skip
    assert "2 locations of 3840 m in 2 groups, from 3 of 4 products; 3 cells lie inside a product of ENMAP" in html


def test_what_was_left_out_is_counted_and_told_and_no_text_is_markup(html):
    assert table_of(html, "What was left out")[1:4] == [
        ["cells", "too cloudy", "1"], ["products", "cannot be read", "1"], ["products at cells", "too cloudy", "1"],
    ]  # fmt: skip
    assert "torn.zip: &lt;b&gt;it is truncated&lt;/b&gt;." in html
    assert "<b>it" not in html
    assert "<1>" not in html


def test_one_of_a_thing_is_told_as_one(monkeypatch):
    monkeypatch.setattr(page.html, "figure", lambda draw, alt, caption="": "")
    html = page.page(planned(1), "my.plan.csv")
    assert "1 location of 3840 m in 1 group, from 3 of 4 products; 1 cell lies inside a product of ENMAP" in html
    assert "1 product left out whole" in html


def test_a_plan_without_a_location_is_a_page_too(monkeypatch):
    monkeypatch.setattr(page.html, "figure", lambda draw, alt, caption="": "")
    empty = Plan(Wanted(("downloads",)), (), (), ())
    html = page.page(empty, "my.plan.csv")
    assert "No location: see what was left out." in html
    assert "Nothing was left out." in html
    assert rows.refused(empty) == {}


@pytest.mark.slow
@pytest.mark.parametrize("cells", [3, 4001])
def test_the_map_is_in_the_page_and_needs_no_network(cells):
    html = page.page(planned(cells), "my.plan.csv")
    pictures = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', html)
    assert len(pictures) == 2
    svg = base64.b64decode(pictures[0]).decode()
    for word in ("ENMAP", "S1", "enmap_s2_s1", "no location", "longitude, degrees east"):
        assert f"<!-- {word} -->" in svg
    assert not re.findall(r'(?:src|href)="(?!data:|#)', html)
    assert len(html) < 3_000_000


def test_the_table_has_a_row_for_each_product_of_each_location():
    found = [(r.cell, r.split, r.sensor, r.gap_days, r.chosen, r.why) for r in rows.rows(planned())]
    first, second, third = (f"32633_{2083 + k}_24166" for k in range(3))
    assert found == [
        (first, "train", "ENMAP", "0.000", "yes", ""), (first, "train", "S2", "20.000", "yes", ""),
        (first, "train", "S1", "-1.000", "yes", ""), (second, "holdout", "ENMAP", "0.000", "yes", ""),
        (second, "holdout", "S1", "-1.000", "yes", ""), (third, "train", "ENMAP", "", "no", "too cloudy: told"),
        ("", "", "", "", "no", "cannot be read: torn.zip: <b>it is truncated</b>."),
    ]  # fmt: skip


def test_locations_of_one_cell_have_names_of_their_own():
    one = planned(1).cells[0]
    place = one.choice.places[0]
    later = PlannedCell(one.cell, one.split, one.candidates, Choice((place, Place(9000.4, place.taken)), {}))
    # 9,000 days after 2000-01-01: 24 years of 365 days and 6 leap days are 8,766; 234 days later is 22 August 2024.
    assert [name for name, _ in later.named()] == ["32633_2083_24166", "32633_2083_24166_20240822"]
