"""What `tools/soak.py` refuses."""

from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "soak.py"


def test_a_disk_that_others_need_is_not_filled(tmp_path, load_command):
    check_small = load_command(TOOL)["check_small"]
    with pytest.raises(ValueError, match=r"--full_disk fills a disk of this machine, and --at=gs://one/two is an address"):
        check_small("gs://one/two", tmp_path)
    with pytest.raises(
        ValueError, match=r"--full_disk fills the disk of --at=.* \(\d+ MB\): give one of its own, of 1 GB at most"
    ):
        check_small(str(tmp_path / "at"), tmp_path / "folder")
