"""Weights of HyperSIGMA's pretraining taken over by a model of other images, as its authors' programs do it.

Pretraining has no sampling: its blocks look at all tokens, and of the blocks that sample later all but the offsets is taken.
Its images are 64 px wide, in patches of 8 px, and it never added the positions that it stores.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from spectral_jax.interop import names
from spectral_jax.interop.account import Account, Row
from spectral_jax.interop.hypersigma.keys import leaves
from spectral_jax.model.published.bicubic import cubic_weights, resize_positions
from spectral_jax.model.published.hypersigma.fusion import FusionConfig
from spectral_jax.model.published.hypersigma.fusion import init as init_fusion
from spectral_jax.model.published.hypersigma.spatial import SpatialConfig
from spectral_jax.model.published.hypersigma.spatial import init as init_spatial
from spectral_jax.model.published.hypersigma.spectral import SpectralConfig
from spectral_jax.model.published.hypersigma.spectral import init as init_spectral
from spectral_jax.sentences import unknown

# What becomes of positions and projections: as `init_weights` of the encoders does it (detection, denoising, super-resolution),
# or as the notebooks of classification and segmentation do.
LOADERS = ("init_weights", "notebook")
# Channels for which `init_weights` takes the projection of patches, and pixels of images for which it takes that of bands.
TAKEN_CHANNELS, TAKEN_PIXELS = 3, 64 * 64
_INIT: dict[type, Callable[[jax.Array, Any], dict]] = {
    FusionConfig: init_fusion,
    SpatialConfig: init_spatial,
    SpectralConfig: init_spectral,
}


def start(
    key: jax.Array,
    cfg: FusionConfig | SpatialConfig | SpectralConfig,
    spatial: tuple[SpatialConfig, dict] | None = None,
    spectral: tuple[SpectralConfig, dict] | None = None,
    loader: str = "init_weights",
) -> tuple[dict, Account]:
    """Parameters that begin with those of pretraining, and fresh ones where it has none.

    Args:
      key: random key of the fresh ones: offsets of sampling, pyramid, summary, fusion, heads, and what the loader drops.
      cfg: of the model that is wanted.
      spatial: config and parameters of SpatSIGMA's pretraining, of `checkpoint.read` or `interop.load`; None: all fresh.
      spectral: the same of SpecSIGMA's.
      loader: one of `LOADERS`.

    Returns:
      Parameters, float32, and the account of them by their published names: loaded, reshaped, or absent where they are fresh.

    Raises:
      ValueError: an encoder that the model does not have or of another size, a loader that is not known, or what the published
        one fails at.
    """
    if loader not in LOADERS:
        raise unknown("loader", "loader of HyperSIGMA", loader, LOADERS)
    flat: dict[str, Any] = dict(names.flatten(_INIT[type(cfg)](key, cfg)))
    rows: dict[str, tuple[str, str]] = {path: ("absent", "fresh random numbers; pretraining has none for it") for path in flat}
    given: tuple[tuple[str, Any], ...] = (("spatial", spatial), ("spectral", spectral))
    for name, pretrained in given:
        if pretrained is None:
            continue
        part, prefix = _part(cfg, name)
        _expect_size(name, part, pretrained[0])
        taken = names.flatten(pretrained[1])
        for path, value in taken.items():
            if path.startswith("trunk/") and prefix + path in flat:
                flat[prefix + path], rows[prefix + path] = value, ("loaded", path)
        for path, value in (_spatial if name == "spatial" else _spectral)(part, taken, loader).items():
            flat[prefix + path] = value
            same = value is taken[path]
            rows[prefix + path] = ("loaded", path) if same else ("reshaped", f"{path} from {list(taken[path].shape)}, bicubic")
    told = tuple(Row(leaf.name, *rows[leaf.path]) for leaf in leaves(cfg))
    return names.nest({path: np.asarray(value, np.float32) for path, value in flat.items()}), Account(
        f"a start ({loader})", told
    )


def spatial_positions(table: Any, grid: tuple[int, int]) -> Any:
    """SpatSIGMA's table of positions [N D] for a grid of rows and columns, [rows * columns D].

    Stored ones are for a square; where that has the side of the wanted square, or of the largest one in as many tokens, the
    published code leaves the table as it is.
    """
    side, wanted = int(len(table) ** 0.5), int((grid[0] * grid[1]) ** 0.5)
    return table if side == wanted else resize_positions(table, (side, side), grid)


def spectral_positions(table: Any, tokens: int) -> Any:
    """SpecSIGMA's table of positions [N D] for another number of tokens.

    The published code takes the first one off as if it were a class token's, which there is none of, and interpolates the
    others; also where there are as many tokens as rows in the table.
    """
    rest = np.asarray(table)[1:]
    return rest if len(rest) == tokens else np.einsum("tn,nd->td", cubic_weights(len(rest), tokens), rest)


def _part(cfg, name) -> tuple[Any, str]:
    """The config of an encoder in a model, and what its paths begin with."""
    if isinstance(cfg, FusionConfig):
        return getattr(cfg, name), f"{name}/"
    if isinstance(cfg, SpatialConfig if name == "spatial" else SpectralConfig):
        return cfg, ""
    raise ValueError(f"{name}: a {type(cfg).__name__} has no such encoder; leave it out.")


def _expect_size(name, wanted, found) -> None:
    sizes = [(c.trunk.width, c.trunk.depth, c.trunk.heads) for c in (wanted, found)]
    if sizes[0] != sizes[1]:
        words = [f"{width} wide with {depth} blocks of {heads} heads" for width, depth, heads in sizes]
        raise ValueError(f"{name}: expected weights {words[0]}, got some {words[1]}; take a model of their size.")


def _spatial(cfg: SpatialConfig, taken, loader) -> dict:
    if loader == "notebook":
        return {}
    found = {}
    if cfg.grid is not None and "positions" in taken:
        found["positions"] = spatial_positions(taken["positions"], cfg.grid)
        if len(found["positions"]) != cfg.grid[0] * cfg.grid[1]:
            raise ValueError(
                f"spatial: expected positions for {cfg.grid}, got {len(taken['positions'])}, which the published code leaves "
                "as they are; take a square grid."
            )
    if cfg.channels == TAKEN_CHANNELS:
        shape = (cfg.patch, cfg.patch, cfg.channels, cfg.trunk.width)
        if taken["kernel"].shape != shape:
            raise ValueError(
                f"spatial: expected a patch embedding {list(shape)}, got {list(taken['kernel'].shape)}; the published "
                f"loader takes it where there are {TAKEN_CHANNELS} channels, and fails here too."
            )
        found |= {"kernel": taken["kernel"], "bias": taken["bias"]}
    return found


def _spectral(cfg: SpectralConfig, taken, loader) -> dict:
    found = {}
    if cfg.positions and "positions" in taken:
        table = taken["positions"]
        if loader == "notebook" and len(table) != cfg.tokens:
            raise ValueError(
                f"spectral: expected positions of {cfg.tokens} tokens, got {len(table)}; the notebooks take them as they "
                "are, so take as many tokens, or the loader 'init_weights'."
            )
        found["positions"] = table if loader == "notebook" else spectral_positions(table, cfg.tokens)
    if loader == "init_weights" and cfg.pixels == TAKEN_PIXELS:
        found |= {path: taken[path] for path in ("embed/kernel", "embed/bias")}
    return found
