"""What an update moves, and what it never moves."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made import tiny_run, tiny_stem

import spectral_jax
from spectral_jax.addresses.work import Work
from spectral_jax.config import Data, Jepa, Optim, Train, Views
from spectral_jax.data.loader import Loader
from spectral_jax.model.encoder import encode
from spectral_jax.train import checkpoint, loop, norms, partition, state, step
from spectral_jax.train.checkpoint_files import place


def drawn(rng) -> dict:
    """Parameters of a whitening and of what is trained beside it."""
    whitening = {"kernel": rng.normal(scale=300.0, size=(6, 4)), "offset": rng.normal(scale=30.0, size=4)}
    tree = {
        "encoder": {"branches": {"HSI": {"tokenize": {"whitening": whitening, "stem": {"kernel": rng.normal(size=(4, 5))}}}}}
    }
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), tree)


def part(tree: dict, name: str):
    return tree["encoder"]["branches"]["HSI"]["tokenize"][name]


@pytest.mark.slow
def test_a_whitening_stays_to_the_bit_while_decay_and_average_move_the_rest(rng):
    cfg = tiny_run.config(
        optim=Optim(lr=1e-2, weight_decay=0.5, warmup_steps=0), train=Train(steps=10), jepa=Jepa(directions=16, ema=(0.9, 1.0))
    )
    now, batch = state.around(drawn(rng), cfg), tiny_run.batch(cfg, rng, size=2)
    given, start = (jax.tree.map(np.asarray, part(now.params, name)) for name in ("whitening", "stem"))
    grads = drawn(rng)
    part(grads, "whitening").update(kernel=jnp.zeros((6, 4)), offset=jnp.zeros(4))  # as `stop_gradient` gives
    for _ in range(3):
        now, _ = step.update(now, batch, jax.random.key(0), cfg, gradient=lambda *_: ({}, grads))
    for tree in (now.params, now.teacher):
        jax.tree.map(np.testing.assert_array_equal, part(tree, "whitening"), given)
        assert np.abs(np.asarray(part(tree, "stem")["kernel"]) - start["kernel"]).max() > 1e-3
    found = norms.of(now, cfg)
    trained = np.asarray(part(now.params, "stem")["kernel"], np.float64)
    assert float(found["param_norm"]) == pytest.approx(np.sqrt((trained**2).sum()), rel=1e-6)
    assert 0 < float(found["update_norm"]) < 20 * 1e-2 * 2


@pytest.mark.slow
def test_a_run_with_a_stem_trains_keeps_its_whitening_and_is_loaded_without_its_table(tmp_path, rng):
    folder, work = tmp_path / "tables", tmp_path / "run"
    folder.mkdir()
    work.mkdir()
    cfg = tiny_stem.config(folder, ("HSI",), {"HSI": tiny_run.HSI})
    cfg = dataclasses.replace(
        cfg, data=Data(store="none", batch_size=8), views=Views(local_views=1), jepa=Jepa(directions=16, ema=(0.9, 1.0)),
        optim=Optim(lr=1e-2, warmup_steps=0, weight_decay=0.5), train=Train(steps=3, log_every=1, save_every=3),
    )  # fmt: skip
    loader = Loader(cfg, tiny_run.write_store(tmp_path / "store.zarr", cfg))
    before = encode.init_encoder(jax.random.split(jax.random.key(cfg.train.seed))[0], cfg)["branches"]["HSI"]["tokenize"]
    loop.train(cfg, loader, Work(work))
    for table in folder.glob("*.csv"):
        table.unlink()
    loaded, params = spectral_jax.load(work)
    after = params["encoder"]["branches"]["HSI"]["tokenize"]
    jax.tree.map(np.testing.assert_array_equal, after["whitening"], before["whitening"])
    assert loaded == cfg
    assert not np.array_equal(after["stem"]["in0"]["kernel"], before["stem"]["in0"]["kernel"])
    found = checkpoint.load_state(place.find(work), partition.abstract_state(cfg, partition.make_mesh(cfg)))
    jax.tree.map(
        np.testing.assert_array_equal, found.teacher["encoder"]["branches"]["HSI"]["tokenize"]["whitening"], before["whitening"]
    )
