"""HDF5 files: what is missing or damaged is told by file and name."""

import contextlib

import numpy as np
import pytest

from spectral_jax.ingest.downloaded.files.hdf5 import Hdf5, as_text

h5py = pytest.importorskip("h5py")


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out["room/numbers"] = np.arange(6).reshape(2, 3)
        out.attrs["words"], out.attrs["numbers"] = np.bytes_("a word "), np.array([1.5, 2.0])
    with contextlib.ExitStack() as stack:
        yield Hdf5(tmp_path / "a.h5", stack)


def test_arrays_and_attributes_are_found_by_name(file):
    assert file.whole("room/numbers", 2).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert (file.text("words"), file.attribute("numbers").tolist()) == ("a word", [1.5, 2.0])
    assert (file.has("words"), file.has("room/numbers"), file.has("nothing")) == (True, True, False)
    assert [as_text(x) for x in (None, [], b"x", np.array(["y"]))] == ["", "", "x", "y"]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (lambda file: file.array("room/else", 2), r"a.h5: expected the array room/else, and it is missing"),
        (lambda file: file.array("room", 2), r"expected the array room, and it is missing"),
        (lambda file: file.array("room/numbers", 3), r"expected room/numbers with 3 dimensions, got shape \(2, 3\)"),
        (lambda file: file.text("else"), r"expected the attribute else, and it is missing"),
        (lambda file: file.attribute("else"), r"expected the attribute else, and it is missing"),
        (lambda file: file.attribute("words"), r"expected numbers in the attribute words, got"),
    ],
)
def test_what_is_missing_is_told(file, asked, sentence):
    with pytest.raises(ValueError, match=sentence):
        asked(file)


@pytest.mark.parametrize("error", [OSError("x"), RuntimeError("bad version"), KeyError("ring type mismatch")])
def test_what_the_library_raises_over_damage_is_told(file, error):
    with (
        pytest.raises(ValueError, match=r"a.h5: here cannot be read .*; the file is damaged: fetch it again"),
        file.readable("here"),
    ):
        raise error
