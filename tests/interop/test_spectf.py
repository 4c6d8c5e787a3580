import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made.oracle_file import TOLERANCE, assert_same_state, difference, part
from made.spectf_state import RELEASES, random_state
from reference import numpy_spectf

from spectral_jax.interop import models, names, read, spectf
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published.spectf import SpecTfConfig, cloud_probability
from spectral_jax.model.published.spectf import apply as apply_spectf
from spectral_jax.model.published.spectf import init as init_spectf

CENTRES = np.array([450.0, 660.0, 865.0, 1380.0, 2202.0])


def run(params, reflectance, centre_nm, cfg):
    with jax.default_matmul_precision("highest"):
        apply = jax.jit(apply_spectf, static_argnames="cfg")
        return apply(params, jnp.asarray(reflectance, jnp.float32), jnp.asarray(centre_nm, jnp.float32), cfg=cfg)


@pytest.mark.slow
@pytest.mark.parametrize("release", RELEASES)
def test_released_weights_agree_with_the_published_code(oracles, released, release):
    file = released / "spectf_cloud" / f"weights_{release}.pt"
    weights = read(file)
    cfg, params, account = models.read("spectf", weights)
    assert (cfg, cfg.threshold) == (SpecTfConfig(64, 8, 64, release), {"v0.0.1": 0.52, "v0.1.0": 0.51}[release])
    assert sum(value.size for value in names.flatten(params).values()) == 25_538
    assert {row.key for row in account.rows} == set(weights.tensors)
    assert_same_state(spectf.publish(params, cfg), weights.tensors)
    for sensor, bands in (("enmap", 214), ("emit", 268)):
        inputs = part(oracles / "spectf_cloud.npz", f"{sensor}/input")
        expected = part(oracles / "spectf_cloud.npz", f"{sensor}/output/{release}")
        found = run(params, inputs["reflectance"], inputs["wavelength_nm"], cfg)
        assert found.tokens.shape == (84, bands, 64)
        assert difference(found.tokens[:4], expected["tokens_first4"]) <= TOLERANCE
        assert difference(found.pooled, expected["pooled"]) <= TOLERANCE
        assert difference(found.logits, expected["logits"]) <= TOLERANCE
        assert difference(cloud_probability(found.logits), expected["cloud_probability"]) <= TOLERANCE


def test_random_weights_agree_with_plain_numpy(rng):
    state = random_state(rng)
    cfg, params, account = models.read("spectf", Weights("a.pt", state), release="v0.0.1", heads=4)
    assert cfg == SpecTfConfig(16, 4, 12, "v0.0.1")
    assert account.counts() == {"loaded": 10, "reshaped": 6, "ignored": 0, "absent": 0}
    assert_same_state(spectf.publish(params, cfg), state)
    spectra = rng.uniform(0, 1, (3, 5))
    found = run(params, spectra, CENTRES, cfg)
    for i, values in enumerate(spectra):
        tokens, pooled, logits = numpy_spectf.spectrum(state, values, CENTRES, 4)
        assert difference(found.tokens[i], tokens) <= TOLERANCE
        assert difference(found.pooled[i], pooled) <= TOLERANCE
        assert difference(found.logits[i], logits) <= TOLERANCE
        expected = numpy_spectf.cloud_probability(logits)
        assert cloud_probability(found.logits)[i] == pytest.approx(expected, rel=1e-5)


def test_bands_may_come_in_any_order(rng):
    cfg, params, _ = spectf.read(Weights("a.pt", random_state(rng)), "v0.1.0", 4)
    spectra, order = rng.uniform(0, 1, (2, 5)), [3, 0, 4, 2, 1]
    found = run(params, spectra, CENTRES, cfg).pooled
    np.testing.assert_allclose(run(params, spectra[:, order], CENTRES[order], cfg).pooled, found, rtol=1e-4, atol=1e-6)
    assert difference(run(params, spectra[:, order], CENTRES, cfg).pooled, np.asarray(found)) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["cpu", "tpu"])
def test_an_image_is_encoded_pixel_by_pixel(rng, monkeypatch, platform):
    cfg, params, _ = spectf.read(Weights("a.pt", random_state(rng)), "v0.1.0", 4)
    monkeypatch.setattr("spectral_jax.model.published.spectf.AT_ONCE", 5)
    monkeypatch.setattr("spectral_jax.model.published.spectf.platform_of", lambda x: platform)
    image = jnp.asarray(rng.uniform(0, 1, (2, 3, 4, 5)), jnp.float32)
    found = models.encode(params, image, cfg, wavelengths_nm=jnp.asarray(CENTRES, jnp.float32))
    pixels = run(params, image.reshape(-1, 5), CENTRES, cfg).pooled
    assert (found.maps[0].shape, found.blocks[0].shape) == ((2, 3, 4, 16), (2, 12, 16))
    np.testing.assert_allclose(found.maps[0].reshape(-1, 16), pixels, atol=1e-5)
    np.testing.assert_allclose(found.pooled, pixels.reshape(2, 12, 16).mean(1), atol=1e-5)
    assert all(jax.tree.leaves(models.trainable(params, cfg)))


def test_fresh_parameters_have_the_published_number(key):
    shapes = jax.eval_shape(lambda: init_spectf(key, SpecTfConfig()))
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == 25_538
    fresh = init_spectf(key, SpecTfConfig())
    assert np.abs(fresh["attend"]["qkv"]["kernel"]).max() <= (6 / 256) ** 0.5
    assert not np.any(fresh["attend"]["qkv"]["bias"])


def bad_weights(**changes):
    state = random_state(np.random.default_rng(1)) | changes
    return Weights("a.pt", {name: value for name, value in state.items() if value is not None})


@pytest.mark.parametrize(
    ("weights", "options", "sentence"),
    [
        (bad_weights(), dict(heads=4), "a.pt: expected the numbers of a release of SpecTf (v0.0.1, v0.1.0), and these are of "
         "none; say by --release which one's threshold they have."),
        (bad_weights(), dict(release="0.1.0"), "release: no release of SpecTf is called '0.1.0'; the names are, closest first: "
         "v0.1.0, v0.0.1."),
        (bad_weights(), dict(release="v0.1.0", heads=3), "SpecTfConfig.heads: 3 does not divide the width 16"),
        (bad_weights(), dict(release="v0.1.0", size="cloud"),
         "a.pt looks like spectf (16 wide), expected cloud (64 wide); give another file or another size."),
        (bad_weights(**{"head.bias": np.array([0.0, np.nan], np.float32)}), dict(release="v0.1.0"),
         "a.pt: head.bias has 1 NaN of 2 numbers. Every embedding would be NaN; take a checkpoint from before training"),
        (bad_weights(**{"head.weight": np.zeros((3, 16), np.float32)}), dict(release="v0.1.0"),
         "a.pt does not fit: head.weight has shape [3, 16], expected [2, 16]. It looks like spectf (16 wide)"),
        (bad_weights(**{"layers.1.norm1.weight": np.ones(16, np.float32)}), dict(release="v0.1.0"),
         "a.pt does not fit: layers.1.norm1.weight is no key of this model (the closest is layers.0.norm1.weight)"),
        (bad_weights(**{"layers.0.norm1.weight": None}), dict(release="v0.1.0"),
         "a.pt: expected layers.0.norm1.weight with 1 axes, got nothing; it looks like spectf."),
        (Weights("a.pt", {"patch_embed.weight_generator.x": np.ones(1, np.float32)}), {},
         "a.pt looks like dofa v1, expected spectf: no key of it holds 'spectral_embed.linear.'"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_are_refused_in_a_sentence(weights, options, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        models.read("spectf", weights, **options)


def test_a_file_of_another_release_is_named_by_what_was_found(released):
    weights = read(released / "spectf_cloud" / "weights_v0.0.1.pt")
    said = "weights_v0.0.1.pt holds the numbers of SpecTf v0.0.1, expected v0.1.0; give the other file, or its release."
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        spectf.read(weights, "v0.1.0")


@pytest.mark.parametrize(
    ("centre_nm", "sentence"),
    [
        (None, "centre_nm: SpecTf makes a token of each band and its wavelength; give the centre of each band, in nm."),
        (CENTRES[:4], "centre_nm: expected one for each of the S = 5 bands, got shape (4,); give the centre of each band, in "
         "nm and in the order of the bands."),
        (CENTRES / 1000, "centre_nm: expected wavelengths of 300 to 2600 nm, and that of band 0 is 0.45; it looks like um, "
         "multiply by 1000."),
        (np.where(CENTRES > 2000, np.nan, CENTRES), "and that of band 4 is nan; leave the band out."),
        (np.where(CENTRES > 2000, 10_900.0, CENTRES), "and that of band 4 is 10900; leave the band out."),
    ],
)  # fmt: skip
def test_wavelengths_that_do_not_fit_are_refused(rng, centre_nm, sentence):
    cfg, params, _ = spectf.read(Weights("a.pt", random_state(rng)), "v0.1.0", 4)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        apply_spectf(params, jnp.zeros((1, 5)), centre_nm, cfg)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        models.encode(params, jnp.zeros((1, 2, 2, 5)), cfg, wavelengths_nm=centre_nm)


def test_spectra_and_releases_that_are_none_are_refused():
    with pytest.raises(ValueError, match=re.escape("reflectance: expected spectra [B S], got shape (2, 2, 5); reshape it.")):
        apply_spectf({}, jnp.zeros((2, 2, 5)), CENTRES, SpecTfConfig())
    with pytest.raises(ValueError, match="SpecTfConfig.release: no release of SpecTf is called 'v1'"):
        SpecTfConfig(release="v1")
