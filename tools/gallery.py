"""Renews the pictures of docs/gallery from simulated quickstart runs; each says SIMULATED in the picture.

Example:
  uv run python tools/gallery.py --runs=/tmp/gallery

Runs that are missing in --runs are made first: pretraining, microcystin and the comparison of adaptations, about six minutes on
two CPU cores. The pictures are drawn from what these commands leave, as a user's would be.
"""

import base64
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from absl import app, flags

ROOT = Path(__file__).parents[1]
RUNS = flags.DEFINE_string("runs", None, "Folder of the three runs; what is missing there is run.", required=True)
OUT = flags.DEFINE_string("out", str(ROOT / "docs" / "gallery"), "Folder that gets the pictures.")

# Folder of a run -> its last file, and the command that makes it.
COMMANDS = {
    "pretrain": ("curves.png", ("pretrain.py", "--config=experiments/configs/quickstart.py")),
    "microcystin": ("report.html", ("finetune_microcystin.py",)),
    "adapt": ("report.html", ("adapt.py", "--config=experiments/configs/adapt_quickstart.py")),
}
DPI = 110
# The scene's seed and number, which have a lake among fields, trees and houses.
SCENE, SCENE_M = (1, 5), 3840.0
# The lake: a grid as of PACE's Level 3, and the day of the year of the image.
LAKE_LAT, LAKE_LON, LAKE_DAY = (41.86, 41.60, 33), (-83.40, -83.05, 33), 226


def main(argv: list[str]):
    """Makes the runs that are missing, draws every picture, says where they are."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}; every input has a flag (--help lists them).")
    runs, out = Path(RUNS.value), Path(OUT.value)
    make_runs(runs)
    out.mkdir(parents=True, exist_ok=True)
    scene, lake = _scene(runs / "pretrain"), _lake(runs / "microcystin")
    figures = {
        "overview": lambda: overview(scene, lake),
        "pretraining": lambda: curves(runs / "pretrain"),
        "microcystin_week": lambda: observed_and_predicted(runs / "microcystin"),
        "adapt_maps": lambda: label_maps(runs / "adapt"),
        "adapt_scores": lambda: scores(runs / "adapt"),
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
        for column, patch in zip(starts, np.asarray(maps, np.float64), strict=True):
            here = (slice(row // token, row // token + r), slice(column // token, column // token + r))
            total[here] += patch
            times[here] += 1.0
    reflectance = np.where(stored == spec.nodata, np.nan, stored * spec.scale + spec.offset)
    return {"reflectance": reflectance, "nm": np.asarray(spec.centre_nm), "maps": total / times}


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


def overview(scene: dict, lake: dict):
    """README's picture: spectra in, the map of their embedding and a map of microcystin out."""
    from matplotlib.colors import LogNorm

    from spectral_jax.pages import pictures, style

    figure = style.new_figure(12.0, 3.3, simulated=True)
    left, photo, middle, right = figure.subplots(1, 4, width_ratios=(1.0, 1.0, 1.0, 1.14))
    reflectance, nm = scene["reflectance"], scene["nm"]
    places = _typical(reflectance, nm)
    gaps = np.flatnonzero(np.diff(nm) > 40.0) + 1  # of water vapour; the lines have them too
    for (name, (row, column)), colour in zip(places.items(), (style.GREEN, style.ORANGE, style.BLUE), strict=True):
        line = np.insert(100 * reflectance[row, column], gaps, np.nan)
        left.plot(np.insert(nm, gaps, np.nan), line, color=colour, linewidth=1.3, label=name)
        for axes, scale in ((photo, 1.0), (middle, len(scene["maps"]) / len(reflectance))):
            axes.plot((column + 0.5) * scale - 0.5, (row + 0.5) * scale - 0.5, "o", markersize=8, markerfacecolor=colour,
                      markeredgecolor="white", markeredgewidth=1.5)  # fmt: skip
    style.tidy(left, "spectra in", "wavelength, nm", "reflectance, %")
    left.set_ylim(0.0, 1.4 * np.nanmax([100 * reflectance[place] for place in places.values()]))  # room for the legend
    left.set_box_aspect(1.0)
    left.legend(loc="upper left", fontsize=style.SMALL_PT, frameon=False)
    photo.imshow(pictures.true_colour(reflectance, np.isfinite(reflectance).all(axis=-1), nm))
    middle.imshow(_components(scene["maps"]))
    for axes, title in ((photo, "from a scene of EnMAP"), (middle, "the embedding out")):
        axes.set_title(title, fontsize=style.TEXT_PT + 0.5, loc="left", color=style.INK, weight="bold")
        axes.set_xlabel(f"{SCENE_M / 1000:g} km", fontsize=style.TEXT_PT)
        axes.set(xticks=[], yticks=[])
    b = lake["bounds"]
    image = right.imshow(np.ma.masked_invalid(lake["mc"]), extent=(b.left, b.right, b.bottom, b.top), cmap="viridis",
                         norm=LogNorm(0.1, 30.0), aspect=1 / np.cos(np.deg2rad(b.top)))  # fmt: skip
    right.set_facecolor("#e4e4e4")
    style.tidy(right, "microcystin out", "longitude, °E", "latitude, °N")
    right.grid(False)
    right.locator_params(nbins=4)
    bar = figure.colorbar(image, ax=right, extend="both", fraction=0.05, pad=0.03, format="%g", ticks=(0.1, 0.3, 1, 3, 10, 30))
    bar.set_label("µg/L", fontsize=style.TEXT_PT)
    bar.ax.tick_params(labelsize=style.SMALL_PT)
    return figure


def _typical(reflectance: np.ndarray, nm: np.ndarray) -> dict[str, tuple[int, int]]:
    """A place of plants, one of bare ground and one of open water, whose neighbours are of the same kind."""
    from scipy.ndimage import uniform_filter

    red, near, short = (
        uniform_filter(np.nan_to_num(reflectance[..., np.abs(nm - centre).argmin()]), 5) for centre in (665.0, 865.0, 2200.0)
    )
    green = (near - red) / (near + red + 0.02)
    picks = {
        "plants": np.argmax(green),
        "bare ground": np.argmax(short - green * (short + 0.1)),
        "water": np.argmin(near + short),
    }
    return {name: np.unravel_index(at, red.shape) for name, at in picks.items()}


def _components(maps: np.ndarray) -> np.ndarray:
    """Maps [R Q D] to their first three principal components as red, green and blue [R Q 3], each stretched to 0..1."""
    x = maps.reshape(-1, maps.shape[-1])
    x = x - x.mean(axis=0)
    scores = x @ np.linalg.svd(x, full_matrices=False)[2][:3].T
    low, high = np.percentile(scores, (2, 98), axis=0)
    return np.clip((scores - low) / (high - low), 0.0, 1.0).reshape(*maps.shape[:2], 3)


def curves(run: Path):
    """Loss, distance from a Gaussian and effective rank: what shows that an encoder learns and does not collapse."""
    from spectral_jax.pages import style
    from spectral_jax.train.record import read_metrics

    rows = read_metrics(run)
    figure = style.new_figure(10.0, 3.0, simulated=True)
    panels = {
        "loss": "loss",
        "sigreg": "distance from a Gaussian (SIGReg)",
        "embedding_rank": "effective rank of the embedding",
    }
    for axes, (name, title) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        axes.plot([row["step"] for row in rows], [row[name] for row in rows], color=style.BLUE, linewidth=1.4)
        style.tidy(axes, title, "step")
        axes.set_ylim(0.0, None)
    return figure


def observed_and_predicted(run: Path):
    """The report's figure of this week's microcystin, one ISO week left out at a time."""
    from spectral_jax.microcystin.report import figures, predictions
    from spectral_jax.pages import style

    book = predictions.read(run / "out_of_fold.csv")
    model = json.loads((run / "report.json").read_text())["model"]
    title = "this week's microcystin, one ISO week left out"
    return figures.predicted_against_observed(
        book["now", "week", model], style.looks([model], model)[model], title, simulated=True
    )


# Lines of the comparison that the picture of maps shows, from what needs no encoder to the one trained here.
SHOWN = (
    "image, true colour", "labels", "pixel logistic regression/none", "dofa/none", "spectralearth/none", "terramind/nearest",
    "ours/none",
)  # fmt: skip


def label_maps(run: Path):
    """Images, labels and predictions of the page's first two test samples, each pixel a square."""
    import matplotlib.image
    from matplotlib.patches import Patch

    from spectral_jax.pages import pictures, style
    from spectral_jax.simulate.task import spec

    page = (run / "report.html").read_text(encoding="utf-8")
    # The page shows each picture with its name below.
    found = re.findall(
        r'alt="[^"]*test sample (\d)"[^>]*src="data:image/png;base64,([^"]+)".*?<figcaption>([^<]*)<', page, re.S
    )
    maps = {(int(sample), name): data for sample, data, name in found}
    figure = style.new_figure(11.0, 3.9, simulated=True)
    for row, all_axes in enumerate(figure.subplots(2, len(SHOWN))):
        for axes, name in zip(all_axes, SHOWN, strict=True):
            picture = matplotlib.image.imread(io.BytesIO(base64.b64decode(maps[row + 1, name])))
            axes.imshow(picture, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            if row == 0:
                title = name.replace("pixel ", "").replace("image, ", "").replace("/none", ",\nall bands").replace("/", ",\n")
                axes.set_title(title, fontsize=style.SMALL_PT, color=style.INK)
    names = spec().class_names
    patches = [Patch(color=colour, label=name) for name, colour in zip(names, pictures.colours(len(names)), strict=True)]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(names), fontsize=style.SMALL_PT, frameon=False)
    return figure


def scores(run: Path):
    """Macro IoU of every line of the table: mean over seeds, its 95 % interval, and each seed."""
    from matplotlib.lines import Line2D

    from spectral_jax.pages import style

    each = [r for r in json.loads((run / "results.json").read_text()) if r["metric"] == "iou_macro"]
    rows = [r for r in json.loads((run / "statistics.json").read_text())["rows"] if r["metric"] == "iou_macro"]
    baseline = {r["row"] for r in each if r["weights"] == "none needed"}
    colours = {"no encoder": style.GREY, "encoder, all bands": style.BLUE, "encoder, 12 projected bands": style.VERMILION}
    figure = style.new_figure(7.5, 3.5, simulated=True)
    axes = figure.subplots()
    rows = sorted(rows, key=lambda row: row["mean"])
    for at, row in enumerate(rows):
        kind = "no encoder" if row["row"] in baseline else "encoder, all bands"
        colour = colours[kind if row["adaptation"] == "none" else "encoder, 12 projected bands"]
        axes.plot((row["low"], row["high"]), (at, at), color=colour, linewidth=1.6)
        values = [r["value"] for r in each if r["row"] == row["row"]]
        axes.plot(values, [at] * len(values), "|", color=colour, markersize=7)
        axes.plot(row["mean"], at, "o", color=colour, markersize=6)
    axes.set_yticks(range(len(rows)), [row["row"].removesuffix("/none") for row in rows])
    style.tidy(axes, "a simulated task, encoders of random initialisation", "macro IoU: mean, 95 % interval, each seed")
    handles = [Line2D([], [], color=colour, marker="o", label=kind) for kind, colour in colours.items()]
    axes.legend(handles=handles, loc="lower right", fontsize=style.SMALL_PT, frameon=False)
    return figure


def _save(figure, path: Path) -> None:
    figure.savefig(path, dpi=DPI)
    path.write_bytes(_small(path))


def _small(path: Path) -> bytes:
    """The picture as a PNG without transparency, written as small as it goes without loss."""
    from PIL import Image

    out = io.BytesIO()
    Image.open(path).convert("RGB").save(out, "PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    app.run(main)
