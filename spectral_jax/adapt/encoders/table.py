"""All encoders by name."""

from spectral_jax.adapt.encoders import dofa, galileo, ours, presto, spectralearth, terramind
from spectral_jax.adapt.encoders.encoder import Encoder

ENCODERS: dict[str, Encoder] = {
    encoder.name: encoder for module in (terramind, spectralearth, dofa, galileo, presto, ours) for encoder in module.ENCODERS
}
