"""Every level's map and vector, against NumPy."""

import jax
import numpy as np
import pytest
from made import tiny_run

import spectral_jax
from spectral_jax.batch import Batch
from spectral_jax.model.encoder import readout


@pytest.fixture(scope="module")
def encoded():
    """Four locations; the last has no radar, the second has half an optical patch, and the third none."""
    cfg = tiny_run.config()
    batch = tiny_run.batch(cfg, np.random.default_rng(3), size=4)
    pixels = batch.sensors["HSI"].pixels
    pixels[1, :4] = pixels[2] = -32768
    shown = Batch({key: batch.sensors[key] for key in ("HSI", "SAR")})
    return jax.jit(spectral_jax.apply, static_argnames="cfg")(spectral_jax.init(jax.random.key(0), cfg), shown, cfg)


@pytest.mark.slow
def test_levels_have_stable_names_and_say_which_tokens_are_valid(encoded):
    maps = spectral_jax.levels(encoded)
    assert list(maps) == ["stage1/HSI", "stage1/SAR", "stage2/HSI", "stage2/SAR", "fused", "stage3"]
    assert {name: level.tokens.shape for name, level in maps.items()} == {
        "stage1/HSI": (4, 4, 4, 8), "stage1/SAR": (4, 4, 4, 8), "stage2/HSI": (4, 2, 2, 16), "stage2/SAR": (4, 2, 2, 16),
        "fused": (4, 2, 2, 16), "stage3": (4, 1, 1, 32),
    }  # fmt: skip
    for level in maps.values():
        assert not np.asarray(level.tokens)[~np.asarray(level.valid)].any()
    share = {name: np.asarray(level.valid).mean(axis=(1, 2)).tolist() for name, level in maps.items()}
    assert share["stage2/HSI"] == [1.0, 0.5, 0.0, 1.0]
    assert share["stage1/SAR"] == [1.0, 1.0, 1.0, 0.0]
    assert share["fused"] == share["stage3"] == [1.0] * 4


@pytest.mark.slow
def test_a_vector_is_mean_and_deviation_of_the_valid_tokens(encoded):
    found = {name: np.asarray(x) for name, x in spectral_jax.summaries(encoded, ("HSI", "SAR")).items()}
    assert tuple(found) == readout.NAMES[1:]  # none of these sensors has a stem
    assert {name: x.shape for name, x in found.items()} == {
        "stage1": (4, 32), "stage2": (4, 64), "fused": (4, 32), "stage3": (4, 64), "pooled": (4, 32),
    }  # fmt: skip
    tokens, valid = np.asarray(encoded.stage2["HSI"], np.float64), np.asarray(encoded.valid2["HSI"])
    for i in (0, 1, 3):
        seen = tokens[i][valid[i]]
        np.testing.assert_allclose(found["stage2"][i, :16], seen.mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(found["stage2"][i, 16:32], np.sqrt(seen.var(axis=0) + 1e-6), atol=1e-6)
    assert not found["stage2"][2, :32].any()  # no valid token of this sensor
    assert not found["stage1"][3, 16:].any()
    np.testing.assert_array_equal(found["pooled"], encoded.pooled)


@pytest.mark.slow
def test_what_the_batch_lacks_is_zero_and_keeps_its_place(encoded):
    found = spectral_jax.summaries(encoded, ("MSI", "SAR"))
    alone = spectral_jax.summaries(encoded, ("SAR",))
    assert not np.asarray(found["stage1"])[:, :16].any()
    np.testing.assert_array_equal(found["stage1"][:, 16:], alone["stage1"])


@pytest.mark.slow
def test_sensors_that_the_batch_lacks_altogether_are_refused(encoded):
    with pytest.raises(ValueError, match="keys: expected one of the encoded sensors HSI, SAR, got MSI."):
        spectral_jax.summaries(encoded, ("MSI",))


def test_a_constant_map_has_a_finite_gradient():
    level = lambda x: readout.Level(x, jax.numpy.ones((1, 2, 2), bool))  # noqa: E731
    slope = jax.grad(lambda x: readout.summary(level(x)).sum())(jax.numpy.ones((1, 2, 2, 3)))
    np.testing.assert_allclose(slope, 0.25, atol=1e-6)
