"""HyperSIGMA checkpoints to our parameters and back: fusions, SpatSIGMA and SpecSIGMA alone, and those of pretraining.

Whatever published files hold and never use (final norms, projections of attention between encoders, heads of other tasks) is
left out by name. No released file was at hand: names and shapes are those of the authors' classes.
"""

import jax

from spectral_jax.interop import recognise
from spectral_jax.interop.account import Account, take
from spectral_jax.interop.hypersigma.keys import leaves, publish
from spectral_jax.interop.recognise import Mark
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published.hypersigma import fusion, pyramid, spatial, spectral, trunk
from spectral_jax.model.published.hypersigma.fusion import FusionConfig
from spectral_jax.model.published.hypersigma.spatial import SpatialConfig
from spectral_jax.model.published.hypersigma.spectral import SpectralConfig
from spectral_jax.model.published.hypersigma.trunk import TrunkConfig

__all__ = ["IGNORED", "MARK", "MARKS", "MODELS", "ROOT", "leaves", "publish", "read"]

SPAT, SPEC = "spat_encoder.", "spec_encoder."
MARK = "blocks.0.attn.qkv."
ROOT = r"(?:(?:spat|spec)_encoder\.)?blocks\.0\.attn\.qkv\."
MARKS = tuple(
    Mark("hypersigma", part, "blocks.0.norm1.weight", trunk.SIZES) for part in ("attn.sampling_offsets.", "spat_map.")
)
MODELS = {"hypersigma": fusion.MODEL, "hypersigma_spatial": spatial.MODEL, "hypersigma_spectral": spectral.MODEL}
_UNUSED = "of another task, which the published code never uses"
IGNORED = {
    r"^decoder_|^mask_token$": "decoder of masked pretraining",
    r"^((spat|spec)_encoder\.)?norm\.": "final norm of pretraining, which the published encoders hold and never apply",
    r"^(spec_encoder\.)?conv_[qkv]\.": "projections between tokens, which the published code never uses",
    r"^spat_encoder\.(cls|classifier1?)\.": f"head {_UNUSED}",
}
# Of single encoders and of fusions, by task: what else stands in a file and is not used.
IGNORED_BY_TASK = {
    "features alone": {r"^(cls|classifier1?)\.": f"head {_UNUSED}"},
    "classes alone": {r"^(DR|cls)\.|^fpn1\.": f"layer {_UNUSED}"},
    "map alone": {r"^(DR|cls)\.": f"layer {_UNUSED}"},
    "classes": {r"^conv(_features)?\.": f"layer {_UNUSED}"},
    "map": {r"^conv_features\.": f"layer {_UNUSED}"},
}


def read(
    weights: Weights,
    heads: int | None = None,
    size: str | None = None,
    taps: tuple[int, ...] | None = None,
    spectral_taps: tuple[int, ...] | None = None,
    task: str | None = None,
) -> tuple[FusionConfig | SpatialConfig | SpectralConfig, dict, Account]:
    """Config and parameters of a HyperSIGMA model; which of them it is, the keys tell.

    Args:
      weights: of `weights_file.read`.
      heads: attention heads; needed only for a width that was not published.
      size: "base", "large" or "huge" if only that will do.
      taps: blocks whose tokens are taken out, counted from 0; needed only for a width that was not published.
      spectral_taps: those of the spectral encoder in a fusion; only the first is used there. None: as published.
      task: "classes" or "map", of SpatSIGMA alone with a head, where nothing in the file tells them apart.

    Returns:
      Config, parameters as float32 NumPy arrays, and the account of all keys.

    Raises:
      ValueError: another model or size, something that the file does not tell, or a key that is missing, misshapen or unknown.
    """
    file, tensors = weights.file, weights.tensors
    _expect(file, tensors)
    asked = _Asked(weights, heads, size, taps)
    cfg: FusionConfig | SpatialConfig | SpectralConfig
    if any(key.startswith(SPAT) for key in tensors):
        cfg = _fusion(asked, spectral_taps)
        others = IGNORED_BY_TASK.get(cfg.task, {})
    elif "spat_map.weight" in tensors:
        cfg, others = _spectral(asked, "", "l1.weight" in tensors), {}
    else:
        cfg = _spatial(asked, "", _task_alone(file, tensors, task))
        others = IGNORED_BY_TASK.get(f"{cfg.task} alone", {})
    model = next(model for model in MODELS.values() if model.config is type(cfg))
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), cfg))
    return cfg, *take(weights, leaves(cfg), shapes, IGNORED | others, MARKS)


class _Asked:
    """A file with what the caller says of it, and what of its blocks can be told."""

    def __init__(self, weights, heads, size, taps):
        self.file, self.tensors, self.settings = weights.file, weights.tensors, weights.settings
        self.heads, self.size, self.taps = heads, size, taps

    def telling(self, key, rank):
        return recognise.telling(self.file, self.tensors, key, rank, MARKS)

    def trunk(self, prefix, taps) -> TrunkConfig:
        width = len(self.telling(f"{prefix}blocks.0.norm1.weight", 1))
        depth = recognise.count_blocks(self.tensors, f"{prefix}blocks")
        recognise.expect_size(self.file, self.tensors, (width, depth), self.size, trunk.SIZES, MARKS)
        heads = recognise.heads_of(self.file, self.heads, self.settings.get("num_heads"), width, trunk.SIZES)
        if heads is None:
            raise ValueError(
                f"{self.file}: {width} is not a published width, and no shape tells the number of heads; say --heads."
            )
        published = next((s["taps"] for s in trunk.SIZES.values() if s["width"] == width), None)
        taps = taps or published
        if taps is None:
            raise ValueError(
                f"{self.file}: {width} is not a published width, and nothing tells the blocks whose tokens are taken out; say "
                "--taps, counted from 0."
            )
        offsets = [f"{prefix}blocks.{i}.attn.sampling_offsets.weight" for i in range(depth)]
        rows = len(self.tensors[offsets[0]]) if offsets[0] in self.tensors else 0
        return TrunkConfig(
            width=width,
            depth=depth,
            heads=heads,
            interval=next((i + 1 for i, key in enumerate(offsets) if key not in self.tensors), depth + 1),
            taps=tuple(taps),
            points=max(1, rows // (2 * heads)) if rows else trunk.POINTS,
            layer_scale=f"{prefix}blocks.0.gamma_1" in self.tensors,
        )


def _spatial(asked, prefix, task) -> SpatialConfig:
    kernel, positions = asked.telling(f"{prefix}patch_embed.proj.weight", 4), None
    if f"{prefix}pos_embed" in asked.tensors:
        positions = recognise.side(asked.file, f"{prefix}pos_embed", asked.telling(f"{prefix}pos_embed", 3).shape[1])
    classes = len(asked.telling("classifier.2.bias", 1)) if task in pyramid.HEADED else 0
    grid = None if positions is None else (positions, positions)
    return SpatialConfig(asked.trunk(prefix, asked.taps), kernel.shape[1], kernel.shape[2], grid, task, classes)


def _spectral(asked, prefix, summary, taps=None) -> SpectralConfig:
    positions = f"{prefix}pos_embed" in asked.tensors
    first = next((key for key in ("fc_spec1.0.weight", "fc_spec.0.weight") if key in asked.tensors), "")
    tokens = asked.telling(f"{prefix}pos_embed", 3).shape[1] if positions else asked.telling(first or "pos_embed", 2).shape[1]
    pixels = asked.telling(f"{prefix}spat_map.weight", 2).shape[1]
    return SpectralConfig(asked.trunk(prefix, taps or asked.taps), tokens, pixels, positions, summary)


def _fusion(asked, spectral_taps) -> FusionConfig:
    ends = {
        "classifier.4.bias": "classes",
        "cls.bias": "map",
        "conv_ts.0.weight": "target",
        "conv_fc.0.weight": "anomaly",
        "DR1.weight": "features",
    }
    key, task = next(((key, task) for key, task in ends.items() if key in asked.tensors), ("", ""))
    if not task:
        raise ValueError(
            f"{asked.file}: expected a fusion that classifies, maps or detects, and it has none of {', '.join(ends)}; other "
            "tasks of HyperSIGMA are not read."
        )
    published = {trunk.SIZES[s]["width"]: trunk.SIZES[s]["taps"] for s in trunk.SIZES}
    space = _spatial(asked, SPAT, fusion.TASKS[task])
    if spectral_taps is None and space.trunk.width in published:
        # Fused classification takes four blocks out and uses the first; segmentation takes 3, 7 or 10, detection the last.
        taps = published[space.trunk.width]
        spectral_taps = {"classes": taps, "features": taps, "map": taps[:1]}.get(task, taps[-1:])
    spectrum = _spectral(asked, SPEC, True, spectral_taps)
    classes = len(asked.tensors[key]) if task in fusion.CLASSIFIED else 0
    return FusionConfig(space, spectrum, task, classes)


def _task_alone(file, tensors, asked) -> str:
    """The task of a spatial encoder alone: what its heads tell, or what was asked for."""
    if asked not in (None, *pyramid.HEADED):
        raise ValueError(f"task: expected one of {', '.join(pyramid.HEADED)}, got {asked!r}.")
    patch, head = tensors.get("patch_embed.proj.weight"), tensors.get("classifier.0.weight")
    if "blocks.0.attn.sampling_offsets.weight" not in tensors:
        return "tokens"
    if "classifier1.0.weight" in tensors or head is None:
        return "features"
    # Both kinds of head have the same shapes: what else the authors' classes hold tells them apart.
    spare = tensors.get("DR.weight")
    found = None if spare is None else "classes" if spare.ndim == 3 else "map"
    if found is None and patch is not None and patch.shape[-1] in (1, 2, 16) and "fpn1.0.weight" not in tensors:
        found = "classes"
    if found is None and asked is None:
        raise ValueError(
            f"{file}: it has the head of SpatSIGMA, and nothing tells whether it is for classes of images or maps of them; say "
            "--task=classes or --task=map."
        )
    if None not in (found, asked) and found != asked:
        raise ValueError(
            f"{file} holds SpatSIGMA with the head of {found!r}, expected {asked!r}; give another file, or its task."
        )
    return found or asked or ""


def _expect(file, tensors) -> None:
    """Refuses a transformer of others: HyperSIGMA has no class token, and samples, or maps images to bands, or was masked."""
    told = ("sampling_offsets.", "spat_map.", "mask_token")
    if any("cls_token" in key for key in tensors) or not any(part in key for key in tensors for part in told):
        found = next((key for key in tensors if "cls_token" in key), next(iter(tensors)))
        raise ValueError(
            f"{file}: expected hypersigma, whose keys hold one of {', '.join(told)} and no cls_token, and it has {found}; "
            "check the source."
        )
