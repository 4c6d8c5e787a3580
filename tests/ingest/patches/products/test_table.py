"""Folders of products as a command names them."""

from pathlib import Path

import pytest

from spectral_jax.ingest.patches.products import table


def test_a_folder_is_named_with_its_product_and_options():
    assert table.parsed("enmap:tiles/enmap") == table.ProductFolder("enmap", "tiles/enmap")
    assert table.parsed("sentinel2:chips,unit=b,offset=a,b.json") == table.ProductFolder(
        "sentinel2", "chips", {"unit": "b", "offset": "a,b.json"}
    )
    assert table.parsed("sentinel1:C:/chips, all,kind=grd") == table.ProductFolder(
        "sentinel1", "C:/chips, all", {"kind": "grd"}
    )


def test_what_is_recorded_has_every_option_and_reads_as_the_command_again():
    source = table.parsed("sentinel2:chips,offset=0")
    folder = str(Path("chips").resolve())
    assert source.settled() == {"product": "sentinel2", "folder": folder, "options": {"unit": "a", "offset": "0"}}
    assert table.written(source.settled()) == f"--product=sentinel2:{folder},offset=0"
    gone = {"product": "gone", "folder": "/x", "options": {"a": "1"}}  # of a version that read more products
    assert table.written(gone) == "--product=gone:/x,a=1"


def test_sources_come_in_the_order_of_the_table():
    sources = [table.parsed(text) for text in ("sentinel1:r", "enmap:e", "sentinel2:later", "sentinel2:chips")]
    assert [(s.product, s.folder) for s in table.ordered(sources)] == [
        ("enmap", "e"), ("sentinel2", "later"), ("sentinel2", "chips"), ("sentinel1", "r"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("enmap", "--product: expected NAME:FOLDER[,OPTION=VALUE...], such as --product=enmap:tiles/enmap, got 'enmap'; the "
         "products are enmap, sentinel2, sentinel1, delivered."),
        ("enmap:", "--product: expected NAME:FOLDER[,OPTION=VALUE...], such as --product=enmap:tiles/enmap, got 'enmap:'; the "
         "products are enmap, sentinel2, sentinel1, delivered."),
        ("sentinel:chips", "--product: no product is called 'sentinel'; the names are, closest first: sentinel2, sentinel1, "
         "enmap, delivered."),
        ("sentinel2:chips,unti=b", "--product=sentinel2: no option is called 'unti'; the names are, closest first: unit, "
         "offset."),
        ("sentinel1:chips,unit=b", "--product=sentinel1: no option is called 'unit'; the names are, closest first: kind. It is "
         "an option of sentinel2."),
        ("enmap:tiles,kind=rtc", "--product=enmap: no option is called 'kind'; there are none. It is an option of sentinel1."),
        ("sentinel2:chips,unit=d", "option unit of --product=sentinel2: expected a or b or c, got 'd'."),
        ("sentinel2:chips,unit=a,unit=b", "option unit of --product=sentinel2: it is given twice (a and b); give it once."),
    ],
)  # fmt: skip
def test_what_is_no_product_folder_or_option_is_told_in_a_sentence(text, sentence):
    with pytest.raises(ValueError) as told:  # noqa: PT011 the whole sentence is compared below
        table.parsed(text)
    assert str(told.value) == sentence


def test_a_folder_named_twice_and_no_folder_are_refused(tmp_path):
    twice = [table.parsed(f"enmap:{tmp_path}"), table.parsed(f"enmap:{tmp_path}/../{tmp_path.name}")]
    with pytest.raises(ValueError, match=f"--product=enmap: the folder .*{tmp_path.name} is named twice; name it once"):
        table.ordered(twice)
    with pytest.raises(ValueError, match="--product: expected at least one folder of GeoTIFFs"):
        table.ordered([])


def test_the_help_tells_of_every_product_and_option():
    assert (
        "sentinel2: Sentinel-2 L2A chips, 12 bands at 10 m.\nsentinel2, option unit: a, b, c: Sentinel-2A, B or C"
        in table.told()
    )
    for name, reader in table.READERS.items():
        assert f"{name}: {reader.what}." in table.told()
        for option in reader.options:
            assert f"{name}, option {option}: " in table.told()
