"""Whitenings among the parameters: filled in from their tables, and compared with what the config says."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made import tiny_stem

from spectral_jax.model import given
from spectral_jax.model.encoder import encode
from spectral_jax.spectral import whitening


def fresh(*parts: str) -> dict:
    """Parameters of an encoder whose branches have nothing but a whitening not yet filled in, of HSI and MSI."""
    shapes = {"HSI": (6, 4), "MSI": (4, 4)}
    blank = {key: {"kernel": jnp.zeros(shape), "offset": jnp.zeros(4)} for key, shape in shapes.items()}
    parts = parts or ("tokenize",)
    return {"branches": {key: {part: {"whitening": blank[key], "x": 1.0} for part in parts} for key in blank}, "norm": 2.0}


def test_parameters_are_given_the_tables_numbers_also_in_a_compiled_program(tmp_path):
    cfg = tiny_stem.config(tmp_path, ("HSI", "MSI"))
    for params in (given.fill(fresh(), cfg), jax.jit(lambda: given.fill(fresh(), cfg))()):
        for key, side in (("HSI", 1), ("MSI", 3)):
            table = whitening.read(cfg.sensor(key).spec, cfg.sensor(key).whitening.table, side)
            jax.tree.map(np.testing.assert_array_equal, params["branches"][key]["tokenize"]["whitening"], table._asdict())
        assert (params["branches"]["HSI"]["tokenize"]["x"], params["norm"]) == (1.0, 2.0)
        given.check(params, cfg)


@pytest.mark.slow
def test_shapes_need_no_table(tmp_path):
    cfg = tiny_stem.config(tmp_path)
    for table in tmp_path.glob("*.csv"):
        table.unlink()
    shapes = jax.eval_shape(lambda: encode.init_encoder(jax.random.key(0), cfg))
    assert shapes["branches"]["MSI"]["tokenize"]["whitening"]["kernel"].shape == (4, 4)
    with pytest.raises(FileNotFoundError, match="whitening: expected a file of a table, and .*stem_hsi_1_0.csv does not exist"):
        given.fill(fresh(), cfg)


def test_a_table_that_has_changed_is_told(tmp_path):
    cfg = tiny_stem.config(tmp_path, ("HSI",))
    params = given.fill(fresh(), cfg)
    made, other = (Path(tiny_stem.table(tmp_path, tiny_stem.HSI, seed=seed)) for seed in (0, 1))
    made.write_bytes(other.read_bytes())
    with pytest.raises(ValueError, match=r"sensor HSI: the whitening .* has the digest \w{16} for the bands of stem_hsi, "):
        given.fill(fresh(), cfg)
    given.check(params, cfg)  # what is held is what counts


def test_parameters_of_another_whitening_are_told(tmp_path):
    cfg = tiny_stem.config(tmp_path, ("HSI",), tokenizer="grouped", skip=True)
    params = given.fill(fresh("tokenize", "skip"), cfg)
    held = params["branches"]["HSI"]["skip"]["whitening"]
    held["offset"] = held["offset"].at[0].add(1e-3)
    with pytest.raises(ValueError, match=r"whitening of sensor HSI has the digest \w{16}, and the config names '.*' with"):
        given.check(params, cfg)


@pytest.mark.slow
def test_a_fresh_encoder_holds_its_whitening(tmp_path):
    cfg = tiny_stem.config(tmp_path, ("HSI",))
    held = encode.init_encoder(jax.random.key(0), cfg)["branches"]["HSI"]["tokenize"]["whitening"]
    assert whitening.digest(held["kernel"], held["offset"]) == cfg.sensors[0].whitening.digest
