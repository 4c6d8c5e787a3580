"""Plain vision transformers as published encoders have them: pre-norm blocks on tokens [B N D], every block's tokens kept.

TerraMind, SpectralEarth and DOFA differ in how pixels become tokens, and in the options of `Trunk`. Layers and their precision
are those of `layers`.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import einops
import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.convolutions import TORCH_UNIFORM
from spectral_jax.model.initialise import TRUNCATED, torch_bias, zero_bias
from spectral_jax.model.layers import Dense, LayerNorm, along_last, gelu

# Uniform within +-sqrt(6 / (fan in + fan out)), for matrices [D E].
XAVIER = nn.initializers.xavier_uniform()


def xavier_thirds(key, shape, dtype):
    """Draws a packed matrix [D 3E] as three: uniform within +-sqrt(6 / (D + E)), so each is Xavier uniform by itself."""
    bound = (6.0 / (shape[0] + shape[1] // 3)) ** 0.5
    return jax.random.uniform(key, shape, dtype, -bound, bound)


class Start(NamedTuple):
    """What blocks start from: initializers of matrices [D E], and functions of D that give those of biases [E].

    `qkv` and `qkv_bias` are those of attention's packed projection.
    """

    kernel: Callable
    qkv: Callable
    bias: Callable[[int], Callable]
    qkv_bias: Callable[[int], Callable]


# timm's `VisionTransformer` draws its linear layers anew (`init_weights_vit_timm`): SpectralEarth, and DOFA of version 2.
TIMM = Start(TRUNCATED, TRUNCATED, zero_bias, zero_bias)
# Masked autoencoders as in 4M: TerraMind (TerraTorch's `terramind_vit.py`, `init_weights`).
MAE = Start(XAVIER, xavier_thirds, zero_bias, zero_bias)
# PyTorch's own, where nobody draws timm's bare `Block`s anew: DOFA of version 1 (`dofa.py` of TorchGeo).
TORCH = Start(TORCH_UNIFORM, TORCH_UNIFORM, torch_bias, torch_bias)


class Features(NamedTuple):
    """What a published encoder gives.

    `blocks` holds each block's tokens [B N D], class token first where there is one; `maps` [B h w D] the patch tokens of the
    blocks asked for, in raster order; `pooled` [B D] is the embedding of the image.
    """

    blocks: tuple
    maps: tuple
    pooled: jax.Array


class SelfAttention(nn.Module):
    """Multi-head self-attention over all tokens; the packed projection is ordered (query, key, value) x heads."""

    heads: int
    dtype: jnp.dtype
    bias: bool = True
    start: Start = TIMM

    @nn.compact
    def __call__(self, x):
        """Maps [B N D] to [B N D]."""
        width = x.shape[-1]
        qkv = Dense(3 * width, self.dtype, self.bias, self.start.qkv, self.start.qkv_bias, name="qkv")(x)
        q, k, v = einops.rearrange(qkv, "b n (s a d) -> s b n a d", s=3, a=self.heads)
        scores = jnp.einsum("bqad,bkad->baqk", q, k, preferred_element_type=jnp.float32) * q.shape[-1] ** -0.5
        out = jnp.einsum("baqk,bkad->bqad", jax.nn.softmax(scores, axis=-1).astype(self.dtype), v)
        out = einops.rearrange(out, "b n a d -> b n (a d)")
        return Dense(width, self.dtype, self.bias, self.start.kernel, self.start.bias, name="out")(out)


class FeedForward(nn.Module):
    """Linear, exact GELU, linear; or, gated, `out(silu(in x) * gate x)`."""

    hidden: int
    dtype: jnp.dtype
    gated: bool = False
    bias: bool = True
    start: Start = TIMM

    @nn.compact
    def __call__(self, x):
        """Maps [B N D] to [B N D]."""
        options = (self.dtype, self.bias, self.start.kernel, self.start.bias)
        h = Dense(self.hidden, *options, name="in")(x)
        h = jax.nn.silu(h) * Dense(self.hidden, *options, name="gate")(x) if self.gated else gelu(h)
        return Dense(x.shape[-1], *options, name="out")(h)


class VitBlock(nn.Module):
    """Pre-norm transformer block, LayerNorm epsilon 1e-6; `layer_scale` is the starting value of LayerScale, None without."""

    heads: int
    hidden: int
    dtype: jnp.dtype
    gated: bool = False
    bias: bool = True
    layer_scale: float | None = None
    start: Start = TIMM

    @nn.compact
    def __call__(self, x):
        """Maps [B N D] to [B N D]."""
        h = LayerNorm(self.dtype, name="norm1")(x)
        attend = SelfAttention(self.heads, self.dtype, self.bias, self.start, name="attend")
        x = x + self._scaled("scale1", attend(h))
        h = LayerNorm(self.dtype, name="norm2")(x)
        mlp = FeedForward(self.hidden, self.dtype, self.gated, self.bias, self.start, name="mlp")
        return x + self._scaled("scale2", mlp(h))

    def _scaled(self, name, x):
        if self.layer_scale is None:
            return x
        gamma = self.param(name, nn.initializers.constant(self.layer_scale), (x.shape[-1],), jnp.float32)
        return x * along_last(gamma.astype(self.dtype), x)


class Trunk(nn.Module):
    """`depth` blocks one after another."""

    depth: int
    heads: int
    hidden: int
    dtype: jnp.dtype
    gated: bool = False
    bias: bool = True
    layer_scale: float | None = None
    start: Start = TIMM

    @nn.compact
    def __call__(self, x):
        """Tokens [B N D] to the tokens after each block, a list of `depth` arrays [B N D]."""
        options = dict(gated=self.gated, bias=self.bias, layer_scale=self.layer_scale, start=self.start)
        kept = []
        for i in range(self.depth):
            x = VitBlock(self.heads, self.hidden, self.dtype, **options, name=f"block{i}")(x)
            kept.append(x)
        return kept


class ClassToken(nn.Module):
    """Puts a learned class token before the patch tokens, and adds a learned or fixed table of positions [1+N D] to all.

    The table is for `grid` x `grid` patches. For others `resize(table [N D], grid, wanted grid)` makes it, and the row of the
    class token stays as it is. `start` and `token_start` are the initializers of the table and of the class token.
    """

    grid: int
    resize: Callable
    start: Callable = TRUNCATED
    token_start: Callable = TRUNCATED

    @nn.compact
    def __call__(self, x):
        """Maps patch tokens [B h w D] to [B 1+N D], N = h * w in raster order."""
        batch, rows, columns, width = x.shape
        token = self.param("token", self.token_start, (width,), jnp.float32)
        table = self.param("positions", self.start, (1 + self.grid**2, width), jnp.float32)
        patches = self.resize(table[1:], (self.grid, self.grid), (rows, columns))
        positions = jnp.concatenate([table[:1], patches]).astype(x.dtype)
        first = jnp.broadcast_to(token.astype(x.dtype), (batch, 1, width))
        return jnp.concatenate([first, x.reshape(batch, -1, width)], axis=1) + positions[None]


def check_patches(image: jax.Array, patch: int) -> None:
    """Refuses an image that is not [B H W C] with H and W whole numbers of patches, in a sentence."""
    if image.ndim != 4 or any(side < patch or side % patch for side in image.shape[1:3]):
        raise ValueError(
            f"image: expected [B H W C] with H and W multiples of the patch of {patch} px, got shape {image.shape}; "
            "crop or pad it."
        )


def chosen(layers: tuple[int, ...] | None, depth: int) -> tuple[int, ...]:
    """The blocks whose maps are asked for, counted from 0; None is the last one, and negative numbers count from the end.

    Raises:
      ValueError: there is no such block.
    """
    layers = (depth - 1,) if layers is None else tuple(layers)
    wrong = [i for i in layers if not -depth <= i < depth]
    if wrong:
        raise ValueError(
            f"layers: there is no block {wrong[0]}; expected numbers from 0 to {depth - 1}, or from -{depth} to -1."
        )
    return tuple(i % depth for i in layers)


def held(params: dict, fixed: str) -> dict:
    """The parameters with no gradient through those whose path matches the pattern `fixed`: buffers of the published code."""
    frozen = trainable(params, fixed)
    return jax.tree.map(lambda leaf, moves: leaf if moves else jax.lax.stop_gradient(leaf), params, frozen)


def trainable(params: dict, fixed: str) -> dict:
    """For each parameter, whether its path does not match `fixed`; for `optax.masked`, so that weight decay spares buffers."""
    return jax.tree_util.tree_map_with_path(lambda path, _: re.search(fixed, _spell(path)) is None, params)


def _spell(path) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def check_heads(where: str, width: int, heads: int | None) -> None:
    """Refuses a number of heads that does not divide the width, in a sentence."""
    if heads is not None and (heads < 1 or width % heads):
        raise ValueError(f"{where}.heads: {heads} does not divide the width {width}; choose a divisor.")


def known_heads(where: str, heads: int | None) -> int:
    """The number of heads, or a sentence that says where to get it: checkpoints do not hold it."""
    if heads is None:
        raise ValueError(
            f"{where}.heads is not known: a checkpoint's shapes do not hold it and its width is not a published one; "
            f"set it, such as by --heads or dataclasses.replace(config, heads=...)."
        )
    return heads
