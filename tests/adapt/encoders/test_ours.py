"""What our encoder gives an image: the pooled embedding, or mean and deviation of its finest level."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made import tiny_run, tiny_stem

from spectral_jax.adapt.encoders import ours
from spectral_jax.adapt.encoders.encoder import Pixels
from spectral_jax.adapt.encoders.ours import SensorConfig


def seen(cfg, rng):
    spec = cfg.config.sensor(cfg.key).spec
    side = ours.side(cfg)
    valid = jnp.ones((2, side, side), bool).at[1, : side // 2].set(False)
    return Pixels(jnp.asarray(rng.normal(size=(2, side, side, len(spec.used))), jnp.float32), valid, np.asarray(spec.centre_nm))


@pytest.mark.slow
@pytest.mark.parametrize("stem", [False, True], ids=["without a stem", "with one"])
def test_the_finest_level_is_that_of_pixels_where_there_is_a_stem(stem, tmp_path, rng):
    cfg = SensorConfig(tiny_stem.config(tmp_path, keys=("HSI",)) if stem else tiny_run.config(), "HSI")
    params, pixels = ours.init(jax.random.key(0), cfg), seen(cfg, rng)

    @jax.jit
    def both(params, values, valid):
        given = Pixels(values, valid, pixels.centre_nm)
        return (
            ours.finest(params, given, cfg, ()),
            ours.features(params, given, cfg, ()),
            ours.pixels_alone(params, given, cfg, ()),
        )

    (maps, vector), (plain, pooled), (alone, same) = both(params, pixels.values, pixels.valid)
    assert len(alone) == 1
    np.testing.assert_array_equal(alone[0], maps[0])
    np.testing.assert_array_equal(same, vector)
    assert len(maps) == 3 + stem
    for one, other in zip(maps[stem:], plain, strict=True):
        np.testing.assert_array_equal(one, other)
    first, rows = np.asarray(maps[0], np.float64), maps[0].shape[1]
    expected = []
    for image, start in zip(first, (0, rows // 2), strict=True):  # of the second image the lower half holds data
        tokens = image[start:].reshape(-1, image.shape[-1])
        expected.append(np.concatenate([tokens.mean(axis=0), np.sqrt(tokens.var(axis=0) + 1e-6)]))
    np.testing.assert_allclose(vector, expected, atol=2e-5)
    assert vector.shape[-1] != pooled.shape[-1] or not np.allclose(vector, pooled)
