"""Galileo's channels in 17 groups of four kinds, and how they are normalised.

Groups stand in the order of their tokens and of the rows of the learned channel tables; channels in that of the arrays.
Sentinel-2's have the names of `data_specs/sensors`. Source: arXiv 2502.09356, and the code of nasaharvest/galileo at commit
0f0b5b9.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from spectral_jax.model.published.monthly.observations import SENTINEL2, SENTINEL_GROUPS

DYNAMIC_WORLD = ("water", "trees", "grass", "flooded_vegetation", "crops", "shrub_and_scrub", "built", "bare", "snow_and_ice")
WORLD_CEREAL = ("temporary_crops", "maize", "winter_cereals", "spring_cereals", "irrigation")

SPACE_TIME: Mapping[str, tuple[str, ...]] = {**SENTINEL_GROUPS, "NDVI": ("NDVI",)}
SPACE: Mapping[str, tuple[str, ...]] = {"SRTM": ("elevation", "slope"), "DW": DYNAMIC_WORLD, "WC": WORLD_CEREAL}
TIME: Mapping[str, tuple[str, ...]] = {
    "ERA5": ("temperature", "precipitation"),
    "TC": ("water_deficit", "soil_moisture", "evapotranspiration"),
    "VIIRS": ("night_lights",),
}
STATIC: Mapping[str, tuple[str, ...]] = {
    "LS": ("population",),
    "location": ("x", "y", "z"),
    "DW_static": tuple(f"mean_{name}" for name in DYNAMIC_WORLD),
    "WC_static": tuple(f"mean_{name}" for name in WORLD_CEREAL),
}


class Kind(NamedTuple):
    """Groups that share an array: its name, their channels, and which of the axes [h w] and [T] the array has."""

    name: str
    groups: Mapping[str, tuple[str, ...]]
    spatial: bool
    temporal: bool

    @property
    def channels(self) -> tuple[str, ...]:
        """All channels in the order of the array."""
        return tuple(channel for channels in self.groups.values() for channel in channels)


KINDS = (
    Kind("space_time", SPACE_TIME, True, True),
    Kind("space", SPACE, True, False),
    Kind("time", TIME, False, True),
    Kind("static", STATIC, False, False),
)
GROUPS = tuple(group for kind in KINDS for group in kind.groups)
# What images of Sentinel-2 and Sentinel-1 are made of; NDVI is left out of them, as in the published evaluation of images.
IMAGE_GROUPS = tuple(SENTINEL_GROUPS)
# Reflectance of 1 in the digital numbers that the statistics are of.
DIGITAL = 1e4

# (shift, divisor) of a channel in the unit of the statistics: shift = mean - 2 deviations, divisor = 4 deviations, of
# `normalization.json` beside the released weights (10,000 of 127,155 scenes of pretraining). Population's are truncated to
# whole numbers, as the array is that the published code puts them into. Other channels have (0, 1), or (0, 100) where they are
# percent.
NORMALISATION: Mapping[str, tuple[float, float]] = {
    "VV": (-21.5030159, 19.5485831),
    "VH": (-30.3161225, 22.9210813),
    "B02": (-440.067415, 3670.81658),
    "B03": (-488.194993, 3653.19537),
    "B04": (-842.258609, 4370.71489),
    "B05": (-550.580418, 4188.88243),
    "B06": (90.1818847, 4192.04064),
    "B07": (237.71268, 4574.76121),
    "B08": (212.379363, 4395.91671),
    "B8A": (341.339955, 4817.89102),
    "B11": (-57.0437126, 4583.90963),
    "B12": (-485.954841, 3920.97194),
    "elevation": (-1293.12418, 3932.27892),
    "slope": (-10.4047209, 32.6696272),
    "temperature": (111.950918, 319.233158),
    "precipitation": (-0.147847905, 0.466781884),
    "water_deficit": (-750.683613, 2816.00348),
    "soil_moisture": (-1157.89405, 3700.04645),
    "evapotranspiration": (-343.705473, 1812.97361),
    "night_lights": (-13.4613287, 30.0520807),
    "population": (-2120.0, 4618.0),
} | {name: (0.0, 100.0) for name in (*WORLD_CEREAL, *STATIC["WC_static"])}


def statistics(names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Shift and divisor [C] of channels in physical units: reflectance, dB, and as `NORMALISATION` has the others.

    Channels without any, also those that Galileo has not, have 0 and 1.
    """
    unit = np.array([DIGITAL if name in SENTINEL2 else 1.0 for name in names])
    shift, divisor = np.array([NORMALISATION.get(name, (0.0, 1.0)) for name in names]).T
    return shift / unit, divisor / unit


def complete(names: tuple[str, ...]) -> tuple[str, ...]:
    """The groups all of whose channels are among `names`."""
    return tuple(group for kind in KINDS for group, channels in kind.groups.items() if set(channels) <= set(names))
