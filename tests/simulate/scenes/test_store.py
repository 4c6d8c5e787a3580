import dataclasses

import numpy as np
import pytest

from spectral_jax.config import Synthetic, spectralearth_sensors
from spectral_jax.data import store
from spectral_jax.simulate.scenes import correction, layout, leaf, radar_thermal, sensing, surfaces
from spectral_jax.simulate.scenes.site import draw_site, draw_states, endmember_spectra
from spectral_jax.simulate.scenes.store import GROUND_PARAMETERS, GROUPS, group_sizes, simulate_location, write_store

GRID = leaf.GRID_NM


def at(spectrum, nm):
    return spectrum[..., int(np.abs(GRID - nm).argmin())]


def ndvi(spectrum):
    return (at(spectrum, 865) - at(spectrum, 665)) / (at(spectrum, 865) + at(spectrum, 665))


@pytest.fixture(scope="module")
def specs():
    return {s.key: s.spec for s in spectralearth_sensors()}


@pytest.fixture(scope="module")
def written(specs, tmp_path_factory):
    path = tmp_path_factory.mktemp("simulated") / "store"
    write_store(path, Synthetic(locations=35, seed=3), specs, 480.0)
    return store.open_store(path)


@pytest.fixture(scope="module")
def scene():
    rng = np.random.default_rng(5)
    site = draw_site(rng)
    return site, draw_states(rng, site, 4), layout.abundances(rng, site, 48)


def test_leaf_conserves_energy_and_has_pigment_and_water_bands():
    r, t = leaf.leaf(np.array([15.0, 40.0]), 8.0, 0.012, 0.006, 0.0, 1.6)
    assert (r > 0).all()
    assert (t > 0).all()
    assert (r + t < 1).all()
    assert (at(r, 550) > at(r, 675)).all()
    assert at(r[1], 710) < at(r[0], 710)  # more chlorophyll moves the red edge to longer waves
    assert (at(r, 1450) < at(r, 1650)).all()
    wetter, _ = leaf.leaf(40.0, 8.0, 0.02, 0.006, 0.0, 1.6)
    assert at(wetter, 1650) < at(r[1], 1650)


def test_canopy_ndvi_grows_with_leaf_area_and_bare_ground_is_soil():
    r, t = leaf.leaf(35.0, 8.0, 0.012, 0.006, 0.05, 1.6)
    soil = surfaces.soil(1.0, 0.3, 0.3, 0.3, 0.1)
    lai = np.array([0.0, 0.5, 1.0, 2.0, 4.0])
    seen = leaf.canopy(r, t, lai, soil, 40.0, 0.0)
    assert (np.diff(ndvi(seen)) > 0).all()
    np.testing.assert_allclose(seen[0], soil, rtol=2e-5)
    shaded = leaf.canopy(r, t, lai, soil, 40.0, 0.5)
    np.testing.assert_allclose(shaded, seen * 0.56, rtol=2e-5)


def test_soil_is_darker_when_moist_and_clay_absorbs_at_2205():
    dry, moist = surfaces.soil(1.0, 0.3, 0.5, 0.3, np.array([0.05, 0.30]))
    assert (moist < dry).all()
    assert at(moist, 1940) / at(dry, 1940) < at(moist, 1650) / at(dry, 1650)
    depth = [
        at(s, 2205) / np.mean([at(s, 2150), at(s, 2260)]) for s in surfaces.soil(1.0, 0.3, np.array([0.0, 1.0]), 0.3, 0.05)
    ]
    assert depth[1] < depth[0] - 0.05


def test_water_phycocyanin_deepens_620_and_infrared_is_dark():
    without, with_pc = surfaces.water(40.0, np.array([0.0, 80.0]), 1.0, 4.0, 0.0)
    # More of the cells are cyanobacteria too, which scatter more at every wavelength: 700 nm tells how much.
    assert at(with_pc, 620) / at(with_pc, 700) < 0.8 * at(without, 620) / at(without, 700)
    assert at(with_pc, 1650) < 0.001
    low, high = surfaces.water(np.array([2.0, 80.0]), 0.0, 1.0, 4.0, 0.0)
    assert at(high, 705) / at(high, 665) > at(low, 705) / at(low, 665)


def test_built_surface_of_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="expected a kind out of tile, metal.*, got 'straw'"):
        surfaces.built("straw", 0.5)


def test_backscatter_cross_polarised_grows_with_leaves_and_water_is_dark(scene):
    site, states, _ = scene
    soil = radar_thermal.soil_backscatter_db(0.15, 1.0, 38.0)
    lai = np.array([0.2, 1.0, 3.0, 5.0])
    _, vh = radar_thermal.vegetation_backscatter(lai, 1.0, 1.0, soil[:, None], 38.0)
    assert (np.diff(vh) > 0).all()
    wetter = radar_thermal.soil_backscatter_db(np.array([0.1, 0.3]), 1.0, 38.0)
    np.testing.assert_allclose(wetter[:, 1] - wetter[:, 0], 4.4, atol=1e-9)
    power = radar_thermal.backscatter(site, states, np.full(4, 38.0))
    water = layout.CLASS_OF == 3
    assert power.shape == (4, len(layout.ENDMEMBERS), 2)
    assert power[:, water, 0].max() < power[:, layout.CLASS_OF == 1, 0].min()
    assert power[:, :, 1].max() < power[:, :, 0].max()


def test_temperature_falls_with_soil_moisture_and_leaves(scene):
    site, states, _ = scene
    wet = dataclasses.replace(states, moisture=states.moisture + 0.1)
    leafy = dataclasses.replace(site, lai=site.lai + 2.0)
    names = [name for name, _ in layout.ENDMEMBERS]
    bare, grass = names.index("bare soil"), names.index("dense grass")
    before = radar_thermal.temperature_k(site, states)
    assert (radar_thermal.temperature_k(site, wet)[:, bare] < before[:, bare]).all()
    assert (radar_thermal.temperature_k(leafy, states)[:, grass] < before[:, grass]).all()
    assert ((before > 265) & (before < 340)).all()


def test_abundances_are_fractions_and_pixels_average_them(scene):
    _, _, ground = scene
    assert ground.min() >= 0
    np.testing.assert_allclose(ground.sum(-1), 1.0, atol=1e-5)
    weights = layout.sampling_weights(48, 30.0, 0.0)
    pixels = layout.resample(ground, weights, weights)
    expected = ground.reshape(16, 3, 16, 3, -1).mean((1, 3))
    np.testing.assert_allclose(pixels, expected, atol=2e-3)
    blurred = layout.sampling_weights(48, 60.0, 60.0, 20.0)
    np.testing.assert_allclose(blurred.sum(1), 1.0, atol=1e-6)
    centre = (blurred @ ((np.arange(48) + 0.5) * 10))[3]
    np.testing.assert_allclose(centre, 3.5 * 60 + 20, atol=1.0)


def test_pixels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="multiple of the pixel size of 60 m, got 100 m"):
        layout.sampling_weights(10, 60.0, 0.0)


def test_enmap_bands_convolved_to_sentinel2_agree_with_sentinel2_without_noise(specs, scene):
    site, states, ground = scene
    cover = ground.reshape(-1, ground.shape[-1])[::7]
    pixels = cover @ endmember_spectra(site, states)[1]
    enmap, s2 = sensing.optics(specs["ENMAP"]), sensing.optics(specs["S2"])
    order = np.argsort(enmap.centre_nm)
    seen = (pixels @ enmap.response.T)[:, order]
    on_grid = np.stack([np.interp(GRID, enmap.centre_nm[order], row) for row in seen])
    # Bands 1 and 9 lie at the edge of EnMAP's range and in its overlap of detectors; they agree too.
    difference = on_grid @ s2.response.T - pixels @ s2.response.T
    assert np.abs(difference).max() < 0.004
    assert np.abs(difference).mean() < 0.0008


def test_gas_depth_of_a_narrow_band_is_the_line_and_a_wide_band_spreads_it():
    vapour, oxygen = correction.gas_depths(np.array([763.0, 763.0, 700.0]), np.array([1e-3, 40.0, 7.0]))
    assert oxygen[0] == pytest.approx(1.5, rel=1e-3)
    assert oxygen[1] == pytest.approx(1.5 * 1.5 / np.hypot(1.5, 0.6 * 40.0 / 2.355), rel=1e-3)
    assert oxygen[2] < 1e-3
    assert vapour[0] < 1e-6


def test_enmap_water_ends_at_867_nm_and_land_does_not(specs):
    spec = specs["ENMAP"]
    scene = simulate_location(2, "enmap_only", 3, {"ENMAP": spec}, 960.0, dates=1)
    weights = layout.sampling_weights(96, 30.0, 0.0)
    wet = layout.class_cover(layout.resample(scene.ground, weights, weights))[..., 3]
    centre = np.array([band.centre_nm for band in spec.bands])
    pixels = scene.pixels["ENMAP"][0]
    filled = pixels[0] != spec.nodata
    beyond = pixels[(centre > 870) & (centre < 1300)]
    green = pixels[np.abs(centre - 560).argmin()]
    assert (wet > 0.98).sum() > 20
    assert (beyond[:, filled & (wet > 0.98)] == 0).mean() > 0.99
    assert np.median(green[filled & (wet > 0.98)]) > 0
    assert np.median(beyond[:, filled & (wet < 0.01)]) > 500


def test_blooms_have_phycocyanin_from_little_to_more_than_chlorophyll():
    rng = np.random.default_rng(0)
    sites = [draw_site(rng) for _ in range(2000)]
    chlorophyll, phycocyanin = (np.array([getattr(s, n) for s in sites]) for n in ("water_chlorophyll", "phycocyanin"))
    low, high = np.quantile(chlorophyll, [0.05, 0.95])
    assert 3 < low < 10 < 50 < high < 120
    low, high = np.quantile((phycocyanin / chlorophyll)[chlorophyll > 30], [0.05, 0.95])
    assert low < 0.3
    assert 1.7 < high < 2.6


def test_simulated_location_depends_on_seed_and_place_only(specs):
    two = {key: specs[key] for key in ("EMIT", "S2")}
    a = simulate_location(1, "emit_only", 4, two, 480.0)
    again = simulate_location(1, "emit_only", 4, two, 480.0)
    alone = simulate_location(1, "emit_only", 4, {"S2": specs["S2"]}, 480.0)
    for key in two:
        np.testing.assert_array_equal(a.pixels[key], again.pixels[key])
        np.testing.assert_array_equal(a.times[key], again.times[key])
    np.testing.assert_array_equal(a.pixels["S2"], alone.pixels["S2"])
    for seed, index in ((2, 4), (1, 5)):
        other = simulate_location(seed, "emit_only", index, two, 480.0)
        assert not np.array_equal(a.truth, other.truth)


def test_simulated_location_refuses_a_footprint_that_is_not_whole(specs):
    with pytest.raises(ValueError, match="expected a multiple of 10 m from 40 m on, got 485 m"):
        simulate_location(0, "emit_only", 0, {"S2": specs["S2"]}, 485.0)


@pytest.mark.slow
def test_location_at_the_paper_footprint_has_its_shapes(specs):
    big = simulate_location(0, "enmap_only", 0, {"ENMAP": specs["ENMAP"], "S1": specs["S1"]}, 3840.0, dates=1)
    assert big.pixels["ENMAP"].shape == (1, 224, 128, 128)
    assert big.pixels["S1"].shape == (1, 2, 384, 384)


def test_group_sizes_follow_the_archive_and_add_up():
    assert group_sizes(512) == {
        "enmap_only": 140, "emit_only": 118, "desis_only": 17, "pair_emit_enmap": 176, "pair_emit_desis": 28,
        "pair_enmap_desis": 13, "triplet": 20,
    }  # fmt: skip
    assert group_sizes(9, ("triplet", "emit_only")) == {"triplet": 4, "emit_only": 5}
    assert sum(group_sizes(7).values()) == 7


def test_group_sizes_refuse_unknown_groups_and_too_few_locations():
    with pytest.raises(ValueError, match="'prisma_only' is not a group; expected some of enmap_only"):
        group_sizes(10, ("prisma_only",))
    with pytest.raises(ValueError, match="expected at least one for each of 7 groups, got 6"):
        group_sizes(6)


def test_written_store_has_groups_shapes_types_and_truth(written, specs):
    assert written.simulated
    assert written.footprint_m == 480.0
    assert tuple(written.truth_names) == GROUND_PARAMETERS
    assert {n: set(g.sensors) for n, g in written.groups.items()} == {n: set(k) for n, k in GROUPS.items()}
    assert sum(g.locations for g in written.groups.values()) == 35
    group = written.groups["triplet"]
    for key, bands, side, dtype in (
        ("ENMAP", 224, 16, "int16"), ("EMIT", 285, 8, "int16"), ("DESIS", 235, 16, "int16"), ("S2", 12, 48, "int16"),
        ("LO", 7, 16, "uint16"), ("LT", 1, 16, "uint16"), ("S1", 2, 48, "int16"),
    ):  # fmt: skip
        pixels = group.pixels(key)
        assert pixels.shape == (group.locations, 4, bands, side, side)
        assert pixels.dtype.name == dtype
        assert group.sensors[key].digest == specs[key].digest
    assert len(set(group.ids())) == group.locations
    truth = np.concatenate([g.truth() for g in written.groups.values()])
    fractions = truth[:, [written.truth_names.index(n) for n in written.truth_names if n.endswith("_fraction")]]
    assert (fractions >= 0).all()
    assert (fractions.sum(1) <= 1).all()
    for name, low, high in (
        ("leaf_area_index", 0.3, 6), ("leaf_chlorophyll", 18, 60), ("leaf_water", 0.006, 0.02), ("soil_moisture", 0.06, 0.34),
        ("soil_brightness", 0.6, 1.35), ("water_chlorophyll_log10", 0.2, 2.1), ("water_phycocyanin_log10", -1.5, 2.5),
    ):  # fmt: skip
        column = truth[:, written.truth_names.index(name)]
        assert low <= column.min() < column.max() <= high


def test_written_store_has_gaps_but_every_location_was_seen_by_an_optical_sensor(written):
    missing, holes = 0, 0
    for group in written.groups.values():
        optical = [k for k, s in group.sensors.items() if s.kind == "optical"]
        assert np.stack([group.valid(k).any(1) for k in optical]).any(0).all()
        missing += sum((~group.valid(k)).sum() for k in group.sensors)
        s2 = group.pixels("S2").read().result()
        hole = (s2 == -32768).all(2)
        np.testing.assert_array_equal(hole, (s2 == -32768).any(2))  # nodata in one band is nodata in all
        holes += hole.any((2, 3)).sum()
    assert missing > 35
    assert holes > 0


def test_stored_values_are_physical_and_water_is_dark(written):
    group = written.groups["enmap_only"]
    ranges = {"S2": (-0.05, 1.0), "LO": (-0.05, 1.0), "LT": (265.0, 340.0), "S1": (-45.0, 15.0), "ENMAP": (0.0, 1.0)}
    for key, (low, high) in ranges.items():
        spec = group.sensors[key]
        stored = group.pixels(key).read().result()[:, :, list(spec.used_index)]
        values = stored[stored != spec.nodata] * spec.scale + spec.offset
        assert values.min() >= low - 1e-6
        assert np.quantile(values, 0.9999) <= high
    truth = group.truth()[:, GROUND_PARAMETERS.index("water_fraction")]
    swir = group.pixels("S2").read().result()[:, :, 10].astype(float)
    swir[swir == -32768] = np.nan
    assert np.corrcoef(truth, np.nanmean(swir, (1, 2, 3)))[0, 1] < -0.3


def test_existing_path_is_refused_and_left_alone(specs, tmp_path):
    place = tmp_path / "there"
    place.mkdir()
    (place / "mine").write_text("x")
    with pytest.raises(FileExistsError, match="expected nothing at .*there, and it exists"):
        write_store(place, Synthetic(locations=7), specs, 480.0)
    assert (place / "mine").read_text() == "x"


@pytest.mark.slow
def test_failed_writing_leaves_no_store(specs, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("interrupted")

    monkeypatch.setattr("spectral_jax.simulate.scenes.store.simulate_location", fail)
    with pytest.raises(RuntimeError, match="interrupted"):
        write_store(tmp_path / "store", Synthetic(locations=7), specs, 480.0)
    assert list(tmp_path.iterdir()) == []


def test_disk_that_takes_no_more_is_told_in_a_sentence_and_nothing_is_left(specs, tmp_path):
    resource = pytest.importorskip("resource")
    only = {key: specs[key] for key in ("DESIS", "S2")}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))  # as a full disk: the kernel refuses a write half way
    try:
        with pytest.raises(OSError, match=r"store could not be written, and nothing of it is left there\. .*Free some space"):
            write_store(tmp_path / "store", Synthetic(locations=3, groups=("desis_only",)), only, 240.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_sensors_outside_every_group_are_refused(specs, tmp_path):
    with pytest.raises(ValueError, match="none of the sensors PRISMA is in the groups"):
        write_store(tmp_path / "store", Synthetic(locations=7), {"PRISMA": specs["S2"]}, 480.0)


def test_store_of_two_sensors_has_only_these(specs, tmp_path):
    only = {key: specs[key] for key in ("DESIS", "S2")}
    write_store(tmp_path / "store", Synthetic(locations=3, dates=2, groups=("desis_only",)), only, 240.0)
    made = store.open_store(tmp_path / "store")
    assert set(made.groups["desis_only"].sensors) == {"DESIS", "S2"}
    assert made.groups["desis_only"].pixels("S2").shape == (3, 2, 12, 24, 24)
