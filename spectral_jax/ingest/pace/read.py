"""PACE OCI from NetCDF: Level-2 AOP (Rrs), Level-2 SFREFL (rhos), and Level-3 mapped Rrs, of versions 2.x and 3.x.

`read` tells them apart by what is in the file. Bands are known by the file's own wavelengths, never by position: version 2 has
184 bands of Rrs, version 3 has 172, and version 3.2 moved the wavelengths into the group of the data.
"""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from spectral_jax.ingest.pace import as_xarray, layout, place
from spectral_jax.ingest.pace.file import opened
from spectral_jax.ingest.pace.flags import Mask, bits
from spectral_jax.ingest.pace.flags import flagged as flagged_by
from spectral_jax.ingest.pace.flags import read as read_flags
from spectral_jax.ingest.pace.identity import Identity
from spectral_jax.ingest.pace.identity import identify as identify_opened


@dataclasses.dataclass(frozen=True)
class Granule:
    """A swath of Level 2: L lines of P pixels with C bands.

    Attributes:
      reflectance: float32 [L P C], NaN where the file has its fill value. Negative numbers are kept. No flag is applied.
      quantity: `Rrs` (remote-sensing reflectance) or `rhos` (surface reflectance).
      unit: sr^-1, or 1.
      wavelength_nm: [C], increasing.
      lat: degrees north [L P], NaN where the file has its fill value; `lon` degrees east.
      flags: l2_flags, int32 [L P].
      flag_bits: flag name -> bit.
      time: start of the observation, UTC, datetime64[s].
      granule: name of the file as the archive gave it.
      product: `aop` or `sfrefl`.
      version: of the processing, such as 3.1.
      near_real_time: a final file of the scene will follow or has followed.
      source: the file.
    """

    reflectance: np.ndarray
    quantity: str
    unit: str
    wavelength_nm: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    flags: np.ndarray
    flag_bits: Mapping[str, int]
    time: np.datetime64
    granule: str
    product: str
    version: str
    near_real_time: bool
    source: str

    @property
    def rrs(self) -> np.ndarray:
        """Remote-sensing reflectance, sr^-1 [L P C].

        Raises:
          ValueError: the granule holds rhos, which is no Rrs: its light from the sea surface and aerosols is not taken out.
        """
        return self._as("Rrs", "rhos / pi is not Rrs, read the AOP product")

    @property
    def rhos(self) -> np.ndarray:
        """Surface reflectance, no unit [L P C].

        Raises:
          ValueError: the granule holds Rrs.
        """
        return self._as("rhos", "read the SFREFL product")

    def flagged(self, mask: Mask) -> np.ndarray:
        """Whether a mask takes a pixel out, bool [L P]."""
        return flagged_by(self.flags, self.flag_bits, mask.flags, self.source)

    def to_xarray(self):
        """An `xarray.Dataset` of it; ImportError where xarray is not installed."""
        return as_xarray.swath(self)

    def _as(self, quantity: str, otherwise: str) -> np.ndarray:
        if self.quantity != quantity:
            raise ValueError(f"{self.source}: expected {quantity}, and the file holds {self.quantity}; {otherwise}.")
        return self.reflectance


@dataclasses.dataclass(frozen=True)
class MappedGrid:
    """A Level-3 map: R rows from north to south and K columns from west to east, with C bands.

    Attributes:
      rrs: sr^-1, float32 [R K C], NaN where missing. Flags were applied when the map was made.
      wavelength_nm: [C], increasing.
      lat: centres of rows, degrees north, decreasing [R].
      lon: centres of columns, degrees east, increasing [K].
      time: start of the period, UTC, datetime64[s].
      granule: name of the file as the archive gave it; `product` is `l3m`, `unit` sr^-1.
      version: of the processing, such as 3.1.
      near_real_time: a final file of the period will follow or has followed.
      source: the file.
    """

    rrs: np.ndarray
    wavelength_nm: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    time: np.datetime64
    granule: str
    product: str
    version: str
    near_real_time: bool
    unit: str
    source: str

    @property
    def geotransform(self) -> tuple[float, float, float, float, float, float]:
        """Left edge, column width, 0, upper edge, 0, minus row height: degrees, in GDAL's order."""
        return place.geotransform(self.lat, self.lon, self.source)

    def to_xarray(self):
        """An `xarray.Dataset` of it; ImportError where xarray is not installed."""
        return as_xarray.mapped(self)


def read(path: str | os.PathLike, *, region: tuple[float, float, float, float] | None = None) -> Granule | MappedGrid:
    """Reads a file of PACE OCI.

    Args:
      path: Level-2 AOP or SFREFL, or Level-3 mapped Rrs.
      region: west, south, east, north, degrees: only the smallest cut of lines and pixels that holds it. None: everything.

    Raises:
      ImportError: h5netcdf is not installed.
      FileNotFoundError: there is no such file.
      place.OutsideRegionError: the file has no pixel in the region.
      ValueError: another product or version, wavelengths that are missing or wrong, another unit, numbers left packed or
        unpacked twice, positions that are no degrees, flags without names, or more than fits in memory.
    """
    path = Path(path)
    with opened(path) as file:
        who = identify_opened(file, path)
        return _grid(file, who, region) if who.product == "l3m" else _granule(file, who, region)


def identify(path: str | os.PathLike) -> Identity:
    """Product, version and time of a file, without its pixels. Raises as `read` does."""
    with opened(Path(path)) as file:
        return identify_opened(file, Path(path))


def _granule(file, who: Identity, region) -> Granule:
    variable, wavelength_nm = layout.bands(file, who)
    shape = variable.shape[:2]
    lat, lon = (layout.positions(file, who, f"navigation_data/{name}", shape) for name in ("latitude", "longitude"))
    raw_flags = layout.needed(file, who, "geophysical_data/l2_flags", shape)
    cut = place.cut(lat, lon, region, str(who.path))
    return Granule(
        reflectance=layout.numbers(variable, (*cut, slice(None)), wavelength_nm, who),
        quantity="rhos" if who.product == "sfrefl" else "Rrs",
        unit="1" if who.product == "sfrefl" else "sr^-1", wavelength_nm=wavelength_nm, lat=lat[cut], lon=lon[cut],
        flags=read_flags(raw_flags, cut, layout.place(who, raw_flags)), flag_bits=bits(raw_flags, layout.place(who, raw_flags)),
        **_shared(who),
    )  # fmt: skip


def _grid(file, who: Identity, region) -> MappedGrid:
    variable, wavelength_nm = layout.bands(file, who)
    lat = layout.centres(file, who, "lat", variable.shape[:1])
    lon = layout.centres(file, who, "lon", variable.shape[1:2])
    each_lat, each_lon = np.meshgrid(lat, lon, indexing="ij", copy=False)
    cut = place.cut(each_lat, each_lon, region, str(who.path))
    rrs = layout.numbers(variable, (*cut, slice(None)), wavelength_nm, who)
    rows, columns = (slice(None, None, 1 if fine else -1) for fine in (lat[0] >= lat[-1], lon[0] <= lon[-1]))
    return MappedGrid(
        rrs=rrs[rows, columns], wavelength_nm=wavelength_nm, lat=lat[cut[0]][rows], lon=lon[cut[1]][columns], unit="sr^-1",
        **_shared(who),
    )  # fmt: skip


def _shared(who: Identity) -> dict:
    return {
        "time": who.time, "granule": who.granule, "product": who.product, "version": who.version,
        "near_real_time": who.near_real_time, "source": str(who.path),
    }  # fmt: skip
