"""What can be done to a sensor's bands before an encoder, and which encoders take it.

| adaptation | bands the encoder sees | encoders |
|---|---|---|
| nearest, srf | target bands, by a fixed matrix | TerraMind, DOFA |
| learned_linear, learned_from_nearest | target bands, by a matrix that trains from srf, or nearest | TerraMind, DOFA |
| wavelength_attention | target bands, by attention that starts close to srf and trains | TerraMind, DOFA |
| convolutional_adapter | as many numbers as target bands, by convolutions along the spectrum that train | TerraMind, DOFA |
| none | all bands of the source | SpectralEarth, DOFA, ours |
"""

from spectral_jax.model.published import spectral_adapter
from spectral_jax.model.published.dofa import DofaConfig
from spectral_jax.model.published.spectralearth import SpectralEarthConfig
from spectral_jax.model.published.spectralearth_resnet import SpectralEarthResNetConfig
from spectral_jax.model.published.terramind import TerraMindConfig
from spectral_jax.sensors import SensorSpec
from spectral_jax.sentences import closest
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
      ValueError: there is none of that name; the sentence names the closest first.
    """
    if adaptation not in ADAPTATIONS:
        near = closest(adaptation, ADAPTATIONS)
        raise ValueError(f"no adaptation is called {adaptation!r}; the names are, closest first: {near}.")
    return adaptation


def fixed_projection(adaptation: str, source: SensorSpec, target: SensorSpec, uncovered: str) -> Projection | None:
    """The projection an adaptation is, or starts from; None for "none".

    Raises:
      ValueError: an unknown adaptation, or what `project.project` refuses, such as sensors without overlap.
    """
    if known(adaptation) == NONE:
        return None
    return project.project(source, target, "nearest" if "nearest" in adaptation else "srf", uncovered)


def check_pair(name: str, kind: type, adaptation: str, bands: int) -> None:
    """Refuses an encoder with an adaptation it cannot take.

    Args:
      name: of the encoder.
      kind: class of its config.
      adaptation: of `ADAPTATIONS`.
      bands: of the source.

    Raises:
      ValueError: it cannot; the sentence says what it takes.
    """
    takes = {TerraMindConfig: (*FIXED, *LEARNED), DofaConfig: ADAPTATIONS}.get(kind, (NONE,))
    if known(adaptation) not in takes:
        raise ValueError(f"{name}/{adaptation}: {name} takes {', '.join(takes)}; choose one of them.")
    fewest = spectral_adapter.fewest_bands()
    if (kind in (SpectralEarthConfig, SpectralEarthResNetConfig) or adaptation == CONVOLUTIONAL) and bands < fewest:
        raise ValueError(
            f"{name}/{adaptation}: the spectral adapter needs at least {fewest} bands, and the task has {bands}; take another "
            "row."
        )
