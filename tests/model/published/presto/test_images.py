import jax
import numpy as np
import pytest
from made.oracle_file import TOLERANCE, difference
from made.published_state import random_state

from spectral_jax.interop import encode
from spectral_jax.interop.monthly import presto
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published.presto.inputs import SENTINEL2, build
from spectral_jax.model.published.presto.network import PrestoConfig, apply, init

SMALL = PrestoConfig(32, 2, 2, decoder_depth=0, bands=("B01", *SENTINEL2), month=7)


@pytest.fixture(scope="module")
def params():
    return presto.read(Weights("small.pt", random_state(presto, init, SMALL, ("steps", "months"))), heads=2)[1]


@pytest.mark.slow
def test_every_pixel_of_an_image_is_a_series_of_one_month_without_place(params, rng):
    data = {name: rng.uniform(0.02, 0.5, (12, 1)) for name in SENTINEL2}
    inputs = build(data, 7, np.zeros((12, 2)))._replace(place=None)
    image = np.concatenate([np.ones((12, 1)), *data.values()], axis=1).reshape(2, 2, 3, 11).astype(np.float32)
    with jax.default_matmul_precision("highest"):
        found = jax.jit(encode, static_argnames=("cfg", "layers"))(params, image, cfg=SMALL, layers=(0, 1))
        wanted = jax.jit(apply, static_argnames="cfg")(params, inputs, cfg=SMALL)
    assert found.maps[0].shape == (2, 2, 3, 32)
    assert difference(found.maps[1].reshape(12, 32), np.asarray(wanted.pooled)) <= TOLERANCE
    seen = np.asarray(wanted.seen)
    assert seen.sum(1).tolist() == [6] * 12
    first = np.stack([x[s].mean(0) for x, s in zip(np.asarray(wanted.blocks[0]), seen, strict=True)])
    assert difference(found.maps[0].reshape(12, 32), first) <= TOLERANCE
    assert difference(found.pooled, np.asarray(wanted.pooled).reshape(2, 6, 32).mean(1)) <= TOLERANCE


def test_another_number_of_channels_is_refused(params):
    with pytest.raises(
        ValueError, match="^image: expected the 11 channels B01, B02, .*, B12, got 10; name those that it has by "
    ):
        encode(params, np.zeros((1, 2, 2, 10), np.float32), SMALL)
