"""One simulated location: its ground, its dates, and what every sensor saw of it."""

import dataclasses
import zlib
from typing import NamedTuple

import numpy as np

from spectral_jax.sensors import SensorSpec
from spectral_jax.simulate import place
from spectral_jax.simulate.scenes import layout, radar_thermal, sensing
from spectral_jax.simulate.scenes.site import Site, States, draw_site, draw_states, endmember_spectra

# Fractions of the patch (1); leaf area at its peak, mean over vegetation (m2/m2); leaf chlorophyll at its peak (ug/cm2);
# equivalent water thickness of leaves (cm); mean soil moisture (m3/m3); dry soil brightness (1); log10 of water's mean
# chlorophyll and of its mean phycocyanin (log10 mg/m3). Truth is what is known, hard to see or not: phycocyanin of a clear lake
# leaves next to nothing in an image, that of a bloom does.
GROUND_PARAMETERS: tuple[str, ...] = (
    "low_vegetation_fraction",
    "tree_fraction",
    "water_fraction",
    "built_fraction",
    "leaf_area_index",
    "leaf_chlorophyll",
    "leaf_water",
    "soil_moisture",
    "soil_brightness",
    "water_chlorophyll_log10",
    "water_phycocyanin_log10",
)


@dataclasses.dataclass(frozen=True)
class Location:
    """A simulated location.

    Attributes:
      pixels: sensor key -> stored numbers [T C H W].
      valid: sensor key -> which dates hold data, bool [T].
      times: sensor key -> days since 2000-01-01 UTC [T].
      truth: ground parameters in the order of `GROUND_PARAMETERS`, float32 [K].
      centre_lonlat: degrees.
      epsg: its UTM zone.
      geotransform: affine of the unit square onto the patch.
      ground: endmember fractions on the 10 m grid [side side E].
    """

    pixels: dict[str, np.ndarray]
    valid: dict[str, np.ndarray]
    times: dict[str, np.ndarray]
    truth: np.ndarray
    centre_lonlat: tuple[float, float]
    epsg: int
    geotransform: tuple[float, ...]
    ground: np.ndarray


class Drawn(NamedTuple):
    """A location before any sensor looks at it; `rng` is where its draws go on."""

    rng: np.random.Generator
    site: Site
    ground: np.ndarray  # endmember fractions on the 10 m grid [side side E]
    states: States


def simulate_location(
    seed: int, group: str, index: int, sensors: dict[str, SensorSpec], footprint_m: float, dates: int = 4
) -> Location:
    """Simulates one location; a pure function of its arguments.

    Args:
      seed: of the store.
      group: name of its group.
      index: its row in the group.
      sensors: key -> spec of what observes it.
      footprint_m: side of the patch, metres; a multiple of 10 m and of every pixel size.
      dates: T.

    Raises:
      ValueError: the footprint is not a whole number of ground cells or pixels.
    """
    rng, site, ground, states = draw_ground(seed, group, index, footprint_m, dates)
    spectra = endmember_spectra(site, states)
    hill = layout.noise_fields(rng, 1, len(ground), [0.3 * footprint_m])[0]
    incidence = np.full(dates, rng.uniform(31.0, 45.0))  # of one relative orbit, as time series of a place have
    power = radar_thermal.backscatter(site, states, incidence)
    kelvin = radar_thermal.temperature_k(site, states)
    pixels, valid, times = {}, {}, {}
    for key, spec in sensors.items():
        # Adding or removing a sensor leaves the others' images as they are.
        own = np.random.default_rng([seed, zlib.crc32(group.encode()), index, zlib.crc32(key.encode())])
        about = sensing.instrument(key)
        valid[key] = (own.random(dates) >= about.missing) & (own.random() >= about.absent)
        times[key] = states.days + own.uniform(-3.0, 3.0, dates)
        bands = sensing.in_bands(spectra, spec) if spec.kind == "optical" else None
        images = []
        for t in range(dates):
            dead = None
            if spec.kind == "radar":
                image = sensing.backscatter_db(own, ground, power[t], key, spec)
            elif spec.kind == "thermal":
                image = sensing.surface_temperature_k(own, ground, kelvin[t], key, spec)
            else:
                assert bands is not None  # of every optical sensor, above
                slope = 1.0 + 0.05 * np.tan(np.deg2rad(states.sun_zenith_deg[t])).astype(np.float32) * hill
                dead = sensing.optics(spec).dead
                image = sensing.reflectance(own, ground, slope, bands[t], key, spec)
            images.append(sensing.pack(own, image, spec, dead))
        pixels[key] = np.stack(images)
    _ensure_optical(rng, valid, sensors, dates)
    epsg, geotransform = place.square(site.longitude, site.latitude, footprint_m)
    return Location(
        pixels, valid, times, _truth(site, ground), (site.longitude, site.latitude), epsg, geotransform, ground
    )  # fmt: skip


def draw_ground(seed: int, group: str, index: int, footprint_m: float, dates: int) -> Drawn:
    """What a location is before any sensor looks at it; arguments and errors as `simulate_location`."""
    rng = np.random.default_rng([seed, zlib.crc32(group.encode()), index])
    side = round(footprint_m / layout.GROUND_M)
    if side < 4 or abs(side * layout.GROUND_M - footprint_m) > 1e-6:
        raise ValueError(f"footprint_m: expected a multiple of {layout.GROUND_M:g} m from 40 m on, got {footprint_m:g} m.")
    site = draw_site(rng)
    ground = layout.abundances(rng, site, side)
    return Drawn(rng, site, ground, draw_states(rng, site, dates))


def _ensure_optical(rng, valid: dict[str, np.ndarray], sensors: dict[str, SensorSpec], dates: int):
    """A location that no optical sensor saw would not be in an archive of optical data."""
    optical = [key for key in sensors if sensors[key].kind == "optical"] or list(sensors)
    if not any(valid[key].any() for key in optical):
        valid[optical[0]][rng.integers(dates)] = True


def _truth(site: Site, ground: np.ndarray) -> np.ndarray:
    cover = layout.class_cover(ground).mean((0, 1))
    vegetation = cover[0] + cover[1]
    values = {
        "low_vegetation_fraction": cover[0],
        "tree_fraction": cover[1],
        "water_fraction": cover[3],
        "built_fraction": cover[4],
        "leaf_area_index": (cover[0] * 0.9 * site.lai + cover[1] * 0.75 * site.tree_lai) / vegetation,
        "leaf_chlorophyll": site.chlorophyll,
        "leaf_water": site.leaf_water,
        "soil_moisture": site.moisture,
        "soil_brightness": site.brightness,
        "water_chlorophyll_log10": np.log10(site.water_chlorophyll),
        "water_phycocyanin_log10": np.log10(site.phycocyanin),
    }
    return np.array([values[name] for name in GROUND_PARAMETERS], np.float32)
