"""SpecTf's cloud checkpoints to our parameters and back; which release one is, its numbers tell and nothing else in it."""

import hashlib
from collections.abc import Mapping

import jax
import numpy as np

from spectral_jax.interop import names, recognise
from spectral_jax.interop.account import Account, take
from spectral_jax.interop.names import Leaf
from spectral_jax.interop.recognise import Mark
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published import spectf
from spectral_jax.model.published.spectf import SpecTfConfig
from spectral_jax.sentences import unknown

MARK = "spectral_embed.linear."
MARKS = (Mark("spectf", MARK, "layers.0.norm1.weight", spectf.SIZES),)
MODELS = {"spectf": spectf.MODEL}
# `fingerprint` of the released files, emit-sds/SpecTf, commit 2f7f05b, `spectf_cloud/weights`; measured.
FINGERPRINTS = {"e601bb764029dc5b": "v0.0.1", "f146d7a2aa318714": "v0.1.0"}


def read(
    weights: Weights, release: str | None = None, heads: int | None = None, size: str | None = None
) -> tuple[SpecTfConfig, dict, Account]:
    """Config and parameters of a SpecTf encoder with its head.

    Args:
      weights: of `weights_file.read`.
      release: "v0.0.1" or "v0.1.0", whose threshold it has; needed only for numbers that were not released.
      heads: attention heads; needed only for a width that was not published.
      size: "cloud" if only that will do.

    Returns:
      Config, parameters as float32 NumPy arrays, and the account of all keys.

    Raises:
      ValueError: another model, size or release, a release that is not known, or a key that is missing, misshapen or unknown.
    """
    file, tensors = weights.file, weights.tensors
    recognise.expect_family(file, tensors, "spectf", MARK)
    if release is not None and release not in spectf.THRESHOLDS:
        raise unknown("release", "release of SpecTf", release, spectf.THRESHOLDS)
    width = len(recognise.telling(file, tensors, "layers.0.norm1.weight", 1, MARKS))
    depth = recognise.count_blocks(tensors, "layers")
    recognise.expect_size(file, tensors, (width, depth), size, spectf.SIZES, MARKS)
    hidden = len(recognise.telling(file, tensors, "layers.0.ff.linear1.bias", 1, MARKS))
    # The release is told only when all keys are known to be there: any one will do for their shapes.
    cfg = SpecTfConfig(width, recognise.heads_of(file, heads, weights.settings.get("num_heads"), width, spectf.SIZES), hidden)
    shapes = jax.eval_shape(lambda: spectf.init(jax.random.key(0), cfg))
    params, account = take(weights, leaves(cfg), shapes, {}, MARKS)
    return SpecTfConfig(width, cfg.heads, hidden, _release(file, tensors, release)), params, account


def leaves(cfg: SpecTfConfig) -> list[Leaf]:
    """Published name, our path and layout of every parameter; all sizes have the same."""
    del cfg
    attention = "layers.0.attention.attention"
    return [
        *names.linear("spectral_embed.linear", "embed"),
        *names.norm("layers.0.norm1", "norm1"),
        Leaf(f"{attention}.in_proj_weight", "attend/qkv/kernel", names.LINEAR),
        Leaf(f"{attention}.in_proj_bias", "attend/qkv/bias"),
        *names.linear(f"{attention}.out_proj", "attend/out"),
        *names.norm("layers.0.norm2", "norm2"),
        *names.linear("layers.0.ff.linear1", "mlp/in"),
        *names.linear("layers.0.ff.linear2", "mlp/out"),
        *names.linear("head", "head"),
    ]


def publish(params: dict, cfg: SpecTfConfig) -> dict:
    """The encoder's state dict as published: NumPy arrays by name."""
    return names.publish(params, leaves(cfg))


def fingerprint(tensors: Mapping[str, np.ndarray]) -> str:
    """Sixteen hexadecimal digits of the names and float32 numbers of a state dict, whatever file holds it."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        found.update(name.encode() + np.ascontiguousarray(tensors[name], "<f4").tobytes())
    return found.hexdigest()[:16]


def _release(file, tensors, asked) -> str:
    """The release of the numbers, or the one asked for where they are of none."""
    found = FINGERPRINTS.get(fingerprint(tensors))
    if found is None and asked is None:
        raise ValueError(
            f"{file}: expected the numbers of a release of SpecTf ({', '.join(spectf.THRESHOLDS)}), and these are of none; say "
            "by --release which one's threshold they have."
        )
    if None not in (found, asked) and found != asked:
        raise ValueError(f"{file} holds the numbers of SpecTf {found}, expected {asked}; give the other file, or its release.")
    return found or asked
