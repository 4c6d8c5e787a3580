"""What sensors give, as encoders of monthly series take it: months, places, NDVI; numbers of another unit are sentences.

What is checked are units that are often mistaken for one another. Arrays are NumPy's, NaN where a number is missing.
"""

from collections.abc import Mapping

import numpy as np

# Groups of channels of Sentinel-1 and Sentinel-2 in both encoders, in the order of their tokens; bands as in
# `data_specs/sensors`, and those of Sentinel-2 that neither has.
SENTINEL_GROUPS: Mapping[str, tuple[str, ...]] = {
    "S1": ("VV", "VH"),
    "S2_RGB": ("B02", "B03", "B04"),
    "S2_Red_Edge": ("B05", "B06", "B07"),
    "S2_NIR_10m": ("B08",),
    "S2_NIR_20m": ("B8A",),
    "S2_SWIR": ("B11", "B12"),
}
SENTINEL2 = tuple(name for group, names in SENTINEL_GROUPS.items() if group != "S1" for name in names)
UNUSED = ("B01", "B09", "B10")
# A month's number counts from 0; reflectance above 2 is none; the Celsius of any month is below 150; slopes end at 90 degrees.
BRIGHTEST, WARMEST_CELSIUS, STEEPEST = 2.0, 150.0, 90.0


def months(values: np.ndarray, where: str = "months") -> np.ndarray:
    """Months as int32, January 0.

    Raises:
      ValueError: not whole numbers from 0 to 11.
    """
    values = np.asarray(values)
    wrong = values[~np.isin(values, np.arange(12))]
    if wrong.size:
        hint = "subtract 1, as 12 says that they count from 1" if 12 in wrong else "give the month of the year of each step"
        raise ValueError(f"{where}: expected months from 0 (January) to 11 (December), got {wrong.flat[0]}; {hint}.")
    return values.astype(np.int32)


def consecutive_months(values: np.ndarray | int, batch: int, steps: int) -> np.ndarray:
    """The month of each step, int32 [B T].

    Args:
      values: one first month for all, or the first month of each sample [B]: the next steps are the next months, January after
        December. Or the month of each step [B T].
      batch: B.
      steps: T.

    Raises:
      ValueError: months out of 0 to 11, or another shape.
    """
    values = months(np.asarray(values))
    if values.shape == (batch, steps):
        return values
    if values.shape not in ((), (batch,)):
        raise ValueError(
            f"months: expected one month, the first month of each sample [{batch}] or the month of each step [{batch} "
            f"{steps}], got shape {list(values.shape)}."
        )
    first = np.broadcast_to(values, (batch,))
    return ((first[:, None] + np.arange(steps)) % 12).astype(np.int32)


def steps(count: int, most: int) -> None:
    """Refuses a series that is longer than the table of steps.

    Raises:
      ValueError: it is, or is empty.
    """
    if not 1 <= count <= most:
        raise ValueError(
            f"months: expected a series of 1 to {most} steps, since the table of steps has no more rows, got {count}; cut it "
            "into parts, or take one date a month."
        )


def place(latlon: np.ndarray | None, batch: int, why: str) -> np.ndarray:
    """Where samples are: x, y and z [B 3] on the unit sphere, float32, from degrees [B 2], latitude first.

    Raises:
      ValueError: no coordinates, another shape, NaN, a latitude beyond 90 or a longitude beyond 180 degrees.
    """
    if latlon is None:
        raise ValueError(f"latlon: {why}, and no coordinates came; give latitude and longitude of each sample, in degrees.")
    latlon = np.asarray(latlon, np.float64)
    if latlon.shape != (batch, 2):
        raise ValueError(f"latlon: expected latitude and longitude of each sample [{batch} 2], got shape {list(latlon.shape)}.")
    for column, name, most in ((0, "latitude", 90.0), (1, "longitude", 180.0)):
        wrong = np.flatnonzero(~(np.abs(latlon[:, column]) <= most))
        if wrong.size:
            value = latlon[wrong[0], column]
            swap = "; latitude comes first" if name == "latitude" and abs(value) <= 180 else ""
            raise ValueError(
                f"latlon: expected a {name} from -{most:g} to {most:g} degrees, got {value:g} for sample {wrong[0]}{swap}; "
                "give degrees of WGS 84."
            )
    latitude, longitude = np.deg2rad(latlon).T
    flat = np.cos(latitude)
    return np.stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)], axis=1).astype(np.float32)


def channels(count: int, bands: tuple[str, ...]) -> None:
    """Refuses an image of another number of channels than a config names.

    Raises:
      ValueError: it has another.
    """
    if count != len(bands):
        raise ValueError(
            f"image: expected the {len(bands)} channels {', '.join(bands)}, got {count}; name those that it has by "
            "dataclasses.replace(config, bands=...)."
        )


def ndvi(near_infrared: np.ndarray, red: np.ndarray) -> np.ndarray:
    """(B08 - B04) / (B08 + B04) of reflectance or digital numbers, 0 where the sum is not above 0; NaN where one is."""
    total = near_infrared + red
    return np.where(total <= 0, 0.0, (near_infrared - red) / np.where(total <= 0, 1.0, total))


def units(data: Mapping[str, np.ndarray], reflectance: tuple[str, ...]) -> None:
    """Refuses numbers that are of another unit than their channel.

    Args:
      data: arrays by channel name.
      reflectance: the channels that hold reflectance.

    Raises:
      ValueError: infinite numbers, backscatter that is power and not dB, reflectance that is digital numbers, Celsius, or a
        slope above 90 degrees.
    """
    for name, values in data.items():
        if np.isinf(values).any():
            raise ValueError(f"{name}: {int(np.isinf(values).sum())} numbers are infinite; set what is missing to NaN.")
        seen = values[np.isfinite(values)]
        if not seen.size:
            continue
        middle, least = np.median(seen), seen.min()
        if name in ("VV", "VH") and least >= 0:
            raise ValueError(
                f"{name}: expected backscatter in dB, which is below 0 almost everywhere, and all {seen.size} numbers are 0 or "
                f"more (median {middle:.3g}), as linear power is; take 10 log10 of it."
            )
        if name in reflectance and middle > BRIGHTEST:
            raise ValueError(
                f"{name}: expected reflectance from 0 to about 1, got a median of {middle:.4g}, as digital numbers have; "
                "remove the product's offset and divide by 10000."
            )
        if name == "temperature" and middle < WARMEST_CELSIUS:
            raise ValueError(f"temperature: expected kelvin, got a median of {middle:.4g}, as Celsius has; add 273.15.")
        if name == "slope" and (least < 0 or seen.max() > STEEPEST):
            raise ValueError(f"slope: expected degrees from 0 to 90, got {least:.4g} to {seen.max():.4g}; convert it.")
