"""Who stands in the table: the bands, and encoders with the weights of a folder and with random ones."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from spectral_jax.adapt.encoders import ours
from spectral_jax.adapt.encoders.encoder import Size
from spectral_jax.adapt.settings import WeightFolders
from spectral_jax.sentences import unknown

# How each encoder sees EnMAP, by `adapt.bands`; bands of Sentinel-2 it sees as they are (nearest is the band itself).
ADAPTATIONS = {
    "terramind": "nearest", "galileo": "nearest", "presto": "nearest", "dofa": "none", "spectf": "none",
    "spectralearth": "none", "hypersigma_spatial": "none", "ours_finest": "none",
    "ours_pixels": "none",
}  # fmt: skip
# Published sizes of those whose weights are small; the others are of a small size without weights.
SIZES = {"galileo": "nano", "presto": "default"}
# Those that know no neighbours: a cell is its mean spectrum to them.
PIXELWISE = ("presto", "spectf")
RANDOM = "random weights"
OURS = (ours.FINEST, ours.PIXELS)
# The bands themselves: the ten of land of Sentinel-2, and all that a task has.
TEN, ALL = "bands, ten of Sentinel-2", "bands, all"


class Contestant(NamedTuple):
    """One line.

    Attributes:
      name: as in the table.
      encoder: of `encoders.table`.
      folder: of weights; empty for random ones of a small size.
      random: whether weights are drawn with each seed, of the structure of the folder's where there is one.
    """

    name: str
    encoder: str
    folder: str
    random: bool

    @property
    def beside_bands(self) -> bool:
        """Whether it stands a second time, its features beside the bands: what of them it adds is asked of our own."""
        return self.encoder in OURS and not self.random

    @property
    def with_bands(self) -> str:
        """Name of that line."""
        return f"{self.name}, beside the bands"

    @property
    def adaptation(self) -> str:
        """How it sees an imaging spectrometer."""
        return ADAPTATIONS[self.encoder]


def of(weights: WeightFolders, encoders: Sequence[str] = tuple(ADAPTATIONS)) -> list[Contestant]:
    """Encoders with the weights of their folder, where one is named, and with random ones.

    Raises:
      ValueError: an encoder that is not in the table.
    """
    out = []
    for encoder in encoders:
        if encoder not in ADAPTATIONS:
            raise unknown("encoders", "encoder of the table", encoder, ADAPTATIONS, most=len(ADAPTATIONS))
        folder = getattr(weights, encoder)
        if folder:
            out.append(Contestant(encoder, encoder, folder, False))
        small = "" if folder or encoder in SIZES else ", small"
        out.append(Contestant(f"{encoder}{small}, {RANDOM}", encoder, folder, True))
    return out


def size(contestant: Contestant, px: int, patch: int) -> Size:
    """Structure of one without weights."""
    return Size(name=SIZES.get(contestant.encoder, ""), width=96, depth=4, heads=3, patch=patch, px=px)


def folders(contestant: Contestant) -> WeightFolders:
    """The folder of its own weights alone."""
    return dataclasses.replace(WeightFolders(), **{contestant.encoder: contestant.folder})
