"""A run's work folder: on this machine itself, in a bucket with a folder that is kept there; held either way."""

import pytest

from spectral_jax.addresses import bucket, lease
from spectral_jax.addresses.work import opened


def test_a_folder_of_this_machine_is_the_work_folder_itself(tmp_path):
    with opened(tmp_path / "run") as work:
        assert (work.path, work.shown) == (tmp_path / "run", str(tmp_path / "run"))
        assert work.checkpoints == f"{tmp_path}/run/checkpoints"
        with pytest.raises(lease.Held), opened(tmp_path / "run"):
            pass
        with opened(tmp_path / "run", first=False):  # another process of the same run
            pass
    assert not (tmp_path / "run").exists()  # nothing was done in it


def test_files_of_a_run_in_a_bucket_are_kept_there_but_what_has_its_own_way(bucket_address):
    where = f"{bucket_address}/runs/one"
    bucket.write(f"{where}/checkpoints/3/a", b"1")
    bucket.write(f"{where}/config.json", b"{}")
    with opened(f"{where}/") as work:
        assert (work.shown, work.checkpoints) == (where, f"{where}/checkpoints")
        assert sorted(p.name for p in work.path.iterdir()) == ["config.json"]
        (work.path / "synthetic.zarr").mkdir()
        (work.path / "synthetic.zarr" / "zarr.json").write_text("{}")
        (work.path / "metrics.jsonl").write_text("1")
        work.flush()
        assert set(bucket.sizes(where)) == {"checkpoints/3/a", "config.json", lease.NAME, "metrics.jsonl"}
        with opened(where, first=False) as other:
            (other.path / "b").write_text("not of the first process")
            other.flush()
    assert set(bucket.sizes(where)) == {"checkpoints/3/a", "config.json", "metrics.jsonl"}


def test_a_work_folder_that_cannot_be_written_is_refused():
    with pytest.raises(ValueError, match="--workdir: https://x.org/a can only be read"), opened("https://x.org/a"):
        pass
