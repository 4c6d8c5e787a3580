"""Store: co-located patches of several sensors in Zarr, read and written through TensorStore.

One Zarr group holds the locations that have the same sensors, so shapes are static within a group. Numbers stay in the
product's integer type; scaling and nodata belong to the sensor's spec, which travels in the root attributes.

Stores of this package are Zarr v3 with the attribute `spectral_jax_store`. Archives in the layout of SpectralEarth-MM (arXiv
2605.21075: `<KEY>` (N, T, C, H, W), `<KEY>_mask` (N, T), Zarr v2 or v3, no attributes) are read too; their specs are given by
the caller.
"""

import base64
import dataclasses
import json
import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spectral_jax import lazy_arrays
from spectral_jax.addresses import address
from spectral_jax.data import store_archive, store_format, store_write
from spectral_jax.data.store_group import Group
from spectral_jax.sensors import SensorSpec
from spectral_jax.sentences import unknown


@dataclasses.dataclass(frozen=True)
class GroupLayout:
    """A group to be created: its name, its sensors by key, and how many locations and dates it has room for."""

    name: str
    sensors: dict[str, SensorSpec]
    locations: int
    dates: int = 4


@dataclasses.dataclass(frozen=True)
class Store:
    """An open store.

    Attributes:
      path: folder or address.
      footprint_m: side of the square patches, metres.
      simulated: True when the numbers come from `simulate`, not from a satellite.
      truth_names: names of the ground parameters of a simulated store.
      provenance: what was built from what, as the builder wrote it.
      groups: name -> Group, sorted by name.

    Example:
      >>> import tempfile
      >>> import numpy as np
      >>> from spectral_jax.data.store import GroupLayout, create, open_store
      >>> from spectral_jax.sensors import SensorSpec
      >>> folder = tempfile.TemporaryDirectory()
      >>> radar = SensorSpec.load("sentinel1_rtc")  # two bands of 10 m, stored as hundredths of a decibel
      >>> layout = GroupLayout("lake", {"S1": radar}, locations=2, dates=1)
      >>> store = create(f"{folder.name}/my.zarr", [layout], footprint_m=80.0, simulated=False)
      >>> store.groups["lake"].write_patch(0, 0, "S1", np.full((2, 8, 8), -1250, np.int16), time_days=8240.5)
      >>> lake = open_store(store.path).group("lake")
      >>> lake.valid("S1").tolist()  # by location and date
      [[True], [False]]
      >>> float(lake.read("S1", location=0, date=0)[0, 0, 0] * radar.scale)
      -12.5
      >>> folder.cleanup()
    """

    path: str
    footprint_m: float
    simulated: bool
    truth_names: tuple[str, ...]
    provenance: dict
    groups: dict[str, Group]

    def group(self, name: str) -> Group:
        """The group called `name`.

        Raises:
          ValueError: there is none; the sentence names the closest.
        """
        if name not in self.groups:
            raise unknown(f"store {self.path}", "group", name, self.groups)
        return self.groups[name]

    def to_xarray(self, group: str | None = None):
        """One group as an `xarray.Dataset`, whose pixels are read when they are asked for; see `lazy_arrays.of_group`.

        Args:
          group: its name; None: the only one.

        Raises:
          ImportError: xarray is not installed.
          ValueError: there is no such group, or several and none is named.
        """
        if group is None and len(self.groups) != 1:
            names = ", ".join(self.groups)
            raise ValueError(f"store {self.path}: expected the name of a group, of {names}, got none; a Dataset has one.")
        about = {
            "store": self.path, "footprint_m": self.footprint_m, "simulated": str(self.simulated).lower(),
            "provenance": json.dumps(self.provenance),
        }  # fmt: skip
        return lazy_arrays.of_group(self.group(group or next(iter(self.groups)))).assign_attrs(about)


def create(
    path: str | os.PathLike,
    groups: Sequence[GroupLayout],
    *,
    footprint_m: float,
    simulated: bool,
    truth_names: Sequence[str] = (),
    provenance: dict | None = None,
    shard_bytes: int = 64 * 2**20,
) -> Store:
    """Makes an empty store: every patch invalid, nothing known of the locations.

    The root node is written last, so an interrupted creation is not a store.

    Args:
      path: a folder that does not exist or is empty, or an address such as gs://bucket/store.
      groups: what to make room for.
      footprint_m: side of the patches, metres; a whole number of pixels of every sensor.
      simulated: whether the numbers will be simulated.
      truth_names: ground parameters; only in simulated stores.
      provenance: JSON-ready notes on the sources.
      shard_bytes: uncompressed size of a shard; 100 MB to 1 GB on object stores.

    Raises:
      FileExistsError: there is something at `path` already.
      ValueError: a layout breaks a rule; the sentence names group and sensor.
      OSError: the folder cannot be written.
    """
    path = _normal(path)
    store_write.check_layouts(groups, footprint_m, simulated, truth_names)
    arrays = store_format.Arrays(path, 0)
    _refuse_existing(path, arrays)
    for group in groups:
        arrays.write_node(f"{group.name}/{store_format.NODE}", {})
        plans = store_format.plans(group.sensors, group.locations, group.dates, footprint_m, len(truth_names), shard_bytes)
        for name, plan in plans.items():
            arrays.create(f"{group.name}/{name}", plan)
    described = {
        g.name: {"sensors": {k: s.to_dict() for k, s in g.sensors.items()}, "locations": g.locations, "dates": g.dates}
        for g in groups
    }
    attributes = {
        store_format.MARK: store_format.VERSION,
        "footprint_m": footprint_m,
        "simulated": simulated,
        "groups": described,
        "truth_names": list(truth_names),
        "provenance": provenance or {},
    }
    arrays.write_node(store_format.NODE, attributes)
    return open_store(path)


def open_store(path: str | os.PathLike, specs: Mapping[str, SensorSpec] | None = None, cache_bytes: int = 256 * 2**20) -> Store:
    """Opens a store of this package, or an archive in the layout of SpectralEarth-MM.

    Args:
      path: folder or address.
      specs: key -> sensor; needed for archives, which do not describe their arrays. A store of this package has its own.
      cache_bytes: limit of the cache of shard indices and decoded chunks.

    Raises:
      FileNotFoundError: there is nothing at `path`.
      ValueError: it is not a store, or parts of it are missing, or they disagree with its attributes.
    """
    path = _normal(path)
    if not address.is_address(path) and not Path(path).is_dir():
        raise FileNotFoundError(
            f"store {path}: expected a folder, and there is none; build one with tools/build_store.py, or set data.store to "
            "'synthetic'."
        )
    arrays = store_format.Arrays(path, cache_bytes)
    node = arrays.read_nodes([store_format.NODE])[store_format.NODE]
    attributes = _attributes(path, node)
    if store_format.MARK in attributes:
        return _open_ours(path, arrays, attributes)
    footprint_m, found = store_archive.find(path, arrays, specs)
    groups = {name: Group(arrays, name, *parts) for name, parts in sorted(found.items())}
    return Store(path, footprint_m, False, (), {}, groups)


@dataclasses.dataclass(frozen=True)
class ArrayOfOthers:
    """An array of a Zarr group that somebody else wrote; nothing of it is read until it is asked for.

    Attributes:
      source: a TensorStore array.
      attrs: what its metadata says of it (`.zattrs` of version 2, `attributes` of version 3); its fill value as `_FillValue`,
        where no attribute names one and it is not 0, which is what nobody chose.
    """

    source: Any
    attrs: dict[str, Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        return tuple(self.source.shape)

    @property
    def dtype(self) -> np.dtype:
        """Of the stored numbers."""
        return self.source.dtype.numpy_dtype

    def __getitem__(self, index) -> np.ndarray:
        return np.asarray(self.source[index].read().result())

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self.source.read().result(), dtype)


def open_arrays(path: str | os.PathLike, cache_bytes: int = 64 * 2**20) -> dict[str, ArrayOfOthers]:
    """The arrays of one Zarr group of any origin, version 2 or 3, by name, with their attributes.

    Chunks that were never written hold the array's fill value, as the Zarr specification says.

    Raises:
      FileNotFoundError: there is no folder at `path`.
      ValueError: the metadata of an array is damaged.
    """
    path = _normal(path)
    if not Path(path).is_dir():
        raise FileNotFoundError(f"Zarr group {path}: expected a folder, and there is none; give the folder of the arrays.")
    files = [(p, driver, file) for p in sorted(Path(path).iterdir()) for driver, file in store_archive.METADATA.items()]
    arrays, out = store_format.Arrays(path, cache_bytes), {}
    for p, driver, file in files:
        metadata = _json(f"{p / file}", (p / file).read_bytes()) if (p / file).is_file() else {}
        if "shape" in metadata:
            out[p.name] = ArrayOfOthers(arrays.open(p.name, driver), _attributes_of(p, metadata))
    return out


def _attributes_of(folder: Path, metadata: dict) -> dict[str, Any]:
    beside = folder / ".zattrs"
    said = _json(str(beside), beside.read_bytes()) if beside.is_file() else metadata.get("attributes") or {}
    if not isinstance(said, dict):
        raise ValueError(f"{beside}: expected the attributes of an array by name, got a {type(said).__name__}; write it again.")
    if isinstance(said.get("_FillValue"), str):
        said = said | {"_FillValue": _decoded(said["_FillValue"])}
    fill = metadata.get("fill_value")
    chosen = fill not in (None, 0, 0.0, False, "") and "_FillValue" not in said
    return said | ({"_FillValue": fill} if chosen else {})


def _decoded(text: str) -> float | str:
    """A fill value that xarray wrote into Zarr version 3: the eight bytes of a double in base 64; other texts as they are."""
    try:
        return struct.unpack("<d", base64.b64decode(text, validate=True))[0]
    except (ValueError, struct.error):
        return text


def _open_ours(path: str, arrays: store_format.Arrays, attributes: dict) -> Store:
    if attributes[store_format.MARK] != store_format.VERSION:
        raise ValueError(
            f"store {path}: expected layout version {store_format.VERSION}, got {attributes[store_format.MARK]}; it was "
            "written by another version of spectral_jax: install that one, or build the store again."
        )
    try:
        truth_names = tuple(attributes["truth_names"])
        groups = {}
        for name, about in sorted(attributes["groups"].items()):
            sensors = {key: SensorSpec.from_dict(spec) for key, spec in about["sensors"].items()}
            groups[name] = Group(arrays, name, sensors, about["locations"], about["dates"], truths=len(truth_names))
        store = Store(path, attributes["footprint_m"], attributes["simulated"], truth_names, attributes["provenance"], groups)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"store {path}: the attributes of its {store_format.NODE} are incomplete ({error!r}); build it again."
        ) from error
    _check_arrays(store, arrays)
    return store


def _check_arrays(store: Store, arrays: store_format.Arrays):
    wanted: dict[str, store_format.ArrayPlan] = {}
    for group in store.groups.values():
        shapes = store_format.plans(
            group.sensors, group.locations, group.dates, store.footprint_m, len(store.truth_names), shard_bytes=1
        )
        wanted |= {f"{group.name}/{name}": plan for name, plan in shapes.items()}
    nodes = arrays.read_nodes(f"{name}/{store_format.NODE}" for name in wanted)
    for name, plan in wanted.items():
        raw = nodes[f"{name}/{store_format.NODE}"]
        if raw is None:
            raise ValueError(
                f"store {store.path}: expected the array {name}, and its {store_format.NODE} is missing; the store is "
                "truncated: copy or build it again."
            )
        metadata = _json(f"{store.path}/{name}/{store_format.NODE}", raw)
        shape, dtype = tuple(metadata.get("shape", ())), metadata.get("data_type")
        if (shape, dtype) != (plan.shape, plan.dtype):
            raise ValueError(
                f"store {store.path}: array {name} is {dtype} {shape}, and the store's attributes say {plan.dtype} "
                f"{plan.shape}; the array does not belong to this store: copy or build it again."
            )


def _attributes(path: str, node: bytes | None) -> dict:
    if node is None:
        return {}
    return _json(f"{path}/{store_format.NODE}", node).get("attributes", {})


def _json(where: str, raw: bytes) -> dict:
    try:
        return json.loads(raw)
    except ValueError as error:
        raise ValueError(f"{where} is not JSON ({error}); the store is truncated: copy or build it again.") from error


def _refuse_existing(path: str, arrays: store_format.Arrays):
    if address.is_address(path):
        occupied = arrays.read_nodes([store_format.NODE])[store_format.NODE] is not None
    else:
        try:
            Path(path).mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            occupied = True
        else:
            occupied = any(Path(path).iterdir())
    if occupied:
        raise FileExistsError(
            f"store {path}: expected a new or empty folder, and there is something already; delete it or choose another path."
        )


def _normal(path: str | os.PathLike) -> str:
    path = os.fspath(path)
    return address.checked(path, "store") if address.is_address(path) else str(Path(path).expanduser().resolve())
