"""Which items a catalogue gives: by collection, place and day, from documents and from an API."""

import datetime
import json
import sys

import pytest
from made import catalogues

from spectral_jax.ingest.catalogue import search


def names(where, **more):
    failures = []
    found = [scene.name for scene in search.items(search.Query(str(where), **more), failures)]
    assert failures == []
    return found


@pytest.fixture
def catalogue(tmp_path):
    item = catalogues.item
    return catalogues.write(
        tmp_path, item("here", {}, "2024-01-31T23:59:59Z"), item("later", {}, "2024-02-01T00:00:00Z"),
        item("there", {}, "2024-01-31T10:00:00+02:00", bbox=(20.0, 10.0, 21.0, 11.0)),
        item("date_line", {}, "2024-01-30T00:00:00Z", bbox=(179.5, -10.0, -179.5, -9.0)),
        item("three_dimensions", {}, "2024-03-01", bbox=(9.0, 52.0, 0.0, 9.1, 52.1, 100.0)),
    )  # fmt: skip


def test_items_are_chosen_by_place_and_day(catalogue):
    day = datetime.date
    assert names(catalogue) == ["here", "later", "there", "date_line", "three_dimensions"]
    assert names(catalogue, first=day(2024, 1, 31), last=day(2024, 1, 31)) == ["here", "there"]
    assert names(catalogue, last=day(2024, 1, 30)) == ["date_line"]
    assert names(catalogue, box=(9.05, 52.05, 9.5, 53.0)) == ["here", "later", "three_dimensions"]
    assert names(catalogue, box=(179.0, -20.0, -170.0, 0.0)) == ["date_line"]
    assert names(catalogue, box=(-180.0, -20.0, -170.0, 0.0)) == ["date_line"]
    assert names(catalogue, most=2) == ["here", "later"]
    assert names(catalogue, collections=("scenes",), most=1) == ["here"]


def test_a_collection_that_is_not_there_and_documents_that_are_none_are_refused(catalogue, tmp_path):
    with pytest.raises(ValueError, match="no collection is called 'scnes'; the names are, closest first: scenes"):
        names(catalogue, collections=("scnes",))
    with pytest.raises(FileNotFoundError, match="--stac: there is no catalogue at .*none.json; give its first document"):
        names(tmp_path / "none.json")
    (tmp_path / "text.json").write_text("no JSON")
    with pytest.raises(ValueError, match="text.json: expected a STAC catalogue or item, and it is no JSON"):
        names(tmp_path / "text.json")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(ValueError, match="list.json: expected a STAC catalogue or item, got a list"):
        names(tmp_path / "list.json")


def test_wrong_places_and_days_are_refused():
    for text, sentence in (
        ("1,2,3", "expected four numbers"),
        ("a,b,c,d", "expected four numbers west,south,east,north, got 'a"),
    ):
        with pytest.raises(ValueError, match=sentence):
            search.box(text)
    with pytest.raises(ValueError, match="--bbox: expected west,south,east,north in degrees, .* got"):
        search.Query("c", box=search.box("10,50,11,40"))
    with pytest.raises(ValueError, match="--from: expected a day such as 2024-01-31, got 'January'"):
        search.day("January", "from")
    with pytest.raises(ValueError, match="--from=2024-02-01 is after --to=2024-01-01; exchange them"):
        search.Query("c", first=datetime.date(2024, 2, 1), last=datetime.date(2024, 1, 1))


def test_links_are_below_their_document_at_any_kind_of_address():
    resolved = search.item.resolved
    assert resolved("https://a.b/c/d.json?sig=1", "../e/f.tif?x=2") == "https://a.b/e/f.tif?x=2"
    assert resolved("gs://bucket/c/d.json", "./f.tif") == "gs://bucket/c/f.tif"
    assert resolved("/data/c/d.json", "../f.tif") == "/data/f.tif"
    assert resolved("catalog.json", "f.tif") == "f.tif"
    assert resolved("/data/d.json", "s3://x/y.tif") == "s3://x/y.tif"


@pytest.mark.slow
def test_an_api_is_searched_and_asked_again_while_it_is_busy(tmp_path):
    pytest.importorskip("pystac_client", reason="needs the extra spectral-jax[stac]")
    with catalogues.served(tmp_path) as server:
        catalogues.write_api(tmp_path, f"{server.address}/api")
        said = catalogues.item("one", {"a": "https://a.b/a.tif"}, "2024-01-31T10:00:00Z")
        said["links"] = [{"rel": "self", "href": f"{server.address}/items/one"}]
        server.found = [said]
        server.first = {"search": [(429, {"Retry-After": "0"}), (503, {})]}
        query = search.Query(
            f"{server.address}/api", ("scenes",), (9.0, 52.0, 9.5, 53.0), datetime.date(2024, 1, 1), datetime.date(2024, 1, 31)
        )
        (scene,) = search.items(query, [])
        assert (scene.name, scene.own) == ("one", f"{server.address}/items/one")
        assert scene.assets == {"a": "https://a.b/a.tif"}
        asked = server.searches[-1]
        assert (asked["collections"], asked["bbox"]) == (["scenes"], [9.0, 52.0, 9.5, 53.0])
        assert asked["datetime"] == "2024-01-01T00:00:00Z/2024-01-31T23:59:59Z"
        server.first = {"search": [(500, {})]}
        with pytest.raises(OSError, match="--stac: http.*/api did not answer the search .*a narrower --bbox"):
            list(search.items(query, []))


def test_without_pystac_client_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pystac_client", None)
    with catalogues.served(tmp_path) as server:
        catalogues.write_api(tmp_path, f"{server.address}/api")
        with pytest.raises(ImportError, match="searching a STAC API needs pystac-client, .* install the extra stac"):
            names(f"{server.address}/api")


def test_a_catalogue_that_refers_to_itself_is_read_once(tmp_path):
    first = catalogues.write(tmp_path, catalogues.item("here", {}))
    said = json.loads(first.read_text())
    said["links"] += [{"rel": "child", "href": "./catalog.json"}, {"rel": "root", "href": "./catalog.json"}]
    first.write_text(json.dumps(said))
    assert names(first) == ["here"]
