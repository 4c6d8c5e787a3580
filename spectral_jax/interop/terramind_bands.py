"""TerraMind v1's image modalities: their keys in checkpoints, their bands in order, and the statistics they were trained with.

Numbers and order are those of TerraTorch's code, digital numbers for Sentinel-2, dB for Sentinel-1, metres for elevation; its
documentation lists RGB the other way round. Statistics of TerraMind 0.1 differ and must not be mixed with these.
"""

from typing import NamedTuple

from spectral_jax.model.published.terramind import Modality
from spectral_jax.sentences import unknown

_L2A = (
    "COASTAL_AEROSOL", "BLUE", "GREEN", "RED", "RED_EDGE_1", "RED_EDGE_2", "RED_EDGE_3", "NIR_BROAD", "NIR_NARROW",
    "WATER_VAPOR", "SWIR_1", "SWIR_2",
)  # fmt: skip


class PublishedModality(NamedTuple):
    """A modality as published; pixels enter the encoder as `(x - mean) / std`."""

    key: str
    bands: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


MODALITIES = {
    "S2L2A": PublishedModality(
        "untok_sen2l2a@224",
        _L2A,
        (1390.458, 1503.317, 1718.197, 1853.910, 2199.100, 2779.975, 2987.011, 3083.234, 3132.220, 3162.988, 2424.884,
         1857.648),
        (2106.761, 2141.107, 2038.973, 2134.138, 2085.321, 1889.926, 1820.257, 1871.918, 1753.829, 1797.379, 1434.261,
         1334.311),
    ),
    "S2L1C": PublishedModality(
        "untok_sen2l1c@224",
        (*_L2A[:10], "CIRRUS", *_L2A[10:]),
        (2357.089, 2137.385, 2018.788, 2082.986, 2295.651, 2854.537, 3122.849, 3040.560, 3306.481, 1473.847, 506.070, 2472.825,
         1838.929),
        (1624.683, 1675.806, 1557.708, 1833.702, 1823.738, 1733.977, 1732.131, 1679.732, 1727.260, 1024.687, 442.165, 1331.411,
         1160.419),
    ),
    "RGB": PublishedModality("untok_sen2rgb@224", ("RED", "GREEN", "BLUE"), (87.271, 80.931, 66.667), (58.767, 47.663, 42.631)),
    "S1GRD": PublishedModality("untok_sen1grd@224", ("VV", "VH"), (-12.599, -20.293), (5.195, 5.890)),
    "S1RTC": PublishedModality("untok_sen1rtc@224", ("VV", "VH"), (-10.93, -17.329), (4.391, 4.459)),
    "DEM": PublishedModality("untok_dem@224", ("DEM",), (670.665,), (951.272,)),
}  # fmt: skip


def modality(name: str) -> Modality:
    """The modality called `name`, with all its bands.

    Raises:
      ValueError: there is none.
    """
    if name not in MODALITIES:
        raise unknown("modalities", "modality of TerraMind", name, MODALITIES, most=len(MODALITIES))
    return Modality(name, MODALITIES[name].key, MODALITIES[name].bands)


def positions_of(bands: tuple[str, ...], known: tuple[str, ...], where: str) -> list[int]:
    """Where each of `bands` is in `known`.

    Raises:
      ValueError: a name is not known, or is given twice.
    """
    for band in bands:
        if band not in known:
            raise unknown(where, "band", band, known, most=len(known))
    if len(set(bands)) < len(bands) or not bands:
        raise ValueError(f"{where}: expected at least one band and none twice, got {', '.join(bands) or 'none'}.")
    return [known.index(band) for band in bands]


def statistics(name: str, bands: tuple[str, ...] | None = None) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of the named bands of a modality, in its own units; None: of all its bands.

    Raises:
      ValueError: an unknown modality or band.
    """
    known = modality(name).bands
    chosen = positions_of(known if bands is None else bands, known, name)
    published = MODALITIES[name]
    return tuple(published.mean[i] for i in chosen), tuple(published.std[i] for i in chosen)
