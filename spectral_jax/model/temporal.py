"""Merges the dates of an encoder's maps before a head: `init_temporal` makes parameters, `call_temporal` uses them.

The kinds are those of PANGAEA (arXiv 2412.04204; pangaea-bench, decoders ltae.py and upernet.py). An encoder of single images
gives maps of each date, [B T h w D]; a head wants maps of a sample, [B h w D].
"""

import dataclasses
import difflib
import functools

import einops
import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.convolutions import GROUP_EPS, TORCH_UNIFORM, GroupNorm
from spectral_jax.model.layers import Dense, LayerNorm, along_last, dtype_of, masked_softmax, torch_bias

KINDS = ("ltae", "linear", "difference", "concatenation")
# The kinds of change detection: what differs between two dates, not what several dates have in common.
TWO_DATES = ("difference", "concatenation")
# L-TAE as PANGAEA sets it up: heads, which are also the groups of its norms, and the width of a key.
HEADS = 16
KEY_WIDTH = 4
ATTENTION_DROPOUT = 0.1
DROPOUT = 0.2
# Keys and queries start normal with deviation sqrt(2 / key width), whatever the width of the maps.
ATTENTION_NORMAL = nn.initializers.normal((2.0 / KEY_WIDTH) ** 0.5)
# A linear layer that starts as PyTorch's.
_Linear = functools.partial(Dense, kernel_init=TORCH_UNIFORM, bias_start=torch_bias)


@dataclasses.dataclass(frozen=True)
class TemporalConfig:
    """How dates are merged.

    Attributes:
      kind: of `KINDS`. "ltae" attends over the dates of each position, "linear" takes one weighted sum of the dates; of exactly
        two dates, "difference" takes the second minus the first and "concatenation" the channels of both, first date first.
      dates: T.
      dtype: of the products and the result; parameters are float32.
    """

    kind: str
    dates: int
    dtype: str = "float32"

    def __post_init__(self):
        if self.kind not in KINDS:
            near = difflib.get_close_matches(str(self.kind), KINDS, n=len(KINDS), cutoff=0.0)
            raise ValueError(
                f"TemporalConfig.kind: no way to merge dates is called {self.kind!r}; closest first: {', '.join(near)}."
            )
        if self.dates < 2:
            raise ValueError(
                f"TemporalConfig.dates: expected at least 2 dates, got {self.dates}; leave single dates to the head alone."
            )
        if self.kind in TWO_DATES and self.dates != 2:
            raise ValueError(
                f"TemporalConfig.dates: the kind {self.kind!r} compares exactly 2 dates, got {self.dates}; choose 2 of them, "
                "or the kind 'ltae' or 'linear'."
            )
        if self.dtype not in ("float32", "bfloat16", "float16"):
            raise ValueError(f"TemporalConfig.dtype: expected one of float32, bfloat16, float16, got {self.dtype!r}.")


def init_temporal(key: jax.Array, cfg: TemporalConfig, shapes: tuple[tuple[int, int, int], ...]) -> dict:
    """Fresh parameters, float32; no data is needed. Empty for the kinds of two dates, which have none.

    Args:
      key: random key.
      cfg: how dates are merged.
      shapes: (h, w, D) of each map of one date.

    Raises:
      ValueError: "ltae" without maps, or whose largest width does not make 16 groups of at least 2 channels.
    """
    widths = tuple(width for _, _, width in shapes)
    _check_widths(cfg, widths)
    return _init(key, cfg, widths)


def call_temporal(
    params: dict, cfg: TemporalConfig, maps: tuple[jax.Array, ...], seen: jax.Array, key: jax.Array | None = None
) -> tuple[jax.Array, ...]:
    """Merges dates; pure, `cfg` static under `jax.jit`.

    What the maps hold at dates of which nothing was seen has no effect. "ltae" leaves such dates out; for "linear" and
    "concatenation" they are zeros; a "difference" is 0 unless both dates were seen, since no change is known then. A sample
    without any seen date gives finite numbers that tell nothing.

    Args:
      params: of `init_temporal`.
      cfg: how dates are merged.
      maps: [B T h w D] each, T the dates of `cfg`.
      seen: bool [B T], whether anything was seen at a date.
      key: of the dropout of "ltae"; None, as in evaluation, drops nothing.

    Returns:
      A map [B h w D'] for each, in the dtype of `cfg`. D' is the largest of all D for "ltae", 2 D for "concatenation", else D.

    Raises:
      ValueError: other dates than those of `cfg`, or parameters that were made for other maps.
    """
    _check_dates(cfg, maps, seen)
    widths = tuple(x.shape[-1] for x in maps)
    _check_widths(cfg, widths)
    _check_params(params, cfg, widths)
    dtype = dtype_of(cfg.dtype)
    # Zeros, not a weight of 0: that of a NaN is NaN.
    maps = tuple(jnp.where(seen[:, :, None, None, None], x.astype(dtype), jnp.zeros((), dtype)) for x in maps)
    return _module(cfg).apply({"params": params}, maps, seen, key)


class Ltae(nn.Module):
    """The Lightweight Temporal Attention Encoder (arXiv 2007.00586), one for all maps.

    Maps of several widths first each get a linear layer to the largest width. There is no encoding of positions in time, as
    PANGAEA switches it off: the order of the dates has no effect.
    """

    dtype: jnp.dtype

    @nn.compact
    def __call__(self, maps, seen, key):
        """Maps [B T h w D] each, seen bool [B T], to [B h w D], D the largest width."""
        widths = [x.shape[-1] for x in maps]
        if len(set(widths)) > 1:
            maps = [_Linear(max(widths), self.dtype, name=f"widen{i}")(x) for i, x in enumerate(maps)]
        encode = _Encoder(self.dtype, name="encode")
        keys = [None] * len(maps) if key is None else jax.random.split(key, len(maps))
        return tuple(encode(x, seen, k) for x, k in zip(maps, keys, strict=True))


class _Encoder(nn.Module):
    """L-TAE of one map: what its dates say, weighted by how well their keys fit a learned query of each head.

    One difference from PANGAEA: its BatchNorm before the ReLU has running statistics, which a pure function does not have.
    Here it is LayerNorm over the channels of each position, as in `upernet`. Dropout is of single numbers, as published.
    """

    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, seen, key):
        """Maps [B T h w D], seen bool [B T], to [B h w D]."""
        width = x.shape[-1]
        of_weights, of_channels = (None, None) if key is None else jax.random.split(key)
        x = _Linear(width, self.dtype, name="in")(_DatesNorm(self.dtype, name="in_norm")(x, seen))
        query = self.param("query", ATTENTION_NORMAL, (HEADS, KEY_WIDTH), jnp.float32).astype(self.dtype)
        keys = _Linear(HEADS * KEY_WIDTH, self.dtype, kernel_init=ATTENTION_NORMAL, name="keys")(x)
        keys = einops.rearrange(keys, "b t h w (a k) -> b t h w a k", a=HEADS)
        scores = jnp.einsum("bthwak,ak->bhwat", keys, query, preferred_element_type=jnp.float32) * KEY_WIDTH**-0.5
        weights = _drop(masked_softmax(scores, seen[:, None, None, None, :]), ATTENTION_DROPOUT, of_weights)
        values = einops.rearrange(x, "b t h w (a c) -> b t h w a c", a=HEADS)
        x = jnp.einsum("bhwat,bthwac->bhwac", weights.astype(self.dtype), values)
        x = _Linear(width, self.dtype, name="out")(einops.rearrange(x, "b h w a c -> b h w (a c)"))
        x = _drop(jax.nn.relu(LayerNorm(self.dtype, name="norm")(x)), DROPOUT, of_channels)
        # GroupNorm counts the whole map; as maps of one pixel, each position has its own statistics.
        return GroupNorm(HEADS, self.dtype, name="out_norm")(x.reshape(-1, 1, 1, width)).reshape(x.shape)


class _DatesNorm(nn.Module):
    """GroupNorm of each position: groups of neighbouring channels by their statistics over all seen dates."""

    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, seen):
        """Normalises [B T h w D], seen bool [B T]."""
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],), jnp.float32)
        y = einops.rearrange(x.astype(jnp.float32), "b t h w (g c) -> b t h w g c", g=HEADS)
        share = seen.astype(jnp.float32) / jnp.maximum(jnp.sum(seen, axis=1, keepdims=True), 1).astype(jnp.float32)
        share = share[:, :, None, None, None, None]
        mean = lambda z: jnp.mean(jnp.sum(z * share, axis=1, keepdims=True), axis=-1, keepdims=True)  # noqa: E731
        y = y - mean(y)
        y = y * jax.lax.rsqrt(mean(y * y) + GROUP_EPS)
        y = y.reshape(x.shape)
        return (y * along_last(scale, y) + along_last(bias, y)).astype(self.dtype)


class LinearDates(nn.Module):
    """PyTorch's Linear(T, 1) over the dates: a weight for each date and a bias, the same for all channels and maps."""

    dtype: jnp.dtype

    @nn.compact
    def __call__(self, maps, seen, key):
        """Maps [B T h w D] each to [B h w D]."""
        dense = _Linear(1, self.dtype, name="dates")
        return tuple(dense(jnp.moveaxis(x, 1, -1))[..., 0] for x in maps)


class Difference(nn.Module):
    """The second date minus the first; 0 unless both were seen."""

    dtype: jnp.dtype

    @nn.compact
    def __call__(self, maps, seen, key):
        """Maps [B 2 h w D] each, seen bool [B 2], to [B h w D]."""
        both = jnp.all(seen, axis=1)[:, None, None, None]
        return tuple(jnp.where(both, x[:, 1] - x[:, 0], jnp.zeros((), x.dtype)) for x in maps)


class Concatenation(nn.Module):
    """The channels of the first date, then those of the second."""

    dtype: jnp.dtype

    @nn.compact
    def __call__(self, maps, seen, key):
        """Maps [B 2 h w D] each to [B h w 2D]."""
        return tuple(jnp.concatenate([x[:, 0], x[:, 1]], axis=-1) for x in maps)


def _drop(x: jax.Array, rate: float, key: jax.Array | None) -> jax.Array:
    """With a key, each number is 0 with probability `rate`, and the rest is scaled up."""
    if key is None:
        return x
    return jnp.where(jax.random.bernoulli(key, 1.0 - rate, x.shape), x / (1.0 - rate), jnp.zeros_like(x))


def _module(cfg: TemporalConfig):
    made = {"ltae": Ltae, "linear": LinearDates, "difference": Difference, "concatenation": Concatenation}
    return made[cfg.kind](dtype_of(cfg.dtype))


@functools.partial(jax.jit, static_argnums=(1, 2))
def _init(key, cfg, widths):
    # No parameter depends on the rows and columns of a map.
    maps = tuple(jnp.zeros((1, cfg.dates, 1, 1, width), dtype_of(cfg.dtype)) for width in widths)
    return _module(cfg).init(key, maps, jnp.ones((1, cfg.dates), bool), None).get("params", {})


def _check_widths(cfg, widths):
    if cfg.kind != "ltae":
        return
    if not widths:
        raise ValueError("maps: merging dates of kind 'ltae' needs at least one map of the encoder, and got none.")
    # Each number would be a group of its own in the norm at the end, which then gives its bias whatever the maps say.
    if max(widths) % HEADS or max(widths) == HEADS:
        raise ValueError(
            f"maps: merging dates of kind 'ltae' splits the largest width among {HEADS} heads, at least 2 channels each, and "
            f"expects a multiple of {HEADS} from {2 * HEADS} on; got width {max(widths)} of {list(widths)}; take the kind "
            "'linear', or an encoder of another width."
        )


def _check_dates(cfg, maps, seen):
    for i, x in enumerate(maps):
        if x.ndim != 5 or x.shape[1] != cfg.dates:
            raise ValueError(
                f"maps: expected [B T h w D] with the T = {cfg.dates} of TemporalConfig.dates, got {tuple(x.shape)} in map "
                f"{i}; give all dates, also those of which nothing was seen, and say in seen which."
            )
        if seen.shape != x.shape[:2]:
            raise ValueError(
                f"seen: expected a bool for each sample and date, {tuple(x.shape[:2])} as in map {i}, got {tuple(seen.shape)}."
            )


@functools.lru_cache(maxsize=64)
def _expected(cfg, widths) -> dict[str, tuple[int, ...]]:
    return _paths(jax.eval_shape(lambda key: _init(key, cfg, widths), jax.random.key(0)))


def _paths(params) -> dict[str, tuple[int, ...]]:
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): tuple(leaf.shape) for path, leaf in leaves}


def _check_params(params, cfg, widths):
    expected, found = _expected(cfg, widths), _paths(params)
    wrong = [name for name in sorted(expected | found) if expected.get(name) != found.get(name)]
    if wrong:
        wanted, got = (table.get(wrong[0], "nothing") for table in (expected, found))
        raise ValueError(
            f"params: merging {cfg.dates} dates of kind {cfg.kind!r} in maps of widths {list(widths)} has {wanted} at "
            f"{wrong[0]}, and the parameters have {got}; make them with init_temporal for this config and these shapes."
        )
