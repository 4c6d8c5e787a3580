"""DOFA checkpoints, version 1 and 2, to our parameters and back."""

import jax

from spectral_jax.interop import names, recognise
from spectral_jax.interop.account import Account, Row, take
from spectral_jax.interop.names import Leaf
from spectral_jax.interop.recognise import Mark
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published import dofa
from spectral_jax.model.published.dofa import DofaConfig

MARK = "patch_embed.weight_generator."
MARKS = (
    Mark("dofa v2", "model.blocks.0.ls1.gamma", "blocks.0.norm1.weight", dofa.SIZES[2]),
    Mark("dofa v1", MARK, "blocks.0.norm1.weight", dofa.SIZES[1]),
)
MODELS = {"dofa": dofa.MODEL}
IGNORED = {
    r"^mask_token$": "mask token of pretraining",
    r"^projector\.": "projector to the teacher of pretraining",
    r"^head\.": "classification head",
}
# Of one version only: version 1 pools before it normalises, and version 2 has no norm of that name.
IGNORED_BY_VERSION = {
    1: {r"^norm\.": "norm of the class token, which mean pooling does not use"},
    2: {r"^fc_norm\.": "norm of pooled tokens, which version 2 does not have"},
}


def read(weights: Weights, layout: str, heads: int | None = None, size: str | None = None) -> tuple[DofaConfig, dict, Account]:
    """Config and parameters of a DOFA encoder; which version it is, the keys tell.

    Args:
      weights: of `weights_file.read`.
      layout: "new" for weights trained with the kernel as TorchGeo reads it, "old" for those before; nothing in a file tells.
      heads: attention heads; needed only for a width that was not published.
      size: such as "base" if only that will do.

    Returns:
      Config, parameters as float32 NumPy arrays, and the account of all keys.

    Raises:
      ValueError: another model or size, or a key that is missing, misshapen or unknown.
    """
    file, tensors = weights.file, weights.tensors
    recognise.expect_family(file, tensors, "dofa", MARK)
    version = 2 if any(key.startswith("model.blocks.") for key in tensors) else 1
    trunk = "model." if version == 2 else ""
    width = len(recognise.telling(file, tensors, f"{MARK}fc_bias.bias", 1, MARKS))
    depth = recognise.count_blocks(tensors, f"{trunk}blocks")
    recognise.expect_size(file, tensors, (width, depth), size, dofa.SIZES[version], MARKS)
    numbers = len(recognise.telling(file, tensors, f"{MARK}fc_weight.bias", 1, MARKS))
    positions = recognise.telling(file, tensors, f"{trunk}pos_embed", 3, MARKS).shape[1] - 1
    cfg = DofaConfig(
        width=width,
        depth=depth,
        heads=recognise.heads_of(file, heads, weights.settings.get("num_heads"), width, dofa.SIZES[version]),
        layout=layout,
        patch=recognise.side(file, f"{MARK}fc_weight.bias", numbers // width),
        grid=recognise.side(file, f"{trunk}pos_embed", positions),
        version=version,
        pool_norm=version == 1 and "fc_norm.weight" in tensors,
    )
    absent: tuple[Row, ...] = ()
    if version == 1 and not cfg.pool_norm:
        absent = (Row("fc_norm", "absent", "norm of pooled tokens: applied with scale 1 and bias 0, as TorchGeo does"),)
    shapes = jax.eval_shape(lambda: dofa.init(jax.random.key(0), cfg))
    return cfg, *take(weights, leaves(cfg), shapes, IGNORED | IGNORED_BY_VERSION[version], MARKS, absent)


def leaves(cfg: DofaConfig) -> list[Leaf]:
    """Published name, our path and layout of every parameter."""
    trunk = "model." if cfg.version == 2 else ""
    layer, path = f"{MARK}transformer_encoder.layers.0", "kernel/transformer"
    found = [
        Leaf(f"{trunk}cls_token", "class/token", names.VECTOR),
        Leaf(f"{trunk}pos_embed", "class/positions", names.TABLE),
        Leaf(f"{MARK}weight_tokens", "kernel/weight_tokens"),
        Leaf(f"{MARK}bias_token", "kernel/bias_token", names.ROW),
        Leaf(f"{layer}.self_attn.in_proj_weight", f"{path}/attend/qkv/kernel", names.LINEAR),
        Leaf(f"{layer}.self_attn.in_proj_bias", f"{path}/attend/qkv/bias"),
        *names.linear(f"{layer}.self_attn.out_proj", f"{path}/attend/out"),
        *names.linear(f"{layer}.linear1", f"{path}/mlp/in"),
        *names.linear(f"{layer}.linear2", f"{path}/mlp/out"),
        *names.norm(f"{layer}.norm1", f"{path}/norm1"),
        *names.norm(f"{layer}.norm2", f"{path}/norm2"),
        *names.linear(f"{MARK}fc_weight", "kernel/weight"),
        *names.linear(f"{MARK}fc_bias", "kernel/bias"),
        *names.linear("patch_embed.fclayer.w1", "kernel/refine1"),
        *names.linear("patch_embed.fclayer.w2", "kernel/refine2"),
        *names.blocks(f"{trunk}blocks", cfg.depth, layer_scale=cfg.version == 2),
    ]
    if cfg.version == 2:
        return found + names.norm("model.norm", "norm") + names.norm("norm", "spare_norm")
    return found + (names.norm("fc_norm", "pool_norm") if cfg.pool_norm else [])


def publish(params: dict, cfg: DofaConfig) -> dict:
    """The encoder's state dict as published: NumPy arrays by name."""
    return names.publish(params, leaves(cfg))
