"""What can be done to a sensor's bands before an encoder, and which encoders take it.

| adaptation | bands the encoder sees | encoders |
|---|---|---|
| nearest, srf | target bands, by a fixed matrix | TerraMind, DOFA, Galileo, Presto, SpecTf |
| learned_linear, learned_from_nearest | target bands, by a matrix that trains from srf, or nearest | the same |
| wavelength_attention | target bands, by attention that starts close to srf and trains | the same |
| convolutional_adapter | as many numbers as target bands, by convolutions that train | the same |
| none | all bands of the source | SpectralEarth, DOFA, SpecTf, HyperSIGMA, ours; Galileo and Presto, of Sentinel-2 or -1 |
"""

from spectral_jax.sensors import SensorSpec
from spectral_jax.sentences import unknown
from spectral_jax.spectral import project
from spectral_jax.spectral.project import Projection

NONE = "none"
CONVOLUTIONAL = "convolutional_adapter"
FIXED, LINEAR = ("nearest", "srf"), ("learned_linear", "learned_from_nearest")
LEARNED = (*LINEAR, "wavelength_attention", CONVOLUTIONAL)
ADAPTATIONS = (*FIXED, *LEARNED, NONE)


def known(adaptation: str) -> str:
    """The adaptation itself.

    Raises:
      ValueError: there is none of that name.
    """
    if adaptation not in ADAPTATIONS:
        raise unknown("rows", "adaptation", adaptation, ADAPTATIONS, most=len(ADAPTATIONS))
    return adaptation


def fixed_projection(adaptation: str, source: SensorSpec, target: SensorSpec, uncovered: str) -> Projection | None:
    """The projection an adaptation is, or starts from; None for "none".

    Raises:
      ValueError: an unknown adaptation, or what `project.project` refuses, such as sensors without overlap.
    """
    if known(adaptation) == NONE:
        return None
    return project.project(source, target, "nearest" if "nearest" in adaptation else "srf", uncovered)
