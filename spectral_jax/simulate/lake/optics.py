"""Absorption and backscattering of lake water: pure water, two groups of phytoplankton, minerals and dissolved matter.

Inherent optical properties add up, so each part is a function of its own concentration and the total is their sum. Tables are
coarse readings (10 nm or wider, joined by straight lines, pigments smoothed by a Gaussian of 4 nm) of published curves.

Sources:
- absorption of pure water: Sogandares & Fry (1997) at 340-370 nm, Pope & Fry (1997) at 380-720 nm, Smith & Baker (1981) at
  730-800 nm, Hale & Querry (1973) from 825 nm on; below 340 nm the end value holds;
- backscattering of pure fresh water: 0.00111 1/m at 500 nm, exponent -4.32 (Morel 1974);
- eukaryotes: the mean phytoplankton of Bricaud et al. (1998) at 1 mg/m3, factor A; outside 400-700 nm a choice;
- cyanobacteria: chlorophyll and carotenoids of Microcystis, after the shapes in Simis et al. (2005), numbers a choice; beside
  it phycocyanin;
- phycocyanin: 0.007 m2/mg at its peak in dense water, up to 0.027 in thin (Yacobi et al. 2015), with the shoulder of
  allophycocyanin;
- package effect: Morel & Bricaud (1981), equation for spheres;
- backscattering of colonies with gas vesicles: more than 0.03 of scattering (Moore et al. 2017, western Lake Erie).
"""

import dataclasses
import functools

import numpy as np

from spectral_jax.simulate.liquid_water import ABSORPTION_PER_CM

GRID_NM = np.arange(325.0, 916.0, 2.5)  # spectra are computed here, then averaged over bands
RANGE_NM = (340.0, 900.0)  # of band centres that a lake is seen in
TABLES_NM = (325.0, 2500.0)  # beyond 900 nm, where scenes need a number too, next to nothing but water is seen
_PURE_WATER = (
    (340, 0.0325), (350, 0.0204), (360, 0.0156), (370, 0.0114), (380, 0.01137), (390, 0.00851), (400, 0.00663), (410, 0.00473),
    (420, 0.00454), (430, 0.00495), (440, 0.00635), (450, 0.00922), (460, 0.00979), (470, 0.0106), (480, 0.0127), (490, 0.0150),
    (500, 0.0204), (510, 0.0325), (520, 0.0409), (530, 0.0434), (540, 0.0474), (550, 0.0565), (560, 0.0619), (570, 0.0695),
    (580, 0.0896), (590, 0.1351), (600, 0.2224), (610, 0.2644), (620, 0.2755), (630, 0.2916), (640, 0.3108), (650, 0.340),
    (660, 0.410), (670, 0.439), (680, 0.465), (690, 0.516), (700, 0.624), (710, 0.827), (720, 1.231), (730, 1.799), (740, 2.38),
    (750, 2.47), (760, 2.55), (770, 2.51), (780, 2.36), (790, 2.16), (800, 2.07), (825, 2.77), (850, 4.33), (875, 5.62),
    (900, 6.79),
) + tuple((nm, 100.0 * per_cm) for nm, per_cm in ABSORPTION_PER_CM if nm > 900)  # fmt: skip
_EUKARYOTE = (
    (340, 0.0160), (370, 0.0200), (400, 0.0241), (410, 0.0287), (420, 0.0328), (430, 0.0359), (440, 0.0378), (450, 0.0350),
    (460, 0.0328), (470, 0.0309), (480, 0.0281), (490, 0.0254), (500, 0.0210), (510, 0.0162), (520, 0.0126), (530, 0.0103),
    (540, 0.0085), (550, 0.0070), (560, 0.0057), (570, 0.0050), (580, 0.0051), (590, 0.0054), (600, 0.0052), (610, 0.0055),
    (620, 0.0061), (630, 0.0066), (640, 0.0071), (650, 0.0078), (660, 0.0108), (670, 0.0174), (676, 0.0187), (680, 0.0161),
    (690, 0.0069), (700, 0.0025), (710, 0.0008), (725, 0.0),
)  # fmt: skip
_CYANOBACTERIA = (
    (340, 0.0220), (370, 0.0255), (400, 0.0270), (420, 0.0320), (438, 0.0360), (450, 0.0300), (470, 0.0240), (490, 0.0215),
    (510, 0.0150), (530, 0.0085), (550, 0.0050), (570, 0.0042), (590, 0.0048), (620, 0.0058), (640, 0.0058), (650, 0.0070),
    (660, 0.0120), (670, 0.0180), (678, 0.0200), (684, 0.0165), (692, 0.0075), (700, 0.0028), (710, 0.0008), (725, 0.0),
)  # fmt: skip
_PIGMENT_BLUR_NM = 4.0  # straight lines between anchors have corners that no pigment has
_ATTENUATION_M2_MG = 0.2  # of phytoplankton per chlorophyll at 550 nm; a choice within 0.1-0.5 (Bricaud et al. 1983)


@dataclasses.dataclass(frozen=True)
class Water:
    """What is in the water, and how it absorbs and scatters. Every field is a number or an array; they broadcast to [...].

    The defaults are the middle of the published ranges that `lake.prior` draws from.

    Attributes:
      chlorophyll_ug_l: chlorophyll-a of all phytoplankton.
      cyanobacteria_share: of the chlorophyll, 0 to 1.
      phycocyanin_ug_l: in the cyanobacteria.
      suspended_g_m3: minerals and detritus, without living cells.
      cdom_a440_1_m: absorption of dissolved matter at 440 nm.
      cdom_slope_1_nm: exponential slope of it.
      mineral_a440_m2_g: absorption of minerals and detritus at 440 nm, and `mineral_slope_1_nm`.
      mineral_bb550_m2_g: backscattering of them at 550 nm, and `mineral_exponent` of its power law.
      pigment_factor: factor on the absorption of both groups.
      phycocyanin_a620_m2_mg: absorption of phycocyanin at its peak.
      package_mg_m2: cell (or colony) diameter times pigment inside; 0: pigments as if dissolved.
      eukaryote_bb550_m2_mg: backscattering per chlorophyll, and `cyanobacteria_bb550_m2_mg`.
      phytoplankton_exponent: of the power law of their attenuation.
      fluorescence_yield: factor on the mean line height of chlorophyll; see `lake.rrs.fluorescence`.
    """

    chlorophyll_ug_l: np.ndarray | float
    cyanobacteria_share: np.ndarray | float
    phycocyanin_ug_l: np.ndarray | float
    suspended_g_m3: np.ndarray | float
    cdom_a440_1_m: np.ndarray | float
    cdom_slope_1_nm: np.ndarray | float = 0.016
    mineral_a440_m2_g: np.ndarray | float = 0.035
    mineral_slope_1_nm: np.ndarray | float = 0.011
    mineral_bb550_m2_g: np.ndarray | float = 0.011
    mineral_exponent: np.ndarray | float = 0.6
    pigment_factor: np.ndarray | float = 1.0
    phycocyanin_a620_m2_mg: np.ndarray | float = 0.007
    package_mg_m2: np.ndarray | float = 15.0
    eukaryote_bb550_m2_mg: np.ndarray | float = 0.001
    cyanobacteria_bb550_m2_mg: np.ndarray | float = 0.0035
    phytoplankton_exponent: np.ndarray | float = 0.6
    fluorescence_yield: np.ndarray | float = 1.0

    def __post_init__(self):
        for field in dataclasses.fields(self):
            values = np.asarray(getattr(self, field.name), np.float32)
            if not np.isfinite(values).all() or (not field.name.endswith("_exponent") and (values < 0).any()):
                worst = values.min() if np.isfinite(values).all() else np.nan
                raise ValueError(f"Water: expected {field.name} to be finite and not negative, got {worst:g}; mend the draw.")
            object.__setattr__(self, field.name, values)
        if (self.cyanobacteria_share > 1).any():
            raise ValueError(f"Water: expected cyanobacteria_share from 0 to 1, got {self.cyanobacteria_share.max():g}.")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape [...] that the fields broadcast to."""
        return np.broadcast_shapes(*(getattr(self, field.name).shape for field in dataclasses.fields(self)))


def inherent(water: Water, grid_nm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Total absorption and total backscattering, 1/m, each float32 [... G], at the wavelengths `grid_nm` [G].

    Phytoplankton scatters what it attenuates (a power law) less what it absorbs, so its backscattering dips where pigments
    absorb (c - a, as in Babin et al. 2003).

    Raises:
      ValueError: a wavelength is outside the tables.
    """
    nm = _checked(grid_nm)
    ratio = np.log(550.0 / nm)
    algae = phytoplankton_absorption(water, nm)
    share, chlorophyll = water.cyanobacteria_share, water.chlorophyll_ug_l
    per_chlorophyll = (1.0 - share) * water.eukaryote_bb550_m2_mg + share * water.cyanobacteria_bb550_m2_mg
    scattered = _last(chlorophyll) * np.exp(_last(water.phytoplankton_exponent) * ratio)
    scattered = _last(per_chlorophyll) * np.maximum(scattered - algae / np.float32(_ATTENUATION_M2_MG), 0.0)
    suspended = _last(water.suspended_g_m3)
    scattered = scattered + suspended * (_last(water.mineral_bb550_m2_g) * np.exp(_last(water.mineral_exponent) * ratio))
    absorbed = algae + suspended * (_last(water.mineral_a440_m2_g) * np.exp(-_last(water.mineral_slope_1_nm) * (nm - 440)))
    absorbed = absorbed + _last(water.cdom_a440_1_m) * np.exp(-_last(water.cdom_slope_1_nm) * (nm - 440))
    return absorbed + pure_water_absorption(nm), scattered + pure_water_backscattering(nm)


def phytoplankton_absorption(water: Water, grid_nm: np.ndarray) -> np.ndarray:
    """Absorption of eukaryotes and cyanobacteria with their phycocyanin, packaged, 1/m, float32 [... G]."""
    nm = _checked(grid_nm)
    factor, package = _last(water.pigment_factor), _last(water.package_mg_m2)
    of_cyanobacteria = water.chlorophyll_ug_l * water.cyanobacteria_share
    eukaryote = factor * _pigment(_EUKARYOTE, nm)
    green, blue = factor * _pigment(_CYANOBACTERIA, nm), _last(water.phycocyanin_a620_m2_mg) * phycocyanin_shape(nm)
    # More than ten times the chlorophyll is no cell's pigment; it counts as absorption but packs no tighter.
    loading = np.minimum(water.phycocyanin_ug_l / np.maximum(of_cyanobacteria, 1e-3), 10.0).astype(np.float32)
    cells = _last(of_cyanobacteria) * green + _last(water.phycocyanin_ug_l) * blue
    cells = cells * packaged(package * (green + _last(loading) * blue))
    return cells + _last(water.chlorophyll_ug_l - of_cyanobacteria) * (eukaryote * packaged(package * eukaryote))


def packaged(thickness: np.ndarray) -> np.ndarray:
    """Share of the absorption that pigments keep inside a cell, of its optical thickness [...] along a diameter.

    Morel & Bricaud (1981) for spheres, as a rational function with the same series to the second order and the same limit
    1.5 / thickness; within 6 % of theirs everywhere, and much faster.
    """
    return (1.0 + 0.1393 * thickness) / (1.0 + thickness * (0.5143 + 0.09286 * thickness))


def phycocyanin_shape(grid_nm: np.ndarray) -> np.ndarray:
    """Absorption of phycocyanin relative to its peak at 620 nm, float32 [G]: steeper to the red, with a shoulder.

    Widths (sigma 30 and 20 nm) and the shoulder of allophycocyanin (0.2 at 652 nm, sigma 9 nm) are choices after the shapes
    of C-phycocyanin in Simis et al. (2005).
    """
    from_peak = np.asarray(grid_nm, np.float32) - 620.0
    peak = np.exp(-0.5 * (from_peak / np.where(from_peak < 0, 30.0, 20.0)) ** 2)
    shoulder = 0.2 * np.exp(-0.5 * ((from_peak - 32.0) / 9.0) ** 2)
    return (peak + shoulder).astype(np.float32)


def pure_water_absorption(grid_nm: np.ndarray) -> np.ndarray:
    """Absorption of pure water, 1/m, float32 [G]; sources in the module's docstring."""
    return np.interp(grid_nm, *_columns(_PURE_WATER)).astype(np.float32)


def pure_water_backscattering(grid_nm: np.ndarray) -> np.ndarray:
    """Backscattering of pure fresh water, 1/m, float32 [G] (Morel 1974)."""
    return (0.00111 * (np.asarray(grid_nm, float) / 500.0) ** -4.32).astype(np.float32)


def _pigment(anchors: tuple, nm: np.ndarray) -> np.ndarray:
    return np.interp(nm, GRID_NM, _smoothed(anchors)).astype(np.float32)


@functools.cache
def _smoothed(anchors: tuple) -> np.ndarray:
    distance = GRID_NM[:, None] - GRID_NM[None, :]
    weight = np.exp(-0.5 * (distance / _PIGMENT_BLUR_NM) ** 2)
    return weight @ np.interp(GRID_NM, *_columns(anchors)) / weight.sum(1)


def _columns(anchors: tuple) -> tuple[np.ndarray, np.ndarray]:
    nm, value = np.array(anchors, float).T
    return nm, value


def _last(values: np.ndarray | float) -> np.ndarray:
    return np.asarray(values)[..., None]


def _checked(grid_nm: np.ndarray) -> np.ndarray:
    nm = np.asarray(grid_nm, np.float32)
    if nm.ndim != 1 or not len(nm) or nm.min() < TABLES_NM[0] or nm.max() > TABLES_NM[1]:
        raise ValueError(
            f"water optics: expected wavelengths within {TABLES_NM[0]:g}-{TABLES_NM[1]:g} nm, got "
            f"{'none' if not nm.size else f'{nm.min():g} to {nm.max():g}'}; the tables end there."
        )
    return nm
