"""Fetching granules, against a stand-in for the archive."""

import sys
import types

import pytest

from spectral_jax.ingest.pace.download import fetch


class Earthdata(types.ModuleType):
    """Stands in for earthaccess: `found` final granules, and as many near-real-time ones, of other scenes or of the same."""

    def __init__(self, accepted=True, found=1, fetched=None, other=True):
        super().__init__("earthaccess")
        self.asked, self.accepted, self.found, self.fetched, self.other = [], accepted, found, fetched, other

    def login(self):
        if self.accepted is None:
            raise RuntimeError("no strategy")
        return types.SimpleNamespace(authenticated=self.accepted)

    def search_data(self, **asked):
        self.asked.append(asked)
        nrt = "_NRT" in asked["short_name"]
        starts = [f"20240708T{175000 + i if not (nrt and self.other) else 185000 + i}" for i in range(self.found)]
        return [{"umm": {"GranuleUR": f"PACE_OCI.{start}.L2.OC_AOP.V3_0{'.NRT' if nrt else ''}.nc"}} for start in starts]

    def download(self, granules, folder):
        if self.fetched == 0:
            raise RuntimeError("connection lost")
        return [f"{folder}/{i}.nc" for i, _ in enumerate(granules)][: self.fetched]


def test_fetching_asks_for_the_period_and_the_region(tmp_path, monkeypatch):
    archive = Earthdata()
    monkeypatch.setitem(sys.modules, "earthaccess", archive)
    lines = []
    got = fetch("2024-07-01", "2024-07-31", tmp_path / "new", report=lines.append)
    assert got == [tmp_path / "new" / "0.nc", tmp_path / "new" / "1.nc"]
    assert [a["short_name"] for a in archive.asked] == ["PACE_OCI_L2_AOP", "PACE_OCI_L2_AOP_NRT"]
    assert archive.asked[0]["temporal"] == ("2024-07-01T00:00:00", "2024-07-31T23:59:59")
    assert archive.asked[0]["bounding_box"] == (-83.5, 41.3, -82.45, 42.2)
    assert lines == ["2 granules of aop between 2024-07-01 and 2024-07-31"]
    archive.asked.clear()
    fetch("2024-07-01", "2024-07-01", tmp_path, product="sfrefl", near_real_time=False, version="3.1")
    assert [(a["short_name"], a["version"]) for a in archive.asked] == [("PACE_OCI_L2_SFREFL", "3.1")]


def test_a_near_real_time_granule_is_not_fetched_beside_its_final_one(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "earthaccess", Earthdata(found=3, other=False))
    assert len(fetch("2024-07-08", "2024-07-08", tmp_path)) == 3


@pytest.mark.parametrize(
    ("archive", "arguments", "error", "sentence"),
    [
        (None, ("2024-07-01", "2024-07-02"), ImportError, r"install the extra download: .*spectral-jax\[download\]"),
        (Earthdata(), ("July", "2024-07-02"), ValueError, "expected days such as 2024-07-01, got 'July'"),
        (Earthdata(), ("2024-07-03", "2024-07-02"), ValueError, "the first day, 2024-07-03, lies after the last, 2024-07-02"),
        (Earthdata(accepted=False), ("2024-07-01", "2024-07-02"), PermissionError, "Earthdata did not accept the account"),
        (Earthdata(accepted=None), ("2024-07-01", "2024-07-02"), PermissionError, "did not accept .*no strategy"),
        (Earthdata(found=0), ("2024-07-01", "2024-07-02"), ValueError, "the archive has no granules of aop between"),
        (Earthdata(found=300), ("2024-07-01", "2024-07-02"), ValueError, "the archive has 600 granules .* more than 400"),
        (Earthdata(fetched=0), ("2024-07-01", "2024-07-02"), OSError, r"while it sent granules \(connection lost\); run the"),
        (Earthdata(fetched=1), ("2024-07-01", "2024-07-02"), OSError, "1 of 2 granules were fetched into .* run the same"),
    ],
)
def test_a_fetch_that_fails_is_a_sentence(tmp_path, monkeypatch, archive, arguments, error, sentence):
    monkeypatch.setitem(sys.modules, "earthaccess", archive)
    with pytest.raises(error, match=sentence):
        fetch(*arguments, tmp_path)


def test_an_unknown_product_is_not_fetched(tmp_path):
    with pytest.raises(ValueError, match="product: no product of PACE OCI is called 'l1b'; the names are, closest first: "):
        fetch("2024-07-01", "2024-07-02", tmp_path, product="l1b")
