"""Builds a store of co-located patches from folders of GeoTIFFs.

Example:
  uv run python tools/build_store.py --product=enmap:tiles/enmap --product=sentinel2:chips/S2L2A,unit=b \
      --product=sentinel1:chips/S1RTC --footprint_m=960 --out=my.zarr

Chips of several sensors belong together when they have one file name and overlap on the ground. Run the same command again to
continue after an interruption. Needs the extra spectral-jax[geo].

--stac=CATALOGUE --cache=FOLDER fetches products of a STAC catalogue first; --collection, --bbox, --from and --to say which.

--workers=4 builds with four processes of this machine, --scheduler=tcp://HOST:8786 with the workers of a Dask cluster (extra
spectral-jax[dask]).

--enmap=DIR, --sentinel2=DIR and --sentinel1=DIR are short for --product=enmap:DIR and so on; --sentinel2_unit,
--sentinel2_offset and --sentinel1_product give their options unit, offset and kind.
"""

import sys

from absl import app, flags, logging

from spectral_jax import launch
from spectral_jax.ingest.patches.build import Help, Inputs, build
from spectral_jax.ingest.patches.products import table
from spectral_jax.sentences import counted

FLAGS = flags.FLAGS
flags.DEFINE_multi_string(
    "product", [], f"NAME:FOLDER[,OPTION=VALUE...], once for each folder. The products and their options:\n{table.told()}"
)
flags.DEFINE_float("footprint_m", 3840.0, "Side of a square patch, metres.")
launch.DEFINE_place("out", None, "Folder of the store, or an address such as gs://BUCKET/my.zarr.", "work", required=True)
flags.DEFINE_integer("workers", 0, "Processes of this machine that build; 0: this one alone, without Dask.")
flags.DEFINE_string("scheduler", "", "Address of a Dask scheduler; its workers must see inputs and store at the same paths.")
flags.DEFINE_float("shard_mb", 64.0, "Uncompressed size of a shard, MiB; 100 to 1000 for a bucket.", lower_bound=0.001)
flags.DEFINE_string("delivered", "", "With --stac: options of these products, such as unclear=keep or sensor=landsat_st.")
launch.DEFINE_catalogue()
flags.adopt_module_key_flags(launch)
# Product -> option -> the flag that gives it beside the short form.
SHORT: dict[str, dict[str, str]] = {
    "enmap": {},
    "sentinel2": {"unit": "sentinel2_unit", "offset": "sentinel2_offset"},
    "sentinel1": {"kind": "sentinel1_product"},
}
for product, options in SHORT.items():
    flags.DEFINE_string(product, None, f"Short for --product={product}:FOLDER.")
    for option, flag in options.items():
        flags.DEFINE_string(flag, None, f"With --{product}: its option {option}.")


def sources() -> tuple[table.ProductFolder, ...]:
    """The folders that the flags name.

    Raises:
      ValueError: a flag of another form, or an option whose folder is not given by its short form.
    """
    given = [table.parsed(text) for text in FLAGS.product]
    for name, own in SHORT.items():
        values = {option: str(FLAGS[flag].value) for option, flag in own.items() if FLAGS[flag].value is not None}
        folder = FLAGS[name].value
        if folder:
            given.append(table.ProductFolder(name, folder, values))
        elif values:
            option, value = next(iter(values.items()))
            raise ValueError(
                f"--{own[option]}: expected --{name} beside it, and it is not given; write --product={name}:FOLDER,"
                f"{option}={value}."
            )
    return tuple(given)


def of_catalogue() -> tuple[tuple[table.ProductFolder, ...], tuple[str, ...]]:
    """Folders of the products that a catalogue gave, and a sentence for each that it did not; none without --stac.

    Raises:
      ValueError, OSError, ImportError: the catalogue cannot be read, or a flag is missing.
    """
    found = launch.of_catalogue()
    if found is None:
        return (), ()
    options = f",{FLAGS.delivered}" if FLAGS.delivered else ""
    return tuple(table.parsed(f"delivered:{folder}{options}") for folder in found.folders), found.failures


def main(argv: list[str]):
    """Parses, builds, says what to do next."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}; every input has a flag (--help lists them).")
    logging.set_verbosity(logging.WARNING)  # GDAL's notes on a damaged file come before our sentence otherwise
    try:
        folders, left_out = of_catalogue()
        if left_out and not (folders or sources()):
            raise ValueError("\n".join(["nothing was fetched, so there is nothing to build:", *left_out]))
        done = build(
            Inputs(FLAGS.footprint_m, (*sources(), *folders)), FLAGS.out, lambda line: print(line, flush=True),
            int(FLAGS.shard_mb * 2**20), Help(FLAGS.workers, FLAGS.scheduler),
        )  # fmt: skip
    except KeyboardInterrupt:
        sys.exit("build_store: interrupted; run the same command again to continue.")
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"build_store: {error}")
    print(done.text())
    if left_out:
        sys.exit("\n  ".join([f"build_store: the store lacks {counted(len(left_out), 'item')} of the catalogue:", *left_out]))


if __name__ == "__main__":
    launch.run(main)
