"""Where the layouts of PACE files keep spectra, wavelengths and positions, and whether the numbers can be what they are."""

import numpy as np

from spectral_jax import plausible
from spectral_jax.ingest.facts import facts
from spectral_jax.ingest.pace.file import find, roles, text, turned, unpacked
from spectral_jax.ingest.pace.identity import Identity
from spectral_jax.ingest.pace.place import degrees
from spectral_jax.matchups import check_unit, check_wavelengths
from spectral_jax.sensors import SensorSpec

# A whole Level-2 scene is 1.5 GB of float32, a global Level-3 grid 26 GB.
MOST_BYTES = 4 * 2**30
# Fewer valid pixels than this say nothing of the unit: the edge of one cloud is as bright as a wrong one. A choice.
ENOUGH_PIXELS = 25
# Surface reflectance of the brightest cloud stays below this; the median of a scene in percent does not.
_BRIGHTEST_RHOS = 1.5


def bands(file, who: Identity):
    """The variable with the spectra, of shape [. . C], and its wavelengths [C], nm.

    Dimensions whose names say that they stand in another order are turned.

    Raises:
      ValueError: it has another unit or other dimensions, or its wavelengths are missing or wrong.
    """
    layout = facts("pace_oci")["variables"][who.product]
    name = f"{layout['group']}/{layout['variable']}".lstrip("/")
    variable = find(file, name)
    if len(variable.shape) != 3:
        raise ValueError(f"{who.path}: {name} has shape {variable.shape}; expected lines, pixels and bands.")
    if roles(variable).count("bands") > 1:
        raise ValueError(
            f"{who.path}: {name} has dimensions {', '.join(variable.dimensions)}; expected lines, pixels and bands."
        )
    variable = turned(variable, ("lines", "pixels", "bands"))
    unit = variable.attrs.get("units")
    if unit is not None and text(unit).strip() not in layout["units"]:
        raise ValueError(
            f"{who.path}: the attribute 'units' of {name} is {text(unit)!r}; expected "
            f"{layout['units'][0] or 'none'!r}. Percent is divided by 100 first."
        )
    count, own = variable.shape[2], variable.dimensions[2].rpartition("/")[2]
    # In this order: beside the data (3.2 and Level 3), and in the table of bands (before). Its `wavelength` has all 286 bands.
    places = [*(f"{layout['group']}/{n}".lstrip("/") for n in (own, "wavelength")), f"sensor_band_parameters/{own}"]
    places = list(dict.fromkeys([*places, "sensor_band_parameters/wavelength_3d"]))
    tables = {place: x for place in places if (x := find(file, place)) is not None}
    fitting = [x for x in tables.values() if x.shape == (count,)]
    if not fitting:
        there = ", ".join(f"{place} with {x.shape[0]}" for place, x in tables.items()) or "none of them"
        raise ValueError(
            f"{who.path}: {name} has {count} bands, and no wavelengths for them: looked for {', '.join(places)}, found "
            f"{there}. Bands are never known by position; fetch the file anew."
        )
    wavelength_nm = np.asarray(fitting[0][...], np.float64)
    check_wavelengths(wavelength_nm, count, str(who.path))
    return variable, wavelength_nm


def needed(file, who: Identity, name: str, shape: tuple[int, ...]):
    """The variable `name` of an open file, its dimensions turned as those of the data are.

    Raises:
      ValueError: there is none, or its shape is not `shape`.
    """
    variable = find(file, name)
    if variable is None:
        raise ValueError(f"{who.path}: expected the variable {name}, and the file has none; fetch it anew with all its groups.")
    if len(shape) == 2:
        variable = turned(variable, ("lines", "pixels"))
    if variable.shape != shape:
        raise ValueError(
            f"{who.path}: {name} has shape {variable.shape}, and the data have {shape}; expected one position and one set of "
            "flags for each pixel."
        )
    return variable


def positions(file, who: Identity, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Latitudes or longitudes of all pixels, degrees, float32 of `shape`, NaN where unknown.

    Raises:
      ValueError: as `needed` and `place.degrees` do.
    """
    variable = needed(file, who, name, shape)
    values = unpacked(variable, (slice(None),) * len(shape), place(who, variable))
    return _degrees(values, variable, who)


def centres(file, who: Identity, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Latitudes or longitudes of the rows or columns of a map, degrees, float64 of `shape`.

    Raises:
      ValueError: as `needed` and `place.degrees` do; one is missing, or they are not in order.
    """
    variable = needed(file, who, name, shape)
    values = _degrees(np.asarray(variable[...], np.float64), variable, who)
    steps = np.diff(values)
    if np.isnan(values).any() or not ((steps > 0).all() or (steps < 0).all()) or (np.abs(steps) > 180.0).any():
        raise ValueError(
            f"{place(who, variable)}: expected numbers that rise or fall from one to the next, in degrees of -180 to 180 "
            "without a jump; fetch the map anew, or cut it where it jumps."
        )
    return values


def _degrees(values: np.ndarray, variable, who: Identity) -> np.ndarray:
    name = "latitude" if variable.name.rpartition("/")[2].startswith("lat") else "longitude"
    fills = tuple(facts("pace_oci")["positions"]["fills"])
    return degrees(values, name, text(variable.attrs.get("units")), fills, place(who, variable))


def numbers(variable, index: tuple[slice, ...], wavelength_nm: np.ndarray, who: Identity) -> np.ndarray:
    """A cut of the spectra, float32 [. . C], NaN where missing, checked to be in their unit where enough are valid.

    Raises:
      ValueError: more than `MOST_BYTES`, numbers left packed, percent, or rhos in place of Rrs.
    """
    sizes = [len(range(*cut.indices(length))) for cut, length in zip(index, variable.shape, strict=True)]
    size = 4 * int(np.prod(sizes))
    if size > MOST_BYTES:
        raise ValueError(
            f"{who.path}: {' x '.join(map(str, sizes))} numbers are {size / 2**30:.1f} GiB; give a region (west, south, east, "
            f"north), at most {MOST_BYTES / 2**30:g} GiB are read at once."
        )
    stated = facts("pace_oci")["packing"]
    spectra = unpacked(variable, index, place(who, variable), tuple(stated["fills"]), tuple(stated["valid"]))
    _check_numbers(spectra, wavelength_nm, variable, who)
    return spectra


def place(who: Identity, variable) -> str:
    """File and variable, for a sentence."""
    return f"{who.path}: {variable.name.lstrip('/')}"


def _check_numbers(spectra: np.ndarray, wavelength_nm: np.ndarray, variable, who: Identity) -> None:
    """Refuses spectra [. . C] that cannot be Rrs or rhos: by the unit where enough pixels are valid, and by what can be."""
    if _has_pixels(spectra, ENOUGH_PIXELS):
        if who.product == "sfrefl":
            _check_rhos(spectra, wavelength_nm, who)
        else:
            check_unit(spectra, wavelength_nm, str(who.path))
    # Packed integers cannot hold what a fill or a wrong unit leaves among floats, so some of them say it all.
    apart = 1 if variable.dtype.kind == "f" else max(1, spectra.size // (4 * plausible.MOST_SORTED))
    some = spectra.reshape(-1)[::apart]
    spec = SensorSpec.load(facts("pace_oci")["variables"][who.product]["sensor"])
    advice = "see its units, scale_factor, add_offset and _FillValue, or fetch the file anew"
    plausible.check(some, np.isfinite(some), spec, place(who, variable), advice=advice)


def _has_pixels(spectra: np.ndarray, count: int) -> bool:
    """Whether so many pixels of [L P C] have a number in any band; looks no further than it must."""
    for line in spectra:
        count -= int(np.isfinite(line).any(axis=-1).sum())
        if count <= 0:
            return True
    return False


def _check_rhos(rhos: np.ndarray, wavelength_nm: np.ndarray, who: Identity) -> None:
    green = rhos[..., (wavelength_nm >= 530) & (wavelength_nm <= 580)]
    green = green[np.isfinite(green)]
    if green.size and abs(median := float(np.median(green))) > _BRIGHTEST_RHOS:
        kind = "packed integers; scale_factor and add_offset are missing" if abs(median) > 150 else "percent; divide by 100"
        raise ValueError(
            f"{who.path}: geophysical_data/rhos has a median of {median:.4g} at 530-580 nm, and reflectance stays below "
            f"{_BRIGHTEST_RHOS}. It looks like {kind}."
        )
