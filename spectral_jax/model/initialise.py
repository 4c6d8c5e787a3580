"""How parameters start: the draws, and a way to run them that does not take minutes to compile."""

import math
import re
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.extend import core

# PyTorch's trunc_normal_: its bounds of +-2 are values, which is +-100 deviations.
DRAWN_STD = 0.02
_BOUND = 100.0

# What is given and never trained: the whitening of spectra. Updates, weight decay and the teacher's average leave it alone.
FROZEN = re.compile(r"/whitening/([^/]+/)?(kernel|offset)$")
# What `init_std` does not set: ones, Xavier weights, the network that makes the wavelength tokenizer's weights, what a stem is
# made of, the skip and the carry (by the number of their inputs), and what is given.
OWN_SPREAD = re.compile(
    rf"/scale$|/pool/qkv/kernel$|/generate/(hidden\d|weight)/kernel$|/tokenize/(stem/.*|merge)/kernel$|/skip/linear/kernel$|/carry/kernel$"
    rf"|{FROZEN.pattern}"
)


def TRUNCATED(key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
    """The initializer of weights: normal with deviation 0.02, cut at +-2 as PyTorch's trunc_normal_ is.

    Drawn is the next power of 4, flat, and what is too much is left: the numbers of a key do not depend on how many there are
    (JAX's threefry since it is partitionable), and one program draws arrays of many shapes.
    """
    count = math.prod(shape)
    return _drawn(key, 4 ** math.ceil((count - 1).bit_length() / 2), jnp.dtype(dtype).name)[:count].reshape(shape)


@partial(jax.jit, static_argnames=("count", "dtype"))
def _drawn(key, count, dtype):
    return jnp.array(DRAWN_STD, dtype) * jax.random.truncated_normal(key, -_BOUND, _BOUND, (count,), jnp.dtype(dtype))


def zero_bias(fan_in: int) -> Callable:
    """The initializer of a bias that starts at 0, whatever the number of inputs."""
    return nn.initializers.zeros


def torch_bias(fan_in: int) -> Callable:
    """The initializer of PyTorch's biases, of linear layers and convolutions alike: uniform within +-1/sqrt(fan in)."""
    return lambda key, shape, dtype: jax.random.uniform(key, shape, dtype, -(fan_in**-0.5), fan_in**-0.5)


def fan_in(key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
    """The initializer of layers that take what has variance 1 to what has: deviation one by the root of the inputs."""
    return TRUNCATED(key, shape, dtype) * jnp.asarray(1.0 / (DRAWN_STD * math.sqrt(shape[-2])), dtype)


def frozen(path) -> bool:
    """Whether the leaf at a path of `jax.tree_util` is one of `FROZEN`."""
    return FROZEN.search("/" + jax.tree_util.keystr(path, simple=True, separator="/")) is not None


def respread(params: dict, init_std: float) -> dict:
    """Fresh parameters with the normal draws of `TRUNCATED` scaled to the standard deviation `init_std`."""
    ratio = init_std / DRAWN_STD

    def scaled(path, leaf):
        own = OWN_SPREAD.search("/" + jax.tree_util.keystr(path, simple=True, separator="/"))
        return leaf if own or ratio == 1.0 else leaf * ratio

    return jax.tree_util.tree_map_with_path(scaled, params)


def run(function: Callable, *args):
    """`function(*args)`, bit for bit: those of its operations that the result needs, each compiled by itself.

    What modules compute while their parameters are made is left out. As one program, size `b` takes more than a minute of
    compiling, as XLA takes each of its 357 draws by itself; here operations of one kind share a program. To be called outside
    `jax.jit`: inside, the operations become part of the one program.

    Args:
      function: of arrays, to a tree of arrays. What it computes again (`jax.checkpoint`) is one operation.
      args: trees of arrays.
    """
    traced, shapes = jax.make_jaxpr(function, return_shape=True)(*args)
    needed, kept = set(_variables(traced.jaxpr.outvars)), []
    for equation in reversed(traced.jaxpr.eqns):
        if needed.intersection(equation.outvars):
            kept.append(equation)
            needed.update(_variables(equation.invars))
    alone = traced.replace(jaxpr=traced.jaxpr.replace(eqns=kept[::-1]))
    return jax.tree.unflatten(jax.tree.structure(shapes), core.jaxpr_as_fun(alone)(*jax.tree.leaves(args)))


def _variables(atoms):
    return (atom for atom in atoms if isinstance(atom, core.Var))
