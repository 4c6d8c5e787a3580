"""HyperSIGMA's published parameter names beside our paths."""

import numpy as np

from spectral_jax.interop import names
from spectral_jax.interop.names import Leaf
from spectral_jax.model.published.hypersigma import fusion
from spectral_jax.model.published.hypersigma.fusion import FusionConfig
from spectral_jax.model.published.hypersigma.pyramid import LEVELS, PYRAMIDS
from spectral_jax.model.published.hypersigma.spatial import SpatialConfig
from spectral_jax.model.published.hypersigma.spectral import SpectralConfig
from spectral_jax.model.published.hypersigma.trunk import TrunkConfig

POINTWISE = "o i 1 1 -> i o"
# A transposed convolution's published weights are [in out row column].
TRANSPOSED = "i o p q -> p q i o"


def leaves(cfg: FusionConfig | SpatialConfig | SpectralConfig) -> list[Leaf]:
    """Published name, our path and layout of every parameter."""
    if isinstance(cfg, SpatialConfig):
        return _spatial(cfg, "", "")
    if isinstance(cfg, SpectralConfig):
        return _spectral(cfg, "", "")
    found = _spatial(cfg.spatial, "spat_encoder.", "spatial/") + _spectral(cfg.spectral, "spec_encoder.", "spectral/")
    return found + (_detected(cfg) if cfg.task in fusion.DETECTING else _classified(cfg))


def publish(params: dict, cfg: FusionConfig | SpatialConfig | SpectralConfig) -> dict[str, np.ndarray]:
    """The state dict as published, without what the published code never uses: NumPy arrays by name."""
    return names.publish(params, leaves(cfg))


def _trunk(cfg: TrunkConfig, name, path) -> list[Leaf]:
    found = []
    for i in range(cfg.depth):
        block, ours = f"{name}blocks.{i}", f"{path}trunk/block{i}"
        found += names.norm(f"{block}.norm1", f"{ours}/norm1") + names.norm(f"{block}.norm2", f"{ours}/norm2")
        found += names.linear(f"{block}.attn.qkv", f"{ours}/attend/qkv") + names.linear(
            f"{block}.attn.proj", f"{ours}/attend/out"
        )
        found += names.linear(f"{block}.attn.sampling_offsets", f"{ours}/attend/offsets") if cfg.samples(i) else []
        found += names.linear(f"{block}.mlp.fc1", f"{ours}/in") + names.linear(f"{block}.mlp.fc2", f"{ours}/out")
        found += [Leaf(f"{block}.gamma_{j}", f"{ours}/scale{j}") for j in (1, 2)] if cfg.layer_scale else []
    return found


def _spatial(cfg: SpatialConfig, name, path) -> list[Leaf]:
    found = [
        Leaf(f"{name}patch_embed.proj.weight", f"{path}kernel", names.CONVOLUTION),
        Leaf(f"{name}patch_embed.proj.bias", f"{path}bias"),
        *([] if cfg.grid is None else [Leaf(f"{name}pos_embed", f"{path}positions", names.TABLE)]),
        *_trunk(cfg.trunk, name, path),
    ]
    if PYRAMIDS[cfg.task] and cfg.patch in (1, 2):
        found += _doubled(f"{name}fpn1.0", f"{path}pyramid/double")
    if PYRAMIDS[cfg.task] == "patch" and cfg.patch == 16:
        found += _doubled(f"{name}fpn1.0", f"{path}pyramid/double") + _doubled(f"{name}fpn1.3", f"{path}pyramid/double_again")
        found += names.norm(f"{name}fpn1.1.ln", f"{path}pyramid/norm") + _doubled(
            f"{name}fpn2.0", f"{path}pyramid/double_second"
        )
    for i in range(3) if cfg.classes else ():
        found += names.linear(f"{name}classifier.{i}", f"{path}head{i}")
    return found


def _spectral(cfg: SpectralConfig, name, path) -> list[Leaf]:
    return [
        *names.linear(f"{name}spat_map", f"{path}embed"),
        *([Leaf(f"{name}pos_embed", f"{path}positions", names.TABLE)] if cfg.positions else []),
        *_trunk(cfg.trunk, name, path),
        *(names.linear(f"{name}l1", f"{path}summary", bias=False) if cfg.summary else []),
    ]


def _classified(cfg: FusionConfig) -> list[Leaf]:
    found = []
    for j in range(1, LEVELS + 1):
        found += [Leaf(f"DR{j}.weight", f"reduce{j}/kernel", POINTWISE)]
        found += names.linear(f"fc_spec{j}.0", f"weigh{j}/in", bias=False)
        found += names.linear(f"fc_spec{j}.2", f"weigh{j}/out", bias=False)
    if cfg.task == "classes":
        for i in range(3):
            found += names.linear(f"classifier.{2 * i}", f"head{i}")
        return found
    for i, name in enumerate(("conv", "cls") if cfg.task == "map" else ()):
        found += [Leaf(f"{name}.weight", f"head{i}/kernel", POINTWISE), Leaf(f"{name}.bias", f"head{i}/bias")]
    return found


def _detected(cfg: FusionConfig) -> list[Leaf]:
    found = [Leaf(f"spat_encoder.fpn{j}.weight", f"level{j}/kernel", POINTWISE) for j in range(1, LEVELS + 1)]
    found += [Leaf("conv_features.weight", "joint/kernel", POINTWISE)]
    found += names.linear("fc_spec.0", "weigh/in", bias=False) + names.linear("fc_spec.2", "weigh/out", bias=False)
    if cfg.task == "anomaly":
        return [*found, Leaf("conv_fc.0.weight", "anomalous/kernel", POINTWISE)]
    found += names.linear("conv_ts.0", "target_in", bias=False) + names.linear("conv_ts.3", "target_out", bias=False)
    return found + names.norm("conv_ts.1", "target_norm")


def _doubled(name, path) -> list[Leaf]:
    return [Leaf(f"{name}.weight", f"{path}/kernel", TRANSPOSED), Leaf(f"{name}.bias", f"{path}/bias")]
