import dataclasses

import pytest

from spectral_jax.adapt.encoders import sentinels
from spectral_jax.adapt.encoders.encoder import Bands
from spectral_jax.sensors import SensorSpec


def spec(name):
    return SensorSpec.load(name)


@pytest.mark.parametrize("satellite", "abc")
def test_bands_are_told_by_their_wavelength(satellite):
    source = spec(f"sentinel2{satellite}_l2a")
    renamed = dataclasses.replace(
        source, bands=tuple(dataclasses.replace(b, name=f"x{i}") for i, b in enumerate(source.bands[::-1]))
    )
    assert sentinels.channels("galileo", Bands(renamed, renamed, ())) == tuple(b.name for b in source.bands[::-1])


def test_kept_bands_of_the_target_are_those_of_a_projection():
    target = spec("sentinel2b_l2a")
    assert sentinels.channels("presto", Bands(spec("enmap_l2a"), target, (3, 1, 11))) == ("B04", "B02", "B12")


def test_radar_is_told_by_its_polarisation():
    source = spec("sentinel1_grd")
    assert sentinels.channels("galileo", Bands(source, source, ())) == ("VV", "VH")


@pytest.mark.parametrize(
    ("source", "target", "kept", "sentence"),
    [
        (
            "landsat8_oli",
            "sentinel2a_l2a",
            (),
            "galileo: landsat8_oli has 7 bands of which some are not Sentinel-2's; galileo knows "
            "the bands of Sentinel-2, and VV and VH of Sentinel-1; project it to Sentinel-2, such as by galileo/srf.",
        ),
        (
            "enmap_l2a",
            "landsat8_oli",
            (1, 2),
            "galileo: landsat8_oli has 2 bands of which some are not Sentinel-2's; .* take a target of Sentinel-2.",
        ),
    ],
)
def test_other_bands_are_refused(source, target, kept, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        sentinels.channels("galileo", Bands(spec(source), spec(target), kept))


def test_another_polarisation_is_refused():
    source = spec("sentinel1_grd")
    band = dataclasses.replace(source.bands[0], polarisation="HH")
    horizontal = dataclasses.replace(source, bands=(band,), mean=(), std=())
    with pytest.raises(
        ValueError, match="^presto: sentinel1_grd has polarisations HH; presto knows .* such as by presto/srf.$"
    ):
        sentinels.channels("presto", Bands(horizontal, horizontal, ()))
