"""Measures: `python tools/benchmark.py archive|build|compare|loader|maps|memory|realism|scene|step [--flags]`.

archive  seconds and memory to the first batch of a store with as many locations as SpectralEarth-MM (simulated, 1 GB), for
         --process of --processes; with --latency_ms the store is behind a local server
build    seconds to build a store of --tiles simulated EnMAP tiles with one worker and with two, --repeats times in turn; with
         --kills a build whose workers (with --kill_builder: whose first process) are killed at random moments, and whether its
         store is the same as one never disturbed
compare  our training step against the same one in PyTorch, eager and compiled, in turn on the same core
loader   bytes/s of the loader and of bare TensorStore reads of the same patches, and their ratio; with --latency_ms whether
         the loader feeds steps of --step_s through a local server, requests a location, and bytes read per byte used; with
         --data_loader against zarr-python and PyTorch's DataLoader
maps     memory above the model while scenes of three sizes become maps of spectral-mini, --level, and pixels a second; with
         --torch the encoder alone on windows in memory, in turn with the same one in PyTorch, --repeats times
memory   resident memory of the process over many batches
realism  spectral angle between simulated and real EnMAP spectra, per class
scene    memory above the model while a scene of 4096 x 4096 x 12 goes through TerraMind tiny (random weights) tile by tile
step     seconds a training step and to compile it, memory, FLOP/s, and its parts; --trace_to=FOLDER writes a profile
"""

import contextlib
import json
import os
import platform
import statistics
import tempfile
from pathlib import Path

from absl import flags, logging

from spectral_jax import configure, launch
from spectral_jax.sentences import needs

CONFIG = launch.DEFINE_place("config", "experiments/configs/real_mini.py", "Config of the run to measure.")
STORE = launch.DEFINE_place(
    "store", None, "Store to read; without it one of random numbers is made in a temporary folder.", "store"
)
LOCATIONS = flags.DEFINE_integer("locations", 512, "Locations of the made store.")
BATCHES = flags.DEFINE_integer("batches", None, "Batches a repeat (loader: 32, memory: 1000) or steps (step: 10).")
REPEATS = flags.DEFINE_integer("repeats", 5, "Interleaved repeats of loader and compare.")
REAL_DATA = flags.DEFINE_string(
    "real_data", os.environ.get("SPECTRAL_JAX_REAL_DATA"), "Folder with enmap_potsdam, for realism; SPECTRAL_JAX_REAL_DATA too."
)
DATA_LOADER = flags.DEFINE_bool(
    "data_loader",
    False,
    "In loader, read the same patches by zarr-python and PyTorch's DataLoader too; needs the extra compare.",
)
SIZES = flags.DEFINE_list("sizes", ["tiny", "small"], "Model sizes that compare takes.")
THREADS = flags.DEFINE_integer("threads", 1, "Cores that each side of compare has; they are the same cores.")
SAME_FLOPS = flags.DEFINE_bool(
    "same_flops", False, "In compare, let PyTorch too fold keys and values into the learned queries."
)
SIDES = flags.DEFINE_list("sides", ["1024", "2048", "4096"], "Sides of the scenes of maps, pixels.")
TORCH = flags.DEFINE_bool("torch", False, "In maps, time the encoder alone beside the same one in PyTorch; no map is written.")
LEVEL = flags.DEFINE_string("level", "pixels", "Level of the encoder for maps.")
OUT = launch.DEFINE_place("out", None, "Folder for compare.json.", "folder")
PROCESS = flags.DEFINE_integer("process", 0, "Which process archive measures.")
PROCESSES = flags.DEFINE_integer("processes", 1, "Processes that share a batch, for archive.")
LATENCY_MS = flags.DEFINE_float("latency_ms", None, "Milliseconds a request to the local server of archive and loader takes.")
MB_PER_S = flags.DEFINE_float("mb_per_s", 200.0, "10^6 bytes a second that the local server gives.")
STEP_S = flags.DEFINE_float("step_s", 0.5, "Seconds of a step that loader has to feed, with --latency_ms.")
TILES = flags.DEFINE_integer("tiles", 12, "Simulated tiles of 256 x 256 x 224 for build; each has 16 patches.")
KILLS = flags.DEFINE_integer("kills", 0, "How often a process of build is killed.")
KILL_BUILDER = flags.DEFINE_bool("kill_builder", False, "In build, kill the process that was started instead of a worker.")
PARTS = flags.DEFINE_bool("parts", True, "Whether step times the parts of a step too.")
TRACE_TO = launch.DEFINE_place("trace_to", None, "Folder for a profile of two steps, for step.", "folder")


def main(argv: list[str]) -> int:
    """Runs the measurement named on the command line."""
    logging.set_verbosity(logging.WARNING)
    measures = {
        "archive": archive,
        "build": build,
        "compare": compare,
        "loader": loader,
        "maps": maps,
        "memory": memory,
        "realism": realism,
        "scene": scene,
        "step": step,
    }
    words, overrides = configure.split(argv[1:])
    if len(words) != 1 or words[0] not in measures:
        print(f"benchmark: expected one of {', '.join(measures)}, got {' '.join(words) or 'nothing'}.")
        return 1
    print(f"Machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}.")
    try:
        measures[words[0]](overrides)
    except launch.expected() as error:
        if launch.TRACE.value:
            raise
        return launch.fail("benchmark", str(error))
    return 0


def archive(overrides):
    """What a process needs until it has a batch of a store of the archive's size."""
    from spectral_jax.measure.reading import bucket, startup
    from spectral_jax.measure.reading.archive import write

    cfg, path = configure.read(CONFIG.value, overrides), STORE.value
    if path is None:
        path = str(Path(tempfile.mkdtemp(prefix="spectral_jax_benchmark_")) / "archive.zarr")
        write(path, footprint_m=cfg.model.footprint_m)
        print(f"  store: {path}")
    with contextlib.ExitStack() as stack:
        if LATENCY_MS.value is not None:
            path = stack.enter_context(bucket.Bucket(path, LATENCY_MS.value, MB_PER_S.value)).address
        _show(startup.measure(cfg, path, PROCESS.value, PROCESSES.value))


def build(_):
    """One worker against two; or a build whose processes are killed."""
    from spectral_jax.measure import building

    with tempfile.TemporaryDirectory(prefix="spectral_jax_benchmark_") as folder:
        say = lambda line: print(f"  {line}", flush=True)  # noqa: E731
        if KILLS.value:
            print(f"  {building.killed(Path(folder), TILES.value, KILLS.value, 0, KILL_BUILDER.value, say).text()}")
            return
        rows = building.speed(Path(folder), TILES.value, REPEATS.value, (1, 2), say)
        for name in ("building", "whole", "cpu", "own_cpu"):
            one, two = ([getattr(row, name) for row in rows if row.workers == workers] for workers in (1, 2))
            ratios = [b / a for a, b in zip(one, two, strict=True)]
            print(
                f"  {name}: one worker {statistics.median(one):.1f} s, two {statistics.median(two):.1f} s, ratio of medians "
                f"{statistics.median(two) / statistics.median(one):.2f}, of pairs {min(ratios):.2f} to {max(ratios):.2f}"
            )


def compare(_):
    """Our step and PyTorch's."""
    import jax

    from spectral_jax.measure import machine
    from spectral_jax.measure.peer import compare, figures

    launch.keep()
    # Processes that are started keep their programs in the same folder.
    os.environ["JAX_COMPILATION_CACHE_DIR"] = jax.config.jax_compilation_cache_dir
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = str(jax.config.jax_persistent_cache_min_compile_time_secs)
    about = machine.described(compare.PACKAGES)
    print("  " + ", ".join(f"{name} {value}" for name, value in about.items()))
    results = {}
    for size in SIZES.value:
        results[size] = compare.compare(size, REPEATS.value, THREADS.value, SAME_FLOPS.value, lambda line: print(f"  {line}"))
        print(figures.text(results[size]))
    if OUT.value:
        Path(OUT.value).mkdir(parents=True, exist_ok=True)
        (Path(OUT.value) / "compare.json").write_text(json.dumps({"machine": about, "sizes": results}, indent=1))


def loader(overrides):
    """Loader against bare reads, at the package's batch size unless another is given; small batches cost more a location."""
    from spectral_jax.config import Data
    from spectral_jax.measure import throughput
    from spectral_jax.measure.peer import loaders
    from spectral_jax.measure.reading import steps

    if not any(text.startswith("--config.data.batch_size=") for text in overrides):
        overrides = [*overrides, f"--config.data.batch_size={Data().batch_size}"]
    cfg, path = _config_and_store(overrides)
    print(f"  batch size: {cfg.data.batch_size}")
    if LATENCY_MS.value is None:
        _show(throughput.loader(cfg, path, batches=BATCHES.value or 32, repeats=REPEATS.value))
        if DATA_LOADER.value:
            _show(loaders.compare(cfg, path, BATCHES.value or 32, REPEATS.value))
    else:
        _show(steps.feed(cfg, path, BATCHES.value or 24, STEP_S.value, LATENCY_MS.value, MB_PER_S.value))


def memory(overrides):
    """Resident memory over batches."""
    from spectral_jax.measure import throughput

    cfg, path = _config_and_store(overrides)
    _show(throughput.memory(cfg, path, batches=BATCHES.value or 1000))


def realism(_):
    """Simulated spectra against real ones."""
    from spectral_jax.measure import scene_realism

    if not REAL_DATA.value:
        print("benchmark: realism needs --real_data=FOLDER (or SPECTRAL_JAX_REAL_DATA), the folder that holds enmap_potsdam.")
        return
    for footprint_m in (480.0, 960.0):
        print(f"Scenes of {footprint_m:g} m:")
        print(scene_realism.text(scene_realism.report(REAL_DATA.value, footprint_m=footprint_m)))


def scene(_):
    """Memory and time of tiled inference from GeoTIFF to GeoTIFF."""
    import jax
    import numpy as np

    from spectral_jax.interop.terramind_bands import modality
    from spectral_jax.measure import scene_memory
    from spectral_jax.model.heads import task_heads
    from spectral_jax.model.published import terramind

    cfg = terramind.config("tiny", (modality("S2L2A"),))
    head = task_heads.HeadConfig("linear", 6)
    side = cfg.grid * cfg.patch
    params = terramind.init(jax.random.key(0), cfg)
    decode = task_heads.init_head(jax.random.key(1), head, ((cfg.grid, cfg.grid, cfg.width),), cfg.width)

    @jax.jit
    def predict(pixels):
        found = terramind.apply(params, {"S2L2A": pixels.astype(np.float32) / np.float32(1e4)}, cfg)
        return task_heads.call_head(decode, head, found.maps, found.pooled, (side, side))

    with tempfile.TemporaryDirectory(prefix="spectral_jax_benchmark_") as folder:
        for name, value in scene_memory.scene_memory(folder, predict, tile=side, overlap=64).items():
            print(f"  {name}: {value:.0f} {'s' if name == 'seconds' else 'bytes'}")


def maps(_):
    """Memory and time of `spectral-jax embed` on scenes of three sizes."""
    if TORCH.value:
        with needs("PyTorch", "compare", "maps --torch"):
            import torch  # noqa: F401
        from spectral_jax.measure.peer import torch_stem

        _show(torch_stem.compared(REPEATS.value))
        return
    from spectral_jax.measure import scene_memory

    sides = [int(side) for side in SIDES.value]
    with tempfile.TemporaryDirectory(prefix="spectral_jax_benchmark_") as folder:
        for row in scene_memory.map_memory(folder, sides, level=LEVEL.value):
            print(
                f"  {row['side']} x {row['side']} x 12: {row['above'] / 2**20:.0f} MB above the model, {row['seconds']:.1f} s, "
                f"{row['pixels_per_second']:.0f} pixels/s, a map of {row['written'] / 2**20:.0f} MB"
            )


def step(overrides):
    """Seconds a step, on the devices of this machine, with the first batch of the store."""
    from spectral_jax.data.loader import Loader
    from spectral_jax.measure import step_time

    cfg, path = _config_and_store(overrides)
    result = step_time.step(cfg, Loader(cfg, path).batch(0), BATCHES.value or 10, TRACE_TO.value, PARTS.value)
    print("  " + step_time.text(result).replace("\n", "\n  "))


def _show(result: dict):
    for name, value in result.items():
        print(f"  {name}: {value}")


def _config_and_store(overrides):
    from spectral_jax.measure import throughput

    cfg = configure.read(CONFIG.value, overrides)
    if STORE.value:
        return cfg, STORE.value
    path = Path(tempfile.mkdtemp(prefix="spectral_jax_benchmark_")) / "random.zarr"
    throughput.write_random_store(path, cfg, LOCATIONS.value)
    return cfg, path


if __name__ == "__main__":
    launch.run(main)
