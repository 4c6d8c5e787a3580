"""Embeddings of a store and of an image: those of `apply` on the same numbers, bands found by wavelength, bad files refused."""

from pathlib import Path

import jax
import numpy as np
import pytest
from absl.testing import flagsaver
from made import tiny_geotiffs, tiny_run

import spectral_jax
from spectral_jax.batch import Batch, SensorData
from spectral_jax.pretrain import embed
from spectral_jax.train import partition
from spectral_jax.train.checkpoint import Checkpoints

TOOL = Path(__file__).resolve().parents[2] / "tools" / "embed.py"
ORDER = [4, 0, 5, 2, 1, 3]  # of the file's bands
PX = 8


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    cfg = tiny_run.config()
    folder = tmp_path_factory.mktemp("run")
    with Checkpoints(folder / "checkpoints", cfg) as keeper:
        keeper.save(1, partition.create_state(cfg, partition.make_mesh(cfg)), {"next_batch": 1})
    return folder


@pytest.fixture(scope="module")
def tool(load_command):
    return load_command(TOOL)


def numbers(rows=17, columns=25):
    return np.random.default_rng(4).integers(0, 6000, (rows, columns, 6)).astype(np.int16)


def write_image(path, pixels, tags=True, pixel_m=30.0):
    wavelengths = [{"wavelength": f"{tiny_run.HSI.bands[i].centre_nm}", "fwhm": "10"} for i in ORDER]
    file = np.moveaxis(pixels[..., ORDER], -1, 0)
    return tiny_geotiffs.write_tif(path, file, pixel_m, band_tags=wavelengths if tags else None)


def pooled(run, key, pixels):
    cfg, params = spectral_jax.load(run)
    size = len(pixels)
    data = SensorData(pixels, np.ones(size, bool), np.zeros(size, np.float32))
    return np.asarray(jax.jit(spectral_jax.apply, static_argnames="cfg")(params, Batch({key: data}), cfg).pooled)


@pytest.mark.slow
def test_every_whole_patch_of_an_image_is_embedded_in_its_place(run, tmp_path):
    pixels = numbers()
    pixels[:PX, PX : 2 * PX] = -32768  # a patch without data
    said = embed.embed_image(run, write_image(tmp_path / "a.tif", pixels), "HSI", tmp_path / "e.npz", batch=4)
    assert said.startswith("2 x 3 patches of a.tif embedded in 32 numbers each: ")
    with np.load(tmp_path / "e.npz") as file:
        found, transform, crs = file["embedding"], file["transform"], str(file["crs"])
    assert found.shape == (2, 3, 32)
    np.testing.assert_array_equal(transform, [240.0, 0.0, 500000.0, 0.0, -240.0, 5800000.0])
    assert "UTM zone 33N" in crs
    patches = np.stack([pixels[:PX, :PX], pixels[PX : 2 * PX, 2 * PX : 3 * PX]])
    np.testing.assert_allclose(found[[0, 1], [0, 2]], pooled(run, "HSI", patches), atol=1e-5)
    assert np.isnan(found[0, 1]).all()
    assert np.isfinite(np.delete(found.reshape(6, 32), 1, axis=0)).all()


@pytest.mark.slow
def test_numbers_in_a_wider_type_are_the_same(run, tmp_path):
    for name, kind in (("a", np.int16), ("b", np.float32)):
        embed.embed_image(run, write_image(tmp_path / f"{name}.tif", numbers().astype(kind)), "HSI", tmp_path / f"{name}.npz")
    a, b = (np.load(tmp_path / f"{name}.npz")["embedding"] for name in "ab")
    np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_reflectance_as_floats_and_by_a_scale_is_that_of_the_stored_numbers(run, tmp_path):
    pixels = numbers()
    made = {
        "stored": write_image(tmp_path / "stored.tif", pixels),
        "floats": write_image(tmp_path / "floats.tif", (pixels / 10000.0).astype(np.float32)),
        "scaled": write_image(tmp_path / "scaled.tif", (pixels + 1000).astype(np.uint16)),
    }
    with tiny_geotiffs.rasterio.open(made["scaled"], "r+") as file:
        file.scales, file.offsets = [1e-4] * 6, [-0.1] * 6
    found = {}
    for name, path in made.items():
        embed.embed_image(run, path, "HSI", tmp_path / f"{name}.npz")
        found[name] = np.load(tmp_path / f"{name}.npz")["embedding"]
    np.testing.assert_array_equal(found["floats"], found["stored"])
    np.testing.assert_array_equal(found["scaled"], found["stored"])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (dict(pixels=numbers() / 100.0), "where 10000 stands for 1: they are percent"),
        (dict(tags=False), "the file says neither; write the tags, as bands are never taken by position"),
        (dict(pixel_m=10.0), "expected pixels of 30 m, got 10 m; resample it"),
        (dict(pixels=numbers(5, 25)), r"expected at least 8 x 8 pixels, one patch of the run, got \(5, 25\)"),
    ],
)
@pytest.mark.slow
def test_an_image_of_another_kind_is_refused(run, tmp_path, change, sentence):
    path = write_image(tmp_path / "a.tif", **({"pixels": numbers()} | change))
    with pytest.raises(ValueError, match=sentence):
        embed.embed_image(run, path, "HSI", tmp_path / "e.npz")
    assert not (tmp_path / "e.npz").exists()


@pytest.mark.slow
def test_an_unknown_sensor_is_named_with_the_closest(run, tmp_path):
    with pytest.raises(ValueError, match="no sensor is called 'HIS'; the names are, closest first: HSI, SAR, MSI"):
        embed.embed_image(run, write_image(tmp_path / "a.tif", numbers()), "HIS", tmp_path / "e.npz")


@pytest.mark.slow
def test_the_command_embeds_every_location_of_a_store_once(run, tool, tmp_path, capsys):
    store = tiny_run.write_store(tmp_path / "s.zarr", tiny_run.config(), locations=11)
    flags = {"checkpoint": str(run), "store": str(store), "out": str(tmp_path / "e.npz")}
    with flagsaver.flagsaver(**flags):
        assert tool["main"](["embed"]) == 0
    assert "11 locations of " in capsys.readouterr().out
    with np.load(tmp_path / "e.npz") as file:
        assert file["embedding"].shape == (11, 32)
        assert len({tuple(v) for v in file["embedding"]}) == 11
        assert sorted(file["id"]) == [f"site-{i:02d}" for i in range(11)]
        assert (set(file["group"]), file["lonlat"].shape) == ({"all"}, (11, 2))


@pytest.mark.slow
def test_an_earlier_level_is_mean_and_deviation_of_its_tokens(run, tmp_path):
    pixels = numbers(PX, 2 * PX)
    embed.embed_image(run, write_image(tmp_path / "a.tif", pixels), "HSI", tmp_path / "e.npz", level="stage2")
    cfg, params = spectral_jax.load(run)
    data = SensorData(pixels[None, :, :PX], np.ones(1, bool), np.zeros(1, np.float32))
    encoded = jax.jit(spectral_jax.apply, static_argnames="cfg")(params, Batch({"HSI": data}), cfg)
    tokens = np.asarray(encoded.stage2["HSI"]).reshape(-1, 16)
    expected = np.concatenate([tokens.mean(axis=0), np.sqrt(tokens.var(axis=0) + 1e-6)])
    np.testing.assert_allclose(np.load(tmp_path / "e.npz")["embedding"][0, 0], expected, atol=1e-5)
    with pytest.raises(ValueError, match="--level: no level of the sensors HSI, MSI, SAR is called 'stage4'"):
        embed.embed_store(run, tmp_path / "none.zarr", tmp_path / "e.npz", "stage4")


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({}, "expected either --store=STORE or --image=FILE with --sensor=KEY"),
        ({"store": "a", "image": "b"}, "expected either --store=STORE or --image=FILE"),
        ({"image": "b"}, "--image needs --sensor=KEY"),
    ],
)
def test_the_command_says_what_it_lacks(tool, capsys, flags, sentence):
    with flagsaver.flagsaver(checkpoint="none", **flags):
        assert tool["main"](["embed"]) == 1
    assert sentence in capsys.readouterr().err
