"""What measures builds: in what two stores differ, and which processes are workers."""

import subprocess
import sys

import pytest

from spectral_jax.measure import building


def test_stores_differ_by_the_files_that_are_named(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name / "c").mkdir(parents=True)
        (tmp_path / name / "c" / "0").write_bytes(b"same")
    assert building.differences(tmp_path / "one", tmp_path / "other") == []
    (tmp_path / "other" / "c" / "0").write_bytes(b"other")
    (tmp_path / "other" / "c" / "0.partial-a").write_bytes(b"")
    found = building.differences(tmp_path / "one", tmp_path / "other")
    assert found == ["c/0 differs", "c/0.partial-a is in one only"]
    text = building.Killed((8, 16), 1, tuple(found)).text()
    assert text == "2 kills, at 8, 16 patches; 1 runs; the store is c/0 differs; c/0.partial-a is in one only."
    assert building.Killed((8,), 1, ()).text().endswith("the store is the same, byte for byte.")


def test_workers_are_the_processes_that_python_spawned():
    pytest.importorskip("psutil", reason="needs the extra spectral-jax[dask]")
    inner = "import time; time.sleep(30)  # spawn_main"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    process = subprocess.Popen([sys.executable, "-c", outer])
    try:
        found = []
        while not found:
            assert process.poll() is None
            found = building.workers_of(process.pid)
        assert len(found) == 1
    finally:
        for pid in found:
            subprocess.run(["kill", str(pid)], check=False)
        process.wait()
    assert building.workers_of(process.pid) == []
