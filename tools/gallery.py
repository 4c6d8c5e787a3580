"""Renews the pictures of docs/gallery from simulated quickstart runs; each says SIMULATED in the picture.

Example:
  uv run python tools/gallery.py --runs=/tmp/gallery

Runs that are missing in --runs are made first: pretraining, microcystin and the comparison of adaptations, about six minutes
on two CPU cores that do nothing else. The pictures are drawn from what these commands leave, as a user's would be.
"""

import io
import subprocess
import sys
from pathlib import Path

import gallery_pictures
import numpy as np
from absl import app, logging

from spectral_jax import launch

ROOT = Path(__file__).parents[1]
RUNS = launch.DEFINE_place("runs", None, "Folder of the three runs; what is missing there is run.", "folder", required=True)
OUT = launch.DEFINE_place("out", str(ROOT / "docs" / "gallery"), "Folder that gets the pictures.", "folder")

# Folder of a run -> its last file, and the command that makes it.
COMMANDS = {
    "pretrain": ("curves.png", ("pretrain.py", "--config=experiments/configs/quickstart.py")),
    "microcystin": ("report.html", ("finetune_microcystin.py",)),
    "adapt": ("report.html", ("adapt.py", "--config=experiments/configs/adapt_quickstart.py")),
}
DPI, MOST_BYTES = 110, 250_000
# The scene's seed and number, which have a lake among fields, trees and houses.
SCENE, SCENE_M = (1, 5), 3840.0
# The lake: a grid as of PACE's Level 3, and the day of the year of the image.
LAKE_LAT, LAKE_LON, LAKE_DAY = (41.86, 41.60, 33), (-83.40, -83.05, 33), 226


def main(argv: list[str]):
    """Makes the runs that are missing, draws every picture, says where they are."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}; every input has a flag (--help lists them).")
    logging.set_verbosity(logging.WARNING)
    runs, out = Path(RUNS.value), Path(OUT.value)
    make_runs(runs)
    out.mkdir(parents=True, exist_ok=True)
    scene, lake = _scene(runs / "pretrain"), _lake(runs / "microcystin")
    figures = {
        "overview": lambda: gallery_pictures.overview(scene, lake),
        "pretraining": lambda: gallery_pictures.curves(runs / "pretrain"),
        "microcystin_week": lambda: gallery_pictures.observed_and_predicted(runs / "microcystin"),
        "adapt_maps": lambda: gallery_pictures.label_maps(runs / "adapt"),
        "adapt_scores": lambda: gallery_pictures.scores(runs / "adapt"),
    }
    for name, draw in figures.items():
        _save(draw(), out / f"{name}.png")
    (out / "microcystin_map.png").write_bytes(_small(runs / "microcystin" / "map.png"))
    print(f"{len(figures) + 1} pictures in {out}")


def make_runs(runs: Path) -> None:
    """Runs the quickstarts whose last file is not there.

    Raises:
      SystemExit: one of them failed; it has said why.
    """
    for name, (last, (script, *arguments)) in COMMANDS.items():
        workdir = (runs / name).resolve()
        if not (workdir / last).is_file():
            command = [sys.executable, f"experiments/{script}", *arguments, f"--workdir={workdir}"]
            print("running", " ".join(command), flush=True)
            if code := subprocess.run(command, cwd=ROOT, check=False).returncode:
                sys.exit(f"gallery: {script} ended with {code}; mend that, or name another --runs.")


def _scene(run: Path) -> dict:
    """A simulated EnMAP scene [H W C] with its wavelengths, and what the run's encoder makes of it [R Q D]."""
    import jax

    import spectral_jax
    from spectral_jax.simulate.scenes.location import simulate_location

    cfg, params = spectral_jax.load(run)
    spec = cfg.sensor("ENMAP").spec
    seed, index = SCENE
    location = simulate_location(seed, "gallery", index, {"ENMAP": spec}, SCENE_M, dates=1)
    stored = location.pixels["ENMAP"][0][list(spec.used_index)].transpose(1, 2, 0)
    embed = jax.jit(lambda params, pixels: _stage1(params, pixels, cfg))
    side, token = round(cfg.model.footprint_m / spec.gsd_m), round(cfg.model.token_gsd_m / spec.gsd_m)
    count = len(stored) // token
    total, times = 0.0, np.zeros((count, count, 1))
    # Patches as the encoder was trained on, a token apart; a token's mean over them forgets where in a patch it stood.
    starts = range(0, len(stored) - side + 1, token)
    for row in starts:
        maps = embed(params, np.stack([stored[row : row + side, column : column + side] for column in starts]))
        r = maps.shape[1]
        total = np.zeros((count, count, maps.shape[-1])) if row == 0 else total
        for column, one in zip(starts, np.asarray(maps, np.float64), strict=True):
            here = (slice(row // token, row // token + r), slice(column // token, column // token + r))
            total[here] += one
            times[here] += 1.0
    reflectance = np.where(stored == spec.nodata, np.nan, stored * spec.scale + spec.offset)
    return {"reflectance": reflectance, "nm": np.asarray(spec.centre_nm), "maps": total / times, "side_m": SCENE_M}


def _stage1(params: dict, pixels, cfg):
    """Stage maps [B R Q D] of EnMAP's own branch, which are the finest."""
    import spectral_jax

    data = spectral_jax.SensorData(pixels, present=np.ones(len(pixels), bool), time=np.zeros(len(pixels), np.float32))
    return spectral_jax.apply(params, spectral_jax.Batch({"ENMAP": data}), cfg).stage1["ENMAP"]


def _lake(run: Path) -> dict:
    """Concentrations, ug/L [R Q], and coordinates of a simulated lake, by the command that a user has for an image."""
    import rasterio

    image, tif = run / "PACE_OCI.simulated.L3m.nc", run / "map.tif"
    _write_image(image)
    command = [sys.executable, "experiments/finetune_microcystin.py", f"--predict={image.resolve()}",
               f"--checkpoint={run.resolve()}", f"--out={tif.resolve()}"]  # fmt: skip
    subprocess.run(command, cwd=ROOT, check=True)
    with rasterio.open(tif) as file:
        return {"mc": file.read(1), "bounds": file.bounds}


def _write_image(path: Path) -> None:
    """A simulated lake as a Level-3 file of PACE: smooth fields of what colours the water, a made-up shore, one cloud."""
    import h5netcdf
    from scipy.ndimage import gaussian_filter

    from spectral_jax.sensors import SensorSpec
    from spectral_jax.simulate.lake import season, state

    lat, lon = np.linspace(*LAKE_LAT), np.linspace(*LAKE_LON)
    rng, shape = np.random.default_rng(11), (len(lat), len(lon))
    fields = {}
    for name in state.PROCESSES:
        smooth = gaussian_filter(rng.standard_normal(shape), 4.0)
        fields[name] = ((smooth - smooth.mean()) / smooth.std()).reshape(-1, 1)
    spec = SensorSpec.load("pace_oci_rrs_v3")
    water = state.water_of(rng, fields, np.full((lat.size * lon.size, 1), LAKE_DAY), 1, one_lake=True)
    rrs = season.seen(rng, water, spec, one_scene_a_date=True).reshape(*shape, -1)
    row, column = np.mgrid[0.0 : 1.0 : shape[0] * 1j, 0.0 : 1.0 : shape[1] * 1j]
    land = column < 0.16 + 0.1 * np.sin(5.0 * row) + 0.32 * (row - 0.55).clip(0.0)
    land |= row > 0.93 - 0.1 * np.sin(4.0 * column)
    cloud = ((row - 0.24) / 0.1) ** 2 + ((column - 0.8) / 0.09) ** 2 < 1.0 + 0.4 * np.sin(20.0 * column)
    packed = np.where((land | cloud)[..., None] | ~np.isfinite(rrs), -32767, np.round((rrs - 0.05) / 2e-6))
    with h5netcdf.File(path, "w") as file:
        file.attrs.update({
            "title": "OCI Level-3 Standard Mapped Image", "instrument": "OCI", "processing_version": "3.1",
            "product_name": path.name, "time_coverage_start": f"{season.YEAR}-08-14T18:00:00.000Z",
        })  # fmt: skip
        file.dimensions = {"lat": len(lat), "lon": len(lon), "wavelength": packed.shape[-1]}
        for name, values in (("lat", lat), ("lon", lon), ("wavelength", np.asarray(spec.centre_nm))):
            file.create_variable(name, (name,), data=np.asarray(values, np.float64))
        variable = file.create_variable(
            "Rrs", ("lat", "lon", "wavelength"), data=packed.astype(np.int16), fillvalue=np.int16(-32767)
        )
        variable.attrs.update({"scale_factor": np.float32(2e-6), "add_offset": np.float32(0.05), "units": "sr^-1"})


def _save(figure, path: Path) -> None:
    figure.savefig(path, dpi=DPI)
    path.write_bytes(_small(path))


def _small(path: Path) -> bytes:
    """The picture as a PNG below `MOST_BYTES`: with 256 colours where it must be."""
    from PIL import Image

    image, out = Image.open(path).convert("RGB"), io.BytesIO()
    image.save(out, "PNG", optimize=True)
    if out.tell() > MOST_BYTES:
        out = io.BytesIO()
        image.quantize(256, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    launch.run(main)
