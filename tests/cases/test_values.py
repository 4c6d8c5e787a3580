"""Values of config fields: each number has a range, and what is out of it is refused where it is read, by name."""

import dataclasses
import types
import typing

import hypothesis.strategies as st
import pytest
from hypothesis import given

from spectral_jax import config, configure
from spectral_jax.adapt.settings import Comparison
from spectral_jax.config import Config, spectralearth_sensors
from spectral_jax.microcystin.settings import Microcystin
from spectral_jax.spectral import indices, masks

RUN = Config("mine", spectralearth_sensors(only=("ENMAP",)), model=config.model_size("tiny"))
CONFIGS = (RUN, Comparison("mine"), Microcystin("mine"))


def numbers(node, before=""):
    """(dotted name, annotation) of every field of numbers below a config."""
    for field in dataclasses.fields(node):
        value, kind = getattr(node, field.name), typing.get_type_hints(type(node))[field.name]
        if dataclasses.is_dataclass(value):
            yield from numbers(value, f"{before}{field.name}.")
        elif isinstance(kind, types.UnionType) or typing.get_origin(kind) is tuple or kind in (int, float):
            plain = [k for k in (typing.get_args(kind) or (kind,)) if k not in (types.NoneType, Ellipsis)]
            flat = [x for k in plain for x in (typing.get_args(k) or (k,))]
            if flat and all(k in (int, float, Ellipsis) for k in flat):
                yield f"{before}{field.name}", kind


FIELDS = [(cfg, name, kind) for cfg in CONFIGS for name, kind in numbers(cfg) if name != "sensors"]


@pytest.mark.parametrize(("cfg", "name", "kind"), FIELDS, ids=[f"{type(c).__name__}.{n}" for c, n, _ in FIELDS])
def test_every_field_of_numbers_has_a_range(cfg, name, kind):
    """A number that nobody can mean is refused by name: -1e30 is none, but in a bias; NaN and infinity never are."""
    several = typing.get_origin(kind) is tuple
    count = 1 if not several else 2 if typing.get_args(kind)[-1] is Ellipsis else len(typing.get_args(kind))
    for text in ("nan", "inf", "-inf") + (() if name.endswith("bias") else ("-1e30",)):
        if "int" in str(kind) and "float" not in str(kind) and text != "-1e30":
            continue  # no whole number
        with pytest.raises(ValueError, match=name.replace(".", r"\.").replace("weights", "weights")):
            configure.override(cfg, f"--config.{name}={','.join([text] * count)}")


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("data.lead_days=10,6", r"data.lead_days: expected above 0, the first not above the second, got \(10.0, 6.0\)"),
        ("data.batch_size=0", "data.batch_size: expected at least 1, got 0"),
        ("data.batch_size=-2", "data.batch_size: expected at least 1, got -2"),
        ("data.workers=-1", "data.workers: expected 0 to 4096, got -1"),
        ("views.gain=1.2,0.8", "views.gain: .*the first not above the second"),
        ("views.flip=2", "views.flip: expected 0 to 1, got 2.0"),
        ("jepa.ema=1.5,2", "jepa.ema: expected 0 to 1"),
        ("optim.betas=0.9,1.5", "optim.betas: expected 0 to below 1"),
        ("optim.lr=nan", "optim.lr: expected above 0, got nan"),
        ("optim.lr=0", "optim.lr: expected above 0"),
        ("optim.warmup_steps=-1", "optim.warmup_steps: expected at least 0"),
        ("model.width=0", "model.width: expected at least 1"),
        ("train.seed=1e11", "train.seed: expected -"),
        ("optim.lr=1e300", "optim.lr: expected above 0, got 1e.300"),
        ("train.steps=1.5", "train.steps: expected a whole number, got '1.5'"),
        ("spectm.shares=0", "spectm.shares: expected above 0"),
        ("data.groups=a,a", "data.groups: expected names of groups, each once"),
    ],
)
def test_a_value_out_of_its_range_is_refused_with_field_value_and_range(override, sentence):
    with pytest.raises(ValueError, match=sentence):
        configure.override(RUN, f"--config.{override}")


def test_names_of_masks_and_indices_are_those_that_there_are():
    assert masks.KINDS == config.MASKS
    assert tuple(indices.INDICES) == config.INDICES
    for cfg, override, sentence in (
        (RUN, "spectm.indices=cii", "spectm.indices: no index is called 'cii'; .*closest first: ci"),
        (RUN, "spectm.masks=x", "spectm.masks: no mask is called 'x'"),
        (Comparison("mine"), "uncovered=x", "uncovered: expected one of refuse"),
        (Comparison("mine"), "protocol.head=x", "protocol.head: expected one of linear"),
    ):
        with pytest.raises(ValueError, match=sentence):
            configure.override(cfg, f"--config.{override}")


def test_fractions_that_do_not_add_up_are_refused():
    with pytest.raises(ValueError, match=r"data.fractions: expected 0 to 1, with a sum of 1, .*add up to 1.1"):
        configure.override(Comparison("mine"), "--config.data.fractions=0.7,0.2,0.2")


@pytest.mark.parametrize(
    ("override", "field", "value"),
    [
        ('data.groups=["enmap"]', "groups", ("enmap",)),
        ("data.groups=('enmap', 's2')", "groups", ("enmap", "s2")),
        ("data.store='my.zarr'", "store", "my.zarr"),
        ("data.batch_size=1e2", "batch_size", 100),
        ("data.batch_size=1_000", "batch_size", 1000),
        ("data.lead_days=none", "lead_days", None),
        ("data.lead_days=null", "lead_days", None),
    ],
)
def test_ways_of_writing_a_value_are_understood(override, field, value):
    assert getattr(configure.override(RUN, f"--config.{override}").data, field) == value


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("optim.learning_rate=1", "no field of Optim is called 'learning_rate'; it is called 'lr'"),
        ("learning_rate=1", r"Is --config.optim.lr meant\?"),
        ("batch_size=4", r"Is --config.data.batch_size meant\?"),
        ("train.batch=4", "closest first"),
        ("train.num_steps=4", "it is called 'steps'"),
        ("data.num_workers=4", "it is called 'workers'"),
    ],
)
def test_another_word_leads_to_the_field(override, sentence):
    with pytest.raises(ValueError, match=sentence):
        configure.override(RUN, f"--config.{override}")


def test_of_a_field_that_is_given_twice_the_last_value_counts():
    assert configure.override(RUN, "--config.optim.lr=1e-3", "--config.optim.lr=1e-4").optim.lr == 1e-4


@given(st.integers(0, len(FIELDS) - 1), st.one_of(st.floats(), st.integers(), st.text(max_size=8)), st.integers(1, 4))
def test_any_value_gives_a_config_or_a_sentence_with_the_field(number, value, count):
    cfg, name, _ = FIELDS[number]
    text = ",".join([str(value)] * count)
    try:
        changed = configure.override(cfg, f"--config.{name}={text}")
    except ValueError as error:
        told = str(error)
        # Fields that are checked together are named together: model.spectral_width is not divisible by ... heads.
        if not any(part in told for part in (name, *name.split("."))):
            raise
    else:
        assert configure.from_json(configure.to_json(changed), kind=type(cfg)) == changed


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda text: text.replace('"batch_size": 64', '"batch_size": "64"'),
            "data.batch_size: expected a whole number",
        ),
        (lambda text: text.replace('"name": "mine"', '"names": "mine"'), "no field of Config is called 'names'"),
        (lambda text: text.replace('"betas": [', '"betas": [0.5, '), "betas: expected a list of 2 values"),
        (lambda text: '{"name": "mine"}', "a field is missing or of another type"),
        (lambda text: "[]", "expected the fields of Config by name"),
        (lambda text: text[: len(text) // 2], "is not JSON"),
    ],
)
def test_a_damaged_config_is_refused_in_a_sentence(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        configure.from_json(change(configure.to_json(RUN)))
