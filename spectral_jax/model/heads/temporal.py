"""Merges the dates of an encoder's maps before a head: `init_temporal` makes parameters, `call_temporal` uses them.

The kinds are those of PANGAEA (arXiv 2412.04204; pangaea-bench, decoders ltae.py and upernet.py). An encoder of single images
gives maps of each date, [B T h w D]; a head wants maps of a sample, [B h w D].
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.heads.ltae import HEADS, Ltae, TorchDense
from spectral_jax.model.layers import dtype_of, parameter_shapes, refuse_other_shapes
from spectral_jax.sentences import unknown

KINDS = ("ltae", "linear", "difference", "concatenation")
# The kinds of change detection: what differs between two dates, not what several dates have in common.
TWO_DATES = ("difference", "concatenation")


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
            raise unknown("TemporalConfig.kind", "way to merge dates", self.kind, KINDS, most=len(KINDS))
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


class LinearDates(nn.Module):
    """PyTorch's Linear(T, 1) over the dates: a weight for each date and a bias, the same for all channels and maps."""

    dtype: jnp.dtype

    @nn.compact
    def __call__(self, maps, seen, key):
        """Maps [B T h w D] each to [B h w D]."""
        dense = TorchDense(1, self.dtype, name="dates")
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
    return parameter_shapes(jax.eval_shape(lambda key: _init(key, cfg, widths), jax.random.key(0)))


def _check_params(params, cfg, widths):
    what = f"merging {cfg.dates} dates of kind {cfg.kind!r} in maps of widths {list(widths)}"
    how = "make them with init_temporal for this config and these shapes"
    refuse_other_shapes(_expected(cfg, widths), params, what, how)
