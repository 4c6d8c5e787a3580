"""Feeds damaged files to every reader: python tools/fuzz.py [--inputs=20000] [--kinds=geotiff,torch] [--keep=DIR].

Files are cut short, bits flipped, blocks swapped, emptied. Each must be used or refused in a sentence: no other exception, no
crash, no hang over 10 s, no output left half-written. Inputs that did not are kept, and the exit code is 1. For developers: it
needs a checkout with its development dependencies.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import app, flags

from spectral_jax import launch
from spectral_jax.measure import fuzz
from spectral_jax.measure.fuzz import Kind

ROOT = Path(__file__).resolve().parents[1]
INPUTS = flags.DEFINE_integer("inputs", 20_000, "How many, of all kinds together.", lower_bound=1)
KINDS = flags.DEFINE_list("kinds", None, "Kinds to run; all if not given.")
SEED = flags.DEFINE_integer("seed", 0, "Input i is a function of (seed, i).")
WORKERS = flags.DEFINE_integer("workers", 2, "Processes.", lower_bound=1)
KEEP = launch.DEFINE_place("keep", None, "Folder for inputs that were faults; a temporary one if not given.", "folder")


def main(argv: list[str]) -> int:
    """Runs the inputs, prints a table and the first faults of each kind."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}; see --help.")
    chosen = [kind for kind in kinds() if not KINDS.value or kind.name in KINDS.value]
    folder = Path(KEEP.value or tempfile.mkdtemp(prefix="spectral_jax_fuzz_"))
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    outcomes = fuzz.run(chosen, INPUTS.value, SEED.value, folder, launch.expected, WORKERS.value)
    print(fuzz.table(outcomes))
    faults = [outcome for outcome in outcomes if outcome.what == "fault"]
    told: dict[str, int] = {}
    for fault in faults:
        last = fault.said.strip().splitlines()[-1][:160]
        told[f"{fault.kind}: {last}"] = told.get(f"{fault.kind}: {last}", 0) + 1
    for line, count in sorted(told.items(), key=lambda item: -item[1])[:40]:
        print(f"{count:5d} x {line}")
    print(f"{time.monotonic() - started:.0f} s, {folder}")
    return 1 if faults else 0


def kinds() -> list[Kind]:
    """Every kind of file that a user gives."""
    sys.path.insert(0, str(ROOT / "tests"))  # the writers of tiny files
    return [
        Kind("geotiff", _geotiff, _use_geotiff), Kind("scene", _geotiff, _use_scene), Kind("store_build", _folder, _use_build),
        Kind("netcdf", _netcdf, _use_netcdf), Kind("hdf5_task", _hdf5, _use_task), Kind("zarr_task", _zarr, _use_zarr),
        Kind("store", _store, _use_store), Kind("csv", _csv, _use_csv), Kind("matchups", _matchups, _use_matchups),
        Kind("torch", _torch, _use_weights), Kind("safetensors", _safetensors, _use_weights), Kind("npz", _npz, _use_weights),
        Kind("converted", _converted, _use_converted), Kind("config_json", _config, _use_config),
        Kind("overrides", _overrides, _use_overrides), Kind("sensor_toml", _sensor, _use_sensor),
        Kind("task_toml", _task, _use_toml_task),
    ]  # fmt: skip


def _geotiff(folder: Path) -> Path:
    from made.tiny_geotiffs import write_enmap

    write_enmap(folder / "tile.tif", side=8)
    return folder / "tile.tif"


def _use_geotiff(path: Path, out: Path):
    from spectral_jax.ingest.patches.products import product, table

    chip = product.look(table.ProductFolder("enmap", str(path.parent)).read(), path)
    product.stored(chip, (0, 0, 8))


def _use_scene(path: Path, out: Path):
    from spectral_jax.ingest.raster import scene

    with scene.open_scene(path) as opened:
        whole = tuple(slice(0, side) for side in opened.shape)
        if opened.shape[0] * opened.shape[1] < 1 << 20:
            opened.read(*whole)
            opened.valid(*whole)


def _folder(folder: Path) -> Path:
    _geotiff(folder / "tiles")
    return folder / "tiles"


def _use_build(path: Path, out: Path):
    from spectral_jax.data.store import open_store
    from spectral_jax.ingest.patches import build
    from spectral_jax.ingest.patches.products import table

    source = path if path.is_dir() else path.parent
    try:
        build.build(build.Inputs(240.0, (table.ProductFolder("enmap", str(source)),)), out, lambda line: None)
    finally:
        if out.exists():
            open_store(out)  # what is there is a store, begun or whole


def _netcdf(folder: Path) -> Path:
    from made import pace_files

    return pace_files.write_l2(folder, "3.0")


def _use_netcdf(path: Path, out: Path):
    from spectral_jax.ingest.pace import read

    read.read(path)


TASK = """title = "mine"
kind = "segmentation"
[[channels]]
sensor = "sentinel2a_l2a"
count = 12
unit = "1"
[classes]
codes = [1, 2]
[layout]
name = "{layout}"
images = "images"
labels = "labels"
"""


def _arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    images = rng.uniform(0.02, 0.5, (3, 8, 8, 12)).astype(np.float32)
    return {"images": images, "labels": rng.integers(1, 3, (3, 8, 8)).astype(np.int16)}


def _hdf5(folder: Path) -> Path:
    import h5py

    (folder / "task").mkdir()
    (folder / "task" / "task.toml").write_text(TASK.format(layout="hdf5"))
    with h5py.File(folder / "task" / "train.h5", "w") as file:
        for name, values in _arrays().items():
            file[name] = values
        file["images"].attrs.update({"scale_factor": 1.0, "_FillValue": np.float32(-9999), "units": "1"})
    return folder / "task"


def _use_task(path: Path, out: Path):
    from spectral_jax.adapt.parts.part import Part
    from spectral_jax.adapt.parts.source import source_of
    from spectral_jax.tasks.read import read

    data = read(str(path / "task.toml"), path)
    part = Part(data, source_of(data), range(len(data)))
    for row in range(len(data)):
        part.sample(row)


def _zarr(folder: Path) -> Path:
    import json

    (folder / "task").mkdir()
    (folder / "task" / "task.toml").write_text(TASK.format(layout="zarr"))
    for name, values in _arrays().items():
        array = folder / "task" / "train.zarr" / name
        array.mkdir(parents=True)
        about = {
            "zarr_format": 2, "shape": values.shape, "chunks": values.shape, "dtype": values.dtype.str, "compressor": None,
            "order": "C", "fill_value": None, "filters": None,
        }  # fmt: skip
        (array / ".zarray").write_text(json.dumps(about))
        (array / ".zattrs").write_text(json.dumps({"scale_factor": 1.0, "units": "1"}))
        (array / ".".join("0" * values.ndim)).write_bytes(values.tobytes())
    return folder / "task"


_use_zarr = _use_task


def _store(folder: Path) -> Path:
    _use_build(_folder(folder), folder / "my.zarr")
    return folder / "my.zarr"


def _use_store(path: Path, out: Path):
    from spectral_jax.data.store import open_store

    for group in open_store(path).groups.values():
        for key in group.sensors:
            group.valid(key)
            group.times(key)
            group.read(key, 0, 0)
        group.ids([0])
        group.centres()


COLUMNS = (
    "Date", "Site", "Station_Depth_m", "Sample_Depth_m", "Sample_Depth_category", "Arrival_Time", "Lat_deg", "Long_deg",
    "Particulate_Microcystin_ugL-1", "Extracted_PC_ugL-1", "Extracted_CHLa_ugL-1",
)  # fmt: skip
CSV = """
7/8/2024,WE2,5,0.75,Surface,9:31,41.763,-83.33,1.5,1,5
7/15/2024,WE4,8,0.75,Surface,10:02,41.827,-83.193,<0.1,2.5,9.1
7/15/2024,WE8,4,0.75,Scum,11:40,41.834,-83.364,27.1,bdl,88
"""


def _csv(folder: Path) -> Path:
    (folder / "samples.csv").write_text(",".join(COLUMNS) + CSV)
    return folder / "samples.csv"


def _use_csv(path: Path, out: Path):
    from spectral_jax.ingest.matchups import glerl

    glerl.read([path])


def _matchups(folder: Path) -> Path:
    from made import tiny_matchups

    from spectral_jax import matchups

    matchups.save(folder / "m.npz", tiny_matchups.make(weeks=3))
    return folder / "m.npz"


def _use_matchups(path: Path, out: Path):
    from spectral_jax import matchups

    matchups.load(path)


def _state() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {f"blocks.{i}.weight": rng.normal(size=(6, 4)).astype(np.float32) for i in range(4)}


def _torch(folder: Path) -> Path:
    import pytest
    from made import torch_archive

    with pytest.MonkeyPatch.context() as patch:
        torch_archive.write(folder / "w.pt", {"model": {k: torch_archive.plain(v) for k, v in _state().items()}}, patch)
    return folder / "w.pt"


def _safetensors(folder: Path) -> Path:
    from spectral_jax.interop import safetensors_file

    safetensors_file.write(folder / "w.safetensors", _state())
    return folder / "w.safetensors"


def _npz(folder: Path) -> Path:
    np.savez(folder / "w.npz", **_state())
    return folder / "w.npz"


def _use_weights(path: Path, out: Path):
    from spectral_jax.interop import weights_file

    for value in weights_file.read(path).tensors.values():
        np.asarray(value).sum()


def _converted(folder: Path) -> Path:
    import zipfile

    with zipfile.ZipFile(ROOT / "tests" / "golden" / "before_the_house.zip") as held:
        names = [name for name in held.namelist() if "terramind" in name and not name.endswith("/")]
        for name in names:
            held.extract(name, folder)
    return (folder / names[0]).parent


def _use_converted(path: Path, out: Path):
    from spectral_jax.interop import folder

    folder.load(path)


def _config(folder: Path) -> Path:
    from spectral_jax import configure

    cfg = configure.read(str(ROOT / "experiments" / "configs" / "quickstart.py"))
    (folder / "config.json").write_text(configure.to_json(cfg))
    return folder / "config.json"


def _use_config(path: Path, out: Path):
    from spectral_jax import configure

    configure.read(str(path))


def _overrides(folder: Path) -> Path:
    lines = [
        "--config.optim.lr=3e-4", "--config.data.batch_size=16", "--config.views.gain=0.9,1.1", "--config.data.groups=enmap",
        "--config.data.lead_days=6,10", "--config.train.steps=100", "--config.model.depths=1,1,2", 
        "--config.probe.enabled=true",
    ]  # fmt: skip
    (folder / "overrides.txt").write_text("\n".join(lines))
    return folder / "overrides.txt"


def _use_overrides(path: Path, out: Path):
    from spectral_jax import configure

    lines = path.read_bytes().decode("latin-1").split("\n")
    configure.read(str(ROOT / "experiments" / "configs" / "quickstart.py"), [line for line in lines if line])


def _sensor(folder: Path) -> Path:
    (folder / "mine.toml").write_bytes((ROOT / "data_specs" / "sensors" / "planetscope_sr.toml").read_bytes())
    return folder / "mine.toml"


def _use_sensor(path: Path, out: Path):
    from spectral_jax.sensors import SensorSpec

    SensorSpec.load(str(path))


def _task(folder: Path) -> Path:
    (folder / "mine.toml").write_bytes((ROOT / "data_specs" / "tasks" / "enmap_potsdam.toml").read_bytes())
    return folder / "mine.toml"


def _use_toml_task(path: Path, out: Path):
    from spectral_jax.tasks.spec import TaskSpec

    TaskSpec.load(str(path))


if __name__ == "__main__":
    launch.run(main)
