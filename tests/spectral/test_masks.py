"""Masks by wavelength: which bands, how many, how often, and that nothing hidden gets through."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectral_jax.sensors import SensorSpec
from spectral_jax.spectral.masks import TARGETED, TARGETED_28, MaskPolicy, draw, draw_mixture, hide, targeted

SFREFL = SensorSpec.load("pace_oci_sfrefl").centre_nm


def test_targeted_regions_hold_the_bands_of_the_spec():
    assert SFREFL[targeted(SFREFL)].tolist() == [
        615, 620, 625, 630, 635, 640, 660, 662, 665, 667, 670, 672, 675, 677, 679, 697, 699, 702, 704, 707, 709, 712, 714, 719,
    ]  # fmt: skip
    assert (len(SFREFL), targeted(SFREFL, TARGETED_28).sum()) == (122, 28)
    assert targeted(SensorSpec.load("pace_oci_rrs_v3").centre_nm).sum() == 46
    shuffled = np.random.default_rng(0).permutation(len(SFREFL))
    np.testing.assert_array_equal(targeted(SFREFL[shuffled]), targeted(SFREFL)[shuffled])


def test_a_targeted_mask_is_the_same_for_every_sample_and_key(key):
    masks = np.asarray(draw(key, MaskPolicy(), SFREFL, 3))
    np.testing.assert_array_equal(masks, np.tile(targeted(SFREFL), (3, 1)))
    np.testing.assert_array_equal(draw(jax.random.key(1), MaskPolicy(), SFREFL, 3), masks)


def test_random_masks_hide_as_many_bands_and_each_equally_often(key):
    masks = np.asarray(draw(key, MaskPolicy("random", TARGETED_28), SFREFL, 4000))
    assert set(masks.sum(1)) == {28}
    np.testing.assert_allclose(masks.mean(0), 28 / 122, atol=0.04)  # six standard deviations
    assert len(np.unique(masks, axis=0)) == 4000


def test_a_block_is_contiguous_in_wavelength_and_reaches_both_ends(key):
    order = np.random.default_rng(0).permutation(len(SFREFL))
    masks = np.asarray(draw(key, MaskPolicy("block"), SFREFL[order], 2000))
    by_wavelength = masks[:, np.argsort(SFREFL[order])]
    assert set(by_wavelength.sum(1)) == {24}
    starts = by_wavelength.argmax(1)
    assert all(row[start : start + 24].all() for row, start in zip(by_wavelength, starts, strict=True))
    assert (starts.min(), starts.max()) == (0, 122 - 24)


def test_a_mixture_follows_its_shares(key):
    policies = MaskPolicy(), MaskPolicy("random")
    masks = np.asarray(draw_mixture(key, policies, (3.0, 1.0), SFREFL, 4000))
    np.testing.assert_allclose((masks == targeted(SFREFL)).all(1).mean(), 0.75, atol=0.04)
    assert set(masks.sum(1)) == {24}


def test_masks_are_pure_functions_under_jit(key):
    policy = MaskPolicy("block")
    once = jax.jit(lambda k: draw(k, policy, SFREFL, 8))
    np.testing.assert_array_equal(once(key), draw(key, policy, SFREFL, 8))


def test_hidden_bands_have_no_influence_and_no_gradient(key):
    mask = draw(key, MaskPolicy("random"), SFREFL, 2)
    values, token = jnp.where(mask, jnp.nan, 1.0), jnp.full(122, 0.5)
    shown = hide(values, mask, token)
    np.testing.assert_array_equal(shown, np.where(mask, 0.5, 1.0))
    gradient = jax.grad(lambda v: jnp.sum(hide(v, mask, token) ** 2))(values)
    np.testing.assert_array_equal(gradient, np.where(mask, 0.0, 2.0))


def test_bad_policies_are_refused(key):
    with pytest.raises(ValueError, match="expected one of targeted, random, block, got 'blocks'"):
        MaskPolicy("blocks")
    with pytest.raises(ValueError, match="with low < high"):
        MaskPolicy(regions=((640.0, 615.0),))
    with pytest.raises(ValueError, match="mask region 660 to 680 nm holds no band of this sensor, whose nearest is at 620 nm"):
        targeted(np.array([500.0, 620.0]), TARGETED)
    with pytest.raises(ValueError, match="hide all 2 bands"):
        targeted(np.array([616.0, 620.0]), ((600.0, 650.0),))
    with pytest.raises(ValueError, match="expected one share above 0 for each of 1 policies"):
        draw_mixture(key, (MaskPolicy(),), (0.0,), SFREFL, 2)
