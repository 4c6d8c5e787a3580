"""Galileo checkpoints to our parameters and back."""

import jax

from spectral_jax.interop import names, recognise
from spectral_jax.interop.account import Account, take
from spectral_jax.interop.monthly import fixed_tables
from spectral_jax.interop.names import Leaf
from spectral_jax.interop.recognise import Mark
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published.galileo import images
from spectral_jax.model.published.galileo.channels import KINDS
from spectral_jax.model.published.galileo.network import SIZES, GalileoConfig, init
from spectral_jax.model.published.monthly import sines

MARK = "space_time_embed."
MARKS = (Mark("galileo", MARK, "blocks.0.norm1.weight", SIZES),)
MODELS = {"galileo": images.MODEL}
IGNORED = {r"^decoder\.": "decoder of pretraining"}
# Our name of a kind of groups -> what its channel table is called, as published.
TABLES = {"space_time": "s_t", "space": "sp", "time": "t", "static": "st"}


def read(weights: Weights, heads: int | None = None, size: str | None = None) -> tuple[GalileoConfig, dict, Account]:
    """Config and parameters of a Galileo encoder.

    Args:
      weights: of `weights_file.read`; published evaluation uses `encoder.pt`, not the moving average `target_encoder.pt`.
      heads: attention heads; needed only for a width that is not known here.
      size: "nano" if only that will do.

    Returns:
      Config with the choices of images at their defaults (patch, bands, month), parameters as float32 NumPy arrays, and the
      account of all keys.

    Raises:
      ValueError: another model, size or version, or a key that is missing, misshapen or unknown.
    """
    file, tensors = weights.file, weights.tensors
    recognise.expect_family(file, tensors, "galileo", MARK)
    width = len(recognise.telling(file, tensors, "norm.weight", 1, MARKS))
    depth = recognise.count_blocks(tensors, "blocks")
    recognise.expect_size(file, tensors, (width, depth), size, SIZES, MARKS)
    kernel = recognise.telling(file, tensors, f"{MARK}S1.proj.weight", 4, MARKS)
    cfg = GalileoConfig(
        width=width,
        depth=depth,
        heads=recognise.heads_of(file, heads, weights.settings.get("num_heads"), width, SIZES),
        size=kernel.shape[2],
        steps=len(recognise.telling(file, tensors, "pos_embed", 2, MARKS)),
        patch=min(GalileoConfig.patch, kernel.shape[2]),
    )
    tables = {"pos_embed": sines.galileo_steps(cfg.steps, width // 4), "month_embed.weight": sines.months(width // 4)}
    fixed_tables.expect(file, tensors, tables)
    shapes = jax.eval_shape(lambda: init(jax.random.key(0), cfg))
    return cfg, *take(weights, leaves(cfg), shapes, IGNORED, MARKS)


def leaves(cfg: GalileoConfig) -> list[Leaf]:
    """Published name, our path and layout of every parameter."""
    found = [Leaf("pos_embed", "embed/steps"), Leaf("month_embed.weight", "embed/months"), *names.norm("norm", "norm")]
    for kind in KINDS:
        found.append(Leaf(f"{TABLES[kind.name]}_channel_embed", f"embed/{kind.name}_channels"))
        for group in kind.groups:
            name, path = f"{kind.name}_embed.{group}", f"embed/{group}"
            if kind.spatial:
                found += [
                    Leaf(f"{name}.proj.weight", f"{path}/kernel", names.CONVOLUTION),
                    Leaf(f"{name}.proj.bias", f"{path}/bias"),
                ]
            else:
                found += names.linear(name, path)
    for i in range(cfg.depth):
        name, path = f"blocks.{i}", f"trunk/block{i}"
        for norm in ("norm1", "norm2"):
            found += names.norm(f"{name}.{norm}", f"{path}/{norm}")
        for theirs, ours in (("attn.q", "attend/q"), ("attn.k", "attend/k"), ("attn.v", "attend/v"), ("attn.proj",
        "attend/out"),
                             ("mlp.fc1", "mlp/in"), ("mlp.fc2", "mlp/out")):  # fmt: skip
            found += names.linear(f"{name}.{theirs}", f"{path}/{ours}")
    return found


def publish(params: dict, cfg: GalileoConfig) -> dict:
    """The encoder's state dict as published: NumPy arrays by name."""
    return names.publish(params, leaves(cfg))
