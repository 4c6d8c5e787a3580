"""One sensor's branch: its tokenizer, and the local stages, whose program is the same for all branches.

Tokenizers differ, as sensors have other bands and pixels. Behind them every branch has tokens of one shape and weights of one
shape, so `local_stages` runs any number of slots (a sensor in a view) through one program, each with its own branch's weights.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.config import Config, Model, SensorInput
from spectral_jax.model.encoder.hiera import Stage, to_grid, to_windows
from spectral_jax.model.encoder.stem import SpectralSkip, StemTokenizer
from spectral_jax.model.encoder.tokenize import GroupedTokenizer, LinearTokenizer
from spectral_jax.model.encoder.wavelength import WavelengthTokenizer
from spectral_jax.model.layers import dtype_of, keep, one_by_one

TOKENIZERS = {"linear": LinearTokenizer, "grouped": GroupedTokenizer, "wavelength": WavelengthTokenizer}
# Tokenizers that `model.skip` adds a linear skip to.
SKIPPED = ("grouped", "wavelength")


class BranchOutput(NamedTuple):
    """What one sensor's branch gives; tokens that saw no valid pixel are invalid and hold 0."""

    stage1: jax.Array  # [B R Q D]
    stage2: jax.Array  # [B R/2 Q/2 2D]
    valid1: jax.Array  # bool [B R Q]
    valid2: jax.Array  # bool [B R/2 Q/2]
    pixels: jax.Array | None = None  # [B h w P], the stem's numbers of every cell; None of tokenizers without one
    valid_pixels: jax.Array | None = None  # bool [B h w]


class Branch(nn.Module):
    """Tokenizer and local stages of one sensor."""

    sensor: SensorInput
    cfg: Config

    def setup(self):
        """Makes the parts; their names are those of the attributes."""
        m = self.cfg.model
        options = dict(mlp_ratio=m.mlp_ratio, dtype=dtype_of(m.dtype), remat=m.remat == "blocks")
        self.tokenize = _tokenizer(self.sensor, m)
        self.skip = SpectralSkip(self.sensor, m) if m.skip and self.sensor.tokenizer in SKIPPED else None
        self.stage1 = Stage(m.width, m.heads, m.depths[0], pool=False, **options)
        self.stage2 = Stage(2 * m.width, 2 * m.heads, m.depths[1], pool=True, carry=m.carry, **options)

    def tokens(self, pixels, valid):
        """Pixels [B H W C], valid bool [B H W] to tokens [B R Q D] and their validity [B R Q]."""
        tokens, seen = self.tokenize(pixels, valid)
        return (tokens if self.skip is None else tokens + self.skip(pixels, valid)), seen

    def pixel_tokens(self, pixels, valid):
        """Pixels [B H W C], valid bool [B H W] to the stem's numbers of every cell [B h w P] and their validity [B h w].

        Of a sensor with the stem tokenizer; invalid cells hold 0, and `cells` makes tokens of stage 1 of them.
        """
        return self.tokenize.pixel_tokens(pixels, valid)

    def cells(self, pixels, valid):
        """What `pixel_tokens` gives to tokens [B R Q D] and their validity [B R Q]."""
        return self.tokenize.cells(pixels, valid)

    def stages(self, tokens, valid, position) -> BranchOutput:
        """Tokens [B R Q D], valid bool [B R Q], position [R Q D] to `BranchOutput`."""
        unit, (rows, columns) = self.cfg.model.mask_unit, tokens.shape[1:3]
        x = to_windows(tokens + position.astype(tokens.dtype)[None], unit)
        one, mask = self.stage1(x, to_windows(valid, unit))
        two, mask = self.stage2(one, mask)
        valid2 = to_grid(mask, rows // 2, columns // 2)
        return BranchOutput(
            keep(to_grid(one, rows, columns), valid), keep(to_grid(two, rows // 2, columns // 2), valid2), valid, valid2
        )

    def __call__(self, pixels, valid, position) -> BranchOutput:
        """Pixels [B H W C], valid bool [B H W], position [R Q D] to `BranchOutput`."""
        if self.sensor.tokenizer != "stem":
            tokens, seen = self.tokens(pixels, valid)
            return self.stages(tokens, seen, position)
        pixels, seen = self.pixel_tokens(pixels, valid)
        tokens, shown = self.cells(pixels, seen)
        return self.stages(tokens, shown, position)._replace(pixels=pixels, valid_pixels=seen)


class Branches(nn.Module):
    """All branches, each under its name; a call uses one."""

    cfg: Config

    @nn.compact
    def __call__(self, sensor: SensorInput, pixels, valid, position):
        """Runs the branch of `sensor`."""
        branch = nn.remat(Branch) if self.cfg.model.remat == "branches" else Branch
        return branch(sensor, self.cfg, name=sensor.branch)(pixels, valid, position)


def _tokenizer(sensor: SensorInput, model: Model) -> nn.Module:
    if sensor.tokenizer == "stem":
        return StemTokenizer(sensor, model)
    return TOKENIZERS[sensor.tokenizer](sensor.spec, model)


def names(sensors: Sequence[SensorInput]) -> tuple[str, ...]:
    """The branches of sensors, in the order in which these first name them."""
    return tuple(dict.fromkeys(s.branch for s in sensors))


def differing(sensors: Sequence[SensorInput]) -> tuple[SensorInput, ...]:
    """The first sensor of every branch, and those that have parameters of their own in a branch they share."""
    first = {s.branch: s for s in reversed(sensors)}
    return tuple(s for s in sensors if s is first[s.branch] or (s.whitening is not None and s.whitening.reference))


def numbers(sensors: Sequence[SensorInput], among: tuple[str, ...]) -> jax.Array:
    """The branch of every sensor, its number among names, int32 [S]."""
    return jnp.asarray([among.index(s.branch) for s in sensors], jnp.int32)


def view_tokens(
    params: dict, key: str, pixels: jax.Array, valid: jax.Array, cfg: Config, look: Callable | None = None
) -> tuple[jax.Array, ...]:
    """The tokenizer of one sensor on several views, one after another: what a view needs then stays in the cache of a CPU.

    Args:
      params: the encoder's.
      key: the sensor's key in `cfg`.
      pixels: [V B H W C], normalised.
      valid: bool [V B H W].
      cfg: the config.
      look: of the stem's numbers of every cell [B h w P] and their validity [B h w], a tuple that the caller wants beside the
        tokens; only of a sensor with the stem tokenizer.

    Returns:
      Tokens [V B R Q D] without position, their validity [V B R Q], and what `look` gives, stacked over views.
    """
    sensor = cfg.sensor(key)
    whole = params["branches"][sensor.branch]
    own = {part: whole[part] for part in ("tokenize", "skip") if part in whole}

    def one(pixels, valid):
        run = partial(Branch(sensor, cfg).apply, {"params": own})
        if look is None:
            return run(pixels, valid, method="tokens")
        inside, seen = run(pixels, valid, method="pixel_tokens")
        return (*run(inside, seen, method="cells"), *look(inside, seen))

    # What is long in a tokenizer is computed again anyway, in shares of its cells.
    return one_by_one(one, (pixels, valid), again=False)


def local_stages(params: dict, keys, tokens: jax.Array, valid: jax.Array, sensor, offset, cfg: Config, keep: Callable):
    """Position and the local stages of T slots, each with the weights of its own sensor's branch.

    Args:
      params: the encoder's.
      keys: sensors whose branches may be needed.
      tokens: [T B R Q D], of `view_tokens`.
      valid: bool [T B R Q].
      sensor: int32 [T], positions in `keys`; may be traced.
      offset: int32 [T 2], row and column of a slot's first token in the full patch.
      cfg: the config.
      keep: of a slot's `BranchOutput`, what the caller wants of it.

    Returns:
      What `keep` gives, stacked over slots.
    """
    sensors = [cfg.sensor(key) for key in keys]
    known = names(sensors)
    parts = [{s: params["branches"][name][s] for s in ("stage1", "stage2")} for name in known]
    weights = jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts)
    module = Branch(cfg.sensors[0], cfg)  # the stages of all branches are alike

    def one(tokens, valid, number, offset):
        own = jax.tree.map(lambda leaf: leaf[number], weights)
        position = position_of(params["position"], *tokens.shape[1:3], offset)
        out: Any = module.apply({"params": own}, tokens, valid, position, method="stages")
        return keep(out)

    slots = (tokens, valid, numbers(sensors, known)[sensor], offset)
    return one_by_one(one, slots, again=cfg.model.remat == "branches")


def position_of(table: jax.Array, rows: int, columns: int, offset) -> jax.Array:
    """The position embedding [R Q D] of R x Q tokens whose first stands at `offset`, int32 [2], of the full patch's table."""
    start = (offset[0], offset[1], jnp.zeros((), offset.dtype))
    return jax.lax.dynamic_slice(table, start, (rows, columns, table.shape[-1]))
