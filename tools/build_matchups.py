"""Builds a file of match-ups from PACE OCI granules (Level-2 AOP) and CSVs of water samples.

Example:
  uv run python tools/build_matchups.py --granules=pace/ --insitu=2024.csv,2025.csv --out=matchups.npz
  uv run python tools/build_matchups.py --download=2024-07-01,2024-07-31 --granules=pace/ --insitu=2024.csv --out=matchups.npz

Everything that is left out is printed with its reason. Needs the extra spectral-jax[pace]; --download needs
spectral-jax[download] and an Earthdata account.
"""

import sys
from pathlib import Path

import numpy as np
from absl import app, flags

from spectral_jax import launch, matchups
from spectral_jax.ingest.matchups import build, glerl, granules, labels
from spectral_jax.ingest.pace import download
from spectral_jax.ingest.pace.flags import DEFAULT
from spectral_jax.ingest.pace.flags import mask as flag_mask

FLAGS = flags.FLAGS
launch.DEFINE_place("granules", None, "Folder of Level-2 AOP granules (.nc), looked through with its folders.", required=True)
flags.DEFINE_list("insitu", None, "CSVs of GLERL, with commas between.", required=True)
launch.DEFINE_place("out", None, "File to write, .npz.", "file", required=True)
flags.DEFINE_string(
    "mask", DEFAULT, "nasa_matchup, l3_standard or inland_bloom; or names of flags with commas between: LAND,CLDICE."
)
flags.DEFINE_integer("box", 3, "Side of the box of pixels around a station; odd.")
flags.DEFINE_float("most_km", build.MOST_KM, "The nearest pixel may be this far from the station, kilometres.")
flags.DEFINE_integer(
    "now_days", labels.NOW_DAYS, "A sample of now lies at most this many days from the image.", lower_bound=0,
    upper_bound=int(matchups.MOST_NOW_DAYS),
)  # fmt: skip
flags.DEFINE_list("region", [str(x) for x in matchups.REGION], "West, south, east, north of the water, degrees.")
flags.DEFINE_enum("unknown_codes", "raise", ["raise", "collect"], "Stop at an unknown censor code, or list them and go on.")
flags.DEFINE_list(
    "download", None, "First and last day, such as 2024-07-01,2024-07-31: fetches granules into --granules first."
)
flags.DEFINE_bool("download_nrt", True, "With --download: also near-real-time granules.")


def main(argv: list[str]):
    """Parses, fetches where asked, builds, says what was left out."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}; every input has a flag (--help lists them).")
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit("build_matchups: interrupted; nothing was written.")
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"build_matchups: {error}")


def _run() -> None:
    out = Path(FLAGS.out)
    if out.suffix != ".npz":
        raise ValueError(f"--out: expected a file that ends in .npz, got {out}.")
    if not out.parent.is_dir():
        raise FileNotFoundError(f"--out: the folder {out.parent} does not exist; make it first.")
    rules = build.Rules(
        mask=flag_mask(FLAGS.mask), box=FLAGS.box, most_km=FLAGS.most_km, now_days=FLAGS.now_days, region=_region()
    )
    samples = glerl.read(FLAGS.insitu, unknown=FLAGS.unknown_codes)
    if FLAGS.download is not None:
        if len(FLAGS.download) != 2:
            raise ValueError(f"--download: expected the first and the last day, got {','.join(FLAGS.download)!r}.")
        download.fetch(*FLAGS.download, FLAGS.granules, near_real_time=FLAGS.download_nrt, region=rules.region, report=_say)
    files = granules.files(FLAGS.granules)
    _say(f"{len(files)} granules, {len(samples)} samples, mask {rules.mask.name}")
    for what, count in samples.mended.items():
        _say(f"  mended: {count} samples, {what}")
    for path, row, column, cell in samples.unknown:
        _say(f"  unknown code: {path}, row {row}, column {column!r}: {cell!r}")
    table = build.build(files, samples, rules, report=lambda line: _say(f"  {line}"))
    matchups.save(out, table)
    for reason, count in table.left_out.items():
        _say(f"  left out: {count} {reason}")
    now, ahead = (int(np.isfinite(label).sum()) for label in (table.mc_now, table.mc_ahead))
    _say(f"{out}: {len(table)} match-ups, {now} with a label of now and {ahead} with one 6 to 10 days ahead.")


def _region() -> tuple[float, float, float, float]:
    try:
        west, south, east, north = (float(x) for x in FLAGS.region)
    except ValueError as error:
        raise ValueError(
            f"--region: expected west,south,east,north in degrees, got {','.join(FLAGS.region)!r} (write --region=-83.5,...)."
        ) from error
    return west, south, east, north


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    launch.run(main)
