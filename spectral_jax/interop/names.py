"""Published parameter names beside our paths, and how an array changes its layout between them, both ways."""

from typing import NamedTuple

import einops
import jax
import numpy as np

# Published layout -> ours; read backwards for the way out. The letters are those of the published code's own documentation.
LINEAR = "o i -> i o"
CONVOLUTION = "o i h w -> h w i o"
SPECTRAL = "o i t 1 1 -> t i o"
VECTOR = "1 1 d -> d"
ROW = "1 d -> d"
TABLE = "1 n d -> n d"
# PyTorch counts batches in int64; it is a float here, because gradients cannot be asked for whole numbers.
COUNTER = "count"
SAME = ""


class Leaf(NamedTuple):
    """One parameter: its published name, our path with slashes, and the layout that leads from one to the other."""

    name: str
    path: str
    layout: str = SAME
    sizes: tuple[tuple[str, int], ...] = ()

    def ours(self, value):
        """The published array in our layout."""
        if self.layout in (SAME, COUNTER):
            return value
        return einops.rearrange(value, self.layout, **dict(self.sizes))

    def published(self, value):
        """Our array in the published layout and type."""
        if self.layout == COUNTER:
            return np.asarray(value).astype(np.int64)
        if self.layout == SAME:
            return value
        before, after = self.layout.split(" -> ")
        return einops.rearrange(value, f"{after} -> {before}", **dict(self.sizes))

    def published_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The published shape of a parameter whose shape here is `shape`."""
        if self.layout in (SAME, COUNTER):
            return shape
        return jax.eval_shape(self.published, jax.ShapeDtypeStruct(shape, np.float32)).shape


def linear(name: str, path: str, bias: bool = True) -> list[Leaf]:
    """A linear layer."""
    return [Leaf(f"{name}.weight", f"{path}/kernel", LINEAR), *([Leaf(f"{name}.bias", f"{path}/bias")] if bias else [])]


def norm(name: str, path: str) -> list[Leaf]:
    """A LayerNorm."""
    return [Leaf(f"{name}.weight", f"{path}/scale"), Leaf(f"{name}.bias", f"{path}/bias")]


def batch_norm(name: str, path: str) -> list[Leaf]:
    """A batch normalisation with its running statistics."""
    return [
        *norm(name, path),
        Leaf(f"{name}.running_mean", f"{path}/mean"),
        Leaf(f"{name}.running_var", f"{path}/var"),
        Leaf(f"{name}.num_batches_tracked", f"{path}/batches", COUNTER),
    ]


def blocks(
    prefix: str, depth: int, gated: bool = False, bias: bool = True, layer_scale: bool = False, trunk: str = "trunk"
) -> list[Leaf]:
    """Transformer blocks as timm names them, from `<prefix>.0` on; gated ones have `fc3` for the gate. `trunk`: our path."""
    leaves = []
    for i in range(depth):
        name, path = f"{prefix}.{i}", f"{trunk}/block{i}"
        leaves += norm(f"{name}.norm1", f"{path}/norm1")
        leaves += linear(f"{name}.attn.qkv", f"{path}/attend/qkv", bias) + linear(
            f"{name}.attn.proj", f"{path}/attend/out", bias
        )
        leaves += [Leaf(f"{name}.ls1.gamma", f"{path}/scale1")] if layer_scale else []
        leaves += norm(f"{name}.norm2", f"{path}/norm2")
        leaves += linear(f"{name}.mlp.fc1", f"{path}/mlp/in", bias) + linear(f"{name}.mlp.fc2", f"{path}/mlp/out", bias)
        leaves += linear(f"{name}.mlp.fc3", f"{path}/mlp/gate", bias) if gated else []
        leaves += [Leaf(f"{name}.ls2.gamma", f"{path}/scale2")] if layer_scale else []
    return leaves


def flatten(params: dict) -> dict:
    """A nested dict of arrays by path with slashes."""
    leaves = jax.tree_util.tree_flatten_with_path(params)[0]
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def nest(flat: dict) -> dict:
    """The inverse of `flatten`."""
    tree: dict = {}
    for path, value in flat.items():
        *folders, name = path.split("/")
        node = tree
        for folder in folders:
            node = node.setdefault(folder, {})
        node[name] = value
    return tree


def publish(params: dict, leaves: list[Leaf]) -> dict[str, np.ndarray]:
    """Our parameters by their published names and in their published layout, contiguous."""
    flat = flatten(params)
    return {leaf.name: np.asarray(leaf.published(np.asarray(flat[leaf.path])), order="C") for leaf in leaves}
