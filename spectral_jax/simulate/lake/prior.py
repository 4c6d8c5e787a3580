"""What the water of a shallow, fertile lake may hold, and spectra of it: the prior of the simulations.

Concentrations are lognormal. Their middles and spreads are set to published ranges of western Lake Erie: extracted chlorophyll
with a median of 16 and 90 % within 3 and 71 ug/L (GLERL match-ups), several hundred in blooms; suspended minerals to some
100 g/m3; absorption of dissolved matter at 440 nm from 0.2 to 2 1/m. Specific optics are drawn within published ranges, named
at each constant. The overall level and spread of PACE's spectra (their medians and percentiles by band, without labels and
without fitting any single spectrum) were compared with the draws and led to the middles chosen within those ranges.
"""

import numpy as np

from spectral_jax.sensors import SensorSpec
from spectral_jax.simulate.lake import correction
from spectral_jax.simulate.lake.optics import Water
from spectral_jax.simulate.lake.rrs import in_bands
from spectral_jax.simulate.lake.toxin import BLOOM_LOG10, PLACE_LOG10, microcystin

# Median and standard deviation of log10, lowest and highest.
CHLOROPHYLL_UG_L = (14.0, 0.42, 0.5, 500.0)
SUSPENDED_G_M3 = (9.0, 0.40, 0.3, 120.0)
CDOM_A440_1_M = (0.42, 0.22, 0.15, 2.5)
PHYCOCYANIN_PER_CHLOROPHYLL = (0.7, 0.20, 0.1, 4.0)  # of cyanobacteria; Simis et al. (2005) report 0.1 to more than 2
BLOOM_SHARE = 0.08  # of draws whose chlorophyll is that of a bloom
BLOOM_UG_L = (70.0, 0.35, 20.0, 500.0)
# Uniform ranges. Slopes: Babin et al. (2003), Bricaud et al. (1981). Minerals: absorption 0.02-0.08 m2/g (Babin et al. 2003);
# backscattering 0.5 m2/g times 1.2-3 % (Stramski et al. 2007, Great Lakes sediment is fine clay). Phytoplankton: Moore et al.
# (2017) and, for eukaryotes, Whitmire et al. (2010).
_SPECIFIC = {
    "cdom_slope_1_nm": (0.012, 0.020),
    "mineral_a440_m2_g": (0.015, 0.060),
    "mineral_slope_1_nm": (0.008, 0.014),
    "mineral_bb550_m2_g": (0.006, 0.014),
    "mineral_exponent": (0.0, 1.2),
    "pigment_factor": (0.5, 1.3),
    "phycocyanin_a620_m2_mg": (0.006, 0.016),
    "package_mg_m2": (0.0, 50.0),
    "eukaryote_bb550_m2_mg": (0.0004, 0.0018),
    "cyanobacteria_bb550_m2_mg": (0.0015, 0.0050),
    "phytoplankton_exponent": (-0.2, 1.2),
    "fluorescence_yield": (0.0, 0.6),
}


def specific_optics(rng: np.random.Generator, shape: tuple[int, ...], *, alike: float = 0.0) -> dict[str, np.ndarray]:
    """Fields of `Water` that say how matter absorbs and scatters, each [shape], uniform in its published range.

    Args:
      rng: source of randomness.
      shape: of each field.
      alike: 0: independent; towards 1: about one common draw, as in one lake, this near to it (a share of the range).
    """
    out = {}
    for name, limits in _SPECIFIC.items():
        common = rng.uniform(*limits)
        out[name] = alike * common + (1.0 - alike) * rng.uniform(*limits, shape)
    return out


def lognormal(rng: np.random.Generator, about: tuple[float, float, float, float], shape: tuple[int, ...]) -> np.ndarray:
    """Draws [shape] of (median, standard deviation of log10, lowest, highest), clipped."""
    median, spread, low, high = about
    return np.clip(median * 10.0 ** (spread * rng.standard_normal(shape)), low, high)


def cyanobacteria_share(rng: np.random.Generator, chlorophyll_ug_l: np.ndarray) -> np.ndarray:
    """Share of the chlorophyll in cyanobacteria, 0 to 1 [...]: any, and most of it in dense water.

    The logit rises by 1.5 for ten times the chlorophyll, with a standard deviation of 1.6: choices.
    """
    shape = np.shape(chlorophyll_ug_l)
    logit = -1.0 + 1.5 * np.log10(np.asarray(chlorophyll_ug_l) / CHLOROPHYLL_UG_L[0]) + 1.6 * rng.standard_normal(shape)
    return 1.0 / (1.0 + np.exp(-logit))


def draw_water(rng: np.random.Generator, count: int) -> Water:
    """Independent draws of water, fields [N]."""
    shape = (count,)
    chlorophyll = lognormal(rng, CHLOROPHYLL_UG_L, shape)
    chlorophyll = np.where(rng.random(shape) < BLOOM_SHARE, lognormal(rng, BLOOM_UG_L, shape), chlorophyll)
    share = cyanobacteria_share(rng, chlorophyll)
    return Water(
        chlorophyll_ug_l=chlorophyll,
        cyanobacteria_share=share,
        phycocyanin_ug_l=chlorophyll * share * lognormal(rng, PHYCOCYANIN_PER_CHLOROPHYLL, shape),
        suspended_g_m3=lognormal(rng, SUSPENDED_G_M3, shape),
        cdom_a440_1_m=lognormal(rng, CDOM_A440_1_M, shape),
        **specific_optics(rng, shape),
    )


def simulate_spectra(
    rng: np.random.Generator, count: int, spec: SensorSpec, *, errors: bool = True
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Spectra of independent waters as a sensor's product would hold them.

    Args:
      rng: source of randomness.
      count: N.
      spec: the sensor; its used bands are simulated.
      errors: with what a correction of the atmosphere leaves, noise and the packing's floor; False: the water itself.

    Returns:
      rrs, sr^-1, float32 [N C]; and the state, each float32 [N]: chlorophyll_ug_l, phycocyanin_ug_l, suspended_g_m3,
      cdom_a440_1_m, microcystin_ug_l (of a day between late April and the end of October).

    Raises:
      ValueError: the sensor is not optical, or a used band lies outside 340-900 nm.
    """
    water = draw_water(rng, count)
    rrs = in_bands(water, spec)
    day = rng.uniform(112.0, 305.0, count)
    spread = np.hypot(PLACE_LOG10, BLOOM_LOG10) * rng.standard_normal(count)
    toxin = microcystin(rng, np.asarray(water.phycocyanin_ug_l), day, spread)
    if errors:
        gain, offset = correction.scene_error(rng, count, 1, spec.centre_nm)
        rrs = rrs * gain[:, 0] + offset[:, 0] + correction.noise(rng, (count,), spec.centre_nm)
        rrs = correction.unpack(correction.pack(rrs, spec), spec)
    names = ("chlorophyll_ug_l", "phycocyanin_ug_l", "suspended_g_m3", "cdom_a440_1_m")
    state = {name: getattr(water, name) for name in names}
    return rrs, state | {"microcystin_ug_l": toxin.astype(np.float32)}
