"""Every head for a labelled task behind two pure functions: `init_head` makes parameters, `call_head` uses them.

A head gets what any encoder gives, `vit.Features`: its maps [B h w D] and its embedding `pooled` [B D].
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from spectral_jax.model.heads import decoders, image_heads, upernet
from spectral_jax.model.layers import dtype_of, parameter_shapes, refuse_other_shapes
from spectral_jax.sentences import unknown

# Published widths; None where there is no hidden layer. fcn and regression: arXiv 2603.06690; upernet: PANGAEA; multitap:
# SpectralEarth-FM's protocol.
MAP_KINDS = {"linear": None, "fcn": 256, "upernet": 512, "multitap": 128}
IMAGE_KINDS = {"classification": None, "regression": 256}
KINDS = MAP_KINDS | IMAGE_KINDS
# Published dropout of those that have any.
DROPOUT = {"upernet": 0.1}
# Doublings of the published FCN decoder: 14 x 14 to 224 x 224.
FCN_STAGES = 4
Shapes = tuple[tuple[int, int, int], ...]


@dataclasses.dataclass(frozen=True)
class HeadConfig:
    """Structure of a head.

    Attributes:
      kind: of `KINDS`: "linear", "fcn", "upernet" and "multitap" give a map, "classification" and "regression" a vector.
      outputs: K, classes or quantities.
      width: channels inside; None is the published width.
      dropout: share of the channels dropped before the last layer; None is the published share: 0.1 for upernet, else 0.
      dtype: of the products; parameters and results are float32.
    """

    kind: str
    outputs: int
    width: int | None = None
    dropout: float | None = None
    dtype: str = "float32"

    def __post_init__(self):
        if self.kind not in KINDS:
            raise unknown("HeadConfig.kind", "head", self.kind, KINDS, most=len(KINDS))
        if self.outputs < 1:
            raise ValueError(f"HeadConfig.outputs: expected at least 1 class or quantity, got {self.outputs}.")
        if self.width is not None and KINDS[self.kind] is None:
            raise ValueError(
                f"HeadConfig.width: the head {self.kind!r} has no hidden layer, and got width {self.width}; leave it None."
            )
        groups = decoders.GROUPS if self.kind == "multitap" else 1
        if self.width is not None and (self.width < 1 or self.width % groups):
            raise ValueError(
                f"HeadConfig.width: expected a positive multiple of {groups} for the kind {self.kind!r}, got {self.width}."
            )
        if not 0.0 <= self.rate < 1.0:
            raise ValueError(f"HeadConfig.dropout: expected a share from 0 up to, not including, 1, got {self.dropout}.")
        if self.dtype not in ("float32", "bfloat16", "float16"):
            raise ValueError(f"HeadConfig.dtype: expected one of float32, bfloat16, float16, got {self.dtype!r}.")

    @property
    def hidden(self) -> int | None:
        """The width that is used."""
        return KINDS[self.kind] if self.width is None else self.width

    @property
    def rate(self) -> float:
        """The dropout that is used."""
        return DROPOUT.get(self.kind, 0.0) if self.dropout is None else self.dropout

    @property
    def of_maps(self) -> bool:
        """Whether the result is a map [B H W K]; else it is [B K]."""
        return self.kind in MAP_KINDS


def init_head(
    key: jax.Array, cfg: HeadConfig, maps_shapes: Shapes, pooled_width: int, size: tuple[int, int] | None = None
) -> dict:
    """Fresh parameters, float32; no data is needed.

    Args:
      key: random key.
      cfg: structure.
      maps_shapes: (h, w, D) of each map that the head will get; may be empty for heads of whole images.
      pooled_width: D of the embedding.
      size: rows and columns of the result. It decides how many stages "fcn" has; None: the four published ones.

    Raises:
      ValueError: a map head without maps, or maps that "upernet" cannot make a pyramid of.
    """
    shapes = tuple(tuple(shape) for shape in maps_shapes)
    if cfg.of_maps:
        _check_maps(cfg, [shape[:2] for shape in shapes])
    return _init(key, cfg, shapes, pooled_width, None if size is None else tuple(size))


def call_head(
    params: dict,
    cfg: HeadConfig,
    maps: tuple[jax.Array, ...],
    pooled: jax.Array,
    size: tuple[int, int],
    key: jax.Array | None = None,
) -> jax.Array:
    """Runs a head; pure, `cfg` and `size` static under `jax.jit`.

    Args:
      params: of `init_head`.
      cfg: structure.
      maps: [B h w D] each, in the order of the encoder's layers.
      pooled: [B D].
      size: rows and columns of the result, those of the labels; heads of whole images do not look at it.
      key: of dropout; None, as in evaluation, drops nothing.

    Returns:
      float32 [B H W K] with (H, W) = `size`, or [B K] for heads of whole images.

    Raises:
      ValueError: no maps where some are needed, or parameters that were made for other maps, embeddings or sizes.
    """
    shapes = tuple(tuple(x.shape[1:]) for x in maps)
    if cfg.of_maps:
        _check_maps(cfg, [shape[:2] for shape in shapes])
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f"size: expected the rows and columns of the result, both at least 1, got {size}.")
    _check_params(params, cfg, shapes, pooled.shape[-1], size)
    dtype = dtype_of(cfg.dtype)
    maps = tuple(x.astype(dtype) for x in maps)
    return _module(cfg).apply({"params": params}, maps, pooled.astype(dtype), size, key)


def _module(cfg: HeadConfig):
    common: dict[str, Any] = dict(outputs=cfg.outputs, rate=cfg.rate, dtype=dtype_of(cfg.dtype))
    if cfg.hidden is None:
        return {"linear": decoders.LinearMap, "classification": image_heads.Classification}[cfg.kind](**common)
    made = {
        "fcn": decoders.Fcn,
        "upernet": upernet.UperNet,
        "multitap": decoders.MultiTap,
        "regression": image_heads.Regression,
    }
    return made[cfg.kind](width=cfg.hidden, **common)


@functools.partial(jax.jit, static_argnums=(1, 2, 3, 4))
def _init(key, cfg, shapes, pooled_width, size):
    if size is None:
        size = tuple(side << FCN_STAGES for side in shapes[-1][:2]) if shapes else (1, 1)
    dtype = dtype_of(cfg.dtype)
    maps = tuple(jnp.zeros((1, *shape), dtype) for shape in shapes)
    return _module(cfg).init(key, maps, jnp.zeros((1, pooled_width), dtype), size, None)["params"]


def _check_maps(cfg, sizes):
    if not sizes:
        raise ValueError(f"maps: a head of kind {cfg.kind!r} needs at least one map of the encoder, and got none.")
    if cfg.kind == "upernet":
        upernet.check_levels(sizes)


@functools.lru_cache(maxsize=64)
def _expected(cfg, shapes, pooled_width, size) -> dict[str, tuple[int, ...]]:
    return parameter_shapes(jax.eval_shape(lambda key: _init(key, cfg, shapes, pooled_width, size), jax.random.key(0)))


def _check_params(params, cfg, shapes, pooled_width, size):
    what = (
        f"a head of kind {cfg.kind!r} with {cfg.outputs} outputs on maps {list(shapes)}, an embedding of width {pooled_width} "
        f"and a result of {size}"
    )
    how = "make them with init_head for these shapes, its argument size included"
    refuse_other_shapes(_expected(cfg, shapes, pooled_width, size), params, what, how)
