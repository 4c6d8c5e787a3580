"""SpectralEarth checkpoints, vision transformer or Spec-ResNet-50, to our parameters and back."""

import re
from functools import partial

import jax

from spectral_jax.interop import names, recognise
from spectral_jax.interop.account import Account, Row, take
from spectral_jax.interop.names import Leaf
from spectral_jax.interop.recognise import Mark
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published import spectralearth, spectralearth_resnet
from spectral_jax.model.published.spectralearth import SpectralEarthConfig
from spectral_jax.model.published.spectralearth_resnet import EXPANSION, SpectralEarthResNetConfig

MARK = "spectral_adapter."
# How names with the mark begin, masked pretraining's copies included.
ROOT = r"(?:encoder\.)?(?:vit\.)?(?:spec_vit\.)?(?:(?:vit_core\.)?patch_embed\.)?spectral_adapter\."
MARKS = (
    Mark("spectralearth resnet50", "resnet.layer1.", "", {}),
    Mark("spectralearth", MARK, "blocks.0.norm1.weight", spectralearth.SIZES),
)
MODELS = {"spectralearth": spectralearth.MODEL, "spectralearth_resnet": spectralearth_resnet.MODEL}
# Place in the adapter's sequence of each convolution; its normalisation follows.
CONVOLUTIONS = (0, 3, 6)
IGNORED = {
    r"^decoder\.": "decoder of masked pretraining",
    r"^mask_token$": "mask token of pretraining",
    r"^(vit_core\.|resnet\.)?(head|fc)\.": "classification head of pretraining",
}
# Names under which masked pretraining stores the same module again, and what the plain encoder calls it.
ALIASES = (
    (r"^(encoder\.)?(vit\.)?(spec_vit\.)?", ""),
    (r"^(vit_core\.)?patch_embed\.spectral_adapter\.", "spectral_adapter."),
    (r"^(vit_core\.)?patch_embed\.(original_patch_embed\.)?proj\.", "vit_core.patch_embed.proj."),
    (r"^(blocks\.|norm\.|cls_token$|pos_embed$)", r"vit_core.\1"),
)


def read(
    weights: Weights, heads: int | None = None, size: str | None = None
) -> tuple[SpectralEarthConfig | SpectralEarthResNetConfig, dict, Account]:
    """Config and parameters of a SpectralEarth encoder; which of the two it is, the keys tell.

    Args:
      weights: of `weights_file.read`. Copies of a module under other names, as masked pretraining stores them, must be equal.
      heads: attention heads of a transformer; needed only for a width that was not published.
      size: "tiny" to "giant" if only that will do.

    Returns:
      Config, parameters as float32 NumPy arrays, and the account of all keys.

    Raises:
      ValueError: another model or size, copies that differ, or a key that is missing, misshapen or unknown.
    """
    file = weights.file
    recognise.expect_family(file, weights.tensors, "spectralearth", MARK)
    weights, rows, spelled = _without_copies(weights)
    tensors = weights.tensors
    first, second, third = (
        len(recognise.telling(file, tensors, f"spectral_adapter.{i}.weight", 5, MARKS)) for i in CONVOLUTIONS
    )
    adapter = (first, second, third)
    cfg: SpectralEarthConfig | SpectralEarthResNetConfig
    if any(key.startswith("resnet.") for key in tensors):
        cfg = _resnet(file, tensors, adapter, size)
        shapes = jax.eval_shape(partial(spectralearth_resnet.init, cfg=cfg), jax.random.key(0))
    else:
        cfg = _transformer(weights, adapter, heads, size)
        shapes = jax.eval_shape(partial(spectralearth.init, cfg=cfg), jax.random.key(0))
    params, account = take(weights, leaves(cfg), shapes, IGNORED, MARKS, rows)
    return cfg, params, account._replace(rows=tuple(r._replace(key=spelled.get(r.key, r.key)) for r in account.rows))


def _resnet(file: str, tensors: dict, adapter: tuple[int, int, int], size: str | None) -> SpectralEarthResNetConfig:
    if size is not None:
        looks = recognise.looks_like(tensors, MARKS)
        raise ValueError(f"{file} looks like {looks}, expected {size} of the vision transformers.")
    outside = len(recognise.telling(file, tensors, "resnet.layer1.0.conv3.weight", 4, MARKS))
    one, two, three, four = (recognise.count_blocks(tensors, f"resnet.layer{i + 1}") for i in range(4))
    cfg = SpectralEarthResNetConfig(outside // EXPANSION, (one, two, three, four), adapter)
    if cfg.width == SpectralEarthResNetConfig.width and cfg.depths != SpectralEarthResNetConfig.depths:
        raise ValueError(
            f"{file}: stages of {cfg.depths} blocks, expected {SpectralEarthResNetConfig.depths}; keys are missing."
        )
    return cfg


def _transformer(weights: Weights, adapter: tuple[int, int, int], heads: int | None, size: str | None) -> SpectralEarthConfig:
    file, tensors = weights.file, weights.tensors
    width, _, patch, _ = recognise.telling(file, tensors, "vit_core.patch_embed.proj.weight", 4, MARKS).shape
    depth = recognise.count_blocks(tensors, "vit_core.blocks")
    recognise.expect_size(file, tensors, (width, depth), size, spectralearth.SIZES, MARKS)
    positions = recognise.telling(file, tensors, "vit_core.pos_embed", 3, MARKS).shape[1] - 1
    return SpectralEarthConfig(
        width=width,
        depth=depth,
        heads=recognise.heads_of(file, heads, weights.settings.get("num_heads"), width, spectralearth.SIZES),
        patch=patch,
        grid=recognise.side(file, "vit_core.pos_embed", positions),
        adapter=adapter,
    )


def leaves(cfg: SpectralEarthConfig | SpectralEarthResNetConfig) -> list[Leaf]:
    """Published name, our path and layout of every parameter."""
    found = []
    for i, place in enumerate(CONVOLUTIONS):
        found += [
            Leaf(f"spectral_adapter.{place}.weight", f"adapter/kernel{i}", names.SPECTRAL),
            Leaf(f"spectral_adapter.{place}.bias", f"adapter/bias{i}"),
            *names.batch_norm(f"spectral_adapter.{place + 1}", f"adapter/norm{i}"),
        ]
    if isinstance(cfg, SpectralEarthResNetConfig):
        return found + [leaf for stage, depth in enumerate(cfg.depths) for i in range(depth) for leaf in _bottleneck(stage, i)]
    pixels = (("h", cfg.patch), ("w", cfg.patch))
    return [
        *found,
        Leaf("vit_core.cls_token", "class/token", names.VECTOR),
        Leaf("vit_core.pos_embed", "class/positions", names.TABLE),
        Leaf("vit_core.patch_embed.proj.weight", "embed/kernel", "o i h w -> (h w i) o", pixels),
        Leaf("vit_core.patch_embed.proj.bias", "embed/bias"),
        *names.blocks("vit_core.blocks", cfg.depth),
        *names.norm("vit_core.norm", "norm"),
    ]


def publish(params: dict, cfg: SpectralEarthConfig | SpectralEarthResNetConfig) -> dict:
    """The encoder's state dict as published, without copies: NumPy arrays by name."""
    return names.publish(params, leaves(cfg))


def _bottleneck(stage, i):
    name, path = f"resnet.layer{stage + 1}.{i}", f"stage{stage}_block{i}"
    parts = [(f"{name}.conv{n}", f"{name}.bn{n}", f"{path}/conv{n}") for n in (1, 2, 3)]
    if i == 0:
        parts.append((f"{name}.downsample.0", f"{name}.downsample.1", f"{path}/skip"))
    return [
        leaf
        for convolution, norm, ours in parts
        for leaf in (
            Leaf(f"{convolution}.weight", f"{ours}/kernel", names.CONVOLUTION),
            *names.batch_norm(norm, f"{ours}/norm"),
        )
    ]


def _without_copies(weights):
    """The file with each tensor once under its plain name, rows for the copies, and how the file spells each plain name."""
    kept, rows, spelled = {}, [], {}
    for key, value in weights.tensors.items():
        name = key
        for pattern, plain in ALIASES:
            name = re.sub(pattern, plain, name)
        if name not in kept:
            kept[name], spelled[name] = value, key
        elif (value.dtype, value.shape, value.tobytes()) == (kept[name].dtype, kept[name].shape, kept[name].tobytes()):
            rows.append(Row(key, "ignored", f"the same numbers as {spelled[name]}"))
        else:
            raise ValueError(
                f"{weights.file}: {spelled[name]} and {key} are two names of one parameter, and their numbers differ; "
                "remove the one that was not trained."
            )
    return weights._replace(tensors=kept), tuple(rows), spelled
