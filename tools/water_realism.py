"""Measures how well simulated spectra of water reach real ones: spectral angles to PACE OCI match-ups of western Lake Erie.

    uv run python tools/water_realism.py --matchups=pace_glerl_matchups.npz

Ends with 1 where fewer than 90 % of the real spectra have a simulated neighbour within 0.1 rad.
"""

import sys

from absl import flags

from spectral_jax import launch
from spectral_jax.measure import water_realism

MATCHUPS = launch.DEFINE_place("matchups", None, "Match-up file, .npz.", required=True)
COUNT = flags.DEFINE_integer("count", 20_000, "Simulated spectra.", lower_bound=1)
SEED = flags.DEFINE_integer("seed", 0, "Seed of the draws.")


def main(argv: list[str]):
    """Prints the report."""
    del argv
    try:
        result = water_realism.report(MATCHUPS.value, COUNT.value, SEED.value)
    except (ValueError, OSError) as error:
        sys.exit(f"water_realism: {error}")
    print(water_realism.text(result))
    first = water_realism.ANGLES_RAD[0]
    sys.exit(int(result["share"][first] < water_realism.LIMIT_SHARE))


if __name__ == "__main__":
    launch.run(main)
