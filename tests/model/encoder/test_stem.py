"""The spectral stem and the linear skip, against NumPy."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
from made import tiny_stem
from scipy.special import erf

import spectral_jax
from spectral_jax.batch import Batch, SensorData
from spectral_jax.config import Config, Model, SensorInput, model_size
from spectral_jax.model.encoder import encode, readout
from spectral_jax.model.encoder.branch import Branch, view_tokens
from spectral_jax.model.initialise import respread
from spectral_jax.sensors import SensorSpec
from spectral_jax.spectral import whitening


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("whitening")


def drawn(cfg: Config, key: str, seed: int = 0) -> dict:
    """A branch's parameters, random and larger than at the start, whitening as given; of tokenizer and skip."""
    sensor, rng = cfg.sensor(key), np.random.default_rng(seed)
    side = cfg.model.mask_unit * cfg.token_px(key)
    pixels, valid = np.zeros((1, side, side, len(sensor.spec.used)), np.float32), np.ones((1, side, side), bool)
    made = jax.eval_shape(lambda: Branch(sensor, cfg).init(jax.random.key(0), pixels, valid, method="tokens"))["params"]
    made = jax.tree.map(lambda s: rng.normal(scale=0.4, size=s.shape).astype(np.float32), made)
    if sensor.whitening is not None:
        table = whitening.read(sensor.spec, sensor.whitening.table, whitening.cell_px(sensor.spec, cfg.model.stem_gsd_m))
        part = "tokenize" if sensor.tokenizer == "stem" else "skip"
        made[part]["whitening"] = table._asdict()
    return made


def seen(cfg: Config, key: str, rng, size: int = 2):
    """Pixels [B H W C] and validity, of which some tokens see nothing."""
    px, step = cfg.patch_px(key), cfg.token_px(key)
    pixels = rng.uniform(size=(size, px, px, len(cfg.sensor(key).spec.used))).astype(np.float32)
    valid = rng.uniform(size=(size, px, px)) > 0.3
    valid[0, :step, step : 2 * step] = False
    return pixels, valid


@functools.partial(jax.jit, static_argnames=("cfg", "key", "method"))
def run(cfg: Config, key: str, params: dict, method: str, *arguments):
    return Branch(cfg.sensor(key), cfg).apply({"params": params}, *arguments, method=method)


def linear(p, x):
    return x @ p["kernel"].astype(np.float64) + p["bias"]


def norm(p, x):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * p["scale"] + p["bias"]


def numpy_stem(params: dict, cells: np.ndarray, depth: int) -> np.ndarray:
    """Cells [n N] to [n P], float64."""
    white, stem = params["whitening"], params["stem"]
    h = linear(stem["widen"], cells @ white["kernel"].astype(np.float64) + white["offset"])
    for i in range(depth):
        inner = linear(stem[f"in{i}"], norm(stem[f"norm{i}"], h))
        h = h + linear(stem[f"out{i}"], inner * 0.5 * (1 + erf(inner / np.sqrt(2))))
    return linear(stem["narrow"], norm(stem["norm"], h))


@pytest.mark.slow
@pytest.mark.parametrize(("key", "kind"), [("HSI", "mean"), ("MSI", "deviation"), ("SAR", "deviation")])
def test_a_token_is_made_of_the_stems_numbers_of_its_valid_cells(key, kind, folder, rng):
    cfg = tiny_stem.config(folder, stem_cells=kind)
    params, (pixels, valid) = drawn(cfg, key), seen(cfg, key, rng)
    found, good = run(cfg, key, params, "pixel_tokens", np.where(valid[..., None], pixels, np.nan), valid)
    tokens, shown = run(cfg, key, params, "tokens", np.where(valid[..., None], pixels, np.nan), valid)
    px = {"HSI": 1, "MSI": 3, "SAR": 1}[key]  # of a cell of 30 m, or a pixel of 60 m
    side = {"HSI": 2, "MSI": 2, "SAR": 1}[key]  # cells along a side of a token
    assert found.shape == (2, 4 * side, 4 * side, 8)
    assert tokens.shape == (2, 4, 4, 16)
    for b, r, q in np.ndindex(2, 4, 4):
        rows = []
        for i, j in np.ndindex(side, side):
            part = np.s_[b, px * (side * r + i) : px * (side * r + i + 1), px * (side * q + j) : px * (side * q + j + 1)]
            own = pixels[part][valid[part]].astype(np.float64)
            at = b, side * r + i, side * q + j
            assert good[at] == (len(own) > 0)
            if not len(own):
                assert not np.asarray(found)[at].any()
                continue
            cell = own[0] if px == 1 else np.concatenate([own.mean(0), own.std(0)])
            rows.append(numpy_stem(params["tokenize"], cell[None], 2)[0])
            np.testing.assert_allclose(found[at], rows[-1], rtol=1e-4, atol=2e-4)
        assert shown[b, r, q] == (len(rows) > 0)
        if rows:
            rows = np.array(rows)
            parts = [rows.mean(0)] + [np.sqrt(rows.var(0) + 1e-6)] * (kind == "deviation")
            expected = linear(params["tokenize"]["merge"], np.concatenate(parts))
            np.testing.assert_allclose(tokens[b, r, q], expected, rtol=1e-4, atol=5e-4)


def test_a_mean_as_wide_as_stage_1_is_the_token(folder, rng):
    cfg = tiny_stem.config(folder, ("HSI",), stem_width=16)
    params, (pixels, valid) = drawn(cfg, "HSI"), seen(cfg, "HSI", rng)
    assert set(params["tokenize"]) == {"whitening", "stem"}
    cells, good = map(np.asarray, run(cfg, "HSI", params, "pixel_tokens", pixels, valid))
    tokens, shown = run(cfg, "HSI", params, "cells", cells, good)
    where = cells[1, 2:4, 4:6][good[1, 2:4, 4:6]]
    np.testing.assert_allclose(tokens[1, 1, 2], where.mean(0), rtol=1e-5, atol=1e-6)
    assert not shown[0, 0, 1]
    assert not np.asarray(tokens)[0, 0, 1].any()


@pytest.mark.parametrize("tokenizer", ["stem", "grouped", "wavelength"])
def test_what_invalid_pixels_hold_does_not_matter(tokenizer, folder, rng):
    if tokenizer == "wavelength":
        cfg = Config("s", (SensorInput("HSI", tiny_stem.HSI, "wavelength"),), model_size("tiny", footprint_m=240.0, skip=True))
    else:
        cfg = tiny_stem.config(folder, ("HSI",), tokenizer=tokenizer, skip=True, stem_cells="deviation")
    params, (pixels, valid) = drawn(cfg, "HSI"), seen(cfg, "HSI", rng)
    first, good = run(cfg, "HSI", params, "tokens", np.where(valid[..., None], pixels, np.nan), valid)
    second, _ = run(cfg, "HSI", params, "tokens", np.where(valid[..., None], pixels, 7.0), valid)
    np.testing.assert_array_equal(first, second)
    assert np.isfinite(np.asarray(first)[np.asarray(good)]).all()


def test_the_slope_is_finite_and_none_of_it_reaches_the_whitening(folder, rng):
    cfg = tiny_stem.config(folder, ("MSI",), stem_cells="deviation")
    params, (pixels, valid) = drawn(cfg, "MSI"), seen(cfg, "MSI", rng)

    def value(params, pixels):
        tokens, good = run(cfg, "MSI", params, "tokens", pixels, valid)
        return (jax.numpy.where(good[..., None], tokens, 0.0) ** 2).sum()

    grads, slope = jax.jit(jax.grad(value, (0, 1)))(params, np.round(pixels))  # many cells are uniform
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((grads, slope)))
    white = grads["tokenize"].pop("whitening")
    assert not any(np.asarray(leaf).any() for leaf in jax.tree.leaves(white))
    assert all(np.asarray(leaf).any() for leaf in jax.tree.leaves(grads))
    assert not np.asarray(slope)[~valid].any()
    assert np.asarray(slope)[valid].any()


def test_the_skip_is_linear_in_the_whitened_mean_of_a_token(folder, rng):
    without, cfg = (tiny_stem.config(folder, ("HSI",), tokenizer="grouped", skip=skip) for skip in (False, True))
    params, (pixels, valid) = drawn(cfg, "HSI"), seen(cfg, "HSI", rng)
    plain, _ = run(without, "HSI", {"tokenize": params["tokenize"]}, "tokens", pixels, valid)
    added, _ = run(cfg, "HSI", params, "tokens", pixels, valid)
    difference = np.asarray(added) - np.asarray(plain)
    white = params["skip"]["whitening"]
    own = pixels[1, 2:4, 6:8][valid[1, 2:4, 6:8]].astype(np.float64).mean(0)
    expected = linear(params["skip"]["linear"], own @ white["kernel"].astype(np.float64) + white["offset"])
    np.testing.assert_allclose(difference[1, 1, 3], expected, rtol=1e-4, atol=5e-4)
    np.testing.assert_allclose(difference[0, 0, 1], 0.0, atol=1e-6)  # nothing is seen there
    views = view_tokens({"branches": {"HSI": params}}, "HSI", pixels[None], valid[None], cfg)
    np.testing.assert_allclose(views[0][0], added, rtol=1e-4, atol=1e-4)


def test_the_skip_of_the_wavelength_tokenizer_takes_window_means_and_knows_the_missing_ones(rng):
    cfg = Config("s", (SensorInput("HSI", tiny_stem.HSI, "wavelength"),), model_size("tiny", footprint_m=240.0, skip=True))
    params, (pixels, valid) = drawn(cfg, "HSI"), seen(cfg, "HSI", rng)
    without = dataclasses.replace(cfg, model=dataclasses.replace(cfg.model, skip=False))
    plain, _ = run(without, "HSI", {"tokenize": params["tokenize"]}, "tokens", pixels, valid)
    added, _ = run(cfg, "HSI", params, "tokens", pixels, valid)
    own = pixels[1, 2:4, 6:8][valid[1, 2:4, 6:8]].astype(np.float64).mean(0)
    window = np.searchsorted(cfg.model.wavelength_edges_nm, 450.0 + 50.0 * np.arange(6), side="right")
    means, missing = np.zeros(15), np.ones(15)
    for g in set(window.tolist()):
        means[g], missing[g] = own[window == g].mean(), 0.0
    assert missing.sum() == 15 - len(set(window.tolist())) > 5
    expected = linear(params["skip"]["linear"], np.concatenate([means, missing]))
    np.testing.assert_allclose((np.asarray(added) - plain)[1, 1, 3], expected, rtol=1e-4, atol=5e-4)


def test_a_sensor_without_a_table_skips_its_normalised_bands(rng):
    spec = dataclasses.replace(tiny_stem.HSI, mean=(0.4,) * 6, std=(0.2,) * 6)
    cfg = Config("s", (SensorInput("HSI", spec, "grouped"),), model_size("tiny", footprint_m=240.0, skip=True))
    assert drawn(cfg, "HSI")["skip"]["linear"]["kernel"].shape == (6, 32)


def test_the_spread_at_the_start_follows_the_inputs_and_not_init_std(folder):
    cfg = tiny_stem.config(folder, ("HSI",), stem_hidden=128)
    pixels, valid = np.zeros((1, 8, 8, 6), np.float32), np.ones((1, 8, 8), bool)
    made = jax.jit(lambda key: Branch(cfg.sensors[0], cfg).init(key, pixels, valid, method="tokens"))(jax.random.key(3))
    params = {"branches": {"HSI": made["params"]}, "position": np.ones((4, 4, 16), np.float32)}
    wide = respread(params, 0.1)
    jax.tree.map(np.testing.assert_array_equal, wide["branches"], params["branches"])
    stem = wide["branches"]["HSI"]["tokenize"]["stem"]
    np.testing.assert_allclose([np.std(stem[name]["kernel"]) for name in ("in0", "out1")], 128**-0.5, rtol=0.03)
    np.testing.assert_allclose(wide["position"], 5.0)


@pytest.fixture
def encoded(rng):
    """Two locations of HSI, which has a stem, and SAR, which has none; a quarter of the stem's cells are valid."""
    draw = lambda *shape: rng.normal(size=shape).astype(np.float32)  # noqa: E731
    one, two, pixels = np.ones((2, 4, 4), bool), np.ones((2, 2, 2), bool), rng.uniform(size=(2, 8, 8)) < 0.25
    return encode.Encoded(
        stage1={k: draw(2, 4, 4, 16) for k in ("HSI", "SAR")}, stage2={k: draw(2, 2, 2, 32) for k in ("HSI", "SAR")},
        fused=draw(2, 2, 2, 32), tokens=draw(2, 1, 64), valid=np.ones((2, 1), bool), pooled=draw(2, 64), valid_fused=two,
        valid1={"HSI": one, "SAR": one}, valid2={"HSI": two, "SAR": two}, pixels={"HSI": draw(2, 8, 8, 8)},
        valid_pixels={"HSI": pixels},
    )  # fmt: skip


def test_pixels_are_the_finest_level_of_the_sensors_that_have_a_stem(encoded, folder):
    cfg = tiny_stem.config(folder, ("HSI", "MSI"))
    cfg = dataclasses.replace(cfg, sensors=(*cfg.sensors, SensorInput("SAR", tiny_stem.SAR)))
    maps = readout.levels(encoded)
    assert list(maps)[:3] == ["pixels/HSI", "stage1/HSI", "stage1/SAR"]
    found = readout.summaries(encoded, ("SAR", "HSI"))
    assert tuple(found) == readout.NAMES == readout.names(cfg, ("SAR", "HSI"))
    own = encoded.pixels["HSI"][1][encoded.valid_pixels["HSI"][1]].astype(np.float64)
    np.testing.assert_allclose(found["pixels"][1], [*own.mean(0), *np.sqrt(own.var(0) + 1e-6)], atol=1e-5)
    # By the run, MSI has a stem too, and the batch lacks it.
    assert not np.asarray(readout.summaries(encoded, ("MSI", "SAR"), cfg)["pixels"]).any()
    assert tuple(readout.summaries(encoded, ("SAR",), cfg)) == readout.names(cfg, ("SAR",)) == readout.NAMES[1:]
    both = readout.summaries(encoded, ("MSI", "SAR", "HSI"), cfg)["pixels"]
    np.testing.assert_array_equal(both[:, 16:], found["pixels"])
    assert not np.asarray(both)[:, :16].any()


@pytest.mark.slow
def test_an_encoder_gives_its_stems_pixels(folder, rng):
    cfg = tiny_stem.config(folder)
    cfg = dataclasses.replace(cfg, sensors=(*cfg.sensors[:2], SensorInput("SAR", tiny_stem.SAR)))
    sensors = {}
    for key in ("HSI", "SAR"):
        pixels, valid = seen(cfg, key, rng)
        sensors[key] = SensorData(pixels, np.ones(2, bool), np.zeros(2, np.float32), valid)
    params = spectral_jax.init(jax.random.key(0), cfg)
    encoded = jax.jit(spectral_jax.apply, static_argnames="cfg")(params, Batch(sensors), cfg)
    assert list(encoded.pixels) == ["HSI"]
    own = params["encoder"]["branches"]["HSI"]
    expected, valid = run(cfg, "HSI", own, "pixel_tokens", sensors["HSI"].pixels, sensors["HSI"].valid)
    np.testing.assert_allclose(encoded.pixels["HSI"], expected, atol=1e-5)
    np.testing.assert_array_equal(encoded.valid_pixels["HSI"], valid)
    np.testing.assert_array_equal(valid, sensors["HSI"].valid)


def test_what_does_not_fit_a_stem_is_told(folder):
    with pytest.raises(
        ValueError, match=r"sensor HSI: the stem tokenizer needs a whitening of stem_hsi, .* --whitening --sensor=HSI"
    ):
        SensorInput("HSI", tiny_stem.HSI, "stem")
    made = tiny_stem.config(folder, ("HSI",)).sensors[0]
    with pytest.raises(ValueError, match="sensor HSI: the linear tokenizer takes no whitening"):
        dataclasses.replace(made, tokenizer="linear")
    with pytest.raises(ValueError, match="model.stem_gsd_m: 45 m is not a whole number of HSI pixels of 30 m"):
        Config("s", (made,), Model(footprint_m=240.0, stem_gsd_m=45.0))
    with pytest.raises(ValueError, match="model.token_gsd_m: 60 m is not a whole number of cells of the stem of HSI of 90 m"):
        Config("s", (made,), Model(footprint_m=240.0, stem_gsd_m=90.0))
    with pytest.raises(ValueError, match="model.stem_cells: expected one of mean, deviation, got 'max'"):
        Model(stem_cells="max")
    other = whitening.whitened(SensorInput("B", tiny_stem.HSI, branch="HSI"), tiny_stem.table(folder, tiny_stem.HSI, seed=5))
    with pytest.raises(ValueError, match="sensors HSI and B share branch 'HSI', and their whitenings differ"):
        encode.init_encoder(jax.random.key(0), Config("s", (made, other), Model(footprint_m=240.0)))


def test_the_cells_of_landsat_are_pixels_and_those_of_sentinel_2_are_nine():
    names = {"landsat8_oli": 1, "sentinel2a_l2a": 3, "sentinel1_grd": 3, "enmap_l2a": 1}
    assert {name: whitening.cell_px(SensorSpec.load(name), 30.0) for name in names} == names
