"""Pictures of the page: PNGs read back by another library, and colours of classes."""

import io
import re
import sys
from base64 import b64decode

import numpy as np
from PIL import Image

from spectral_jax.pages import pictures


def test_a_png_holds_the_pixels_it_was_given():
    rgb = np.random.default_rng(0).integers(0, 256, (3, 5, 3)).astype(np.uint8)
    data = pictures.png(rgb)
    assert data == pictures.png(rgb)
    picture = Image.open(io.BytesIO(data), formats=["PNG"])
    assert "Software" not in picture.info
    pixels = np.asarray(picture)
    np.testing.assert_array_equal(pixels[..., :3], rgb)
    assert (pixels[..., 3] == 255).all()


def test_without_matplotlib_a_sentence_stands_for_a_picture(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.image", None)
    html = pictures.figure(np.zeros((2, 2, 3), np.uint8), 'labels of "1"', "labels")
    assert html.startswith("<p class=absent>Picture left out (labels of &quot;1&quot;): drawing pictures needs matplotlib")
    assert "spectral-jax[plot]" in html


def test_pictures_show_classes_in_their_colours_and_nothing_in_white():
    html = pictures.figure(pictures.class_map(np.array([[0, -1]]), 2), "a", "b")
    assert b64decode(re.search(r"base64,([^\"]+)", html)[1])[:4] == b"\x89PNG"
    colours = pictures.class_map(np.array([[0, 1, -1]]), 2)[0]
    assert colours[2].tolist() == [255, 255, 255]
    assert len({tuple(c) for c in colours.tolist()}) == 3
    assert len(set(pictures.colours(25))) == 25
