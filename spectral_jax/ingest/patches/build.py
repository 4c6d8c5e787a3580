"""From folders of GeoTIFFs to a store: what is read, whether it continues an earlier run, and the provenance."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

from spectral_jax.data.store import GroupLayout, Store, create, open_store
from spectral_jax.ingest.patches import plan, products, write
from spectral_jax.ingest.raster import geotiff, sentinel2_offset


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What a store is built from: the flags of tools/build_store.py.

    Attributes:
      footprint_m: side of a patch, metres.
      enmap: folder of EnMAP L2A tiles.
      sentinel2: folder of Sentinel-2 L2A chips.
      sentinel1: folder of Sentinel-1 chips in dB.
      sentinel1_product: rtc or grd; None: from tags or the folder's name.
      sentinel2_offset: a number, or a JSON file of chips; None: from metadata, else from the pixels where they leave no doubt.
      sentinel2_unit: a, b or c.
    """

    footprint_m: float
    enmap: str | None = None
    sentinel2: str | None = None
    sentinel1: str | None = None
    sentinel1_product: str | None = None
    sentinel2_offset: str | None = None
    sentinel2_unit: str = "a"

    def command(self) -> dict:
        """What must be the same when a build is continued; folders as absolute paths."""
        out = dataclasses.asdict(self)
        for folder in ("enmap", "sentinel2", "sentinel1"):
            out[folder] = str(Path(out[folder]).resolve()) if out[folder] else None
        return out


def build(
    inputs: Inputs, out: str | Path, report: Callable[[str], None] = print, shard_bytes: int = 64 * 2**20
) -> write.Summary:
    """Builds the store at `out`, or continues it.

    Args:
      inputs: what to read.
      out: a folder that does not exist, is empty, or holds a store begun with the same inputs.
      report: takes one line of progress.
      shard_bytes: uncompressed size of a shard.

    Raises:
      FileNotFoundError, ValueError: an input is missing, damaged or does not fit; the sentence names it.
      FileExistsError: `out` holds something else, or a store of other inputs.
      OSError: `out` cannot be written.
    """
    out = Path(out)
    _check_writable(out)
    earlier = _earlier(inputs, out)
    wanted = _products(inputs, report)
    plan.check_footprint(wanted, inputs.footprint_m)
    scenes = _look(inputs, wanted, earlier, report)
    plans = plan.groups(scenes, inputs.footprint_m)
    provenance = {
        "builder": "tools/build_store.py",
        "command": inputs.command(),
        "plan": plan.digest(plans),
        "bands": {p.key: sorted({s.matched for s in scenes if s.product.key == p.key}) for p in wanted},
        "sentinel2_offset": {s.name: dataclasses.asdict(s.decision) for s in scenes if s.decision},
        "time_unknown": {p.key: sum(s.time_days is None for s in scenes if s.product.key == p.key) for p in wanted},
    }
    if earlier is None:
        layouts = [GroupLayout(p.name, {k: x.spec for k, x in p.products.items()}, len(p.locations), p.dates) for p in plans]
        store = create(
            out, layouts, footprint_m=inputs.footprint_m, simulated=False, provenance=provenance, shard_bytes=shard_bytes
        )
    else:
        if earlier.provenance["plan"] != provenance["plan"]:
            raise FileExistsError(
                f"--out: {out} was begun from other files than the folders hold now; build into another folder, or delete this "
                "one."
            )
        store = earlier
    return write.write(store, plans, report)


def _products(inputs: Inputs, report: Callable[[str], None]) -> list[products.Product]:
    out = []
    if inputs.enmap:
        out.append(products.enmap())
    if inputs.sentinel2:
        out.append(products.sentinel2(inputs.sentinel2_unit))
        report(f"Sentinel-2: bands of unit {inputs.sentinel2_unit.upper()} (--sentinel2_unit)")
    if inputs.sentinel1:
        geotiff.files(inputs.sentinel1, "sentinel1")
        kind, why = products.sentinel1_kind(inputs.sentinel1, inputs.sentinel1_product)
        out.append(products.sentinel1(kind))
        report(f"Sentinel-1: {kind.upper()}, {out[-1].spec.quantity} ({why})")
    if not out:
        raise ValueError("expected at least one of --enmap, --sentinel2 and --sentinel1, each a folder of GeoTIFFs; got none.")
    return out


def _look(
    inputs: Inputs, wanted: list[products.Product], earlier: Store | None, report: Callable[[str], None]
) -> list[products.Scene]:
    flag = sentinel2_offset.given(inputs.sentinel2_offset)
    scenes = []
    for product in wanted:
        paths = geotiff.files(getattr(inputs, product.flag), product.flag)
        found = [products.look(product, path, flag, _decided(earlier, product, path)) for path in paths]
        for matched in sorted({s.matched for s in found}):
            off_nm = max(s.off_nm for s in found)
            report(f"{product.key}: {len(found)} files, bands {matched}{f', at most {off_nm:.2f} nm off' if off_nm else ''}")
        for scene in found:
            if scene.decision:
                report(f"{product.key}: {scene.name}: subtract {scene.decision.offset:g} ({scene.decision.reason})")
        timeless = sum(s.time_days is None for s in found)
        if timeless:
            report(
                f"{product.key}: {timeless} of {len(found)} files do not say when they were seen; their time is stored as day 0"
            )
        scenes += found
    return scenes


def _decided(earlier: Store | None, product: products.Product, path: Path) -> sentinel2_offset.Decision | None:
    before = earlier.provenance["sentinel2_offset"].get(path.stem) if earlier and product.key == "S2" else None
    return sentinel2_offset.Decision(**before) if before else None


def _earlier(inputs: Inputs, out: Path) -> Store | None:
    """The store that an earlier run began at `out`; None where there is nothing."""
    if not out.exists() or not any(out.iterdir()):
        return None
    if not (out / "zarr.json").is_file():
        raise FileExistsError(
            f"--out: {out} holds something that is not a store ({next(out.iterdir()).name}); name another folder, or delete "
            "it if a build left it that was stopped in its first moments."
        )
    store = open_store(out)
    before = store.provenance.get("command")
    if before is None:
        raise FileExistsError(f"--out: {out} is a store that tools/build_store.py did not write; name another folder.")
    for flag, value in inputs.command().items():
        if before.get(flag) != value:
            raise FileExistsError(
                f"--out: {out} was begun with --{flag}={before.get(flag)}, and now it is {value}; run the same command to "
                "continue it, name another folder, or delete this one."
            )
    return store


def _check_writable(out: Path):
    if ":" in out.parts[0]:
        raise ValueError(
            f"--out: expected a folder of this machine, got the address {out}; build in a folder, then copy it there."
        )
    there = next(p for p in (out, *out.absolute().parents) if p.exists())
    if not there.is_dir():
        raise NotADirectoryError(f"--out: {out} cannot be made, because {there} is a file; name another folder.")
    if not os.access(there, os.W_OK):
        raise PermissionError(f"--out: {out} cannot be made, because {there} is not writable; name another folder.")
