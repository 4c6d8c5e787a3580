"""A folder of this machine that is kept in a bucket: what is there first, what changes, what is left out."""

import time

import pytest

from spectral_jax.addresses import bucket, mirror


def test_changes_are_sent_on_the_way_and_at_the_end(bucket_address, monkeypatch):
    monkeypatch.setattr(mirror, "FLUSH_SECONDS", 0.05)
    where = f"{bucket_address}/run"
    bucket.write(f"{where}/old.txt", b"old")
    bucket.write(f"{where}/gone.txt", b"gone")
    bucket.write(f"{where}/skipped/a", b"kept")
    with mirror.kept(where, lambda name: name.startswith("skipped")) as kept:
        folder = kept.folder
        assert sorted(p.name for p in folder.iterdir()) == ["gone.txt", "old.txt"]
        assert folder.name == "run"
        (folder / "rows.jsonl").write_text("1\n")
        (folder / "rows.partial").write_text("half")
        for _ in range(200):
            if bucket.is_file(f"{where}/rows.jsonl"):
                break
            time.sleep(0.05)
        assert bucket.read(f"{where}/rows.jsonl") == b"1\n"
        (folder / "rows.jsonl").write_text("1\n2\n")
        (folder / "gone.txt").unlink()
        (folder / "skipped").mkdir()
        (folder / "skipped" / "b").write_text("of this machine")
    assert bucket.sizes(where) == {"old.txt": 3, "rows.jsonl": 4, "skipped/a": 4}
    assert not folder.exists()


def test_what_was_written_is_sent_although_the_block_fails(bucket_address):
    with pytest.raises(KeyError), mirror.kept(f"{bucket_address}/run") as kept:  # noqa: PT012
        (kept.folder / "a").write_text("1")
        raise KeyError
    assert bucket.read(f"{bucket_address}/run/a") == b"1"


def test_a_process_that_does_not_send_reads_alone(bucket_address):
    bucket.write(f"{bucket_address}/run/a", b"1")
    with mirror.kept(f"{bucket_address}/run", sends=False) as kept:
        assert (kept.folder / "a").read_bytes() == b"1"
        (kept.folder / "b").write_text("2")
    assert bucket.sizes(f"{bucket_address}/run") == {"a": 1}


def test_one_file_is_sent_at_the_end_if_it_was_written(bucket_address):
    with mirror.kept_file(f"{bucket_address}/map.tif") as file:
        assert file.name == "map.tif"
        file.write_bytes(b"map")
        file.with_suffix(".html").write_bytes(b"page")
    with mirror.kept_file(f"{bucket_address}/other.tif"):
        pass
    assert bucket.sizes(bucket_address) == {"map.html": 4, "map.tif": 3}


def test_what_cannot_be_sent_on_the_way_is_told_once_and_sent_later(monkeypatch, capsys):
    tries = []

    class Away:
        def flush(self):
            tries.append(1)
            if len(tries) < 4:
                raise OSError("s3://b/a could not be written: away.")

    class Ended:
        def wait(self, seconds):
            return len(tries) >= 4

    mirror._flush_often(Away(), Ended())
    assert capsys.readouterr().out == "s3://b/a could not be written: away. What changed is sent later.\n"
