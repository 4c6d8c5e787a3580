"""Soil, water and built surfaces of the simulated scenes, on the grid of `scenes.leaf.GRID_NM`."""

import numpy as np

from spectral_jax.simulate.lake import optics, rrs
from spectral_jax.simulate.liquid_water import ABSORPTION_PER_CM
from spectral_jax.simulate.scenes.leaf import GRID_NM, bump, table

# Continuum of a mid-bright dry mineral soil: the common concave shape of libraries (Stoner & Baumgardner 1981, type 1-3).
_SOIL = (
    (350, 0.06), (400, 0.08), (450, 0.105), (500, 0.13), (550, 0.165), (600, 0.20), (650, 0.225), (700, 0.245), (800, 0.275),
    (900, 0.295), (1000, 0.315), (1200, 0.345), (1400, 0.36), (1650, 0.385), (1800, 0.38), (2000, 0.355), (2150, 0.36),
    (2300, 0.345), (2500, 0.315),
)  # fmt: skip
# Of the published ranges that `lake.prior` draws from, these came nearest to the lakes around Potsdam on the tuning tiles of
# `measure.scene_realism` (two seeds, eight combinations): minerals and cells that scatter little, and a third of the line's
# height. What the correction leaves over water was fitted before to darker water, so this partly restores that brightness.
_SPECIFIC = {
    "mineral_bb550_m2_g": 0.0075,
    "eukaryote_bb550_m2_mg": 0.0005,
    "cyanobacteria_bb550_m2_mg": 0.0015,
    "fluorescence_yield": 0.3,
}


def soil(brightness, iron, clay, organic, moisture) -> np.ndarray:
    """Soil reflectance: continuum with iron oxide, clay and organic matter, darkened by water.

    Moisture follows the idea of MARMIT (Bablet et al. 2018): a share of the surface is under a film of water that absorbs on
    the way in and out, and traps light by total reflection.

    Args:
      brightness: factor of the dry continuum [...].
      iron: strength of the iron-oxide bands at 480, 530, 660 and 900 nm, 0 to 1 [...].
      clay: strength of the hydroxyl bands at 1415 and 2205 nm, 0 to 1 [...].
      organic: 0 to 1; darkens the visible into a convex shape [...].
      moisture: volumetric water content, m3/m3 [...].

    Returns:
      Reflectance, float32 [... G].
    """
    bright, iron, clay, organic, moisture = (
        np.asarray(x, np.float32)[..., None] for x in (brightness, iron, clay, organic, moisture)
    )
    bands = iron * (0.30 * bump(480, 45) + 0.22 * bump(530, 30) + 0.06 * bump(660, 40) + 0.13 * bump(890, 70))
    bands = bands + clay * (0.10 * bump(1415, 18) + 0.13 * bump(2205, 22) + 0.05 * bump(2345, 25))
    convex = 1.0 - organic * 0.45 * np.exp(-(((GRID_NM - 350.0) / 700.0) ** 2)).astype(np.float32)
    dry = bright * table(_SOIL) * convex * (1.0 - bands)
    film_cm = 0.002 + 0.05 * moisture
    path = np.exp(-2.0 * film_cm * table(ABSORPTION_PER_CM))
    # 0.53 of diffuse light leaves water of index 1.33 upward; the rest returns to the soil.
    wet = 0.98 * 0.53 * dry * path / (1.0 - 0.47 * dry * path)
    share = np.clip(moisture / 0.42, 0.0, 1.0)
    return ((1.0 - share) * dry + share * wet).astype(np.float32)


def water(chlorophyll, phycocyanin, cdom, sediment, glint) -> np.ndarray:
    """Reflectance of optically deep water, pi times the remote-sensing reflectance of `lake.rrs`.

    Args:
      chlorophyll: mg/m3 [...].
      phycocyanin: mg/m3 [...]; its ratio to chlorophyll, 0.03 to 2.53 in `scenes.site`, tells the share of cyanobacteria.
      cdom: absorption of dissolved matter at 440 nm, 1/m [...].
      sediment: non-algal particles, g/m3 [...].
      glint: sky and sun reflected by the surface, reflectance [...].

    Returns:
      Reflectance, float32 [... G].
    """
    ratio = np.asarray(phycocyanin) / np.maximum(chlorophyll, 1e-3)
    matter = optics.Water(chlorophyll, np.clip((ratio - 0.03) / 2.5, 0.0, 1.0), phycocyanin, sediment, cdom, **_SPECIFIC)
    return (np.pi * rrs.reflectance(matter, GRID_NM) + np.asarray(glint)[..., None]).astype(np.float32)


def built(kind: str, age) -> np.ndarray:
    """Reflectance of a built surface; analytic shapes after the Santa Barbara urban library (Herold et al. 2004).

    Args:
      kind: tile, metal, bitumen, asphalt or concrete.
      age: 0 new to 1 weathered [...]; old asphalt is brighter, old tile and metal are darker.

    Returns:
      Reflectance, float32 [... G].

    Raises:
      ValueError: the kind is unknown.
    """
    age = np.asarray(age, np.float32)[..., None]
    rise = (1.0 - np.exp(-(GRID_NM - 350.0) / 600.0)).astype(np.float32)
    red = (1.0 / (1.0 + np.exp(-(GRID_NM - 580.0) / 28.0))).astype(np.float32)
    carbonate, hydrocarbon = bump(2340, 30), bump(1725, 20) + 1.3 * bump(2310, 28)
    shapes = {
        "tile": (0.07 + 0.16 * red + 0.18 * rise - 0.05 * bump(870, 90)) * (1.0 - 0.35 * age),
        "metal": (0.34 + 0.06 * rise - 0.04 * bump(850, 120)) * (1.0 - 0.45 * age),
        "bitumen": (0.05 + 0.05 * rise) * (1.0 + 0.9 * age) * (1.0 - 0.08 * hydrocarbon),
        "asphalt": (0.07 + 0.09 * rise) * (1.0 + 0.7 * age) * (1.0 - 0.06 * hydrocarbon * (1.0 - age)),
        "concrete": (0.17 + 0.20 * rise) * (1.0 - 0.25 * age) * (1.0 - 0.08 * carbonate - 0.05 * bump(1415, 25)),
    }
    if kind not in shapes:
        raise ValueError(f"built: expected a kind out of {', '.join(shapes)}, got {kind!r}.")
    return shapes[kind].astype(np.float32)
