"""All encoders by name."""

from spectral_jax.adapt.encoders import dofa, ours, spectralearth, terramind
from spectral_jax.adapt.encoders.encoder import Encoder

ENCODERS: dict[str, Encoder] = {
    encoder.name: encoder for module in (terramind, spectralearth, dofa, ours) for encoder in module.ENCODERS
}
