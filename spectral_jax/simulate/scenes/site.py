"""What a simulated location is: its lasting properties, its state on each date, and the spectra of its endmembers.

Ranges are those usual for temperate landscapes; each is described where it is drawn. Lasting properties make the truth that a
probe is asked for; the state of a date (season, rain, wind, sun) is what an encoder should see through.
"""

import dataclasses

import numpy as np

from spectral_jax.simulate.scenes import leaf, surfaces
from spectral_jax.simulate.scenes.layout import ENDMEMBERS


@dataclasses.dataclass(frozen=True)
class Site:
    """Lasting properties of a location.

    Attributes:
      fractions: aimed at, of low vegetation, tree, soil, water, built.
      river: water is a river, else a lake or pond.
      patch_m: size of fields and stands, metres.
      lai: leaf area index of low vegetation at its peak, m2/m2.
      tree_lai: of closed trees.
      chlorophyll: of leaves at the peak, ug/cm2.
      leaf_water: equivalent water thickness, cm.
      dry_matter: g/cm2.
      structure: leaf plates.
      dry_share: standing dead share of low vegetation, relative to the green.
      crown_shadow: shaded fraction inside tree crowns.
      brightness, iron, clay, organic: of the soil, see `scenes.surfaces.soil`.
      moisture: mean volumetric soil moisture, m3/m3.
      roughness_cm: rms height of the bare soil.
      water_chlorophyll: mg/m3, mean.
      phycocyanin: mg/m3, mean.
      cdom: 1/m at 440 nm.
      sediment: g/m3.
      bloom_log_share: log share of bloom patches in the water.
      roof_log_share: tile, metal, bitumen.
      pavement_log_share: asphalt, concrete.
      age: weathering of built surfaces.
      latitude, longitude: degrees.
    """

    fractions: tuple[float, ...]
    river: bool
    patch_m: float
    lai: float
    tree_lai: float
    chlorophyll: float
    leaf_water: float
    dry_matter: float
    structure: float
    dry_share: float
    crown_shadow: float
    brightness: float
    iron: float
    clay: float
    organic: float
    moisture: float
    roughness_cm: float
    water_chlorophyll: float
    phycocyanin: float
    cdom: float
    sediment: float
    bloom_log_share: float
    roof_log_share: tuple[float, ...]
    pavement_log_share: tuple[float, ...]
    age: float
    latitude: float
    longitude: float


@dataclasses.dataclass(frozen=True)
class States:
    """What changes from date to date, each [T].

    Attributes:
      days: since 2000-01-01 UTC.
      season: greenness, 0 bare to 1 peak.
      moisture: soil moisture, m3/m3.
      bloom: factor on the water's chlorophyll.
      glint: reflectance of the water surface.
      sun_zenith_deg: at 10:30 local time.
      air_k: air temperature near the ground.
      wind: 0 calm to 1.
    """

    days: np.ndarray
    season: np.ndarray
    moisture: np.ndarray
    bloom: np.ndarray
    glint: np.ndarray
    sun_zenith_deg: np.ndarray
    air_k: np.ndarray
    wind: np.ndarray


def draw_site(rng: np.random.Generator) -> Site:
    """Draws a location; a lakeside or riverside mosaic, so that every property leaves a trace."""
    fractions = rng.dirichlet((1.6, 1.4, 0.9, 1.1, 1.0)) * 0.85 + np.array([0.04, 0.03, 0.02, 0.04, 0.02])
    river, wide = bool(rng.random() < 0.4), rng.random() < 0.45
    if wide and not river:  # the patch lies at a lake larger than itself
        water = rng.uniform(0.35, 0.75)
        fractions *= (1.0 - water) / (1.0 - fractions[3])
        fractions[3] = water
    # Mesotrophic to hypertrophic, mg/m3. Phycocyanin: from next to none to some 2.5 times the chlorophyll, as the share of
    # cyanobacteria goes (Simis et al. 2005).
    chl = float(np.clip(np.exp(rng.normal(np.log(20.0), 0.8)), 1.5, 120.0))
    pigments = 0.03 + 2.5 * rng.beta(1.2, 1.4)
    lai = float(rng.uniform(0.5, 5.0))
    return Site(
        fractions=tuple(fractions),
        river=river,
        patch_m=float(rng.uniform(30.0, 110.0)),
        lai=lai,
        tree_lai=float(1.5 + 0.6 * lai + rng.uniform(0.0, 1.5)),
        chlorophyll=float(rng.uniform(18.0, 60.0)),
        leaf_water=float(rng.uniform(0.006, 0.020)),
        dry_matter=float(rng.uniform(0.004, 0.010)),
        structure=float(rng.uniform(1.4, 2.2)),
        dry_share=float(np.exp(rng.normal(-0.2, 0.8))),
        crown_shadow=float(rng.uniform(0.05, 0.35)),
        brightness=float(rng.uniform(0.6, 1.35)),
        iron=float(rng.uniform(0.0, 0.9)),
        clay=float(rng.uniform(0.0, 1.0)),
        organic=float(rng.uniform(0.0, 0.8)),
        moisture=float(rng.uniform(0.06, 0.34)),
        roughness_cm=float(rng.uniform(0.5, 3.0)),
        water_chlorophyll=chl,
        phycocyanin=chl * float(pigments),
        cdom=float(np.clip(np.exp(rng.normal(np.log(0.5), 0.5)), 0.15, 3.0)),
        sediment=float(np.clip(np.exp(rng.normal(np.log(4.0), 0.55)), 1.0, 20.0)),
        bloom_log_share=float(rng.normal(-0.5, 0.8)),
        roof_log_share=tuple(rng.normal((0.0, -0.8, 0.0), 0.9)),
        pavement_log_share=tuple(rng.normal((0.5, -0.2), 0.7)),
        age=float(rng.uniform(0.0, 1.0)),
        latitude=float(rng.uniform(36.0, 57.0)),
        longitude=float(rng.uniform(-10.0, 35.0)),
    )


def draw_states(rng: np.random.Generator, site: Site, dates: int) -> States:
    """Draws the dates of a location: days of year 105 to 285 of 2022 to 2024, when EnMAP, EMIT and DESIS were all in orbit."""
    year = rng.integers(2022, 2025, dates)
    doy = rng.uniform(105.0, 285.0, dates)
    days = (year - 2000) * 365.25 + doy + 10.5 / 24.0
    # Greenness: a Gaussian season around day 185, wider than the dates, shifted from year to year.
    season = 0.35 + 0.65 * np.exp(-0.5 * ((doy - 185.0 - rng.normal(0, 12, dates)) / 48.0) ** 2)
    declination = np.deg2rad(23.44) * np.sin(2 * np.pi * (doy - 81.0) / 365.25)
    latitude, hour = np.deg2rad(site.latitude), np.deg2rad(22.5)
    cosine = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour)
    order = np.argsort(days)
    states = States(
        days=days,
        season=season,
        # Rain and drying: about 0.05 m3/m3 around the mean, as probes in the top 5 cm show.
        moisture=np.clip(site.moisture + rng.normal(0, 0.05, dates), 0.03, 0.42),
        bloom=np.exp(rng.normal(0, 0.4, dates)) * (0.6 + 0.7 * season),
        glint=np.clip(rng.gamma(1.2, 0.002, dates), 0.0, 0.03),
        sun_zenith_deg=np.rad2deg(np.arccos(cosine)),
        air_k=293.0 + 9.0 * (season - 0.7) / 0.3 - 0.35 * (site.latitude - 46.0) + rng.normal(0, 3.0, dates),
        wind=rng.uniform(0.0, 1.0, dates),
    )
    return States(**{f.name: getattr(states, f.name)[order] for f in dataclasses.fields(States)})


def endmember_spectra(site: Site, states: States) -> np.ndarray:
    """Reflectance of every endmember on every date at the ground, float32 [T E G], E in the order of `ENDMEMBERS`."""
    season, sun, wet = states.season, states.sun_zenith_deg, states.moisture
    dates = len(season)
    soils = surfaces.soil(
        site.brightness * np.array([1.1, 0.9])[:, None], site.iron, site.clay, site.organic, np.stack([0.75 * wet, 1.25 * wet])
    )
    litter_leaf = leaf.leaf(3.0 + 6.0 * season, 2.0, 0.0006 + 0.006 * wet, 1.4 * site.dry_matter, 0.5, 2.2)
    green = site.chlorophyll * (0.6 + 0.4 * season)
    brown = 0.05 + 0.20 * (1.0 - season)
    grass_leaf = leaf.leaf(green, green / 4.5, site.leaf_water, 0.8 * site.dry_matter, brown, site.structure)
    tree_leaf = leaf.leaf(
        1.1 * green, 1.1 * green / 4.5, 0.8 * site.leaf_water, 1.2 * site.dry_matter, brown + 0.05, site.structure + 0.15
    )
    middle, floor = soils.mean(0), leaf.canopy(*litter_leaf, 0.7, soils[1], sun, 0.1)
    parts = {
        "sparse grass": leaf.canopy(*grass_leaf, 0.5 * site.lai * season, middle, sun, 0.06),
        "dense grass": leaf.canopy(*grass_leaf, 1.3 * site.lai * season, middle, sun, 0.08),
        "dry grass": leaf.canopy(*litter_leaf, 1.4, middle, sun, 0.08),
        "open trees": leaf.canopy(*tree_leaf, 0.5 * site.tree_lai * np.sqrt(season), floor, sun, site.crown_shadow),
        "closed trees": leaf.canopy(*tree_leaf, site.tree_lai * np.sqrt(season), floor, sun, site.crown_shadow),
        "bare soil": soils[0],
        "wet soil": soils[1],
        "stubble": leaf.canopy(*litter_leaf, 0.6, soils[0], sun, 0.03),
    }
    level = states.bloom[None] * np.array([0.7, 2.0])[:, None]
    waters = surfaces.water(
        site.water_chlorophyll * level,
        site.phycocyanin * level,
        site.cdom,
        site.sediment * (0.7 + 0.6 * states.wind),
        states.glint,
    )
    parts["water"], parts["bloom"] = waters
    for name, _ in ENDMEMBERS[10:]:
        parts[name] = np.broadcast_to(surfaces.built(name, site.age), (dates, len(leaf.GRID_NM)))
    return np.stack([parts[name] for name, _ in ENDMEMBERS], 1)
