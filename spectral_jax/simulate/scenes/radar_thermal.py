"""Radar backscatter and surface temperature of the endmembers: the same ground, seen without sunlight reflected."""

import numpy as np

from spectral_jax.simulate.scenes.layout import ENDMEMBERS
from spectral_jax.simulate.scenes.site import Site, States

# Roofs, walls and pavement, dB at VV and VH: double bounce of buildings, near-specular asphalt (urban C-band statistics).
_BUILT_DB = {
    "tile": (-4.0, -11.5), "metal": (-1.5, -10.0), "bitumen": (-5.0, -13.0), "asphalt": (-15.0, -24.0),
    "concrete": (-12.0, -21.0),
}  # fmt: skip
# Warming of dry surfaces over the air at full sun, K.
_WARMING_K = {"tile": 15.0, "metal": 9.0, "bitumen": 20.0, "asphalt": 16.0, "concrete": 11.0}


def linear(db):
    """Decibel to power ratio."""
    return 10.0 ** (np.asarray(db) / 10.0)


def soil_backscatter_db(moisture, roughness_cm, incidence_deg) -> np.ndarray:
    """C-band backscatter of bare soil at VV and VH, dB [2 ...].

    A linear rule in moisture, 0.22 dB per percent, and a logarithmic one in roughness, the sizes that Oh et al. (1992) and the
    change-detection literature give for 0.05 to 0.35 m3/m3 and 0.5 to 3 cm.
    """
    vv = -17.5 + 22.0 * np.asarray(moisture) + 5.0 * np.log10(roughness_cm) - 0.13 * (np.asarray(incidence_deg) - 38.0)
    return np.stack([vv, vv - 9.0 + 2.0 * np.log10(roughness_cm)])


def vegetation_backscatter(lai, water, height, soil_db, incidence_deg) -> np.ndarray:
    """Water cloud model (Attema & Ulaby 1978), power [2 ...] at VV and VH.

    Args:
      lai: leaf area index, the canopy's descriptor V.
      water: water of a leaf relative to 0.012 cm.
      height: 0 grass to 1 trees: woody volume scattering.
      soil_db: `soil_backscatter_db`, [2 ...].
      incidence_deg: from the vertical.
    """
    cosine = np.cos(np.deg2rad(incidence_deg))
    volume = np.asarray(lai) * np.sqrt(water)
    # A and B as fits for crops at C band are: A 0.04 to 0.12 (VV), B 0.1 to 0.25.
    strength = np.stack([0.055 + 0.085 * height, 0.013 + 0.030 * height])
    pairs = np.exp(-2.0 * (0.13 + 0.05 * height) * volume / cosine)
    strength = strength.reshape(2, *([1] * np.ndim(volume)))
    return strength * cosine * (1.0 - pairs) + pairs * linear(soil_db)


def backscatter(site: Site, states: States, incidence_deg) -> np.ndarray:
    """Backscatter of every endmember on every date, power, float32 [T E 2] at VV and VH.

    Args:
      site: the location.
      states: its dates.
      incidence_deg: of each date [T].
    """
    ground = soil_backscatter_db(states.moisture, site.roughness_cm, incidence_deg)
    water, season = site.leaf_water / 0.012, states.season
    grass = site.lai * season
    trees = site.tree_lai * np.sqrt(season)
    # Wind roughens water; the calm limit is the sensor's noise floor, near -24 dB (VV) and -30 dB (VH).
    lake = np.stack([-24.0 + 7.0 * states.wind, -30.0 + 3.0 * states.wind])
    parts = {
        "sparse grass": vegetation_backscatter(0.5 * grass, water, 0.0, ground, incidence_deg),
        "dense grass": vegetation_backscatter(1.3 * grass, water, 0.0, ground, incidence_deg),
        "dry grass": vegetation_backscatter(1.0 + 0.0 * grass, 0.15, 0.0, ground, incidence_deg),
        "open trees": vegetation_backscatter(0.5 * trees, water, 1.0, ground, incidence_deg),
        "closed trees": vegetation_backscatter(trees, water, 1.0, ground, incidence_deg),
        "bare soil": linear(soil_backscatter_db(0.75 * states.moisture, site.roughness_cm, incidence_deg)),
        "wet soil": linear(soil_backscatter_db(1.25 * states.moisture, site.roughness_cm, incidence_deg)),
        "stubble": linear(ground + 0.7),
        "water": linear(lake),
        "bloom": linear(lake - 1.0),
    }
    steady = np.ones_like(states.season)
    parts |= {name: linear(np.array(db))[:, None] * steady for name, db in _BUILT_DB.items()}
    return np.stack([parts[name].T for name, _ in ENDMEMBERS], 1).astype(np.float32)


def temperature_k(site: Site, states: States) -> np.ndarray:
    """Surface temperature at 10:30 local time of every endmember on every date, float32 [T E].

    Air temperature plus what the sun heats: a surface warms by up to about 20 K, less the share its water evaporates, after the
    temperature-vegetation triangle (Carlson 2007). Water follows the air slowly.
    """
    sun, air = np.cos(np.deg2rad(states.sun_zenith_deg)) / 0.8, states.air_k
    dryness = np.clip(1.0 - states.moisture / 0.40, 0.0, 1.0)
    cover = 1.0 - np.exp(-0.5 * site.lai * states.season)
    warming = {
        "sparse grass": 4.0 + 11.0 * (1.0 - 0.6 * cover) * dryness,
        "dense grass": 1.5 + 9.0 * (1.0 - cover) * dryness,
        "dry grass": 6.0 + 9.0 * dryness,
        "open trees": 1.5 + 4.0 * dryness,
        "closed trees": 0.3 + 2.0 * dryness,
        "bare soil": 4.0 + 15.0 * dryness - 2.0 * (site.brightness - 1.0),
        "wet soil": 2.0 + 13.0 * dryness,
        "stubble": 5.0 + 11.0 * dryness,
    }
    parts = {name: air + sun * value for name, value in warming.items()}
    parts |= {name: air + sun * value for name, value in _WARMING_K.items()}
    parts["water"] = 0.6 * air + 0.4 * 289.0
    parts["bloom"] = parts["water"] + 0.8 * sun  # surface pigments trap the sun's heat
    return np.stack([parts[name] for name, _ in ENDMEMBERS], 1).astype(np.float32)
