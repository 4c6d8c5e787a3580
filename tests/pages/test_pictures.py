"""Pictures of the page: PNGs read back by the rules of the format, and colours of classes."""

import re
import zlib
from base64 import b64decode

import numpy as np

from spectral_jax.pages import pictures


def test_a_png_holds_the_pixels_it_was_given():
    rgb = np.random.default_rng(0).integers(0, 256, (3, 5, 3)).astype(np.uint8)
    data = pictures.png(rgb)
    assert data[:8] == bytes([137, 80, 78, 71, 13, 10, 26, 10])
    assert data[16:24] == (5).to_bytes(4, "big") + (3).to_bytes(4, "big")
    size = int.from_bytes(data[33:37], "big")
    assert data[37:41] == b"IDAT"
    lines = np.frombuffer(zlib.decompress(data[41 : 41 + size]), np.uint8).reshape(3, 16)
    np.testing.assert_array_equal(lines[:, 1:].reshape(3, 5, 3), rgb)
    assert int.from_bytes(data[41 + size : 45 + size], "big") == zlib.crc32(data[37 : 41 + size])


def test_pictures_show_classes_in_their_colours_and_nothing_in_white():
    html = pictures.figure(pictures.class_map(np.array([[0, -1]]), 2), "a", "b")
    assert b64decode(re.search(r"base64,([^\"]+)", html)[1])[:4] == b"\x89PNG"
    colours = pictures.class_map(np.array([[0, 1, -1]]), 2)[0]
    assert colours[2].tolist() == [255, 255, 255]
    assert len({tuple(c) for c in colours.tolist()}) == 3
    assert len(set(pictures.colours(25))) == 25
