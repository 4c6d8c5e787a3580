"""One call for every published encoder, so that a converter, an adaptation or a head does not ask which it has."""

import jax

from spectral_jax.model.published import dofa, spectralearth, spectralearth_resnet, terramind
from spectral_jax.model.published.vit import Features

# Class of the config, and the module whose `init` and `apply` go with it.
MODELS = {
    "terramind": (terramind.TerraMindConfig, terramind),
    "spectralearth": (spectralearth.SpectralEarthConfig, spectralearth),
    "spectralearth_resnet": (spectralearth_resnet.SpectralEarthResNetConfig, spectralearth_resnet),
    "dofa": (dofa.DofaConfig, dofa),
}


def kind_of(cfg) -> str:
    """The kind of encoder that a config is of.

    Raises:
      ValueError: it is the config of something else.
    """
    kind = next((kind for kind, (cls, _) in MODELS.items() if type(cfg) is cls), None)
    if kind is None:
        raise ValueError(f"expected the config of one of {', '.join(MODELS)}, got a {type(cfg).__name__}.")
    return kind


def init(key: jax.Array, cfg) -> dict:
    """Fresh parameters, float32; no data is needed."""
    return MODELS[kind_of(cfg)][1].init(key, cfg)


def encode(
    params: dict, image, cfg, layers: tuple[int, ...] | None = None, wavelengths_nm: jax.Array | None = None
) -> Features:
    """Encodes images with whichever encoder `cfg` is of; pure, `cfg` and `layers` static under `jax.jit`.

    Args:
      params: of `init`, or of `interop`.
      image: pixels [B H W C], normalised as the encoder was trained on them (`terramind_bands.statistics`, per-band z-scores);
        for TerraMind also a dict of them by modality. One array is TerraMind's first modality.
      cfg: config of the encoder.
      layers: the blocks, or a ResNet's stages, whose maps are wanted; None: the last.
      wavelengths_nm: [C], for DOFA alone.

    Returns:
      `Features`.

    Raises:
      ValueError: DOFA without wavelengths, or what the encoder itself refuses.
    """
    kind = kind_of(cfg)
    if kind == "dofa":
        if wavelengths_nm is None:
            raise ValueError("wavelengths_nm: DOFA makes its patch embedding from them; give the centre of each band, in nm.")
        return dofa.apply(params, image, wavelengths_nm, cfg, layers)
    if kind == "terramind":
        images = image if isinstance(image, dict) else {cfg.modalities[0].name: image}
        return terramind.apply(params, images, cfg, layers)
    return MODELS[kind][1].apply(params, image, cfg, layers)


def trainable(params: dict, cfg) -> dict:
    """For each parameter, whether it trains: not buffers and running statistics of the published code; for `optax.masked`."""
    kind = kind_of(cfg)
    if kind in ("dofa", "terramind"):
        return MODELS[kind][1].trainable(params, cfg)
    return spectralearth.trainable(params)


def with_statistics(params: dict, images: jax.Array, cfg) -> dict:
    """Fresh parameters with the running statistics of batch normalisation taken from data; pure, `cfg` static under `jax.jit`.

    SpectralEarth's encoders alone have any. Those of `init` are mean 0 and variance 1 whatever comes, and leave little of the
    difference between spectra (a standard deviation of 0.03 instead of 0.43, measured on EnMAP). Checkpoints bring their own.

    Args:
      params: of `init`.
      images: per-band standardised pixels [B H W C] of the training part, as for `encode`.
      cfg: config of the encoder.

    Returns:
      Parameters; those of TerraMind and DOFA as they are.

    Raises:
      ValueError: too few bands or values, or a size that the encoder does not take.
    """
    kind = kind_of(cfg)
    return MODELS[kind][1].with_statistics(params, images, cfg) if kind.startswith("spectralearth") else params
