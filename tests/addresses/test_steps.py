"""Numbered folders in a bucket: finished by their last file, fetched whole, the oldest removed."""

from spectral_jax.addresses import bucket, steps


def write(folder, number):
    (folder / str(number) / "inside").mkdir(parents=True)
    (folder / str(number) / "inside" / "a").write_text(f"{number}")
    (folder / str(number) / "LAST").write_text("done")


def test_folders_are_sent_fetched_and_the_oldest_removed(bucket_address, tmp_path):
    where = f"{bucket_address}/run/checkpoints"
    assert steps.finished(where, "LAST") == []
    bucket.write(f"{where}/9/inside/a", b"half")  # a process was killed here
    for number in (2, 10, 4):
        write(tmp_path, number)
        steps.send(tmp_path / str(number), where, "LAST", keep=2)
    assert steps.finished(where, "LAST") == [4, 10]
    assert set(bucket.sizes(where)) == {"4/inside/a", "4/LAST", "10/inside/a", "10/LAST", "9/inside/a"}
    steps.fetch(where, 10, tmp_path / "here" / "10")
    assert (tmp_path / "here" / "10" / "inside" / "a").read_text() == "10"
    assert [p.name for p in (tmp_path / "here").iterdir()] == ["10"]
