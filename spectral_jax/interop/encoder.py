"""One call for every foreign encoder, so that a downstream head does not ask which it has."""

import jax

from spectral_jax.interop.folder import kind_of
from spectral_jax.model import dofa, spectralearth, spectralearth_resnet, terramind
from spectral_jax.model.vit import Features


def encode(
    params: dict, image, cfg, layers: tuple[int, ...] | None = None, wavelengths_nm: jax.Array | None = None
) -> Features:
    """Encodes images with whichever encoder `cfg` is of; pure, `cfg` and `layers` static under `jax.jit`.

    Args:
      params: of `load` or of a converter's `read`.
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
    model = spectralearth if kind == "spectralearth" else spectralearth_resnet
    return model.apply(params, image, cfg, layers)


def trainable(params: dict, cfg) -> dict:
    """For each parameter, whether it trains: not buffers and running statistics of the published code; for `optax.masked`."""
    kind = kind_of(cfg)
    if kind in ("dofa", "terramind"):
        return (dofa if kind == "dofa" else terramind).trainable(params, cfg)
    return spectralearth.trainable(params)
