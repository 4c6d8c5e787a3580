"""Convolution windows, partial convolution, groups of bands."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectral_jax.model.encoder import tokenize
from spectral_jax.model.encoder.tokenize import BandConvolution

GROUPS = (0, 0, 1, 0, 1)  # not in order, so bands must be gathered


def _convolve(pixels, valid, kernel, bias, token_px, group=GROUPS):
    module = BandConvolution(token_px, group, max(group) + 1, kernel.shape[-1], jnp.dtype("float32"))
    return module.apply({"params": {"kernel": kernel, "bias": bias}}, pixels, valid)


def _case(token_px, rng, rows=3):
    n, k = rows * token_px, tokenize.kernel_px(token_px)
    pixels = rng.normal(size=(2, n, n, 5)).astype(np.float32)
    return pixels, rng.normal(size=(5, k, k, 4)).astype(np.float32), rng.normal(size=(2, 4)).astype(np.float32)


def _by_hand(pixels, valid, kernel, bias, token_px):
    """Loops over tokens and groups: partial convolution as its definition says."""
    k = kernel.shape[1]
    margin = (k - 1) // 2 if token_px % 2 == 0 else 0
    b, n, _, _ = pixels.shape
    out = np.zeros((b, n // token_px, n // token_px, 2, kernel.shape[-1]))
    for i, r, q, g in np.ndindex(out.shape[:4]):
        total, inside, seen = 0.0, 0, 0
        for y, x in np.ndindex(k, k):
            row, column = r * token_px - margin + y, q * token_px - margin + x
            if not (0 <= row < n and 0 <= column < n):
                continue
            inside += 1
            if valid[i, row, column]:
                seen += 1
                bands = [c for c in range(5) if GROUPS[c] == g]
                total = total + sum(pixels[i, row, column, c] * kernel[c, y, x] for c in bands)
        out[i, r, q, g] = bias[g] + (total * inside / seen if seen else 0.0)
    return out


def test_kernel_sides_are_the_published_ones():
    assert [tokenize.kernel_px(px) for px in (1, 2, 6)] == [1, 3, 7]


@pytest.mark.slow
@pytest.mark.parametrize("token_px", [1, 2, 3, 4])
def test_partial_convolution_agrees_with_its_definition(token_px):
    rng = np.random.default_rng(token_px)
    pixels, kernel, bias = _case(token_px, rng)
    valid = rng.uniform(size=pixels.shape[:3]) > 0.5
    valid[0, : tokenize.kernel_px(token_px)] = False
    got, seen = _convolve(jnp.where(valid[..., None], pixels, 0), jnp.asarray(valid), kernel, bias, token_px)
    np.testing.assert_allclose(got, _by_hand(pixels, valid, kernel, bias, token_px), atol=2e-5)
    assert seen[0, 0, 0] == 0


@pytest.mark.slow
@pytest.mark.parametrize(("token_px", "kernel_stride_padding"), [(1, (1, 1, 0)), (2, (3, 2, 1)), (6, (7, 6, 3))])
def test_all_valid_is_the_published_zero_padded_convolution(token_px, kernel_stride_padding):
    side, stride, padding = kernel_stride_padding
    pixels, kernel, bias = _case(token_px, np.random.default_rng(0), rows=4)
    assert kernel.shape[1] == side
    group = (0,) * 5
    got, _ = _convolve(pixels, jnp.ones(pixels.shape[:3], bool), kernel, bias[:1], token_px, group)
    expected = jax.lax.conv_general_dilated(
        pixels,
        kernel.transpose(1, 2, 0, 3),
        (stride,) * 2,
        [(padding, padding)] * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    assert expected.shape[1:3] == (4, 4)
    np.testing.assert_allclose(got[..., 0, :], np.asarray(expected) + bias[0], rtol=1e-5, atol=1e-4)


def test_empty_group_gives_its_bias():
    pixels, kernel, bias = _case(2, np.random.default_rng(0))
    module = BandConvolution(2, (0, 0, 0, 0, 2), 3, 4, jnp.dtype("float32"))
    bias = np.concatenate([bias, bias[:1]])
    got, _ = module.apply({"params": {"kernel": kernel, "bias": bias}}, pixels, jnp.ones(pixels.shape[:3], bool))
    np.testing.assert_array_equal(got[:, :, :, 1], np.broadcast_to(bias[1], (2, 3, 3, 4)))


@pytest.mark.slow
def test_spectral_tokens_of_a_cell_do_not_reach_other_cells(cfg, params, make_batch):
    data = make_batch(cfg).sensors["HSI"]
    tokenizer = tokenize.GroupedTokenizer(cfg.sensor("HSI").spec, cfg.model)
    state = {"params": params["branches"]["HSI"]["tokenize"]}
    before, _ = tokenizer.apply(state, data.pixels, data.valid)
    after, _ = tokenizer.apply(state, data.pixels.at[0, 2, 2].add(1.0), data.valid)
    # Pixel (2, 2) is seen by the 3x3 windows of token (1, 1) only: they are centred on even pixels.
    changed = np.abs(np.asarray(after - before)).max(axis=-1) > 1e-7
    assert np.argwhere(changed).tolist() == [[0, 1, 1]]


@pytest.mark.slow
@pytest.mark.parametrize("token_px", [1, 2, 3, 6])
def test_one_grouped_convolution_is_the_products_of_the_groups(rng, token_px):
    """Groups of unequal sizes, one of them empty, and bands that are not in the order of their groups."""
    group = np.array([0, 1, 1, 3, 3, 3, 0])
    side = tokenize.kernel_px(token_px)
    pixels = jnp.asarray(rng.normal(size=(2, 4 * token_px, 8 * token_px, 7)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(7, side, side, 5)), jnp.float32)
    valid = jnp.asarray(rng.random(pixels.shape[:3]) < 0.8)
    together = tokenize.grouped_convolution(jnp.where(valid[..., None], pixels, 0.0), kernel, group, 4, token_px)
    np.testing.assert_allclose(together, tokenize.window_sums(pixels, valid, kernel, group, 4, token_px), atol=2e-4)
    assert together.shape == (2, 4, 8, 4, 5)
