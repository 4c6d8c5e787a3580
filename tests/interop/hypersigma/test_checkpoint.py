"""HyperSIGMA against the authors' own classes, made small: every block, the pyramid, the fusion and what it is for."""

import jax
import jax.numpy as jnp
import pytest
from made.oracle_file import assert_same_state, channels_last, difference, part

from spectral_jax.interop import models, names
from spectral_jax.interop.hypersigma import checkpoint
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published.hypersigma.fusion import FusionConfig, HyperSigma
from spectral_jax.model.published.hypersigma.spatial import SpatialConfig, SpatSigma
from spectral_jax.model.published.hypersigma.spectral import SpecSigma

pytestmark = pytest.mark.slow

# Of the maximum: LayerNorm with another epsilon moves results by 8e-6.
TOLERANCE = 5e-6
MODULES = {FusionConfig: HyperSigma, SpatialConfig: SpatSigma}
CASES = {
    "cls_c100": {},
    "cls_c30_odd": {},
    "seg_c150": {},
    "det_target": {},
    "spat_cls": dict(task="classes"),
    "spat_seg_nonsquare": dict(task="map"),
    "spat_p16": {},
    "spec_n36_gamma": {},
}


def loaded(oracles, case):
    """Config, parameters, account, state dict and input of a case; what no key tells is said, as a user would."""
    path = oracles / "hypersigma.npz"
    state, config = part(path, f"{case}/state"), part(path, f"{case}/config")
    said = dict(heads=int(config["heads"]), taps=tuple(config["out_indices"].tolist()), **CASES[case])
    if "spec_out_indices" in config:
        said["spectral_taps"] = tuple(config["spec_out_indices"].tolist())
    return *models.read("hypersigma", Weights(f"{case}.pth", state), **said), state, part(path, f"{case}/input")


def run(params, cfg, inputs):
    """What the model gives, and everything its layers give on the way, by path."""
    module = MODULES.get(type(cfg), SpecSigma)(cfg)
    image, more = jnp.asarray(channels_last(inputs["x"])), [jnp.asarray(inputs["ts"])] if "ts" in inputs else []
    with jax.default_matmul_precision("highest"):
        apply = jax.jit(lambda p, *x: module.apply({"params": p}, *x, capture_intermediates=True, mutable=["intermediates"]))
        found, inside = apply(params, image, *more)
    return found, {path.removesuffix("/__call__/0"): value for path, value in names.flatten(inside["intermediates"]).items()}


def agree(found, expected):
    assert difference(found, expected) <= TOLERANCE


@pytest.mark.parametrize("case", CASES)
def test_every_output_agrees_with_the_published_code(oracles, case):
    cfg, params, account, state, inputs = loaded(oracles, case)
    expected = part(oracles / "hypersigma.npz", f"{case}/output")
    assert_same_state(checkpoint.publish(params, cfg), state)
    assert {row.key for row in account.rows} == set(state)
    assert account.counts()["ignored"] == 0
    found, inside = run(params, cfg, inputs)
    left = set(expected)
    encoders = {"spat": "spatial/", "spec": "spectral/"} if isinstance(cfg, FusionConfig) else {case[:4]: ""}
    for encoder, path in encoders.items():
        blocks = found.blocks if not path else found.spatial if encoder == "spat" else found.spectral
        for i, tokens in enumerate(blocks):
            agree(tokens, expected[f"{encoder}/block{i}"])
            left.discard(f"{encoder}/block{i}")
        agree(inside[f"{path}trunk/block0/attend/offsets"], expected[f"{encoder}/block0_sampling_offsets"])
        left.discard(f"{encoder}/block0_sampling_offsets")
    for name, value in _beside_blocks(cfg, found, inside).items():
        if name in expected:
            agree(value, channels_last(expected[name]) if expected[name].ndim == 4 else expected[name])
            left.discard(name)
    # The projection of patches is held before positions are added: no layer of ours ends there.
    assert left - {"spat/embed"} == set()


def _beside_blocks(cfg, found, inside):
    """Our numbers by the names of the oracle."""
    if isinstance(cfg, SpatialConfig):
        named = {f"spat/fpn{j}": x for j, x in enumerate(found.maps, 1)}
        named |= {f"feature{j}": x for j, x in enumerate(found.maps[::-1], 1)}
        return named | ({"logits": found.logits.reshape(-1, cfg.classes)} if found.logits is not None else {})
    if not isinstance(cfg, FusionConfig):
        return {"spec/embed": inside["embed"]} | {f"feature{j}": x for j, x in enumerate(found.features, 1)}
    named = {"spec/embed": inside["spectral/embed"], "spec/l1": inside["spectral/summary"]}
    named["fusion/pool"] = found.summary[..., None]
    named |= {f"fusion/fc_spec{j}": inside[f"weigh{j}"] for j in (1, 2, 3, 4) if f"weigh{j}" in inside}
    named |= {f"spat/fpn{j}": inside[f"level{j}"] for j in (1, 2, 3, 4) if f"level{j}" in inside}
    if cfg.task == "target":
        return named | {"fusion/fc_spec": inside["weigh"], "score": found.output}
    named |= {f"spat/fpn{j}": x for j, x in enumerate((inside[f"spatial/__call__/0/maps/{i}"] for i in range(4)), 1)}
    return named | {"logits": found.output.reshape(len(found.output), -1, cfg.classes) if cfg.task == "map" else found.output}
