import io
import zipfile

import numpy as np
import pytest

from spectral_jax.interop.files import npz_file
from spectral_jax.interop.weights_file import read


def archive(path, entries, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in entries:
            file.writestr(name, content)
    return path


def stored(array, shape=None):
    """An .npy file, that may say another shape than it has."""
    stream = io.BytesIO()
    header = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(stream, header | ({"shape": shape} if shape else {}))
    return stream.getvalue() + array.tobytes()


def test_arrays_come_back_as_numpy_reads_them(tmp_path, rng):
    arrays = {"a": rng.normal(size=(2, 3)), "f": np.asfortranarray(rng.normal(size=(4, 2))), "b": np.arange(3, dtype=">i4"),
              "none": np.zeros((0, 2)), "one": np.float32(2), "word": np.array("text")}  # fmt: skip
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **arrays)
        found = npz_file.read(tmp_path / "a.npz")
        with np.load(tmp_path / "a.npz") as expected:
            assert list(found) == list(expected)
            for key in expected:
                assert found[key].dtype == expected[key].dtype
                np.testing.assert_array_equal(found[key], expected[key])


def test_a_shape_that_the_bytes_cannot_hold_is_refused_before_room_is_made(tmp_path):
    path = archive(tmp_path / "a.npz", [("a.npy", stored(np.zeros(4), (10**13,)))])
    with pytest.raises(
        ValueError, match=r"a\.npy of shape \(10000000000000,\) and float64 needs 80000000000000 bytes and has 32"
    ):
        npz_file.read(path)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(npz_file, "UNPACKED", 10**5)
    path = archive(tmp_path / "a.npz", [("a.npy", stored(np.zeros(10**5)))], zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match=r"its \d+ bytes are said to unpack to 800"):
        npz_file.read(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_is_refused(tmp_path):
    path = archive(tmp_path / "a.npz", [("a.npy", stored(np.zeros(1))), ("a.npy", stored(np.ones(1)))])
    with pytest.raises(ValueError, match=r"a\.npz is not a readable \.npz of plain arrays \(ValueError: it holds 'a' twice\)"):
        npz_file.read(path)


def test_settings_are_whole_numbers_alone(tmp_path):
    np.savez(tmp_path / "a.npz", **{"state/w": np.zeros(2), "config/num_heads": [3], "config/rate": 0.5, "config/name": "tiny"})
    assert read(tmp_path / "a.npz").settings == {"num_heads": 3}


def test_of_two_groups_of_the_same_names_one_is_asked_for(tmp_path):
    np.savez(tmp_path / "a.npz", **{"state/w.a": np.zeros(2), "state_ema/w.a": np.ones(2), "output/w": np.zeros(9)})
    with pytest.raises(ValueError, match=r"a\.npz holds weights under state, state_ema; choose one by --inside"):
        read(tmp_path / "a.npz")
    for value, group in enumerate(("state", "state_ema")):
        assert read(tmp_path / "a.npz", group).tensors["w.a"].tolist() == [value] * 2
    with pytest.raises(ValueError, match="has no weights under 'ema'; it holds state, state_ema, output"):
        read(tmp_path / "a.npz", "ema")
    np.savez(tmp_path / "b.npz", **{"params/w.a": np.ones(2), "params/w.b": np.ones(2)})
    assert list(read(tmp_path / "b.npz").tensors) == ["w.a", "w.b"]


def test_damage_that_a_fuzz_found_is_a_sentence_of_one_line(tmp_path):
    """A directory that lies before the file begins, and a header too long for NumPy to read safely."""
    np.savez(tmp_path / "a.npz", w=np.zeros(4))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    end = content.rfind(b"PK\x05\x06")
    content[end + 12 : end + 16] = (2**31).to_bytes(4, "little")
    (tmp_path / "a.npz").write_bytes(content)
    long = b"\x93NUMPY\x01\x00\xff\xff" + b"{" * 65535
    archive(tmp_path / "b.npz", [("w.npy", long)])
    for name in ("a", "b"):
        with pytest.raises(
            ValueError, match=rf"{name}\.npz is not a readable \.npz of plain arrays \(.*\); fetch it again"
        ) as caught:
            npz_file.read(tmp_path / f"{name}.npz")
        assert "\n" not in str(caught.value)
