"""The encoder: pure functions of its parameters (`params`, the dictionary that `init_encoder` returns).

Per sensor: tokenizer, plus a position embedding shared by all sensors, then the local Hiera stages 1 and 2 (`encode_branch`).
Over sensors: fusion of every cell, Hiera stage 3, LayerNorm, mean (`encode_shared`). Architecture and sizes: SpectralEarth-FM,
arXiv 2605.21075 (docs/sources.md). Invalid pixels, absent sensors and empty tokens never influence a valid number.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from spectral_jax.batch import Batch, decode
from spectral_jax.config import Config, SensorInput
from spectral_jax.model import given, initialise, layers
from spectral_jax.model.encoder import branch
from spectral_jax.model.encoder.branch import BranchOutput
from spectral_jax.model.encoder.fuse import Fuse
from spectral_jax.model.encoder.hiera import Stage, to_grid, to_windows
from spectral_jax.model.encoder.tokenize import token_px
from spectral_jax.model.initialise import TRUNCATED
from spectral_jax.sensors import SensorSpec
from spectral_jax.shapes import LETTERS, check


class Encoded(NamedTuple):
    """What the encoder gives; invalid tokens hold 0. `pooled` is float32, the rest in the dtype of the computation."""

    stage1: dict[str, jax.Array]  # sensor key -> [B R Q D]; empty from `encode_shared`
    stage2: dict[str, jax.Array]  # sensor key -> [B R/2 Q/2 2D]; empty from `encode_shared`
    fused: jax.Array  # [B R/2 Q/2 2D]
    tokens: jax.Array  # [B N 4D], raster order, after the final LayerNorm
    valid: jax.Array  # bool [B N]
    pooled: jax.Array  # [B 4D], mean of the valid tokens, 0 where there are none
    valid_fused: jax.Array  # bool [B R/2 Q/2]
    valid1: dict[str, jax.Array]  # sensor key -> bool [B R Q]; empty from `encode_shared`
    valid2: dict[str, jax.Array]  # sensor key -> bool [B R/2 Q/2]; empty from `encode_shared`
    pixels: dict[str, jax.Array]  # sensor key -> [B h w P], of sensors with the stem tokenizer; empty from `encode_shared`
    valid_pixels: dict[str, jax.Array]  # sensor key -> bool [B h w], of the same sensors


class Encoder(nn.Module):
    """The parts and their names. The functions below call its methods; nothing else needs to."""

    cfg: Config

    def setup(self):
        """Makes the parts; their names are those of the attributes."""
        m, dtype = self.cfg.model, layers.dtype_of(self.cfg.model.dtype)
        self.position = self.param("position", TRUNCATED, (m.grid, m.grid, m.width), jnp.float32)
        self.branches = branch.Branches(self.cfg)
        self.fuse = Fuse(branch.names(self.cfg.sensors), m.fusion_width, m.fusion_heads, dtype, m.carry)
        options = dict(mlp_ratio=m.mlp_ratio, dtype=dtype, pool=True, whole=True, carry=m.carry, remat=m.remat == "blocks")
        self.stage3 = Stage(4 * m.width, 4 * m.heads, m.depths[2], **options)
        self.norm = layers.LayerNorm(dtype)

    def branch(self, sensor: SensorInput, pixels, valid, offset) -> BranchOutput:
        """See `encode_branch`."""
        m = self.cfg.model
        side = token_px(sensor.spec, m)
        rows, columns = (size // side for size in pixels.shape[1:3])
        offset = jnp.zeros(2, jnp.int32) if offset is None else offset
        return self.branches(sensor, pixels, valid, branch.position_of(self.position, rows, columns, offset))

    def fused(self, tokens, mask, number):
        """Fusion of `encode_shared`: [B R Q D] and where it is valid; `number` is int32 [B M], numbers in `branch.names`."""
        b, _, rows, columns, _ = tokens.shape
        tokens = jnp.where(mask[..., None], tokens, jnp.zeros((), tokens.dtype)).astype(self.fuse.dtype)
        x = jnp.moveaxis(tokens, 1, 3).reshape(b, rows * columns, *tokens.shape[1::3])  # B M R Q D -> B N M D
        slots = jnp.moveaxis(mask, 1, 3)
        valid = slots.any(axis=-1)
        x = self.fuse(x, slots.reshape(b, rows * columns, -1), number).reshape(b, rows, columns, -1)
        return layers.keep(x, valid), valid

    def finish(self, fused, valid) -> Encoded:
        """What follows fusion in `encode_shared`: stage 3, LayerNorm and mean."""
        b, rows, columns, _ = fused.shape
        side = self.cfg.model.mask_unit // 2
        x, kept = self.stage3(to_windows(fused, side), to_windows(valid, side))
        x, kept = (to_grid(y, rows // 2, columns // 2).reshape(b, -1, *y.shape[4:]) for y in (x, kept))
        x = layers.keep(self.norm(x), kept)
        count = jnp.maximum(jnp.sum(kept, axis=1, dtype=jnp.float32), 1.0)
        pooled = jnp.sum(x.astype(jnp.float32), axis=1) / count[:, None]
        return Encoded({}, {}, fused, x, kept, pooled, valid, {}, {}, {}, {})

    def shared(self, tokens, mask, number) -> Encoded:
        """See `encode_shared`; `number` is int32 [B M], numbers in `branch.names`."""
        return self.finish(*self.fused(tokens, mask, number))

    def everything(self):
        """Touches every part once, on the smallest input: what `init_encoder` runs."""
        m = self.cfg.model
        for sensor in branch.differing(self.cfg.sensors):
            side = m.mask_unit * token_px(sensor.spec, m)
            pixels = jnp.zeros((1, side, side, len(sensor.spec.used)))
            out = self.branch(sensor, pixels, jnp.ones((1, side, side), bool), None)
        return self.shared(out.stage2[:, None], out.valid2[:, None], jnp.zeros((1, 1), jnp.int32))


def init_encoder(key: jax.Array, cfg: Config) -> dict:
    """Parameters of the encoder, float32; no data needed but the tables of its whitenings, and none of them for shapes alone.

    Raises:
      ValueError: sensors that share a branch cannot share its tokenizer, or a whitening is not the one that the config was made
        with.
    """
    _check_branches(cfg)
    return given.fill(_init(key, cfg), cfg)


def encode_branch(
    params: dict,
    key: str,
    pixels: jax.Array,
    valid: jax.Array,
    cfg: Config,
    *,
    spec: SensorSpec | None = None,
    position_offset: jax.Array | None = None,
) -> BranchOutput:
    """Stages 1 and 2 of one sensor.

    Args:
      params: the encoder's.
      key: the sensor's key in `cfg`.
      pixels: [B H W C], normalised (from `batch.decode`); H and W those of the full patch, or of a part whose tokens are a
        multiple of `model.mask_unit`.
      valid: bool [B H W]; what invalid pixels hold (NaN too) does not matter.
      cfg: the config.
      spec: what the pixels are, where it is not the sensor of `cfg`: with the wavelength tokenizer any optical sensor,
        otherwise one with as many bands.
      position_offset: int32 [2], row and column of the part's first token in the full patch; None: 0, 0.

    Returns:
      `BranchOutput`.

    Raises:
      ValueError: `key` is not in `cfg`, or a shape is wrong; the sentence says which, and which sizes are possible.
    """
    sensor = cfg.sensor(key)
    if spec is not None and sensor.whitening is not None and not _alike(spec, sensor.spec):
        raise ValueError(
            f"spec: the whitening of {key} is of the bands of {sensor.spec.name}, and those of {spec.name} are others; tell "
            "the encoder of that sensor with spectral_jax.with_sensor."
        )
    if spec is not None:
        sensor = dataclasses.replace(sensor, spec=spec)
    sizes = check(pixels, "B H W C", f"pixels of {key}", {"C": len(sensor.spec.used)})
    check(valid, "B H W", f"valid of {key}", sizes)
    _check_side(key, sensor.spec, sizes, cfg)
    output: Any = Encoder(cfg).apply({"params": params}, sensor, pixels, valid, position_offset, method="branch")
    return output


def encode_shared(params: dict, tokens: jax.Array, mask: jax.Array, sensors: Sequence[str] | jax.Array, cfg: Config) -> Encoded:
    """Fusion over the slots, stage 3, LayerNorm and mean.

    Args:
      params: the encoder's.
      tokens: [B M R Q D], stage-2 maps of M slots; R and Q multiples of half `model.mask_unit`.
      mask: bool [B M R Q], which tokens count. A slot that is False everywhere is as good as absent.
      sensors: the sensor of each slot: keys, or int32 [M], positions in `cfg.sensors`, which may be traced.
      cfg: the config.

    Returns:
      `Encoded`, its dictionaries empty. A cell that no slot fills is invalid.

    Raises:
      ValueError: a shape is wrong, or a key is not in `cfg`.
    """
    sizes = check(tokens, "B M R Q D", "tokens", {"D": cfg.model.widths[1]})
    check(mask, "B M R Q", "mask", sizes)
    side = cfg.model.mask_unit // 2
    if sizes["R"] % side or sizes["Q"] % side:
        raise ValueError(
            f"tokens: expected R (token row) and Q (token column) to be multiples of half model.mask_unit = {side}, got "
            f"{sizes['R']} and {sizes['Q']} in shape {tokens.shape}."
        )
    if hasattr(sensors, "shape"):
        position: Any = sensors
    else:
        position = np.array([cfg.sensors.index(cfg.sensor(key)) for key in sensors], np.int32)
    check(position, "M", "sensors", {"M": sizes["M"]})
    number = jnp.broadcast_to(branch_numbers(cfg)[position], (sizes["B"], sizes["M"]))
    encoded: Any = Encoder(cfg).apply({"params": params}, tokens, mask, number, method="shared")
    return encoded


def encode(params: dict, batch: Batch, cfg: Config) -> Encoded:
    """A batch as it comes from the loader: decodes, then runs every sensor's branch and the shared part.

    Args:
      params: the encoder's.
      batch: any of the config's sensors, in any order.
      cfg: the config.

    Returns:
      `Encoded`.

    Raises:
      ValueError: the batch is empty, has a sensor that `cfg` lacks, or a shape is wrong.
    """
    if not batch.sensors:
        raise ValueError("batch: expected at least one sensor, got none.")
    outputs = {}
    for key in batch.sensors:
        pixels, valid = decode(batch.sensors[key], cfg.sensor(key).spec)
        outputs[key] = encode_branch(params, key, pixels, valid, cfg)
    tokens = jnp.stack([o.stage2 for o in outputs.values()], axis=1)
    mask = jnp.stack([o.valid2 for o in outputs.values()], axis=1)
    encoded = encode_shared(params, tokens, mask, tuple(outputs), cfg)
    fields = (dict(zip(outputs, field, strict=True)) for field in zip(*outputs.values(), strict=True))
    maps: dict[str, Any] = {
        name: {key: x for key, x in of.items() if x is not None} for name, of in zip(BranchOutput._fields, fields, strict=True)
    }
    return encoded._replace(**maps)


def branch_numbers(cfg: Config) -> jax.Array:
    """The branch of every sensor of the config, int32 [S]."""
    return branch.numbers(cfg.sensors, branch.names(cfg.sensors))


def _init(key, cfg: Config):
    plain = dataclasses.replace(cfg, model=dataclasses.replace(cfg.model, remat="none"))  # or branches were run whole
    params = initialise.run(lambda key: Encoder(plain).init(key, method="everything")["params"], key)
    return initialise.respread(params, cfg.model.init_std)


def _check_side(key: str, spec: SensorSpec, sizes: dict[str, int], cfg: Config):
    m, side = cfg.model, token_px(spec, cfg.model)
    unit, full = side * m.mask_unit, side * m.grid
    for letter in "HW":
        if sizes[letter] % unit or not 0 < sizes[letter] <= full:
            raise ValueError(
                f"pixels of {key}: expected {letter} ({LETTERS[letter]}) = {full}, the full patch of "
                f"{m.footprint_m:g} m at {spec.gsd_m:g} m, or a smaller multiple of {unit} (model.mask_unit tokens of {side} "
                f"pixels), got {sizes[letter]}; crop or resample the patch, or change model.footprint_m."
            )


def _alike(one: SensorSpec, other: SensorSpec) -> bool:
    """Whether two sensors have the same bands."""
    return [(b.name, b.centre_nm) for b in one.used] == [(b.name, b.centre_nm) for b in other.used]


def _check_branches(cfg: Config):
    first: dict[str, SensorInput] = {}
    for sensor in cfg.sensors:
        other = first.setdefault(sensor.branch, sensor)
        if sensor.tokenizer != other.tokenizer or (not sensor.any_sensor and _kernel(sensor, cfg) != _kernel(other, cfg)):
            raise ValueError(
                f"config {cfg.name}: sensors {other.key} and {sensor.key} share branch {sensor.branch!r}, but their tokenizers "
                f"differ: {other.tokenizer} with (bands, groups, pixels per token) {_kernel(other, cfg)} against "
                f"{sensor.tokenizer} with {_kernel(sensor, cfg)}; give them branches of their own, or a tokenizer "
                "for any sensor ('wavelength', or 'stem' by spectral.estimate.through)."
            )
        if _components(sensor) != _components(other):
            raise ValueError(
                f"config {cfg.name}: sensors {other.key} and {sensor.key} share branch {sensor.branch!r}, and their whitenings "
                f"differ: {other.whitening} against {sensor.whitening}; give them branches of their own, or one whitening."
            )


def _components(sensor: SensorInput):
    """What sensors of one branch must have alike of their whitenings: all of it, or the reference where they estimate it."""
    w = sensor.whitening
    return (w.table, w.reference, w.components) if w is not None and w.reference else w


def _kernel(sensor: SensorInput, cfg: Config) -> tuple[int, int, int]:
    spec = sensor.spec
    return len(spec.used), spec.groups, token_px(spec, cfg.model)
