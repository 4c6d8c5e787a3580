"""Files that `tools/fuzz.py` damaged and a reader once answered with a trace of Python; each is a sentence now."""

import io
import zipfile

import numpy as np
import pytest

from spectral_jax import matchups
from spectral_jax.sensors import SensorSpec
from spectral_jax.tasks.spec import TaskSpec


def npz(path, header):
    """An archive with one array whose header is `header`."""
    text = header.encode().ljust(118) + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rrs.npy", content + bytes(64))
    return path


@pytest.mark.parametrize(
    "header", ["{'descr': '<f4', 'fortran_order': False, 'shape': (3,", "{'descr': '<f4', 'fortran_order': 0 1}", "(((("]
)
def test_an_array_whose_header_is_damaged(tmp_path, header):
    with pytest.raises(ValueError, match="m.npz"):
        matchups.load(npz(tmp_path / "m.npz", header))


def test_a_compressed_array_that_is_damaged(tmp_path):
    held = io.BytesIO()
    np.savez_compressed(held, rrs=np.arange(4000.0))
    content = bytearray(held.getvalue())
    content[60:200] = bytes(140)
    (tmp_path / "m.npz").write_bytes(content)
    with pytest.raises(ValueError, match="m.npz"):
        matchups.load(tmp_path / "m.npz")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "name, kind, quantity, unit, gsd_m, dtype, bands are missing; complete the file"),
        ("name = ", "expected TOML in UTF-8, and it cannot be read"),
        ("a = 1\xff", "expected TOML in UTF-8"),
    ],
)
def test_a_sensor_of_which_little_is_left(tmp_path, text, sentence):
    (tmp_path / "s.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=f"s.toml: .*{sentence}"):
        SensorSpec.load(str(tmp_path / "s.toml"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "title, kind are missing; complete the file"),
        ('title = "a"\nkind = "segmentation"\nsplit = "train"', "split"),
        ('title = "a"\nkind = "segmentation"\nchannels = 3', "channels"),
    ],
)
def test_a_task_of_which_little_is_left(tmp_path, text, sentence):
    (tmp_path / "t.toml").write_text(text)
    with pytest.raises(ValueError, match=f"t.toml: .*{sentence}"):
        TaskSpec.load(str(tmp_path / "t.toml"))
