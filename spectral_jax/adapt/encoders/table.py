"""All encoders by name."""

from spectral_jax.adapt.encoders import dofa, galileo, hypersigma, ours, presto, spectf, spectralearth, terramind
from spectral_jax.adapt.encoders.encoder import Encoder

ENCODERS: dict[str, Encoder] = {
    encoder.name: encoder
    for module in (terramind, spectralearth, dofa, spectf, hypersigma, galileo, presto, ours)
    for encoder in module.ENCODERS
}
