"""Products of a catalogue: fetched once and laid out for their readers; the rest is a sentence each."""

import errno
import json
import shutil
import sys
import threading
import types

import pytest
from made import catalogues, delivered, delivered_landsat, delivered_sentinel1, delivered_sentinel2

from spectral_jax.addresses import bucket
from spectral_jax.ingest.catalogue import gather, search
from spectral_jax.ingest.downloaded.recognise import open_product

S2, OTHER = delivered_sentinel2.NAME, delivered.ENMAP_NAME


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(bucket, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(bucket, "LIMIT_SECONDS", 2.0)


@pytest.fixture
def folder(tmp_path):
    """A served folder with an EnMAP product and the two of its assets' names that DLR's catalogue has."""
    made = tmp_path / "served"
    delivered.write_enmap(made / "files", copy="_COG")
    return made


def enmap_item(name=OTHER, leave_out=(), sign="", **properties):
    files = ["SPECTRAL_IMAGE_COG.TIF", "METADATA.XML"]
    files += [f"QL_QUALITY_{kind}_COG.TIF" for kind in ("CLASSES", "CLOUD", "CLOUDSHADOW", "CIRRUS", "HAZE", "SNOW")]
    assets = {f.split(".")[0].lower(): f"../../files/{OTHER}/{OTHER}-{f}{sign}" for f in files if f not in leave_out}
    assets["thumbnail"] = "../../files/none.png"
    return catalogues.item(name, assets, "2025-11-29T11:20:21Z", bbox=(15.0, 52.3, 15.1, 52.4), **properties)


def enmap_path(file):
    return f"files/{OTHER}/{OTHER}-{file}"


def run(where, cache, **more):
    lines = []
    return gather.gather(search.Query(str(where), **more), cache, lines.append), lines


def test_a_product_is_fetched_once_and_opened_by_its_reader(folder, tmp_path):
    catalogues.write(folder, enmap_item())
    with catalogues.served(folder) as server:
        found, lines = run(f"{server.address}/catalog.json", tmp_path / "cache")
        assert found.folders == (tmp_path / "cache" / "enmap",)
        assert (found.products, found.fetched, found.failures) == (1, 1, ())
        assert [path for path in server.asked if path.endswith((".TIF", ".XML", ".png"))] == [
            path for path in server.asked if path.endswith((".TIF", ".XML"))
        ]
        asked = dict(server.asked)
        again, _ = run(f"{server.address}/catalog.json", tmp_path / "cache")
        assert (again.products, again.fetched) == (1, 0)
        assert all(server.asked[path] == asked[path] for path in asked if path.startswith("files/"))
    with open_product(tmp_path / "cache" / "enmap" / OTHER) as product:
        assert (product.name, product.shape) == (OTHER, (6, 6))
    assert lines[-1].startswith("http://127.0.0.1:")
    assert lines[-1].endswith(f"1 item, 1 product of them is in {tmp_path / 'cache'}, 1 fetched now.")


def test_a_catalogue_on_disk_is_read_without_a_server(folder, tmp_path):
    found, _ = run(catalogues.write(folder, enmap_item()), tmp_path / "cache")
    assert (found.products, found.failures) == (1, ())
    assert (tmp_path / "cache" / "enmap" / OTHER / f"{OTHER}-METADATA.XML").is_file()


def test_a_server_that_is_busy_is_asked_again_after_the_time_it_asks_for(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(bucket, "LIMIT_SECONDS", 20.0)
    waits, sleep = [], bucket.time.sleep
    monkeypatch.setattr(bucket.time, "sleep", lambda s: waits.append(s) or sleep(min(s, 0.01)))
    catalogues.write(folder, enmap_item())
    cube = enmap_path("SPECTRAL_IMAGE_COG.TIF")
    with catalogues.served(folder) as server:
        server.first = {"catalog.json": [(503, {})], cube: [(429, {"Retry-After": "1"}), (503, {})]}
        found, _ = run(f"{server.address}/catalog.json", tmp_path / "cache")
        assert server.asked[cube] == 3
    assert found.fetched == 1
    assert 1.0 in waits


def test_a_server_that_asks_for_more_patience_than_there_is_leaves_the_item_out(folder, tmp_path):
    catalogues.write(folder, enmap_item())
    with catalogues.served(folder) as server:
        server.first = {enmap_path("METADATA.XML"): [(429, {"Retry-After": "3600"})]}
        found, _ = run(f"{server.address}/catalog.json", tmp_path / "cache")
    (failure,) = found.failures
    assert failure.startswith(f"item {OTHER}, asset metadata: http://127.0.0.1:")
    assert "it asks to wait 3600 s" in failure
    assert found.folders == ()


def test_a_connection_that_ends_early_goes_on_where_it_was_cut(folder, tmp_path):
    catalogues.write(folder, enmap_item())
    cube = enmap_path("SPECTRAL_IMAGE_COG.TIF")
    size = (folder / cube).stat().st_size
    with catalogues.served(folder) as server:
        server.cut = {cube: size // 2 - 1}
        found, _ = run(f"{server.address}/catalog.json", tmp_path / "cache")
        assert server.asked[cube] == 3
    assert found.failures == ()
    there = tmp_path / "cache" / "enmap" / OTHER / f"{OTHER}-SPECTRAL_IMAGE_COG.TIF"
    assert there.read_bytes() == (folder / cube).read_bytes()


def test_an_expired_link_is_asked_for_anew(folder, tmp_path):
    catalogues.write(folder, enmap_item(sign="?sig=old"))
    with catalogues.served(folder) as server:
        server.signed = "files", "new"
        real, renewed, alone = server.answer, [], threading.Lock()

        def answer(handler):
            """The catalogue signs its links when it is read; the first time with a signature that has expired since."""
            if not handler.path.endswith("item.json"):
                real(handler)
                return
            with alone:  # assets are fetched at once: none may read the item while it is written
                renewed.append(1)
                if len(renewed) == 2:
                    catalogues.write(folder, enmap_item(sign="?sig=new"))
                real(handler)

        server.answer = answer
        found, _ = run(f"{server.address}/catalog.json", tmp_path / "cache")
        assert (found.fetched, found.failures) == (1, ())
        server.signed, server.answer = ("files", "newer"), real
        refused, lines = run(f"{server.address}/catalog.json", tmp_path / "other")
    (failure,) = refused.failures
    assert failure.startswith(f"item {OTHER}, asset ")
    assert "is refused: its link has expired, and no new one works, or it needs a login" in failure
    assert not [line for line in [failure, *lines] if "sig=" in line]  # who reads a log may not fetch with it


def test_what_is_missing_or_gone_is_named_and_the_rest_is_there(folder, tmp_path):
    second = OTHER.replace("DT0000165944", "DT0000165945")
    third = OTHER.replace("DT0000165944", "DT0000165946")
    gone = enmap_item(second)
    gone["assets"] = {k: {"href": v["href"].replace(OTHER, second)} for k, v in gone["assets"].items()}
    lacking = enmap_item(third, leave_out=("METADATA.XML",))
    lacking["assets"] = {k: {"href": v["href"].replace(OTHER, third)} for k, v in lacking["assets"].items()}
    other = catalogues.item("a_picture", {"image": "a.png"})
    damaged = json.loads(json.dumps(enmap_item("no_time")))
    damaged["properties"]["datetime"] = "yesterday"
    catalogues.write(folder, gone, lacking, other, damaged, enmap_item())
    with catalogues.served(folder) as server:
        (folder / "scenes" / "lost").mkdir()
        collection = folder / "scenes" / "collection.json"
        said = json.loads(collection.read_text())
        said["links"].insert(0, {"rel": "item", "href": "./lost/item.json"})
        collection.write_text(json.dumps(said))
        found, _ = run(f"{server.address}/catalog.json", tmp_path / "cache")
    assert (found.products, found.fetched) == (1, 1)
    text = "\n".join(found.failures)
    assert len(found.failures) == 5
    assert f"item {third} has no asset METADATA, without which the product cannot be read; it has " in text
    assert f"item {second}, asset " in text
    assert "is gone, and the catalogue still lists it" in text
    assert "item a_picture of scenes: neither it nor its files have the name of a product that is read here (EnMAP L2A," in text
    assert "item no_time: its datetime is 'yesterday', and no time" in text
    assert "/scenes/lost/item.json of the catalogue could not be read" in text
    assert sorted(p.name for p in (tmp_path / "cache").iterdir()) == [gather.UNFINISHED, "enmap"]


def test_a_truncated_file_is_refused_and_fetched_again_next_time(folder, tmp_path):
    catalogues.write(folder, enmap_item())
    cube = folder / enmap_path("SPECTRAL_IMAGE_COG.TIF")
    whole = cube.read_bytes()
    cube.write_bytes(whole[:100])
    with catalogues.served(folder) as server:
        found, _ = run(f"{server.address}/catalog.json", tmp_path / "cache")
        assert f"item {OTHER}: what was fetched cannot be read: " in found.failures[0]
        cube.write_bytes(whole)
        assert run(f"{server.address}/catalog.json", tmp_path / "cache")[0].fetched == 1


def earth_search(safe, folder, name, leave_out=(), **properties):
    """An item as Earth Search has it: assets by colour, files by band, and two metadata files of one name."""
    keys = {
        "coastal": "B01", "blue": "B02", "green": "B03", "red": "B04", "rededge1": "B05", "rededge2": "B06", "rededge3": "B07",
        "nir": "B08", "nir08": "B8A", "nir09": "B09", "swir16": "B11", "swir22": "B12", "scl": "SCL",
    }  # fmt: skip
    place = folder / "files" / name
    assets = {}
    for key, band in keys.items():
        (image,) = safe.rglob(f"*_{band}_*m.tif")
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, place / f"{band}.tif")
        assets[key] = f"../../files/{name}/{band}.tif"
    for key, file in (("product_metadata", "MTD_MSIL2A.xml"), ("granule_metadata", "MTD_TL.xml")):
        (found,) = safe.rglob(file)
        (place / key).mkdir(exist_ok=True)
        shutil.copy(found, place / key / "metadata.xml")
        assets[key] = f"../../files/{name}/{key}/metadata.xml"
    kept = {key: link for key, link in assets.items() if key not in leave_out}
    return catalogues.item(name, kept, **{"s2:product_uri": f"{safe.name}"} | properties)


def test_bands_that_a_catalogue_renamed_get_their_names_back_and_the_newest_baseline_is_kept(tmp_path):
    older = S2.replace("N0510", "N0509").replace("T125803", "T115803")
    safes = [
        delivered_sentinel2.write(tmp_path / "safe", name=name, xml=delivered_sentinel2.product_xml(baseline), end="tif")
        for name, baseline in ((S2, "05.10"), (older, "05.09"))
    ]
    folder = tmp_path / "served"
    new, old = (earth_search(safe, folder, f"S2B_32UQD_{i}_L2A") for i, safe in enumerate(safes))
    applied = earth_search(safes[0], folder, "S2B_32UQD_9_L2A", **{"earthsearch:boa_offset_applied": True})
    cache = tmp_path / "cache"
    first, _ = run(catalogues.write(folder, old), cache)
    assert [p.name for p in first.folders[0].iterdir()] == [older]
    found, lines = run(catalogues.write(folder, new, old, applied), cache)
    assert found.folders == (cache / "sentinel2b",)
    assert [p.name for p in found.folders[0].iterdir()] == [S2]
    assert f"{older} left out: {S2} is the same scene, processed later." in lines
    assert len(found.failures) == 1
    assert "item S2B_32UQD_9_L2A, property earthsearch:boa_offset_applied: 1000 is said to be taken off" in found.failures[0]
    with open_product(cache / "sentinel2b" / S2) as product, open_product(safes[0]) as safe:
        window = slice(0, 12), slice(0, 12)
        assert (product.stored(*window).pixels == safe.stored(*window).pixels).all()
    again, lines = run(catalogues.write(folder, old), cache)
    assert [p.name for p in again.folders[0].iterdir()] == [S2]
    assert f"{older} left out: {S2} is in the cache, the same scene, processed later." in lines
    lacking = earth_search(safes[0], folder, "S2B_32UQD_2_L2A", leave_out=("nir08",))
    left_out, _ = run(catalogues.write(folder, lacking), tmp_path / "third")
    assert left_out.failures[0].startswith("item S2B_32UQD_2_L2A has no asset B8A, without which the product cannot")


def test_landsat_and_radar_keep_the_names_of_their_files(tmp_path):
    folder = tmp_path / "served"
    landsat = delivered_landsat.write(folder / "files" / "l")
    radar = delivered_sentinel1.write(folder / "files" / "r")
    items = []
    for number, place in enumerate((landsat, radar)):
        place = place if place.is_dir() else place.parent
        assets = {f"a{i}": f"../../{p.relative_to(folder).as_posix()}" for i, p in enumerate(sorted(place.rglob("*.*")))}
        items.append(catalogues.item(f"item{number}", assets))
    found, _ = run(catalogues.write(folder, *items), tmp_path / "cache")
    assert found.failures == ()
    assert sorted(p.name for p in found.folders) == ["landsat8", "sentinel1"]


def test_a_full_disk_ends_it_in_a_sentence(folder, tmp_path, monkeypatch):
    def full(link, file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(gather, "_copy", full)
    with pytest.raises(OSError, match="--cache: .*cache cannot be written .*No space left on device.*free some space"):
        run(catalogues.write(folder, enmap_item()), tmp_path / "cache")


def test_links_of_planetary_computer_are_signed(monkeypatch):
    signer = types.SimpleNamespace(sign=lambda link: f"{link}?sig=1")
    monkeypatch.setitem(sys.modules, "planetary_computer", signer)
    link = "https://landsat.blob.core.windows.net/a/b.TIF"
    assert gather._signed(link) == f"{link}?sig=1"
    assert gather._signed(f"{link}?sig=0") == f"{link}?sig=0"
    assert gather._signed("https://elsewhere.net/b.TIF") == "https://elsewhere.net/b.TIF"
    monkeypatch.setitem(sys.modules, "planetary_computer", None)
    with pytest.raises(ImportError, match="fetching files of Planetary Computer needs planetary-computer, .* the extra stac"):
        gather._signed(link)
