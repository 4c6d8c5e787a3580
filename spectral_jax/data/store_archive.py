"""Archives in the layout of SpectralEarth-MM: Zarr v2 or v3 groups without attributes, described by specs of the caller."""

import json
from collections.abc import Mapping
from pathlib import Path

from spectral_jax.addresses import address, bucket
from spectral_jax.data import store_format
from spectral_jax.sensors import SensorSpec

# File that makes a folder an array, by TensorStore driver.
METADATA = {"zarr": ".zarray", "zarr3": "zarr.json"}
DTYPES = {"|i1": "int8", "|u1": "uint8", "<i2": "int16", "<u2": "uint16", "<i4": "int32", "<f4": "float32", "|b1": "bool"}


def find(path: str, arrays: store_format.Arrays, specs: Mapping[str, SensorSpec] | None) -> tuple[float, dict[str, tuple]]:
    """Finds the groups of an archive and checks them against the specs.

    Args:
      path: the archive's folder, or its address in a bucket, whose names can be listed.
      arrays: opened on `path`.
      specs: key -> sensor, with all its bands or with the used ones only, whichever the arrays hold.

    Returns:
      The patches' side in metres; and for each group its sensors, locations, dates, and the driver of each array.

    Raises:
      FileNotFoundError: there is nothing at all.
      OSError: the bucket cannot be listed.
      ValueError: no group is found, it is a store of this package without its description, specs are missing, or an array
        disagrees with its spec.
    """
    names = _names(path)
    if not names:
        raise FileNotFoundError(f"store {path}: there is nothing in this place; look at its path or address.")
    candidates = {name: _array_files(path, name, arrays) for name in names}
    masked = {name: files for name, files in candidates.items() if any(f"{key}_mask" in files for key in files)}
    if not masked:
        raise ValueError(
            f"{path} is not a store: its zarr.json has no attribute {store_format.MARK}, and no folder in it holds a pair of "
            "arrays <KEY> and <KEY>_mask; give the folder that tools/build_store.py wrote, or an archive in the layout of "
            "SpectralEarth-MM."
        )
    ours = [name for name, files in masked.items() if "geotransform" in files]
    if ours:
        # Read as an archive, its sensors would go unchecked and simulated numbers would pass for observations.
        raise ValueError(
            f"store {path}: group {ours[0]} was written by spectral_jax, and the zarr.json beside it, which describes the "
            "sensors, is missing; the store is truncated: copy or build it again."
        )
    if not specs:
        keys = sorted({key for files in masked.values() for key in files if f"{key}_mask" in files})
        raise ValueError(
            f"archive {path}: it does not describe its arrays {', '.join(keys)}; pass "
            "open_store(path, specs={key: SensorSpec})."
        )
    groups: dict[str, tuple] = {}
    sides: dict[str, float] = {}
    for name, files in masked.items():
        described = _group(path, name, files, specs, sides)
        if described:
            groups[name] = described
    if not groups:
        raise ValueError(f"archive {path}: none of the sensors {', '.join(specs)} has arrays in it.")
    if len(set(sides.values())) != 1:
        text = ", ".join(f"{where} {side:g} m" for where, side in sides.items())
        raise ValueError(f"archive {path}: expected patches of one footprint, got {text}; correct gsd_m of the specs.")
    return next(iter(sides.values())), groups


def _group(path: str, name: str, files: dict[str, tuple[str, dict]], specs: Mapping[str, SensorSpec], sides: dict):
    sensors, sizes, drivers = {}, set(), {}
    for key, spec in specs.items():
        if key not in files or f"{key}_mask" not in files:
            continue
        where = f"archive {path}: array {name}/{key}"
        shape, dtype = _shape_and_type(files[key][1])
        mask_shape, _ = _shape_and_type(files[f"{key}_mask"][1])
        if len(shape) != 5 or mask_shape != shape[:2]:
            raise ValueError(f"{where} has shape {shape} and its mask {mask_shape}; expected (N, T, C, H, W) and (N, T).")
        if dtype != spec.dtype:
            raise ValueError(f"{where} holds {dtype}, and the spec {spec.name} says {spec.dtype}; correct the spec.")
        sensors[key] = _stored(where, spec, shape[2])
        sizes.add(shape[:2])
        sides[f"{name}/{key}"] = shape[4] * spec.gsd_m
        for array in (key, f"{key}_mask", f"{key}_time"):
            if array in files:
                drivers[array] = files[array][0]
    if not sensors:
        return None
    if len(sizes) != 1:
        raise ValueError(f"archive {path}: the sensors of group {name} disagree on (locations, dates): {sorted(sizes)}.")
    return sensors, *sizes.pop(), drivers


def _stored(where: str, spec: SensorSpec, bands: int) -> SensorSpec:
    if bands == len(spec.bands):
        return spec
    if bands == len(spec.used):
        return spec.without_bad_bands()
    raise ValueError(
        f"{where} has {bands} bands, and the spec {spec.name} has {len(spec.bands)} of which {len(spec.used)} are used; give "
        "the spec of what is stored."
    )


def _names(where: str) -> list[str]:
    """Names of the folders in a folder, or at an address (there of files too)."""
    if address.is_address(where):
        return bucket.names(where)
    return sorted(p.name for p in Path(where).iterdir() if p.is_dir())


def _array_files(path: str, group: str, arrays: store_format.Arrays) -> dict[str, tuple[str, dict]]:
    files = {f"{group}/{n}/{f}": (n, driver) for n in _names(f"{path}/{group}") for driver, f in METADATA.items()}
    out = {}
    for file, raw in arrays.read_nodes(files).items():
        metadata = json.loads(raw) if raw is not None else {}
        if "shape" in metadata:
            name, driver = files[file]
            out[name] = (driver, metadata)
    return out


def _shape_and_type(metadata: dict) -> tuple[tuple[int, ...], str]:
    code = str(metadata.get("dtype"))
    dtype = metadata.get("data_type") or DTYPES.get(code, code)
    return tuple(metadata["shape"]), dtype
