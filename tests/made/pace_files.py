"""Tiny PACE OCI files in every layout. Nothing here is observed: numbers are made up, names and attributes are as published."""

import numpy as np
import pytest

h5netcdf = pytest.importorskip("h5netcdf")

FLAGS = (
    "ATMFAIL LAND PRODWARN HIGLINT HILT HISATZEN COASTZ SPARE STRAYLIGHT CLDICE COCCOLITH TURBIDW HISOLZEN SPARE LOWLW CHLFAIL "
    "NAVWARN ABSAER SPARE MAXAERITER MODGLINT CHLWARN ATMWARN SPARE SEAICE NAVFAIL FILTER SPARE BOWTIEDEL HIPOL PRODFAIL SPARE"
)
MASKS = np.array([1 << i for i in range(31)] + [-(1 << 31)], np.int32)
NM = np.array([400.0, 443, 490, 530, 555, 580, 620, 665, 681, 709])
SCALE, OFFSET, FILL = 2e-6, 0.05, -32767
# Shape of a plausible water spectrum at NM, sr^-1; negative at 400 nm, as it often is in Lake Erie.
WATER = np.array([-0.002, 0.004, 0.009, 0.015, 0.017, 0.016, 0.010, 0.007, 0.006, 0.006])


def packed(rrs):
    """Rrs as int16, NaN as the fill value."""
    rrs = np.asarray(rrs, float)
    return np.where(np.isnan(rrs), FILL, np.round((rrs - OFFSET) / SCALE)).astype(np.int16)


def positions(lines, pixels, lat=41.80, lon=-83.40, step=0.011):
    """Latitudes and longitudes [L P], about 1.2 km apart, lines going south and pixels east."""
    return np.meshgrid(lat - step * np.arange(lines), lon + 1.33 * step * np.arange(pixels), indexing="ij")


def name(version="3.0", stamp="20240708T175100", product="OC_AOP", nrt=False):
    return f"PACE_OCI.{stamp}.L2.{product}.V{version.replace('.', '_')}{'.NRT' if nrt else ''}.nc"


def write_l2(
    folder, version="3.0", *, product="aop", raw=None, nm=NM, flags=None, place=None, stamp="20240708T175100", nrt=False,
    attrs=None, units=None, scale=True, flag_attrs=True, leave_out=(), called=None, nav_pixels=None,
):  # fmt: skip
    """Writes a Level-2 file in the layout of its version, and returns its path.

    `raw` is what the file stores, [L P C]; by default every pixel is `WATER` packed. `leave_out` names variables to leave out.
    """
    lat, lon = positions(5, 6) if place is None else place
    if raw is None:
        raw = packed(np.broadcast_to(np.interp(nm, NM, WATER), (*lat.shape, len(nm))))
    spectra, title = {"aop": ("Rrs", "AOP"), "sfrefl": ("rhos", "SFREFL")}[product]
    path = folder / (called or name(version, stamp, "OC_AOP" if product == "aop" else "SFREFL", nrt))
    folder.mkdir(parents=True, exist_ok=True)
    iso = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:11]}:{stamp[11:13]}:{stamp[13:]}.000Z"
    own = "wavelength" if version >= "3.2" else "wavelength_3d"
    across = "pixel_control_points" if version < "3" else "pixels_per_line"
    with h5netcdf.File(path, "w") as file:
        says = {
            "title": f"OCI Level-2 Data {title}", "instrument": "OCI", "platform": "PACE", "processing_version": version,
            "product_name": path.name, "time_coverage_start": iso,
        } | (attrs or {})  # fmt: skip
        file.attrs.update({k: v for k, v in says.items() if v is not None})
        file.dimensions = {"number_of_lines": lat.shape[0], "pixels_per_line": lat.shape[1]}
        if across not in file.dimensions or nav_pixels:
            file.dimensions[across] = nav_pixels or lat.shape[1]
        data, nav, bands = (file.create_group(n) for n in ("geophysical_data", "navigation_data", "sensor_band_parameters"))
        bands.dimensions["wavelength" if version >= "3.2" else "number_of_bands"] = 286
        bands.create_variable("wavelength", tuple(bands.dimensions)[:1], data=np.linspace(315, 2258, 286))
        home = data if version >= "3.2" else file
        home.dimensions[own] = raw.shape[2]
        if version >= "3.2":
            bands.dimensions["wavelength_3d"] = raw.shape[2]
            if "wavelength" not in leave_out:
                data.create_variable("wavelength", ("wavelength",), data=nm.astype(np.float32))
        if "wavelength_3d" not in leave_out:
            bands.create_variable("wavelength_3d", ("wavelength_3d",), data=np.round(nm))
        made = data.create_variable(
            spectra, ("number_of_lines", "pixels_per_line", own), data=raw, fillvalue=raw.dtype.type(FILL)
        )
        if scale and np.issubdtype(raw.dtype, np.integer):
            made.attrs.update({"scale_factor": np.float32(SCALE), "add_offset": np.float32(OFFSET)})
        unit = units if units is not None else ("sr^-1" if product == "aop" else None)
        if unit is not None:
            made.attrs["units"] = unit
        if "l2_flags" not in leave_out:
            flags = np.zeros(lat.shape, np.int32) if flags is None else flags
            quality = data.create_variable("l2_flags", ("number_of_lines", "pixels_per_line"), data=flags)
            if flag_attrs:
                quality.attrs.update({"flag_masks": MASKS, "flag_meanings": FLAGS})
        for n, degrees in (("latitude", lat), ("longitude", lon)):
            if n not in leave_out:
                cut = degrees[:, : nav_pixels or None].astype(np.float32)
                nav.create_variable(n, ("number_of_lines", across), data=cut, fillvalue=np.float32(-32767.0))
    return path


def write_l3m(folder, version="3.1", *, rrs=None, lat=None, lon=None, nm=NM, suite="RRS", variable="Rrs"):
    """Writes a Level-3 map of packed Rrs [R K C]: rows go south, columns east."""
    lat = np.array([42.0, 41.9, 41.8]) if lat is None else lat
    lon = np.array([-83.5, -83.4]) if lon is None else lon
    rrs = np.broadcast_to(np.interp(nm, NM, WATER), (len(lat), len(lon), len(nm))) if rrs is None else rrs
    path = folder / f"PACE_OCI.20240701_20240731.L3m.MO.{suite}.V{version.replace('.', '_')}.0p1deg.nc"
    with h5netcdf.File(path, "w") as file:
        file.attrs.update({
            "title": "OCI Level-3 Standard Mapped Image", "instrument": "OCI", "processing_version": version,
            "product_name": path.name, "time_coverage_start": "2024-07-01T00:00:00.000Z",
        })  # fmt: skip
        file.dimensions = {"lat": len(lat), "lon": len(lon), "wavelength": len(nm)}
        for n, values in (("lat", lat), ("lon", lon), ("wavelength", nm)):
            file.create_variable(n, (n,), data=np.asarray(values, np.float64 if n == "wavelength" else np.float32))
        made = file.create_variable(variable, ("lat", "lon", "wavelength"), data=packed(rrs), fillvalue=np.int16(FILL))
        made.attrs.update({"scale_factor": np.float32(SCALE), "add_offset": np.float32(OFFSET), "units": "sr^-1"})
    return path
