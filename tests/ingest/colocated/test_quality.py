"""How much of a cell holds data and is clear."""

import numpy as np
import pytest
from made.region import LEFT, TOP, in_memory

from spectral_jax.ingest.colocated import footprints, quality
from spectral_jax.ingest.colocated.cells import Cell
from spectral_jax.ingest.packing import Packing

CELL = Cell(32633, 2083, 24166, 240.0)


def measured(product):
    return quality.measured(product, footprints.of(product), CELL)


def rows_of(shape, *cuts):
    out = np.zeros(shape, bool)
    for cut in cuts:
        out[cut] = True
    return out


@pytest.mark.parametrize(("east", "how"), [(0.0, "own grid"), (3.0, "bilinear")])
def test_shares_are_those_of_the_cell_by_quality_layers_alone(east, how):
    def numbers(chosen, window):
        raise AssertionError("a band was read")

    flags = {
        "no_data": rows_of((48, 48), slice(12, 15)), "cloud": rows_of((48, 48), slice(14, 18)),
        "water": np.ones((48, 48), bool), "shadow": rows_of((48, 48), slice(0, 12)),
    }  # fmt: skip
    place = (LEFT - 120.0 + east, 10.0, 0.0, TOP + 120.0, 0.0, -10.0)
    zeros = np.zeros((12, 48, 48), np.int16)
    product = in_memory("sentinel2b_l2a", zeros, place, flags=flags, dropped=("no_data", "cloud", "shadow"))
    product = product.__class__(**product.__dict__ | {"source": product.source._replace(numbers=numbers)})
    # Of 24 rows three hold no data, three more are cloud, and the shadow lies outside.
    assert measured(product) == (21 / 24, 18 / 24, how)


def test_of_radar_a_band_is_read_and_of_temperature_its_gaps_beside_its_flags():
    power = np.full((2, 48, 48), 0.1, np.float32)
    power[:, 12:14] = -32768.0
    place = (LEFT - 120.0, 10.0, 0.0, TOP + 120.0, 0.0, -10.0)
    packing = Packing(missing=(-32768.0,), low=1e-6)
    radar = in_memory("sentinel1_rtc", power, place, packing=packing, unit="linear power")
    assert measured(radar) == (22 / 24, 22 / 24, "own grid")
    warped = in_memory("sentinel1_rtc", power, (place[0] + 4.0, *place[1:]), packing=packing, unit="linear power")
    assert measured(warped) == (22 / 24, 22 / 24, "bilinear")
    degrees = np.full((1, 16, 16), 44_000, np.uint16)
    degrees[0, 4, 4:8] = 0
    thermal = in_memory(
        "landsat_st", degrees, (LEFT - 120.0, 30.0, 0.0, TOP + 120.0, 0.0, -30.0),
        flags={"fill": rows_of((16, 16), 11), "cloud": rows_of((16, 16), 10)}, dropped=("fill", "cloud"),
    )  # fmt: skip
    assert measured(thermal) == (52 / 64, 44 / 64, "own grid")
