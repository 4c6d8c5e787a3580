"""Folders and archives that hold a product: damaged, nested, with several in them."""

import contextlib
import io
import tarfile
import zipfile

import pytest
from made import delivered, delivered_landsat

from spectral_jax.ingest.downloaded.files import archive
from spectral_jax.ingest.downloaded.recognise import open_product


def nested(path, names):
    """A tar.gz of ZIPs that each hold one text."""
    with tarfile.open(path, "w:gz") as file:
        for name in names:
            inner = io.BytesIO()
            with zipfile.ZipFile(inner, "w") as zipped:
                zipped.writestr(f"{name}/{name}-METADATA.XML", name)
            about = tarfile.TarInfo(f"order/{name}.ZIP")
            about.size = inner.tell()
            inner.seek(0)
            file.addfile(about, inner)
    return path


def test_one_of_several_archives_is_chosen_by_a_part_of_its_name(tmp_path):
    path = nested(tmp_path / "order.tar.gz", ["first", "second"])
    with contextlib.ExitStack() as stack:
        with pytest.raises(ValueError, match=r"holds 2 archives: order/first.ZIP, order/second.ZIP; say which by a part"):
            archive.found(path, stack)
        files = archive.found(path, stack, member="second")
        assert files.names == ("second/second-METADATA.XML",)
        assert (files.bytes(files.names[0]), files.given) == (b"second", path)


def test_several_zips_in_a_folder_are_listed(tmp_path):
    for name in ("a", "b"):
        with zipfile.ZipFile(tmp_path / f"{name}.ZIP", "w") as file:
            file.writestr("x.XML", "")
    with (
        contextlib.ExitStack() as stack,
        pytest.raises(ValueError, match=r"holds 2 archives: a.ZIP, b.ZIP; give the path of one"),
    ):
        archive.found(tmp_path, stack)


def test_what_is_unpacked_goes_with_the_stack(tmp_path):
    with contextlib.ExitStack() as stack:
        files = archive.found(nested(tmp_path / "order.tar.gz", ["one"]), stack)
        unpacked = files.archive
        assert unpacked is not None
        assert unpacked.is_file()
    assert not unpacked.exists()


@pytest.mark.parametrize("part", [0.0, 0.5, 0.97])
def test_a_truncated_zip_is_refused(tmp_path, part):
    whole = delivered.zipped(delivered.write_enmap(tmp_path / "x"), tmp_path / "whole.ZIP").read_bytes()
    half = tmp_path / "half.ZIP"
    half.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(ValueError, match=r"half.ZIP: cannot be read \(File is not a zip file\); it is truncated or damaged"):
        open_product(half)


def test_a_zip_that_is_locked_is_refused(tmp_path):
    path = delivered.zipped(delivered.write_enmap(tmp_path / "x"), tmp_path / "locked.ZIP")
    locked = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as file:
        at = next(info for info in file.infolist() if info.filename.endswith("METADATA.XML")).header_offset
        start = file.start_dir
    for mark, first, flag in ((b"PK\x03\x04", at, 6), (b"PK\x01\x02", start, 8)):
        while (first := locked.find(mark, first)) >= 0:  # the bit that says a member is encrypted
            locked[first + flag] |= 1
            first += 4
    path.write_bytes(locked)
    with pytest.raises(ValueError, match=r"locked.ZIP: cannot be read at .*METADATA.XML .*password"):
        open_product(path)


@pytest.mark.parametrize("end", ["tar", "tar.gz"])
def test_a_truncated_tar_is_refused(tmp_path, end):
    folder = delivered_landsat.write(tmp_path)
    whole, half = tmp_path / f"whole.{end}", tmp_path / f"half.{end}"
    with tarfile.open(whole, "w:gz" if end == "tar.gz" else "w") as file:
        file.add(folder, arcname=folder.name)
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises((ValueError, FileNotFoundError), match=r"half.tar.*(truncated|fetch the whole product|fetch it)"):
        open_product(half)


def test_a_damaged_member_of_a_zip_is_refused(tmp_path):
    path = delivered.zipped(delivered.write_enmap(tmp_path / "x"), tmp_path / "hurt.ZIP")
    with zipfile.ZipFile(path) as file:
        at = next(info for info in file.infolist() if info.filename.endswith("METADATA.XML"))
    hurt = bytearray(path.read_bytes())
    hurt[at.header_offset + 300 : at.header_offset + 400] = bytes(100)
    path.write_bytes(hurt)
    with pytest.raises(ValueError, match=r"hurt.ZIP: cannot be read at .*METADATA.XML .*truncated or damaged: fetch it again"):
        open_product(path)


def test_a_truncated_cog_is_refused_when_it_is_opened_or_read(tmp_path):
    folder = delivered.write_enmap(tmp_path)
    image = next(folder.glob("*SPECTRAL_IMAGE.TIF"))
    image.write_bytes(image.read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"SPECTRAL_IMAGE.TIF: expected a whole GeoTIFF, and it cannot be"):
        open_product(folder).read(slice(0, 6), slice(0, 6))


def test_a_folder_above_many_products_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_FILES", 3)
    for i in range(5):
        (tmp_path / f"{i}.tif").write_bytes(b"")
    with contextlib.ExitStack() as stack, pytest.raises(ValueError, match=r"it holds more than 3 files; give a folder in it"):
        archive.found(tmp_path, stack)
