"""What the kernel of the spectral transformer is compiled for: sizes of a tile, and what it costs."""

import dataclasses
import math

import numpy as np

from spectral_jax.config import Model

# The tokens of a cell are padded to a power of two, and a cell must lie inside one product of 128 columns; above 16 the
# scores of a cell fill the matrix unit by themselves and block-diagonal products gain nothing.
MOST_GROUPS = 16
# Columns of one block-diagonal product: lanes of a TPU's registers, and the side of its matrix unit.
PACK = 128
# Packs of a tile at most. By the compiler's static schedules for TPU v5e, size `b`, forward and gradient, a pack takes 1.35
# times the instruction bundles with one pack a tile and 1.12 times with two of what it takes with four, about 15,000; with
# eight the program is 1.6 times as large and compiles twice as long.
MOST_PACKS = 4
# What a kernel may take of the 64 MiB of VMEM of a v5p or v7x core; v5e and v6e have 128 MiB, v4 has 16 MiB and is too small.
VMEM_BYTES = 48 << 20

# On a GPU: columns of a tile, of which registers hold few, and programs. A choice: never timed.
GPU_PACK = 32
PROGRAMS = 128


@dataclasses.dataclass(frozen=True)
class Shape:
    """What a kernel is compiled for; arrays may be wider than the model's widths, filled up with zeros."""

    tokens: int  # columns of a cell T: a power of two
    seen: int  # bit t is set where token t has bands; at least one is
    pack: int  # columns of one block-diagonal product
    packs: int  # in a tile
    width: int  # D of the model
    heads: int
    hidden: int  # width of the MLP
    depth: int
    wide: int  # width of the result W of the model
    pool_heads: int
    dtype: str
    gpu: bool = False  # the rules of Triton: no slices, powers of two, products of 16 rows or more

    @property
    def columns(self) -> int:
        """Columns of a tile R."""
        return self.pack * self.packs

    @property
    def cells(self) -> int:
        """Cells of a tile."""
        return self.columns // self.tokens

    @property
    def queries(self) -> int:
        """Rows of the pooling of a pack: one a cell, or T alike where products of few rows are refused."""
        return self.pack if self.gpu else self.pack // self.tokens

    def vmem_bytes(self) -> int:
        """What the backward kernel holds on chip, estimated: weights and their gradients, a tile's layers, and what is live.

        For size `b` 15 MiB; compiled for TPU v5p it needs between 10 and 14.
        """
        d, h, w = self.width, self.hidden, self.wide
        d_lanes, h_lanes, w_lanes = (math.ceil(n / PACK) * PACK for n in (d, h, w))
        layer = (4 * d + h) * d_lanes + d * h_lanes + (9 * d + h) * PACK
        rest = w * d_lanes + (3 * d + w) * PACK + self.pool_heads * (w + self.queries) * w_lanes
        tile = self.columns * ((self.depth + 4) * d + 3 * h + 2 * w + 2 * self.heads * PACK)
        return 4 * (2 * (self.depth * layer + rest) + tile)


def shape_of(model: Model, groups: int, has_bands: np.ndarray | None = None, cells: int | None = None) -> Shape:
    """The sizes of a TPU kernel, with as many packs a tile as the cells fill and `MOST_PACKS` and VMEM allow.

    Args:
      model: the encoder's sizes.
      groups: spectral tokens of a cell G.
      has_bands: bool [G], or None for all.
      cells: how many cells there are at least; None: many.

    Raises:
      ValueError: more than `MOST_GROUPS` tokens, none, or weights too large for the chip.
    """
    if not 1 <= groups <= MOST_GROUPS:
        raise ValueError(
            f"model.kernel: the spectral kernel takes 1 to {MOST_GROUPS} spectral tokens a cell, got {groups}; take "
            "model.kernel='xla' (or 'auto'), or give the sensor fewer groups of bands (token_edges_nm)."
        )
    tokens = 1 << (groups - 1).bit_length()
    seen = range(groups) if has_bands is None else np.flatnonzero(has_bands)
    d = model.spectral_width
    shape = Shape(
        tokens, sum(1 << int(t) for t in seen), PACK, MOST_PACKS, d, model.spectral_heads, model.mlp_ratio * d,
        model.spectral_depth, model.width, model.heads, model.dtype,
    )  # fmt: skip
    while shape.packs > 1 and (shape.vmem_bytes() > VMEM_BYTES or (cells and cells <= shape.cells // 2)):
        shape = dataclasses.replace(shape, packs=shape.packs // 2)
    if shape.vmem_bytes() > VMEM_BYTES:
        raise ValueError(
            f"model.kernel: the spectral kernel keeps its weights on chip, in {VMEM_BYTES >> 20} MiB, and spectral_width {d}, "
            f"spectral_depth {model.spectral_depth} and width {model.width} take {shape.vmem_bytes() >> 20} MiB; take "
            "model.kernel='xla' (or 'auto')."
        )
    return shape


def on_gpu(shape: Shape, cells: int) -> tuple[Shape, int]:
    """The sizes of a GPU kernel, and how many programs compute a gradient.

    Every program of the gradient takes one tile after another and keeps its own sums of the weights' gradients: `PROGRAMS` fill
    the multiprocessors of a large GPU (H100: 132), and their sums stay small.
    """
    shape = dataclasses.replace(shape, gpu=True, packs=1, pack=max(GPU_PACK, shape.tokens))
    return shape, min(PROGRAMS, math.ceil(cells / shape.cells))


def fits(model: Model, groups: int) -> bool:
    """Whether there is a kernel for a model and a number of groups of bands."""
    try:
        shape_of(model, groups)
    except ValueError:
        return False
    return True


def flops(model: Model, groups: int, cells: int) -> tuple[float, float]:
    """Floating-point operations of `ReadSpectrum`, forward and backward, a multiplication and an addition being two.

    Products of matrices alone, of the tokens that are there: what the model needs, however it is computed. The backward pass
    is twice the forward; that the kernel computes the forward again is not counted, as usual for utilisation.

    Args:
      model: the encoder's sizes.
      groups: spectral tokens of a cell G.
      cells: how many cells.
    """
    d, w = model.spectral_width, model.width
    token = model.spectral_depth * ((4 + 2 * model.mlp_ratio) * d * d + 2 * groups * d) + d * w + 2 * model.heads * w
    forward = 2.0 * cells * (groups * token + 2 * w * w)
    return forward, 2.0 * forward


def executed(shape: Shape, cells: int) -> tuple[int, int]:
    """Floating-point operations and exponentials of the forward kernel, padding and masked products included."""
    d, h, w = shape.width, shape.hidden, shape.wide
    pairs = shape.heads * shape.pack
    layer = 4 * d * d + 2 * d * h + 2 * shape.heads * d * shape.pack
    pool = shape.pool_heads * (2 * w * shape.queries + w * w * shape.queries // shape.pack)
    token = shape.depth * layer + d * w + pool
    exponentials = shape.depth * (pairs + h) + shape.pool_heads * shape.queries
    columns = math.ceil(cells / shape.cells) * shape.columns
    return 2 * columns * token, columns * exponentials
