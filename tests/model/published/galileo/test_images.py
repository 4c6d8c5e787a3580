import dataclasses
import re

import jax
import numpy as np
import pytest
from made.oracle_file import TOLERANCE, difference
from made.published_state import random_state

from spectral_jax.interop import encode
from spectral_jax.interop.monthly import galileo
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published.galileo.inputs import build
from spectral_jax.model.published.galileo.network import GalileoConfig, apply, init

SMALL = GalileoConfig(32, 2, 2, patch=2, bands=("B05", "B01", "B06", "B07", "VH", "B08", "VV"), month=2)


@pytest.fixture(scope="module")
def params():
    state = random_state(galileo, init, SMALL, ("embed/steps", "embed/months"))
    return galileo.read(Weights("small.pt", state), heads=2)[1]


def run(params, image, cfg, layers=None):
    with jax.default_matmul_precision("highest"):
        return jax.jit(encode, static_argnames=("cfg", "layers"))(params, image, cfg=cfg, layers=layers)


@pytest.mark.slow
def test_an_image_is_a_series_of_one_step_of_the_groups_that_it_has(params, rng):
    assert SMALL.groups == ("S1", "S2_Red_Edge", "S2_NIR_10m")
    data = {name: rng.uniform(0.05, 0.4, (2, 4, 6, 1)) for name in ("B05", "B06", "B07", "B08")}
    data |= {name: rng.normal(-14, 2, (2, 4, 6, 1)) for name in ("VV", "VH")}
    inputs = build(data, 2)
    names = ("VV", "VH", "B02", "B03", "B04", "B05", "B06", "B07", "B08")
    image = np.stack(
        [inputs.space_time[..., 0, names.index(n)] if n in names else np.full((2, 4, 6), 9.0) for n in SMALL.bands], -1
    )
    found = run(params, image.astype(np.float32), SMALL, (0, 1))
    with jax.default_matmul_precision("highest"):
        wanted = jax.jit(apply, static_argnames="cfg")(params, inputs, cfg=SMALL)
    assert difference(found.pooled, np.asarray(wanted.pooled)) <= TOLERANCE
    assert difference(found.maps[1], np.asarray(wanted.places)) <= TOLERANCE
    first = np.asarray(wanted.blocks[0]).reshape(2, -1, 32)[:, : 6 * 7].reshape(2, 2, 3, 7, 32)[:, :, :, [0, 2, 3]].mean(3)
    assert difference(found.maps[0], first) <= TOLERANCE
    assert found.blocks[1].shape == (2, 6 * 3, 32)


@pytest.mark.slow
def test_the_pixel_size_and_the_month_matter(params, rng):
    image = rng.normal(size=(1, 4, 4, 7)).astype(np.float32)
    before = np.asarray(run(params, image, SMALL).pooled)
    for changes in (dict(gsd_m=30.0), dict(month=8), dict(patch=4)):
        assert difference(run(params, image, dataclasses.replace(SMALL, **changes)).pooled, before) > 1e-3


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        (
            (1, 4, 5, 7),
            "image: expected [B H W C] with H and W multiples of the patch of 2 px, got shape (1, 4, 5, 7); crop or pad",
        ),
        (
            (1, 4, 4, 6),
            "image: expected the 7 channels B05, B01, B06, B07, VH, B08, VV, got 6; name those that it has by "
            "dataclasses.replace(config, bands=...).",
        ),
    ],
)
def test_images_that_do_not_fit_are_refused(params, shape, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        encode(params, np.zeros(shape, np.float32), SMALL)
