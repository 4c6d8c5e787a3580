"""Installs each extra alone in a fresh environment, from a wheel of this checkout, and starts every command it promises.

    uv run python tools/try_extras.py [--only=geo,pace] [--keep=DIR]

Needs uv and the package registry. It takes some ten minutes, so it is run by hand, and is no test. What is checked of a command
is what it leaves, or the sentence that it ends with.
"""

import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

from absl import app, flags

from spectral_jax import launch

ROOT = Path(__file__).resolve().parents[1]
ONLY = flags.DEFINE_list("only", None, "Extras to try; all of pyproject.toml, and none at all, if not given.")
KEEP = launch.DEFINE_place("keep", None, "Folder for the environments, which then stay.", "folder")
NONE = "none"
SHORT = (
    "--config.train.steps=2 --config.train.log_every=1 --config.train.save_every=2 --config.data.synthetic.locations=96 "
    "--config.probe.enabled=false --config.data.batch_size=8"
)


@dataclasses.dataclass(frozen=True)
class Trial:
    """A command, the exit code it should have, and what it should say or leave in its folder."""

    command: str
    says: str = ""
    leaves: str = ""
    code: int = 0


PRETRAIN = "spectral-jax pretrain --config={package}/experiments/configs/quickstart.py --workdir=run " + SHORT
SCENE = (
    'python -c "import contextlib; from spectral_jax.measure import made_scene; '
    "from spectral_jax.ingest.raster.scene import open_scene; made_scene.write_random_scene('scene.tif', 64, 3); "
    "stack = contextlib.ExitStack(); scene = stack.enter_context(open_scene('scene.tif')); "
    'print(scene.read(slice(0, 8), slice(0, 8)).shape)"'
)
# A granule made by the checkout's tests, which need pytest, is read in the environment, which has none.
PACE = (
    "{python} -c \"import sys; from pathlib import Path; sys.path.insert(0, '{tests}'); from made import pace_files; "
    "Path('pace').mkdir(); pace_files.write_l2(Path('pace'))\" && "
    'python -c "from pathlib import Path; from spectral_jax.ingest.pace.read import read; '
    "print('Rrs of', read(next(Path('pace').glob('*.nc'))).reflectance.shape)\""
)
IN_BUCKET = (
    "AWS_ENDPOINT_URL=http://127.0.0.1:9 AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b STORAGE_EMULATOR_HOST=http://127.0.0.1:9 "
    'python -c "from spectral_jax.addresses import bucket; bucket.LIMIT_SECONDS = 0.0; '
    "bucket.read('{scheme}://bucket/file')\""
)
# A miniature product is written as the granule is.
PRODUCT = (
    "{python} -c \"import sys; from pathlib import Path; sys.path.insert(0, '{tests}'); from made import delivered; "
    "delivered.write_enmap(Path('products'))\" && "
    "python -c \"import spectral_jax; p = spectral_jax.open_product('products'); print(p.kind, p.shape)\""
)
XARRAY = (
    'python -c "import numpy as np, spectral_jax, xarray; '
    "nm = [b.centre_nm for b in spectral_jax.SensorSpec.load('enmap_l2a').bands]; m = 30.0 * np.arange(32); "
    "scene = xarray.DataArray(np.full((32, 32, len(nm)), 0.2, 'f4'), {'y': m[::-1], 'x': m, 'wavelength': ('band', nm)}, "
    "('y', 'x', 'band')); print(spectral_jax.embed(scene).dims)\""
)
TRIALS = {
    NONE: (
        Trial("spectral-jax --help", says="build-matchups"),
        Trial("python -c \"import spectral_jax; print(spectral_jax.SensorSpec.load('enmap_l2a').name)\"", says="enmap_l2a"),
        Trial(PRETRAIN, leaves="run/checkpoints/2", says="install the extra"),
        Trial("spectral-jax embed --checkpoint=run --store=run/synthetic.zarr --out=e.npz", leaves="e.npz"),
        Trial("spectral-jax adapt --workdir=a", says="; install the extra ", code=1),
        Trial("spectral-jax microcystin --workdir=m", says="pip install 'spectral-jax[eval]'", code=1),
        Trial("spectral-jax benchmark compare", says="pip install 'spectral-jax[compare]'", code=1),
        Trial(IN_BUCKET.format(scheme="s3"), says="pip install 'spectral-jax[s3]'", code=1),
        Trial(IN_BUCKET.format(scheme="gs"), says="pip install 'spectral-jax[gcs]'", code=1),
        Trial(
            "mkdir tiles && touch tiles/a.tif && spectral-jax build-store --product=enmap:tiles --footprint_m=960 --out=x.zarr",
            says="pip install 'spectral-jax[geo]'",
            code=1,
        ),
    ),
    "geo": (
        Trial(SCENE, says="(8, 8, 3)"),
        Trial(
            "spectral-jax build-store --product=enmap:{data}/enmap_potsdam/images --footprint_m=960 --out=x.zarr",
            leaves="x.zarr/zarr.json",
        ),
    ),
    "products": (Trial(PRODUCT, says="EnMAP L2A (6, 6)"),),
    "plot": (Trial(PRETRAIN, leaves="run/curves.png"),),
    "tensorboard": (Trial(PRETRAIN, leaves="run/tensorboard"),),
    "eval": (
        Trial("spectral-jax adapt --workdir=a --config.seeds=1 --config.protocol.epochs=2", leaves="a/results.json"),
        Trial(
            "spectral-jax microcystin --workdir=m --config.evaluation.seeds=1 --config.evaluation.trees=5 "
            "--config.pretrain.train.steps=20",
            leaves="m/predictor.npz",
        ),
    ),
    "pace": (
        Trial("spectral-jax build-matchups --granules={here} --insitu=none.csv --out=m.npz", says="build_matchups: ", code=1),
        Trial(PACE, says="Rrs of "),
    ),
    "download": (
        Trial('python -c "import earthaccess; print(earthaccess.__name__)"', says="earthaccess"),
        Trial(
            "spectral-jax build-matchups --download=2024-07-01,2024-07-01 --granules={here} --insitu=none.csv --out=m.npz",
            says="build_matchups: ",
            code=1,
        ),
    ),
    "pod": (
        Trial(
            "spectral-jax compile-pod --config={package}/experiments/configs/quickstart.py --topology=v5e:2x2 "
            "--batch_per_chip=1 --group=all --out=pod",
            leaves="pod/report.json",
        ),
    ),
    # Nobody answers at this port: the client is there, and is heard.
    "gcs": (Trial(IN_BUCKET.format(scheme="gs"), says="did not answer", code=1),),
    "s3": (Trial(IN_BUCKET.format(scheme="s3"), says="did not answer", code=1),),
    "dask": (
        Trial(
            "spectral-jax build-store --product=enmap:{data}/enmap_potsdam/images --footprint_m=960 --workers=2 --out=x.zarr",
            leaves="x.zarr/zarr.json",
            says="2 workers on this machine",
        ),
    ),
    "stac": (
        Trial('python -c "import pystac_client, planetary_computer; print(pystac_client.__name__)"', says="pystac_client"),
    ),
    # Some gigabytes, as of compare; its weights are fetched with the first scene, which is not tried.
    "clouds": (
        Trial('python -c "import omnicloudmask; print(omnicloudmask.predict_from_array.__name__)"', says="predict_from"),
    ),
    "xarray": (Trial(XARRAY, says="('y', 'x', 'embedding')"),),
    # Some gigabytes: of PyTorch the registry has CUDA's libraries too. The smallest comparison, most of it compiling.
    "compare": (Trial("spectral-jax benchmark compare --sizes=tiny --repeats=1 --out=c", leaves="c/compare.json"),),
    "all": (Trial(PRETRAIN, leaves="run/curves.png"),),
}


def main(argv: list[str]) -> int:
    """Tries the extras, prints a line a command, and fails if one did not do what it promises."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}; see --help.")
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = [NONE, *tomllib.load(file)["project"]["optional-dependencies"]]
    lacking = [name for name in extras if name not in TRIALS]
    if lacking:
        print(f"try_extras: {', '.join(lacking)} of pyproject.toml has no trial; add what it promises to TRIALS.")
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(KEEP.value or scratch).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        wheel = build_wheel(folder)
        results = [try_one(folder, wheel, name) for name in ONLY.value or extras]
    print(f"\n{sum(results)} of {len(results)} extras do what they promise.")
    return 0 if all(results) else 1


def build_wheel(folder: Path) -> Path:
    """The wheel of this checkout."""
    shutil.rmtree(folder / "dist", ignore_errors=True)
    subprocess.run(["uv", "build", "--wheel", "-q", "--out-dir", str(folder / "dist"), str(ROOT)], check=True)
    return next((folder / "dist").glob("*.whl"))


def try_one(folder: Path, wheel: Path, name: str) -> bool:
    """Makes the environment of one extra and runs its trials in it, away from the checkout."""
    started = time.monotonic()
    place = folder / name
    shutil.rmtree(place, ignore_errors=True)
    python = place / "venv" / "bin" / "python"
    subprocess.run(["uv", "venv", "-q", "--python", sys.executable, str(place / "venv")], check=True)
    extra = "" if name == NONE else f"[{name}]"
    subprocess.run(
        ["uv", "pip", "install", "-q", "--python", str(python), f"spectral-jax{extra} @ {wheel.as_uri()}"], check=True
    )
    here = place / "work"
    here.mkdir()
    where = {"package": next((place / "venv" / "lib").glob("python*/site-packages/spectral_jax")), "here": here}
    where |= {"python": Path(sys.executable), "tests": ROOT / "tests"}
    where["data"] = Path(os.environ.get("SPECTRAL_JAX_REAL_DATA", ROOT.parent / "shared" / "data"))
    print(f"{name}: installed in {time.monotonic() - started:.0f} s", flush=True)
    return all([run(trial, here, place / "venv" / "bin", where) for trial in TRIALS[name]])


def run(trial: Trial, here: Path, programs: Path, where: dict[str, Path]) -> bool:
    """Runs one command and tells whether it did what it should."""
    environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "JAX_PLATFORMS": "cpu"}
    environment.pop("PYTHONPATH", None)
    started = time.monotonic()
    command = trial.command.format(**where)
    done = subprocess.run(command, shell=True, cwd=here, env=environment, capture_output=True, text=True)
    said = done.stdout + done.stderr
    good = done.returncode == trial.code and trial.says in said and (not trial.leaves or (here / trial.leaves).exists())
    print(f"  {'ok  ' if good else 'FAIL'} {time.monotonic() - started:4.0f} s  {trial.command[:100]}", flush=True)
    if not good:
        print(f"       exit code {done.returncode}, expected {trial.code}; it said:\n{said[-1500:]}", flush=True)
    return good


if __name__ == "__main__":
    launch.run(main)
