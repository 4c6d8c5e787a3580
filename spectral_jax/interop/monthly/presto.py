"""Presto checkpoints, encoder and decoder, to our parameters and back.

Every parameter is told by its name, never by its place in the file: released files hold three of the groups of Sentinel-2 in
the order of older code. Which of the two orders the rows of the channel table have, the file does not tell; they are read as
the code has had it since (nasaharvest/presto 5afde40, 2023-09-21).
"""

import jax
import numpy as np

from spectral_jax.interop import names, recognise
from spectral_jax.interop.account import Account, Row, take
from spectral_jax.interop.monthly import fixed_tables
from spectral_jax.interop.names import Leaf
from spectral_jax.interop.recognise import Mark
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published.monthly import sines
from spectral_jax.model.published.presto import images
from spectral_jax.model.published.presto.inputs import GROUPS
from spectral_jax.model.published.presto.network import SIZES, PrestoConfig, init

MARK = "encoder.eo_patch_embed."
MARKS = (Mark("presto", MARK, "encoder.norm.weight", SIZES),)
MODELS = {"presto": images.MODEL}
# The encoder's table of channels, and the name under which the decoder holds the same one.
CHANNELS, AGAIN = "encoder.channel_embed.weight", "decoder.channel_embeddings.weight"


def read(weights: Weights, heads: int | None = None, size: str | None = None) -> tuple[PrestoConfig, dict, Account]:
    """Config and parameters of Presto, its decoder too where the file has one.

    Args:
      weights: of `weights_file.read`.
      heads: attention heads; needed only for a width that is not known here.
      size: "default" if only that will do.

    Returns:
      Config with the choices of images at their defaults (bands, month), parameters as float32 NumPy arrays, and the account of
      all keys.

    Raises:
      ValueError: another model, size or version, or a key that is missing, misshapen or unknown.
    """
    file, tensors = weights.file, dict(weights.tensors)
    recognise.expect_family(file, tensors, "presto", MARK)
    width = len(recognise.telling(file, tensors, "encoder.norm.weight", 1, MARKS))
    depth = recognise.count_blocks(tensors, "encoder.blocks")
    recognise.expect_size(file, tensors, (width, depth), size, SIZES, MARKS)
    cfg = PrestoConfig(
        width=width,
        depth=depth,
        heads=recognise.heads_of(file, heads, weights.settings.get("num_heads"), width, SIZES),
        steps=recognise.telling(file, tensors, "encoder.pos_embed", 3, MARKS).shape[1],
        decoder_depth=recognise.count_blocks(tensors, "decoder.decoder_blocks"),
    )
    fixed_tables.expect(file, tensors, _tables(cfg))
    same: tuple[Row, ...] = ()
    if cfg.decoder_depth:
        again = recognise.telling(file, tensors, AGAIN, 2, MARKS)
        if CHANNELS in tensors and not np.array_equal(again, tensors[CHANNELS], equal_nan=True):
            raise ValueError(
                f"{file}: {AGAIN} differs from {CHANNELS}, expected the same numbers: encoder and decoder share one table; "
                "fetch the file again."
            )
        tensors.pop(AGAIN)
        same = (Row(AGAIN, "ignored", f"the same table as {CHANNELS}"),)
    shapes = jax.eval_shape(lambda: init(jax.random.key(0), cfg))
    return cfg, *take(weights._replace(tensors=tensors), leaves(cfg), shapes, {}, MARKS, same)


def leaves(cfg: PrestoConfig) -> list[Leaf]:
    """Published name, our path and layout of every parameter."""
    found = [
        Leaf("encoder.pos_embed", "steps", names.TABLE),
        Leaf("encoder.month_embed.weight", "months"),
        Leaf(CHANNELS, "channels"),
        Leaf("encoder.dw_embed.weight", "dynamic_world"),
        *names.linear("encoder.latlon_embed", "place"),
        *names.norm("encoder.norm", "norm"),
        *names.blocks("encoder.blocks", cfg.depth),
    ]
    for group in GROUPS:
        found += names.linear(f"encoder.eo_patch_embed.{group}", f"embed_{group}")
    if not cfg.decoder_depth:
        return found
    for group in GROUPS:
        found += names.linear(f"decoder.eo_decoder_pred.{group}", f"decoder/{group}")
    return [
        *found,
        Leaf("decoder.mask_token", "decoder/mask_token"),
        Leaf("decoder.pos_embed", "decoder/steps", names.TABLE),
        Leaf("decoder.month_embed.weight", "decoder/months"),
        *names.linear("decoder.decoder_embed", "decoder/embed"),
        *names.norm("decoder.decoder_norm", "decoder/norm"),
        *names.linear("decoder.dw_decoder_pred", "decoder/dynamic_world"),
        *names.blocks("decoder.decoder_blocks", cfg.decoder_depth, trunk="decoder/trunk"),
    ]


def publish(params: dict, cfg: PrestoConfig) -> dict:
    """The state dict as published: NumPy arrays by name; the shared table of channels under both of its names."""
    state = names.publish(params, leaves(cfg))
    return state | ({AGAIN: state[CHANNELS]} if cfg.decoder_depth else {})


def _tables(cfg):
    """Published name -> what the formulas give for the tables that do not train."""
    part = cfg.width // 4
    tables = {
        "encoder.pos_embed": sines.presto_steps(cfg.steps, 2 * part)[None],
        "encoder.month_embed.weight": sines.months(part),
    }
    if cfg.decoder_depth:
        rest = (cfg.width - part) // 2
        tables |= {
            "decoder.pos_embed": sines.presto_steps(cfg.steps, rest)[None],
            "decoder.month_embed.weight": sines.months(rest),
        }
    return tables
