"""All of `ReadSpectrum` as one kernel: which form runs where, and the kernel called."""

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.pallas import tpu as pltpu

from spectral_jax.config import Model
from spectral_jax.model.encoder.spectral_kernel import tile
from spectral_jax.model.encoder.spectral_kernel.sizes import MOST_GROUPS, fits, on_gpu, shape_of
from spectral_jax.model.encoder.spectral_kernel.tpu import read_tiles
from spectral_jax.model.encoder.spectral_kernel.triton import padded, read_tiles_gpu
from spectral_jax.model.encoder.spectral_kernel.weights import varying_alike, weights_of


def chosen(model: Model, platform: str, groups: int = MOST_GROUPS, *, split: bool = False) -> str:
    """Which form of `ReadSpectrum` runs: "xla", "pallas" or "interpret".

    `auto` is "pallas" on a TPU where there is a kernel for the sizes, and else "xla": the two compute the same to rounding. On
    a GPU, where nobody has compiled and timed the kernel, it is "xla" too.

    Args:
      model: the encoder's sizes; `model.kernel` is what was asked for.
      platform: of the devices: tpu, cpu, gpu.
      groups: spectral tokens of a cell.
      split: whether XLA divides the program over devices, see `split_by_xla`; `auto` is "xla" then.

    Raises:
      ValueError: "pallas" where no kernel runs, or for sizes that it does not take.
    """
    if model.kernel == "auto":
        return "pallas" if platform == "tpu" and not split and fits(model, groups) else "xla"
    if model.kernel == "pallas" and platform not in ("tpu", "gpu", "cuda"):
        raise ValueError(
            f"model.kernel: 'pallas' is a kernel that runs on TPU, or GPU, and the devices here are {platform}; take 'xla', or "
            "'auto', which takes 'xla' here."
        )
    if model.kernel != "xla":
        shape_of(model, groups)
    return model.kernel


def read_spectrum(
    params: Mapping,
    x: jax.Array,
    has_bands: np.ndarray | None,
    model: Model,
    *,
    platform: str = "tpu",
    interpret: bool = False,
) -> jax.Array:
    """Spectral tokens of every cell to one spatial token, as `ReadSpectrum` does it.

    Under `jax.shard_map`, `x` may vary over axes of the mesh and `params` too; where they do not, they are made to vary.

    Args:
      params: parameters of `ReadSpectrum`, float32.
      x: spectral tokens [N G D].
      has_bands: bool [G], or None; a group without bands is never looked at.
      model: the encoder's sizes.
      platform: whose kernel: tpu, or gpu.
      interpret: runs the kernel's program by XLA, slowly, on any device.

    Returns:
      [N W] in the model's dtype.

    Raises:
      ValueError: sizes that the kernel does not take, see `shape_of`.
    """
    n, groups, d = x.shape
    shape = shape_of(model, groups, has_bands, n)
    programs = 1
    if platform != "tpu":  # gpu, or cuda
        shape, programs = on_gpu(shape, n)
    weights = weights_of(params, groups, shape)
    if not shape.seen:  # nothing to look at: what remains are the biases after the pooling
        row, _ = varying_alike((tile.finish(weights[1]["pool_bias"], weights[1], shape), x))
        return jnp.broadcast_to(row.astype(shape.dtype), (n, shape.wide))
    step = shape.cells * programs
    cells = math.ceil(n / step) * step
    x = jnp.pad(x.astype(shape.dtype), ((0, cells - n), (0, shape.tokens - groups), (0, 0)))
    given = varying_alike((x.reshape(cells * shape.tokens, d), *weights))
    # A kernel is traced without regard to what varies over a mesh. To interpret it by XLA is to evaluate its loops under
    # `shard_map`, which refuses their carries ("mismatched varying manual axes"); Pallas's own interpreter is a callback, and a
    # compiled kernel one operation.
    varies = bool(jax.typeof(given[0]).manual_axis_type.varying)
    how = pltpu.InterpretParams() if interpret and varies else interpret
    if platform == "tpu":
        return read_tiles(shape, how, *given)[:n]
    given = padded(given[0], axes=1), *jax.tree.map(padded, given[1:])
    y = read_tiles_gpu(shape, programs, how, *given)
    return y[:: shape.tokens][:n, : shape.wide]
