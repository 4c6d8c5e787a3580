"""Which sensor of an encoder a scene's bands are: by wavelength or by name, and where the encoder allows it a new one."""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from spectral_jax import api, spec_files
from spectral_jax.config import Config
from spectral_jax.ingest.raster import bands, wavelengths
from spectral_jax.ingest.raster.wavelengths import Wavelengths
from spectral_jax.sensors import Band, SensorSpec
from spectral_jax.sentences import unknown

# Reflectance of products as whole numbers: what a scene is taken for whose sensor is not known by name.
SCALE, NODATA = 1e-4, -32768


class Known(NamedTuple):
    """An encoder, told of the scene's sensor, and that sensor's key in its config."""

    cfg: Config
    params: dict
    key: str

    @property
    def spec(self) -> SensorSpec:
        """The sensor, with the bands that the encoder sees."""
        return self.cfg.sensor(self.key).spec.without_bad_bands()


def named(cfg: Config, params: dict, name: str) -> Known:
    """The sensor that a user names: a key of the encoder's config, or a name of data_specs/sensors.

    Raises:
      ValueError: there is none, or the encoder takes no other sensor.
    """
    keys = [sensor.key for sensor in cfg.sensors]
    if name in keys:
        return Known(cfg, params, name)
    if name not in spec_files.names("sensors"):
        raise unknown("--sensor", "sensor", name, [*keys, *spec_files.names("sensors")])
    return Known(*api.with_sensor(cfg, params, name, SensorSpec.load(name)), name)


def of_file(cfg: Config, params: dict, dataset, path) -> Known:
    """The sensor that a file's bands are.

    A sensor of the encoder comes first, then, for an encoder that takes any optical sensor, one of data_specs/sensors, then
    the file's own wavelengths.

    Args:
      cfg: of the encoder.
      params: of the encoder.
      dataset: an open `rasterio` dataset.
      path: for the sentences.

    Raises:
      ValueError: the bands are none that the encoder knows; the sentence says what both have.
    """
    pixel_m = abs(dataset.transform.a)
    for key, spec in _candidates(cfg):
        try:
            bands.find(dataset, spec, path, only_used=True)
        except ValueError:
            continue
        known = _told(cfg, params, key, spec, pixel_m)
        if known is not None:
            return known
    told = wavelengths.of_dataset(dataset, path)
    if told is None:
        raise ValueError(
            f"{path}: expected bands with wavelengths (tag wavelength) or names of a sensor, and the file has "
            f"{dataset.count} bands that say neither; write the tags, or give --sensor=KEY, of {_offered(cfg)}, if the bands "
            "are in that sensor's order."
        )
    return of_wavelengths(cfg, params, told, pixel_m, path)


def of_wavelengths(cfg: Config, params: dict, told: Wavelengths, pixel_m: float, path) -> Known:
    """The sensor of bands that are known by their wavelengths alone.

    Args:
      cfg: of the encoder.
      params: of the encoder.
      told: of the bands.
      pixel_m: side of a pixel, metres.
      path: for the sentences.

    Raises:
      ValueError: see `of_file`.
    """
    for key, spec in _candidates(cfg):
        try:
            by_wavelength(told, spec.without_bad_bands(), path)
        except ValueError:
            continue
        known = _told(cfg, params, key, spec, pixel_m)
        if known is not None:
            return known
    low, high = told.centre_nm.min(), told.centre_nm.max()
    has = f"{len(told.centre_nm)} bands from {low:g} to {high:g} nm, in pixels of {pixel_m:g} m"
    if not any(sensor.any_sensor for sensor in cfg.sensors):
        raise ValueError(
            f"{path}: expected the bands of a sensor of this encoder, {_offered(cfg)}, and there are {has}; take a scene of "
            "one of them, or an encoder that takes any optical sensor, such as spectral-mini."
        )
    try:
        return Known(*api.with_sensor(cfg, params, "SCENE", _own(told, pixel_m)), "SCENE")
    except ValueError as error:
        raise ValueError(f"{path}: there are {has}, and the encoder cannot take them: {error}") from error


def sensor_of(dataset, path, name: str | None = None) -> SensorSpec:
    """The sensor of a scene for an encoder that has none of its own: of data_specs/sensors, else of the file's wavelengths.

    Args:
      dataset: an open `rasterio` dataset.
      path: for the sentences.
      name: of data_specs/sensors, which a user gave; None: it is found.

    Returns:
      The sensor, at the pixel size of the file.

    Raises:
      ValueError: there is no such sensor, or the file says nothing of its bands.
    """
    pixel_m = abs(dataset.transform.a)
    if name:
        if name not in spec_files.names("sensors"):
            raise unknown("--sensor", "sensor", name, spec_files.names("sensors"))
        return dataclasses.replace(SensorSpec.load(name), gsd_m=pixel_m)
    specs = [SensorSpec.load(known) for known in spec_files.names("sensors")]
    specs = [spec for spec in specs if spec.quantity == "surface reflectance" or spec.kind == "radar"]
    # Names such as B02 are of several sensors: one with as many bands as the file comes first.
    for spec in sorted(specs, key=lambda spec: abs(len(spec.bands) - dataset.count)):
        try:
            bands.find(dataset, spec, path, only_used=True)
        except ValueError:
            continue
        return dataclasses.replace(spec, gsd_m=pixel_m)
    told = wavelengths.of_dataset(dataset, path)
    if told is None:
        raise ValueError(
            f"{path}: expected bands with wavelengths (tag wavelength), or the names of all bands of a sensor, and the file "
            f"has {dataset.count} bands without; write the tags, or give --sensor=NAME, such as sentinel2a_l2a, if the bands "
            "are in that sensor's order."
        )
    return _own(told, pixel_m)


def by_wavelength(told: Wavelengths, spec: SensorSpec, path) -> tuple[int, ...]:
    """Positions, from 0, of the bands that are those of a sensor.

    Raises:
      ValueError: one is missing, or the sensor's bands have no wavelengths.
    """
    if spec.kind == "radar" or len(told.centre_nm) < len(spec.bands):
        raise ValueError(f"{path}: expected the {len(spec.bands)} bands of {spec.name}, got {len(told.centre_nm)}.")
    index, _ = bands.by_wavelength(told.centre_nm, told.fwhm_nm, spec, path)
    return tuple(i - 1 for i in index)


def _candidates(cfg: Config) -> Iterator[tuple[str, SensorSpec]]:
    """Key and sensor of all that an encoder can be shown, its own first."""
    yield from ((sensor.key, sensor.spec) for sensor in cfg.sensors)
    if any(sensor.any_sensor for sensor in cfg.sensors):
        own = {sensor.spec.name for sensor in cfg.sensors}
        for name in spec_files.names("sensors"):
            spec = SensorSpec.load(name)
            if name not in own and spec.kind == "optical" and spec.quantity == "surface reflectance":
                yield name, spec


def _told(cfg: Config, params: dict, key: str, spec: SensorSpec, pixel_m: float) -> Known | None:
    """The encoder with this sensor at this pixel size; None where it cannot take it."""
    alike = abs(pixel_m - spec.gsd_m) <= 1e-6 * pixel_m
    if alike and key in [sensor.key for sensor in cfg.sensors]:
        return Known(cfg, params, key)
    if not any(sensor.any_sensor for sensor in cfg.sensors):
        return None
    try:
        resized = spec if alike else dataclasses.replace(spec, gsd_m=pixel_m)
        new = key if alike else f"{key}_{pixel_m:g}m"
        return Known(*api.with_sensor(cfg, params, new, resized), new)
    except ValueError:
        return None


def _own(told: Wavelengths, pixel_m: float) -> SensorSpec:
    """A sensor of the bands of a file; a width that is not told is the distance of neighbouring centres."""
    order = np.argsort(told.centre_nm)
    apart = np.gradient(told.centre_nm[order]) if len(order) > 1 else np.array([10.0])
    width = np.empty(len(order))
    width[order] = np.maximum(apart, 0.1)
    width = np.where(np.isfinite(told.fwhm_nm) & (told.fwhm_nm > 0), told.fwhm_nm, width)
    made = tuple(Band(f"{i + 1}", float(c), float(w)) for i, (c, w) in enumerate(zip(told.centre_nm, width, strict=True)))
    return SensorSpec(
        "own_bands", "optical", "surface reflectance", "1", pixel_m, "int16", made, scale=SCALE, nodata=float(NODATA)
    )


def _offered(cfg: Config) -> str:
    return ", ".join(f"{s.key} ({len(s.spec.used)} bands{_range(s.spec)}, {s.spec.gsd_m:g} m)" for s in cfg.sensors)


def _range(spec: SensorSpec) -> str:
    centre = spec.centre_nm
    return f" from {centre.min():g} to {centre.max():g} nm" if np.isfinite(centre).all() else ""
