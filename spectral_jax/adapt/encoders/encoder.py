"""The record of an encoder: what a comparison needs to know of it. Nothing else asks which encoder it has."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax import interop, ranges
from spectral_jax.adapt.bands import CONVOLUTIONAL
from spectral_jax.model.published import spectral_adapter
from spectral_jax.model.published.contract import Published
from spectral_jax.sensors import SensorSpec


@dataclasses.dataclass(frozen=True)
class Size:
    """Structure of every encoder without weights.

    Attributes:
      name: a published size, "tiny" to "large", whose width, depth and heads are taken; empty: those below.
      width, depth, heads: of transformers; ours has half the width in its first stage and twice in its last.
      patch: side of a token, pixels.
      px: side of the input; images of another size are resized to it (or read through a window, where the protocol has one).
    """

    name: str = ""
    width: int = 96
    depth: int = 4
    heads: int = 3
    patch: int = 2
    px: int = 32

    def __post_init__(self):
        ranges.check(self, "size.", dict.fromkeys(("width", "depth", "heads", "patch", "px"), ranges.COUNT))

    @property
    def grid(self) -> int:
        """Tokens along a side.

        Raises:
          ValueError: the side is no whole number of patches.
        """
        if self.px % self.patch:
            raise ValueError(f"size.px: expected a multiple of size.patch = {self.patch} px, got {self.px}.")
        return self.px // self.patch


class Bands(NamedTuple):
    """What is done to bands before an encoder.

    Attributes:
      source: sensor of the images.
      target: sensor that projections go to.
      kept: positions of the target's used bands that the encoder sees; empty where nothing is projected.
    """

    source: SensorSpec
    target: SensorSpec
    kept: tuple[int, ...]


class Loaded(NamedTuple):
    """A config, parameters (None: fresh ones), and mean and std [K] of the bands in physical units, where they are known."""

    config: Any
    params: dict | None
    statistics: tuple[np.ndarray, np.ndarray] | None = None


class Pixels(NamedTuple):
    """What an encoder sees: normalised numbers [B H W K], 0 where not `valid` [B H W], and centres of the bands [K], nm."""

    values: jax.Array
    valid: jax.Array
    centre_nm: np.ndarray


# Maps [B h w D], finest first where they differ, and the embedding [B D].
Maps = tuple[tuple[jax.Array, ...], jax.Array]


class Encoder(NamedTuple):
    """One encoder; hashable, a static argument of `jax.jit`.

    Attributes:
      name: as rows of a config have it.
      takes: adaptations, of `adapt.bands.ADAPTATIONS`.
      fresh: the config of a size, without weights; raises ValueError where the bands do not do for it.
      read: the encoder of a folder of weights; raises ValueError where they are of another one, or of other bands.
      init: random key and config to fresh parameters, float32.
      features: parameters, pixels, config and taps to `Maps`; pure.
      trainable: parameters and config to whether each trains.
      with_statistics: fresh parameters, standardised pixels [B H W K] and config to parameters whose running statistics are
        those of the pixels; pure.
      taps: config to the layers whose maps a head gets.
      side: config to the side of its input, pixels; None: it takes any.
      fewest: bands that it needs.
    """

    name: str
    takes: tuple[str, ...]
    fresh: Callable[[Size, Bands], Any]
    read: Callable[[str, Bands], Loaded]
    init: Callable[[jax.Array, Any], dict]
    features: Callable[[dict, Pixels, Any, tuple[int, ...]], Maps]
    trainable: Callable[[dict, Any], dict]
    with_statistics: Callable[[dict, jax.Array, Any], dict]
    taps: Callable[[Any], tuple[int, ...]]
    side: Callable[[Any], int | None]
    fewest: int = 1

    def refuses(self, adaptation: str, bands: int) -> str:
        """Why it cannot take an adaptation of so many bands, a sentence; empty: it can."""
        if adaptation not in self.takes:
            return f"{self.name}/{adaptation}: {self.name} takes {', '.join(self.takes)}; choose one of them."
        fewest = max(self.fewest, spectral_adapter.fewest_bands() if adaptation == CONVOLUTIONAL else 1)
        if bands < fewest:
            return (
                f"{self.name}/{adaptation}: the spectral adapter needs at least {fewest} bands, and the task has {bands}; take "
                "another row."
            )
        return ""


def at_quarters(config: Any) -> tuple[int, ...]:
    """Blocks at each quarter of the depth, as the published TerraMind configs choose them ([2, 5, 8, 11] of 12)."""
    return tuple(sorted({max(0, round(config.depth * quarter / 4) - 1) for quarter in range(1, 5)}))


def whole_patches(config: Any) -> int:
    """The side that the table of positions was made for, pixels."""
    return config.grid * config.patch


def any_side(config: Any) -> None:
    """Images of any side."""
    del config


def foreign(
    name: str,
    model: Published,
    takes: tuple[str, ...],
    fresh: Callable[[Size, Bands], Any],
    read: Callable[[str, Bands], Loaded],
    taps: Callable[[Any], tuple[int, ...]] = at_quarters,
    side: Callable[[Any], int | None] = whole_patches,
    fewest: int = 1,
) -> Encoder:
    """The record of a published encoder; arguments as the attributes of `Encoder`."""

    def features(params: dict, pixels: Pixels, config: Any, layers: tuple[int, ...]) -> Maps:
        found = model.encode(params, pixels.values, config, layers, jnp.asarray(pixels.centre_nm, jnp.float32))
        return found.maps, found.pooled

    return Encoder(name, takes, fresh, read, model.init, features, model.trainable, model.with_statistics, taps, side, fewest)


def centres(name: str, bands: Bands) -> np.ndarray:
    """Centres of the bands that an encoder sees [K], nm, all of them known.

    Raises:
      ValueError: a band has none.
    """
    sensor = bands.target if bands.kept else bands.source
    found = sensor.centre_nm[list(bands.kept)] if bands.kept else sensor.centre_nm
    if not np.isfinite(found).all():
        raise ValueError(
            f"{name}: expected bands with wavelengths, and {sensor.name} is {sensor.kind}; take another encoder, or an optical "
            "sensor."
        )
    return found


def converted(name: str, model: Published, folder: str) -> tuple[Any, dict]:
    """Config and parameters of a folder that tools/convert_weights.py wrote.

    Raises:
      FileNotFoundError: the folder has no weights.
      ValueError: they are of another encoder.
    """
    config, params = interop.load(folder)
    if not isinstance(config, model.config):
        raise ValueError(
            f"weights.{name}: {folder} holds a {type(config).__name__}, expected weights of {name}; convert those, or name the "
            "folder under its own encoder."
        )
    return config, params
