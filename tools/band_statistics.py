"""Measures the mean and standard deviation of a sensor's bands over a store, or their whitening.

Examples:
  uv run python tools/band_statistics.py --config=experiments/configs/real_mini.py --store=real.zarr --sensor=ENMAP \
      --out=enmap.csv

then, in a config file: `dataclasses.replace(sensor, spec=band_statistics.standardised(sensor.spec, "enmap.csv"))`.

  uv run python tools/band_statistics.py --config=experiments/configs/real_mini.py --store=real.zarr --sensor=ENMAP \
      --whitening --components=48 --out=enmap_whitening.csv

then, in a config file: `whitening.whitened(sensor, "enmap_whitening.csv")`. The cells are those of `model.stem_gsd_m`. Either
is one pass over what is read, and takes no more memory for a larger store.
"""

import sys
from pathlib import Path

from absl import flags, logging

from spectral_jax import configure, launch
from spectral_jax.addresses.address import last
from spectral_jax.data.loader import Loader
from spectral_jax.spectral import band_statistics, whitening

CONFIG = launch.DEFINE_place("config", None, "Config whose sensors are read.", required=True)
STORE = launch.DEFINE_place("store", None, "The store.", "store", required=True)
SENSOR = flags.DEFINE_string("sensor", None, "Key of the sensor in the config.", required=True)
OUT = launch.DEFINE_place("out", None, "CSV file to write.", "file", required=True)
BATCHES = flags.DEFINE_integer("batches", 64, "Batches to read, of data.batch_size locations each.")
WHITENING = flags.DEFINE_bool("whitening", False, "Write the whitening of the stem tokenizer instead.")
COMPONENTS = flags.DEFINE_integer("components", 48, "Principal components that the whitening keeps.", lower_bound=1)


def main(argv: list[str]):
    """Reads the batches, writes the file, says what to do next."""
    logging.set_verbosity(logging.WARNING)
    try:
        cfg = configure.read(CONFIG.value, argv[1:])
        sensor = cfg.sensor(SENSOR.value)
        loader = Loader(cfg, STORE.value)
        kind = "simulated" if loader.store.simulated else "observed"
        read = f"{BATCHES.value} batches of {last(STORE.value)}"
        batches = loader.batches(0, BATCHES.value)
        if WHITENING.value:
            side = whitening.cell_px(sensor.spec, cfg.model.stem_gsd_m)
            moments = whitening.measure(sensor.spec, sensor.key, batches, side)
            table = whitening.fit(moments, COMPONENTS.value)
            origin = f"{sensor.spec.name}: {moments.number} cells of {side} x {side} pixels ({kind}) in {read}, scaled to 0..1."
            whitening.write(Path(OUT.value), sensor.spec, moments, table, side, origin)
            use = f"whitening.whitened(sensor, {OUT.value!r}, {cfg.model.stem_gsd_m:g})"
        else:
            mean, std, count = band_statistics.measure(sensor.spec, sensor.key, batches)
            origin = f"{sensor.spec.name}: {count} valid pixels ({kind}) in {read}, scaled to 0..1."
            band_statistics.write(Path(OUT.value), sensor.spec, mean, std, origin)
            use = f"band_statistics.standardised(spec, {OUT.value!r})"
    except (ValueError, OSError) as error:
        sys.exit(f"band_statistics: {error}")
    print(f"{origin}\nWritten to {OUT.value}; take it with {use}.")


if __name__ == "__main__":
    launch.run(main)
