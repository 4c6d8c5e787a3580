"""Config files, overrides and JSON, and the sentences that refuse them."""

import dataclasses
import json
from pathlib import Path

import jax
import pytest

from spectral_jax import configure
from spectral_jax.config import Config, Model, SensorInput, Train, Views, model_size, spectralearth_sensors
from spectral_jax.sensors import SensorSpec

CONFIGS = Path(__file__).resolve().parents[1] / "experiments" / "configs"


@pytest.fixture(scope="module")
def cfg():
    return Config(name="test", sensors=spectralearth_sensors(), model=model_size("tiny", footprint_m=480.0))


def test_json_round_trip_gives_an_equal_config(cfg):
    back = configure.from_json(configure.to_json(cfg))
    assert back == cfg
    assert hash(back) == hash(cfg)


def test_config_is_a_static_argument(cfg):
    traces = []

    def f(x, cfg):
        traces.append(cfg.name)
        return x * 2.0

    jitted = jax.jit(f, static_argnames="cfg")
    jitted(1.0, cfg)
    jitted(1.0, configure.from_json(configure.to_json(cfg)))
    assert traces == ["test"]


@pytest.mark.parametrize(
    ("text", "read", "value"),
    [
        ("--config.optim.lr=3e-4", lambda c: c.optim.lr, 3e-4),
        ("--config.train.steps=7", lambda c: c.train.steps, 7),
        ("--config.data.store=/a/b=c.zarr", lambda c: c.data.store, "/a/b=c.zarr"),
        ("--config.probe.enabled=true", lambda c: c.probe.enabled, True),
        ("--config.optim.clip_norm=1.5", lambda c: c.optim.clip_norm, 1.5),
        ("--config.optim.clip_norm=none", lambda c: c.optim.clip_norm, None),
        ("--config.model.depths=1,2,3", lambda c: c.model.depths, (1, 2, 3)),
        ("--config.data.synthetic.groups=triplet,emit_only", lambda c: c.data.synthetic.groups, ("triplet", "emit_only")),
        ("--config.views.gain=(0.9,1.1)", lambda c: c.views.gain, (0.9, 1.1)),
    ],
)
def test_override_is_read_as_the_type_of_its_field(cfg, text, read, value):
    assert read(configure.override(cfg, text)) == value


def test_fields_that_depend_on_each_other_can_be_overridden_in_any_order(cfg):
    texts = ["--config.model.footprint_m=720", "--config.model.token_gsd_m=180"]
    for order in (texts, texts[::-1]):
        assert configure.override(cfg, *order).model.grid == 4


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("--config.optim.lrr=1", "optim.lrr: no field of Optim is called 'lrr'; the names are, closest first: lr, "),
        ("--config.train.steps=many", "train.steps: expected a whole number, got 'many'"),
        ("--config.train.steps=1.5", "train.steps: expected a whole number, got '1.5'"),
        ("--config.probe.enabled=yes", "expected true or false, got 'yes'"),
        ("--config.model.depths=1,2", "expected comma-separated int, int, int, got '1,2'"),
        ("--config.optim=3", "'optim' holds fields; name one of lr"),
        ("--config.optim.lr.x=3", "'lr' is a value of type float and has no fields"),
        ("--conf.lr=3", "is not an override; expected the form --config.optim.lr=3e-4"),
        ("--config.sensors=ENMAP", "sensors: expected comma-separated SensorInput"),
        ("--config.train.path=pmap", "train.path: expected one of jit, shard_map, got 'pmap'"),
        ("--config.model.footprint_m=500", "model.footprint_m: expected a multiple of token_gsd_m"),
    ],
)
def test_a_bad_override_is_refused_with_a_sentence(cfg, text, sentence):
    with pytest.raises(ValueError, match=sentence.replace("(", r"\(").replace(".", r"\.")):
        configure.override(cfg, text)


def test_an_unknown_config_file_lists_the_closest(tmp_path):
    (tmp_path / "quickstart.py").write_text("")
    with pytest.raises(FileNotFoundError, match="does not exist; beside it are quickstart.py"):
        configure.read(str(tmp_path / "quikstart.py"))


@pytest.mark.parametrize("kernel", ["pallas", "interpret"])
def test_a_kernel_of_spectral_tokens_is_refused_where_no_sensor_has_them(kernel):
    sentence = rf"quickstart: model.kernel = '{kernel}' is a kernel of the spectral transformer, and no sensor has one .*'auto'"
    with pytest.raises(ValueError, match=sentence):
        configure.read(str(CONFIGS / "quickstart.py"), [f"--config.model.kernel={kernel}"])
    published = configure.read(str(CONFIGS / "quickstart_published.py"), [f"--config.model.kernel={kernel}"])
    assert published.model.kernel == kernel


def test_a_file_without_config_function_is_refused(tmp_path):
    (tmp_path / "empty.py").write_text("x = 1")
    with pytest.raises(ValueError, match=r"has no function config\(\) -> Config"):
        configure.read(str(tmp_path / "empty.py"))


def test_an_unknown_json_field_is_refused(cfg):
    text = configure.to_json(cfg).replace('"warmup_steps"', '"warm_steps"')
    with pytest.raises(ValueError, match="no field of Optim is called 'warm_steps'; the names are, closest first: warmup"):
        configure.from_json(text)


def test_json_that_is_cut_off_is_refused(cfg):
    with pytest.raises(ValueError, match="run.json is not JSON"):
        configure.from_json(configure.to_json(cfg)[:200], where="run.json")


def test_a_run_of_before_a_field_was_there_reads_as_its_default_and_may_continue_by_another_kernel(cfg):
    old = json.loads(configure.to_json(cfg))
    assert old["model"].pop("kernel") == "auto"
    assert configure.from_json(json.dumps(old)) == cfg
    other = dataclasses.replace(cfg, model=dataclasses.replace(cfg.model, kernel="xla"))
    assert configure.another_run(cfg, other) == []


def test_changed_names_the_fields_that_differ(cfg):
    other = configure.override(configure.override(cfg, "--config.optim.lr=0.5"), "--config.model.heads=2")
    assert configure.changed(cfg, other) == ["model.heads: 1 against 2", "optim.lr: 1e-05 against 0.5"]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Model(footprint_m=3800.0), "expected a multiple of token_gsd_m"),
        (lambda: Model(width=193), "model.width: 193 is not divisible by 2 heads"),
        (lambda: Model(dtype="float16"), "model.dtype: expected one of float32, bfloat16, got 'float16'"),
        (lambda: model_size("huge"), "model size: expected one of tiny, small, b, got 'huge'"),
        (lambda: Views(local_scale=(0.5, 0.1)), "views.local_scale: expected 0 < low <= high <= 1"),
        (lambda: Views(global_views=0), "views.global_views: expected at least 1, got 0"),
        (lambda: Train(steps=0), "train.steps: expected at least 1, got 0"),
        (lambda: Config(name="x", sensors=()), "sensors must be at least one"),
        (lambda: SensorInput("LT", SensorSpec.load("landsat_st"), "wavelength"), "the wavelength tokenizer needs an optical"),
        (lambda: SensorInput("S2", SensorSpec.load("sentinel2a_l2a"), "grouped"), "needs token_edges_nm"),
    ],
)
def test_a_config_that_cannot_work_is_refused_with_a_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence.replace("(", r"\(")):
        make()


def test_native_views_must_fit_the_grid(cfg):
    with pytest.raises(ValueError, match="views.native_tokens: expected a multiple of model.mask_unit = 4"):
        dataclasses.replace(cfg, views=Views(local_mode="native", native_tokens=6))


def test_a_sensor_whose_pixels_do_not_fill_a_token_is_refused(cfg):
    with pytest.raises(ValueError, match="is not a whole number of ENMAP pixels of 30 m"):
        dataclasses.replace(cfg, model=dataclasses.replace(cfg.model, token_gsd_m=45.0, footprint_m=540.0))


def test_an_unknown_sensor_names_the_others(cfg):
    with pytest.raises(ValueError, match="config 'test': no sensor is called 'ENMPA'; the names are, closest first: ENMAP, "):
        cfg.sensor("ENMPA")


def test_sensors_of_the_wavelength_tokenizer_share_a_branch_and_a_scale():
    sensors = {s.key: s for s in spectralearth_sensors("wavelength")}
    optical = [sensors[key] for key in ("ENMAP", "EMIT", "DESIS", "S2", "LO")]
    assert {s.branch for s in optical} == {"optical"}
    assert {(s.spec.low, s.spec.high, s.spec.mean, s.spec.std) for s in optical} == {(0.0, 1.0, (), ())}
    assert sensors["S1"].spec.mean  # the others are standardised as published
