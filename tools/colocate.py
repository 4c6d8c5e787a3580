"""Builds a store of co-located patches from products of one region as agencies deliver them, of any sensors and dates.

Example:
  uv run python tools/colocate.py --folder=downloads --out=my.zarr --plan_only
  uv run python tools/colocate.py --folder=downloads --out=my.zarr --holdout=0.1
  uv run python tools/colocate.py --stac=CATALOGUE --collection=NAME --cache=products --folder=spectra --out=my.zarr

The ground is cut into fixed squares of UTM zones. A location is a square wholly inside a hyperspectral product and products of
at least one more sensor, near it in time, that hold data and are clear there. The plan is written first: my.plan.csv and
my.plan.html, a page with a map. Run the same command again to continue after an interruption. Needs the extras
spectral-jax[products,plot].

--stac=CATALOGUE --cache=FOLDER fetches products of a STAC catalogue first, --plan_only or not: which squares hold data and are
clear is in their quality layers, and no item tells it. Those of --folder, such as products behind a login, are taken beside
them.

--workers=4 builds with four processes of this machine, --scheduler=tcp://HOST:8786 with the workers of a Dask cluster (extra
spectral-jax[dask]); this process makes the plan.
"""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import app, flags, logging

from spectral_jax import launch
from spectral_jax.ingest.colocated import wanted
from spectral_jax.ingest.colocated.build import build
from spectral_jax.ingest.colocated.wanted import Wanted
from spectral_jax.ingest.patches.build import Help
from spectral_jax.sentences import counted

FLAGS = flags.FLAGS
DEFAULT = {field.name: field.default for field in dataclasses.fields(Wanted)}
flags.DEFINE_multi_string("folder", [], "Folder with products at any depth; may be given several times.")
launch.DEFINE_place("out", None, "Folder of the store, on this machine.", "work", required=True)
flags.DEFINE_bool("plan_only", False, "Stop after the plan.")
flags.DEFINE_integer("workers", 0, "Processes of this machine that build; 0: this one alone, without Dask.")
flags.DEFINE_string("scheduler", "", "Address of a Dask scheduler; its workers must see products and store at the same paths.")
flags.DEFINE_float("footprint_m", DEFAULT["footprint_m"], "Side of a square, metres; a whole number of every sensor's pixels.")
flags.DEFINE_list("anchors", list(DEFAULT["anchors"]), "Sensors around whose products locations are made.")
flags.DEFINE_list("sensors", list(DEFAULT["sensors"]), "Sensors that the store may hold.")
flags.DEFINE_float("days", DEFAULT["days"], "Other products are taken from so many days around an anchor's.")
flags.DEFINE_float("most_days", DEFAULT["most_days"], "And from so many, where a sensor has none nearer.")
flags.DEFINE_integer("dates", DEFAULT["dates"], "At most so many dates of a sensor at a location.")
flags.DEFINE_float("clear", DEFAULT["clear"], "Least share of a square that a product's quality layers call clear.")
flags.DEFINE_float("valid", DEFAULT["valid"], "Least share of a square that holds data.")
flags.DEFINE_float("holdout", DEFAULT["holdout"], "Share of the blocks whose squares are held out, in a store of their own.")
flags.DEFINE_float("block_deg", DEFAULT["block_deg"], "Side of a block, degrees.")
flags.DEFINE_enum("unclear", DEFAULT["unclear"], wanted.UNCLEAR, "What becomes of unclear pixels of a square that passes.")
flags.DEFINE_list(
    "clouds", list(DEFAULT["clouds"]),
    "What tells cloud: product, each product's own layers; spectf (EnMAP, EMIT, PRISMA), omnicloudmask (Sentinel-2, Landsat; "
    "extra spectral-jax[clouds]) or both, joined with these layers; none. SpecTf looks at some 350 pixels a second on two "
    "cores, and only at those of squares of two sensors that are clear by their own layers; its weights know reflectance at "
    "the top of the atmosphere, and surface reflectance is out of their domain.",
)  # fmt: skip
launch.DEFINE_place("cloud_weights", None, "Folder of SpecTf's weights, of tools/convert_weights.py.")
flags.DEFINE_float("cloud_threshold", None, "Probability of cloud from which on a pixel is unclear; as published if not given.")
flags.DEFINE_enum(
    "satellites", DEFAULT["satellites"], wanted.SATELLITES,
    "Of satellites of one sensor, such as Sentinel-2A and B, take the one with most products, or all alike.",
)  # fmt: skip

launch.DEFINE_catalogue()
flags.adopt_module_key_flags(launch)


def asked(fetched: Sequence[Path] = ()) -> Wanted:
    """What the flags ask for.

    Args:
      fetched: folders of products of a catalogue.

    Raises:
      ValueError: as `Wanted`, or there is no folder.
    """
    folders = (*FLAGS.folder, *map(str, fetched))
    if not folders:
        raise ValueError(
            "--folder: expected at least one folder of products, such as --folder=downloads, or --stac=CATALOGUE, and got none."
        )
    given = {name: FLAGS[name].value for name in DEFAULT if name != "folders"}
    given["cloud_weights"] = given["cloud_weights"] or ""
    return Wanted(folders, **{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})


def main(argv: list[str]):
    """Parses, plans, builds, says what was left out and what to do next."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}; every input has a flag (--help lists them).")
    logging.set_verbosity(logging.WARNING)  # GDAL's notes on a damaged file come before our sentence otherwise
    left_out: tuple[str, ...] = ()
    try:
        found, fetched = launch.of_catalogue(), ()
        if found is not None:
            fetched, left_out = found.folders, found.failures
            if left_out and not (fetched or FLAGS.folder):
                raise ValueError("\n  ".join(["nothing was fetched, so there is nothing to plan:", *left_out]))
        done = build(
            asked(fetched), FLAGS.out, FLAGS.plan_only, lambda line: print(line, flush=True),
            help=Help(FLAGS.workers, FLAGS.scheduler),
        )  # fmt: skip
    except KeyboardInterrupt:
        sys.exit("colocate: interrupted; run the same command again to continue.")
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"colocate: {error}")
    print(done.text())
    lacking = (
        ["\n  ".join([f"the plan lacks {counted(len(left_out), 'item')} of the catalogue:", *left_out])] if left_out else []
    )
    if done.failures or lacking:
        sys.exit("\n".join(f"colocate: {failure}" for failure in (*done.failures, *lacking)))


if __name__ == "__main__":
    launch.run(main)
