"""Makes a table of data_specs/climatology from CSVs of water samples: mean log10 microcystin by station and day of the year.

Example:
  uv run python tools/climatology.py --insitu=2012.csv,2019.csv --until=2022 --out=data_specs/climatology/erie_microcystin.csv

Give years before the first image that is ever predicted: the table must know nothing of a week that is tested.
"""

import sys
from pathlib import Path

import numpy as np
from absl import app, flags

from spectral_jax import launch
from spectral_jax.ingest.matchups import glerl
from spectral_jax.microcystin import climatology, metrics

FLAGS = flags.FLAGS
flags.DEFINE_list("insitu", None, "CSVs of GLERL, with commas between.", required=True)
flags.DEFINE_integer("until", None, "Last year that is used.", required=True)
launch.DEFINE_place("out", None, "File to write, .csv.", "file", required=True)


def main(argv: list[str]):
    """Parses, builds, says what went in."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}; every input has a flag (--help lists them).")
    try:
        samples = glerl.read(FLAGS.insitu)
    except (ValueError, OSError) as error:
        sys.exit(f"climatology: {error}")
    year = samples.date.astype("datetime64[Y]").astype(int) + 1970
    samples = samples.take((samples.depth == "surface") & np.isfinite(samples.mc) & (year <= FLAGS.until))
    if not len(samples):
        sys.exit(f"climatology: no surface sample with microcystin until {FLAGS.until} in {', '.join(FLAGS.insitu)}.")
    day = (samples.date - samples.date.astype("datetime64[Y]")).astype(float)
    table = climatology.build(samples.station, day, metrics.log10_label(samples.mc))
    years = np.unique(samples.date.astype("datetime64[Y]").astype(int) + 1970)
    source = (
        f"Mean log10 of particulate microcystin, ug/L (non-detects as 0.1), of {len(samples)} surface samples, {years[0]} to "
        f"{years[-1]}.\nMade by tools/climatology.py from {', '.join(sorted(set(samples.source)))}."
    )
    climatology.write(Path(FLAGS.out), table, source)
    print(f"{FLAGS.out}: {len(samples)} samples, {len(table.stations) - 1} stations with a column of their own.")


if __name__ == "__main__":
    launch.run(main)
