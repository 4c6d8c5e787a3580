"""Measures the mean and standard deviation of a sensor's bands over a store.

Example:
  uv run python tools/band_statistics.py --config=experiments/configs/real_mini.py --store=real.zarr --sensor=ENMAP \
      --out=enmap.csv

then, in a config file: `dataclasses.replace(sensor, spec=band_statistics.standardised(sensor.spec, "enmap.csv"))`.
"""

import sys
from pathlib import Path

from absl import flags, logging

from spectral_jax import configure, launch
from spectral_jax.data.loader import Loader
from spectral_jax.spectral import band_statistics

CONFIG = launch.DEFINE_place("config", None, "Config whose sensors are read.", required=True)
STORE = launch.DEFINE_place("store", None, "The store.", required=True)
SENSOR = flags.DEFINE_string("sensor", None, "Key of the sensor in the config.", required=True)
OUT = launch.DEFINE_place("out", None, "CSV file to write.", "file", required=True)
BATCHES = flags.DEFINE_integer("batches", 64, "Batches to read, of data.batch_size locations each.")


def main(argv: list[str]):
    """Reads the batches, writes the file, says what to do next."""
    logging.set_verbosity(logging.WARNING)
    try:
        cfg = configure.read(CONFIG.value, argv[1:])
        spec = cfg.sensor(SENSOR.value).spec
        loader = Loader(cfg, STORE.value)
        mean, std, count = band_statistics.measure(spec, SENSOR.value, loader.batches(0, BATCHES.value))
        kind = "simulated" if loader.store.simulated else "observed"
        read = f"{BATCHES.value} batches of {Path(STORE.value).name}"
        origin = f"{spec.name}: {count} valid pixels ({kind}) in {read}, scaled to 0..1."
        band_statistics.write(Path(OUT.value), spec, mean, std, origin)
    except (ValueError, OSError) as error:
        sys.exit(f"band_statistics: {error}")
    print(f"{origin}\nWritten to {OUT.value}; take it with band_statistics.standardised(spec, {OUT.value!r}).")


if __name__ == "__main__":
    launch.run(main)
