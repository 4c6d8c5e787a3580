"""All views through the same programs give what each view gives alone."""

import dataclasses

import jax
import numpy as np
import pytest
from made import tiny_run

from spectral_jax.batch import decode
from spectral_jax.config import Views
from spectral_jax.model.encoder import encode
from spectral_jax.objective import encode_views, pictures, views
from spectral_jax.train import state


def config(footprint_m=240.0, **changes):
    cfg = tiny_run.config(views=Views(**changes))
    sensors = tuple(dataclasses.replace(s, local_views=s.key != "SAR") for s in cfg.sensors)
    return dataclasses.replace(cfg, sensors=sensors, model=dataclasses.replace(cfg.model, footprint_m=footprint_m))


def alone(params, decoded, plan, cfg):
    """Each view by the public functions of the encoder, sensor by sensor; local views as many as the plan has."""
    # A sensor's views are alike, so that one program serves them all, and the cases: the encoder does not look at `views`.
    plain = dataclasses.replace(cfg, views=Views())
    branch, shared = jax.jit(encode.encode_branch, static_argnums=(1, 4)), jax.jit(encode.encode_shared, static_argnums=4)
    keys, found = tuple(decoded), []
    for v in range(cfg.views.global_views):
        cut = jax.tree.map(lambda leaf, v=v: leaf[v], plan.global_cuts)
        shown = [i for i in range(len(keys)) if plan.shown[v, i]]
        out = [branch(params, keys[i], *views.resized(*decoded[keys[i]], cut, i), plain) for i in shown]
        found.append((shown, out))
    for v in range(len(plan.sensor)):
        cut, i = jax.tree.map(lambda leaf, v=v: leaf[v], plan.local_cuts), int(plan.sensor[v])
        offset = None
        if cfg.views.local_mode == "native":
            pixels = views.native(*decoded[keys[i]], cut, i, cfg, cfg.token_px(keys[i]))
            offset = views.native_offset(cut, cfg)
        else:
            pixels = views.resized(*decoded[keys[i]], cut, i)
        found.append(([i], [branch(params, keys[i], *pixels, plain, position_offset=offset)]))
    pooled = []
    for shown, out in found:
        tokens, mask = (jax.numpy.stack([getattr(o, name) for o in out], axis=1) for name in ("stage2", "valid2"))
        pooled.append(shared(params, tokens, mask, np.int32(shown), plain).pooled)
    return np.stack(pooled)


CASES = {
    "all shown, a stratum each": dict(global_sensors=3, local_views=4),
    "two of three shown": dict(global_sensors=2, local_views=4),
    "one local view of either": dict(global_sensors=2, local_views=1),
    "independent": dict(global_sensors=2, local_views=3, draw="independent"),
    "native": dict(global_sensors=2, local_views=4, local_mode="native", native_tokens=4, footprint_m=480.0),
    "no local views": dict(global_sensors=2, local_views=0),
}


def drawn(case, rng):
    """A config, its encoder's parameters, a decoded batch and a plan."""
    cfg = config(**case)
    params = state.init_params(jax.random.key(0), cfg)["encoder"]
    batch = tiny_run.batch(cfg, rng, size=3)
    decoded = {k: decode(d, cfg.sensor(k).spec) for k, d in batch.sensors.items()}
    return cfg, params, decoded, views.draw_plan(jax.random.key(4), tuple(decoded), jax.numpy.arange(3), cfg)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_views_together_are_the_views_alone(case, rng):
    cfg, params, decoded, plan = drawn(case, rng)
    found, filled = jax.jit(lambda params: encode_views.pooled(params, pictures.make(decoded, plan, cfg), plan, cfg))(params)
    expected = alone(params, decoded, plan, cfg)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * np.abs(expected).max())
    # The last location has no radar, so a view of radar alone would be empty; there is none of those.
    assert filled.all()


@pytest.mark.slow
def test_global_views_need_no_local_ones(rng):
    cfg, params, decoded, plan = drawn(CASES["two of three shown"], rng)

    def globals_(params):
        return encode_views.pooled_globals(params, pictures.make(decoded, plan, cfg), plan, cfg)[0]

    expected = alone(params, decoded, plan, cfg)[: cfg.views.global_views]
    np.testing.assert_allclose(jax.jit(globals_)(params), expected, rtol=0, atol=2e-5 * np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.parametrize("mode", [{}, dict(local_mode="native", native_tokens=4, footprint_m=480.0)], ids=["resize", "native"])
def test_views_alternate_between_two_dates(mode, rng):
    cfg = config(global_sensors=3, local_views=6, **mode)
    first, second = (tiny_run.batch(cfg, rng, size=2).sensors for _ in range(2))
    decoded, other = ({k: decode(d, cfg.sensor(k).spec) for k, d in sensors.items()} for sensors in (first, second))
    plan = views.draw_plan(jax.random.key(4), tuple(decoded), jax.numpy.arange(2), cfg)
    make = jax.jit(lambda first, other: pictures.make(first, plan, cfg, other))
    both, *alone = make(decoded, other), make(decoded, None), make(other, None)
    for name in ("globals", "locals"):
        for key, found in getattr(both, name).items():
            for v in range(len(found.pixels)):
                expected = getattr(alone[v % 2], name)[key]
                np.testing.assert_allclose(found.pixels[v], expected.pixels[v], atol=1e-6)  # two programs
                np.testing.assert_array_equal(found.valid[v], expected.valid[v])
    assert len(both.locals["HSI"].pixels) > 1
    assert np.abs(alone[0].globals["HSI"].pixels[1] - alone[1].globals["HSI"].pixels[1]).max() > 0.1


@pytest.mark.slow
def test_the_program_is_one_for_all_sensors_and_views():
    """Attention of stage 1 stands once in the forward program, whatever the sensors and views; nothing chooses a branch."""
    counts = []
    for local_views in (2, 6):
        cfg = config(global_sensors=3, local_views=local_views)
        params = jax.eval_shape(lambda cfg=cfg: state.init_params(jax.random.key(0), cfg))["encoder"]
        batch = tiny_run.batch(cfg, np.random.default_rng(0), size=2)

        def run(params, cfg=cfg, batch=batch):
            decoded = {k: decode(d, cfg.sensor(k).spec) for k, d in batch.sensors.items()}
            plan = views.draw_plan(jax.random.key(4), tuple(decoded), jax.numpy.arange(2), cfg)
            return encode_views.pooled(params, pictures.make(decoded, plan, cfg), plan, cfg)

        text = jax.jit(run).lower(params).as_text()
        assert "stablehlo.case" not in text
        counts.append(text.count("dot_general"))
    assert counts[0] == counts[1]
