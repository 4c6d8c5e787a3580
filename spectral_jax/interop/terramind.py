"""TerraMind v1 checkpoints to our parameters and back."""

import dataclasses
import math
import re

import jax

from spectral_jax.interop import names, recognise
from spectral_jax.interop.account import Account, take
from spectral_jax.interop.names import Leaf
from spectral_jax.interop.recognise import Mark
from spectral_jax.interop.terramind_bands import MODALITIES, modality, positions_of
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published import terramind
from spectral_jax.model.published.terramind import Modality, TerraMindConfig
from spectral_jax.sentences import unknown

MARK = "encoder_embeddings."
MARKS = (Mark("terramind", MARK, "encoder_norm.weight", terramind.SIZES),)
MODELS = {"terramind": terramind.MODEL}
PATCH = "d (p q c) -> p q c d"
# Side of a patch of all published sizes, px; a checkpoint does not say it.
PATCH_PX = 16
IGNORED = {
    r"^decoder(\.|_norm\.|_proj_context\.|_embeddings\.)|^mask_token$": "decoder of pretraining, which predicts tokens",
    r"^encoder_embeddings\.(tok_\w+@\d+|coords|caption)\.": "a modality of tokens; only pixels are encoded here",
}


def read(
    weights: Weights,
    modalities: tuple[str, ...] | None = None,
    bands: dict[str, tuple[str, ...]] | None = None,
    heads: int | None = None,
    size: str | None = None,
    merge: str = "mean",
) -> tuple[TerraMindConfig, dict, Account]:
    """Config and parameters of a TerraMind v1 encoder.

    Args:
      weights: of `weights_file.read`.
      modalities: names such as "S2L2A"; None: every image modality of the file.
      bands: by modality, names of the bands to keep, in the order of the pixels; other modalities keep all of theirs.
      heads: attention heads; needed only for a width that was not published.
      size: "tiny", "small", "base" or "large" if only that will do.
      merge: see `TerraMindConfig`.

    Returns:
      Config, parameters as float32 NumPy arrays, and the account of all keys.

    Raises:
      ValueError: another model or size, an unknown modality or band, or a key that is missing, misshapen or unknown.
    """
    file, tensors = weights.file, weights.tensors
    recognise.expect_family(file, tensors, "terramind", MARK)
    width = len(recognise.telling(file, tensors, "encoder_norm.weight", 1, MARKS))
    depth = recognise.count_blocks(tensors, "encoder")
    recognise.expect_size(file, tensors, (width, depth), size, terramind.SIZES, MARKS)
    present = [name for name, m in MODALITIES.items() if f"{MARK}{m.key}.proj.weight" in tensors]
    chosen = tuple(present) if modalities is None else tuple(modalities)
    for name in chosen:
        if modality(name).name not in present:
            raise unknown(file, "modality of pixels", name, present, most=len(MODALITIES))
    if not chosen:
        raise ValueError(f"{file}: expected at least one modality of pixels; it has {', '.join(present) or 'none'}.")
    strange = [name for name in bands or {} if name not in chosen]
    if strange:
        raise ValueError(f"bands are given for {strange[0]}, which is not among the modalities {', '.join(chosen)}.")
    cut = tuple(_in_file(file, tensors, name, (bands or {}).get(name)) for name in chosen)
    table = recognise.telling(file, tensors, f"{MARK}{cut[0].key}.pos_emb", 3, MARKS)
    whole = TerraMindConfig(
        width=width,
        depth=depth,
        heads=recognise.heads_of(file, heads, weights.settings.get("num_heads"), width, terramind.SIZES),
        mlp="swiglu" if "encoder.0.mlp.fc3.weight" in tensors else "gelu",
        modalities=cut,
        patch=PATCH_PX,
        grid=recognise.side(file, "pos_emb", table.shape[1]),
        merge=merge,
    )
    others = {f"^{re.escape(MARK + MODALITIES[n].key)}\\.": f"modality {n}, not chosen" for n in present if n not in chosen}
    shapes = jax.eval_shape(lambda: terramind.init(jax.random.key(0), whole))
    params, account = take(weights, leaves(whole), shapes, IGNORED | others, MARKS)
    return *select_bands(whole, params, bands or {}), _with_bands(account, bands or {})


def leaves(cfg: TerraMindConfig) -> list[Leaf]:
    """Published name, our path and layout of every parameter."""
    found = []
    for m in cfg.modalities:
        name, path = f"{MARK}{m.key}", f"embed_{m.name}"
        found += [
            Leaf(f"{name}.mod_emb", f"{path}/modality", names.VECTOR),
            Leaf(f"{name}.pos_emb", f"{path}/positions", names.TABLE),
            Leaf(f"{name}.proj.weight", f"{path}/kernel", PATCH, (("p", cfg.patch), ("q", cfg.patch))),
        ]
    gated = cfg.mlp == "swiglu"
    return [*found, *names.blocks("encoder", cfg.depth, gated, not gated), *names.norm("encoder_norm", "norm")]


def select_bands(cfg: TerraMindConfig, params: dict, bands: dict[str, tuple[str, ...]]) -> tuple[TerraMindConfig, dict]:
    """The same encoder for images of fewer bands, or of another order: each band keeps its own columns of the projection.

    Args:
      cfg: the config of `params`.
      params: nested dict.
      bands: by modality, the names of the bands that the images will have.

    Raises:
      ValueError: an unknown modality, or a band that it does not have.
    """
    known = {m.name: m for m in cfg.modalities}
    new, params = dict(known), dict(params)
    for name, wanted in bands.items():
        if name not in known:
            raise unknown("bands", "modality of the config", name, known, most=len(known))
        index = positions_of(tuple(wanted), known[name].bands, name)
        new[name] = dataclasses.replace(known[name], bands=tuple(wanted))
        embed = params[f"embed_{name}"]
        params[f"embed_{name}"] = embed | {"kernel": embed["kernel"][:, :, index]}
    return dataclasses.replace(cfg, modalities=tuple(new.values())), params


def publish(params: dict, cfg: TerraMindConfig) -> dict:
    """The encoder's state dict as published: NumPy arrays by name."""
    return names.publish(params, leaves(cfg))


def _with_bands(account, bands):
    """The account with the kept bands beside the projections that were cut."""
    kept = {f"{MARK}{MODALITIES[name].key}.proj.weight": f"; kept {', '.join(wanted)}" for name, wanted in bands.items()}
    return account._replace(rows=tuple(r._replace(detail=r.detail + kept.get(r.key, "")) for r in account.rows))


def _in_file(file, tensors, name, wanted) -> Modality:
    """The modality with the bands that the file has: all published ones, or exactly those wanted where it was cut before."""
    full = modality(name)
    key = f"{MARK}{full.key}.proj.weight"
    count = recognise.telling(file, tensors, key, 2, MARKS).shape[1] / PATCH_PX**2
    if count == len(full.bands):
        return full
    if wanted is not None and count == len(wanted):
        positions_of(tuple(wanted), full.bands, name)
        return dataclasses.replace(full, bands=tuple(wanted))
    raise ValueError(
        f"{file}: {key} is for {math.floor(count)} bands of {PATCH_PX}x{PATCH_PX} px patches, expected {len(full.bands)}; if "
        "it was made for fewer, name them in its order by bands."
    )
