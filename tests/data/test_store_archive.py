"""Archives in the layout of SpectralEarth-MM: read with specs of the caller, and checked against them."""

import json

import numpy as np
import pytest
import tensorstore as ts
from made.tiny_store import HY, MS, random_pixels, sensor

from spectral_jax.addresses import bucket
from spectral_jax.data.store import open_store


def write_archive(path, driver: str, bands: int, rng):
    """An archive as SpectralEarth-MM has it: arrays without attributes, a string array that TensorStore does not read."""
    side = 16
    arrays = {
        "HY": random_pixels(rng, (4, 2, bands, side, side), HY),
        "HY_mask": np.array([[1, 0], [1, 1], [0, 0], [0, 1]], bool),
    }
    for name, values in arrays.items():
        spec = {"driver": driver, "kvstore": {"driver": "file", "path": f"{path}/pair/{name}/"}}
        array = ts.open(spec, create=True, dtype=values.dtype.name, shape=values.shape).result()
        array.write(values).result()
    if driver == "zarr":
        (path / "pair/.zgroup").write_text('{"zarr_format": 2}')
        (path / "pair/patch_id").mkdir()
        metadata = dict(zarr_format=2, shape=[4], chunks=[4], dtype="|O", compressor=None, fill_value="", order="C",
                        filters=[{"id": "vlen-utf8"}])  # fmt: skip
        (path / "pair/patch_id/.zarray").write_text(json.dumps(metadata))
    return arrays


@pytest.mark.parametrize("driver", ["zarr", "zarr3"])
@pytest.mark.parametrize("bands", [5, 4])
def test_archives_without_attributes_are_read_with_given_specs(tmp_path, rng, driver, bands):
    arrays = write_archive(tmp_path, driver, bands, rng)
    found = open_store(tmp_path, specs={"HY": HY, "MS": MS})
    group = found.groups["pair"]
    assert (found.footprint_m, group.locations, group.dates, list(group.sensors)) == (480.0, 4, 2, ["HY"])
    assert len(group.sensors["HY"].bands) == bands
    np.testing.assert_array_equal(group.read("HY", 3, 1), arrays["HY"][3, 1])
    np.testing.assert_array_equal(group.valid("HY"), arrays["HY_mask"])
    assert group.ids()[:2] == ["pair/0", "pair/1"]
    assert not group.times("HY").any()
    assert np.isnan(group.centres()).all()
    assert group.truth() is None
    with pytest.raises(ValueError, match="archive without attributes and is read-only"):
        group.write_patch(0, 0, "HY", arrays["HY"][0, 0], 1.0)


@pytest.mark.parametrize("driver", ["zarr", "zarr3"])
def test_an_archive_in_a_bucket_is_found_by_its_names(bucket_address, tmp_path, rng, driver):
    arrays = write_archive(tmp_path, driver, 5, rng)
    for file in (p for p in tmp_path.rglob("*") if p.is_file()):
        bucket.send(file, f"{bucket_address}/archive/{file.relative_to(tmp_path).as_posix()}")
    group = open_store(f"{bucket_address}/archive", specs={"HY": HY, "MS": MS}).groups["pair"]
    assert (group.locations, group.dates, list(group.sensors)) == (4, 2, ["HY"])
    np.testing.assert_array_equal(group.read("HY", 3, 1), arrays["HY"][3, 1])


def test_archives_are_checked_against_the_specs(tmp_path, rng):
    write_archive(tmp_path, "zarr", 5, rng)
    with pytest.raises(ValueError, match=r"does not describe its arrays HY; pass open_store\(path, specs="):
        open_store(tmp_path)
    with pytest.raises(ValueError, match="pair/HY holds int16, and the spec tiny30 says uint16"):
        open_store(tmp_path, {"HY": sensor(30.0, 5, "uint16", 0)})
    with pytest.raises(ValueError, match="has 5 bands, and the spec tiny30 has 7 of which 7 are used"):
        open_store(tmp_path, {"HY": sensor(30.0, 7)})
    with pytest.raises(ValueError, match="none of the sensors MS has arrays"):
        open_store(tmp_path, {"MS": MS})
