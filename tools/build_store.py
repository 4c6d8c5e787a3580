"""Builds a store of co-located patches from folders of GeoTIFFs.

Example:
  uv run python tools/build_store.py --enmap=tiles/enmap --sentinel2=chips/S2L2A --sentinel1=chips/S1RTC \
      --footprint_m=960 --out=my.zarr

Chips of several sensors belong together when they have one file name and overlap on the ground. Run the same command again to
continue after an interruption. Needs the extra spectral-jax[geo].
"""

import sys

from absl import app, flags, logging

from spectral_jax.ingest.patches.build import Inputs, build

FLAGS = flags.FLAGS
flags.DEFINE_string("enmap", None, "Folder of EnMAP L2A GeoTIFFs, 224 bands with tags 'wavelength' and 'fwhm'.")
flags.DEFINE_string("sentinel2", None, "Folder of Sentinel-2 L2A GeoTIFFs, 12 bands at 10 m.")
flags.DEFINE_string("sentinel1", None, "Folder of Sentinel-1 GeoTIFFs, VV and VH in dB at 10 m.")
flags.DEFINE_float("footprint_m", 3840.0, "Side of a square patch, metres.")
flags.DEFINE_string("out", None, "Folder of the store.", required=True)
flags.DEFINE_enum(
    "sentinel1_product", None, ["rtc", "grd"], "gamma0 or sigma0; from tags or the folder's name where not given."
)
flags.DEFINE_string("sentinel2_offset", None, "Number to subtract (0 or 1000), or a JSON file: chip name -> number.")
flags.DEFINE_enum("sentinel2_unit", "a", ["a", "b", "c"], "Sentinel-2A, B or C: whose bands the chips have.")


def main(argv: list[str]):
    """Parses, builds, says what to do next."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}; every input has a flag (--help lists them).")
    logging.set_verbosity(logging.WARNING)  # GDAL's notes on a damaged file come before our sentence otherwise
    names = ("footprint_m", "enmap", "sentinel2", "sentinel1", "sentinel1_product", "sentinel2_offset", "sentinel2_unit")
    inputs = Inputs(**{name: FLAGS[name].value for name in names})
    try:
        done = build(inputs, FLAGS.out, report=lambda line: print(line, flush=True))
    except KeyboardInterrupt:
        sys.exit("build_store: interrupted; run the same command again to continue.")
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"build_store: {error}")
    print(done.text())


if __name__ == "__main__":
    app.run(main)
