"""Soil, water and built surfaces of the simulated scenes, on the grid of `scenes.leaf.GRID_NM`."""

import numpy as np

from spectral_jax.simulate.scenes.leaf import GRID_NM, WATER_ABSORPTION_PER_CM, bump, table

# Continuum of a mid-bright dry mineral soil: the common concave shape of libraries (Stoner & Baumgardner 1981, type 1-3).
_SOIL = (
    (350, 0.06), (400, 0.08), (450, 0.105), (500, 0.13), (550, 0.165), (600, 0.20), (650, 0.225), (700, 0.245), (800, 0.275),
    (900, 0.295), (1000, 0.315), (1200, 0.345), (1400, 0.36), (1650, 0.385), (1800, 0.38), (2000, 0.355), (2150, 0.36),
    (2300, 0.345), (2500, 0.315),
)  # fmt: skip
# Absorption of pure water, 1/m: Pope & Fry (1997) to 725 nm, Hale & Querry (1973) above.
_PURE_WATER = (
    (350, 0.020), (400, 0.0066), (450, 0.0092), (500, 0.0204), (550, 0.0565), (570, 0.0695), (580, 0.0896), (590, 0.135),
    (600, 0.222), (620, 0.2755), (640, 0.311), (660, 0.410), (680, 0.465), (700, 0.624), (710, 0.83), (720, 1.23), (730, 1.95),
    (740, 2.5), (750, 2.6),
) + tuple((nm, 100.0 * k) for nm, k in WATER_ABSORPTION_PER_CM if nm > 750)  # fmt: skip
# Phytoplankton absorption at 1 mg/m3, m2/mg, shape after Bricaud et al. (1995).
_PHYTOPLANKTON = (
    (350, 0.020), (400, 0.030), (440, 0.040), (470, 0.033), (500, 0.022), (530, 0.013), (560, 0.0075), (600, 0.0065),
    (630, 0.0085), (650, 0.011), (665, 0.0185), (675, 0.020), (685, 0.014), (700, 0.003), (720, 0.0),
)  # fmt: skip


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
    path = np.exp(-2.0 * film_cm * table(WATER_ABSORPTION_PER_CM))
    # 0.53 of diffuse light leaves water of index 1.33 upward; the rest returns to the soil.
    wet = 0.98 * 0.53 * dry * path / (1.0 - 0.47 * dry * path)
    share = np.clip(moisture / 0.42, 0.0, 1.0)
    return ((1.0 - share) * dry + share * wet).astype(np.float32)


def water(chlorophyll, phycocyanin, cdom, sediment, glint) -> np.ndarray:
    """Reflectance of optically deep water after Gordon et al. (1988), as remote-sensing reflectance times pi.

    Args:
      chlorophyll: mg/m3 [...].
      phycocyanin: mg/m3; absorbs at 620 nm, 0.007 m2/mg (Simis et al. 2005), with allophycocyanin's shoulder at 650 nm [...].
      cdom: absorption of dissolved matter at 440 nm, 1/m, slope 0.016 1/nm [...].
      sediment: non-algal particles, g/m3 [...].
      glint: sky and sun reflected by the surface, reflectance [...].

    Returns:
      Reflectance, float32 [... G].
    """
    chl, pc, cdom, nap, glint = (
        np.asarray(x, np.float32)[..., None] for x in (chlorophyll, phycocyanin, cdom, sediment, glint)
    )
    packaged = chl ** np.float32(0.85)  # absorption grows slower than pigment (Bricaud et al. 1995)
    absorption = table(_PURE_WATER) + packaged * table(_PHYTOPLANKTON) + 0.007 * pc * (bump(620, 26) + 0.25 * bump(650, 12))
    absorption = absorption + cdom * np.exp(-0.016 * (GRID_NM - 440.0)).astype(np.float32)
    absorption = absorption + 0.035 * nap * np.exp(-0.011 * (GRID_NM - 440.0)).astype(np.float32)
    ratio = (550.0 / GRID_NM).astype(np.float32)
    scatter = 0.00085 * ratio ** np.float32(4.3) + 0.015 * nap * 0.5 * ratio ** np.float32(0.6)
    scatter = scatter + 0.0019 * chl ** np.float32(0.8) * ratio ** np.float32(0.4)
    u = scatter / (absorption + scatter)
    below = 0.0949 * u + 0.0794 * u**2
    return (np.pi * 0.52 * below / (1.0 - 1.7 * below) + glint).astype(np.float32)


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
