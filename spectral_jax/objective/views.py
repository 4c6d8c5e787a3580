"""Global and local views of a batch: which sensors they show, where they are cut, and how they are changed.

Everything runs on the device. A crop resized to the full input, its flips and its blur are one matrix for rows and one for
columns, so a view of a sensor is two matrix products. A crop is the same ground for all sensors and samples of a view.
"""

import dataclasses
import typing

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange

from spectral_jax.config import Config, Views
from spectral_jax.objective.strata import draw_local, strata


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Cut:
    """Geometry and radiometry of one view (or of V views, with V leading), drawn at random.

    Attributes:
      side: fraction of the patch's side that the crop keeps; a scalar.
      top_left: [2] start of the crop: a fraction of the patch or, for a native view, of the room that its size leaves.
      flip: [2] bool, rows and columns reversed.
      blur: [S] bool and `blur_sigma_px` [S]: Gaussian blur of each sensor.
      gain: [S B] and `bias` [S B]: radiometric change of each sample, 1 and 0 where there is none.
    """

    side: jax.Array
    top_left: jax.Array
    flip: jax.Array
    blur: jax.Array
    blur_sigma_px: jax.Array
    gain: jax.Array
    bias: jax.Array


class Plan(typing.NamedTuple):
    """All views of a step.

    Attributes:
      shown: [V S] bool, the sensors of each global view.
      shown_sensors: [V M] int32, the same as positions, in order; M of S are shown.
      global_cuts: `Cut` of each global view, leaves [V ...].
      sensor: [L] int32, the one sensor of each local view.
      local_weight: [L] float32, what each local view counts; see `strata`.
      local_cuts: `Cut` of each local view, leaves [L ...].
    """

    shown: jax.Array
    shown_sensors: jax.Array
    global_cuts: Cut
    sensor: jax.Array
    local_weight: jax.Array
    local_cuts: Cut


def draw_plan(key: jax.Array, keys: tuple[str, ...], rows: jax.Array, cfg: Config) -> Plan:
    """Draws the views of one step.

    Args:
      key: random key of the step.
      keys: S sensors of the batch, in order.
      rows: [B] numbers of the samples in the global batch; a sample draws the same whatever share of the batch it is in.
      cfg: sizes and probabilities.

    Returns:
      The plan; a local view shows a sensor that some global view shows and that may be shown locally.

    Raises:
      ValueError: local views are wanted and the batch has no sensor for them.
    """
    views = cfg.views
    shown_key, sensor_key, global_key, local_key = jax.random.split(key, 4)
    # The sensors of the smallest draws are shown: a choice without replacement.
    count = min(views.global_sensors, len(keys))
    draw = jax.random.uniform(shown_key, (views.global_views, len(keys)))
    shown = (draw[:, :, None] > draw[:, None, :]).sum(axis=-1) < count
    parts = strata(keys, cfg)
    allowed = np.array([cfg.sensor(k).local_views for k in keys])
    candidates = shown.any(axis=0) & allowed
    # A config that shows few sensors in a global view may draw none that is allowed locally: then any allowed one will do.
    candidates = jnp.where(candidates.any(), candidates, jnp.asarray(allowed))
    sensor, weight = draw_local(sensor_key, parts, candidates) if parts else (jnp.zeros(0, jnp.int32), jnp.zeros(0))
    return Plan(
        shown=shown,
        shown_sensors=jnp.argsort(~shown, axis=-1, stable=True)[:, :count].astype(jnp.int32),
        global_cuts=_draw_cuts(global_key, views.global_views, views.global_scale, len(keys), rows, views, native=False),
        sensor=sensor,
        local_weight=weight,
        local_cuts=_draw_cuts(
            local_key, views.local_views, views.local_scale, len(keys), rows, views, native=views.local_mode == "native"
        ),
    )


def resized(pixels: jax.Array, valid: jax.Array, cut: Cut, sensor: int):
    """A view of one sensor, crop resized to the input's own size.

    Args:
      pixels: [B H W C], normalised, 0 where invalid.
      valid: [B H W].
      cut: of this view.
      sensor: number of the sensor in the plan.

    Returns:
      Pixels [B H W C] and validity [B H W]; a pixel is valid when more than half of its weight comes from valid ones, which
      alone make its value.
    """
    matrices = [
        _blur(pixels.shape[1 + i], cut.blur[sensor], cut.blur_sigma_px[sensor])
        @ _flip(_resample(pixels.shape[1 + i], cut.top_left[i], cut.side), cut.flip[i])
        for i in range(2)
    ]
    mixed, major = _mix(pixels, valid, *matrices)
    return _radiometric(mixed, major, cut, sensor)


def native(pixels: jax.Array, valid: jax.Array, cut: Cut, sensor: int, cfg: Config, token_px: int):
    """A view of one sensor, cut at its own pixel size: `views.native_tokens` tokens a side, aligned to tokens.

    Args and returns are those of `resized`, with the smaller H and W; `native_offset` says where it starts.
    """
    start = native_offset(cut, cfg) * token_px
    size = cfg.views.native_tokens * token_px
    zero = jnp.int32(0)
    pixels = jax.lax.dynamic_slice(pixels, (zero, start[0], start[1], zero), (pixels.shape[0], size, size, pixels.shape[3]))
    valid = jax.lax.dynamic_slice(valid, (zero, start[0], start[1]), (valid.shape[0], size, size))
    for i in range(2):
        pixels = jnp.where(cut.flip[i], jnp.flip(pixels, 1 + i), pixels)
        valid = jnp.where(cut.flip[i], jnp.flip(valid, 1 + i), valid)
    blur = _blur(size, cut.blur[sensor], cut.blur_sigma_px[sensor])
    mixed, major = _mix(pixels, valid, blur, blur)
    return _radiometric(mixed, major, cut, sensor)


def native_offset(cut: Cut, cfg: Config) -> jax.Array:
    """First token (row, column) in the full patch of a native view, int32 [2]; of V views [V 2]."""
    return jnp.round(cut.top_left * (cfg.model.grid - cfg.views.native_tokens)).astype(jnp.int32)


def _draw_cuts(key, count: int, scale: tuple[float, float], sensors: int, rows, views: Views, native: bool) -> Cut:
    view_key, sample_key = jax.random.split(key)
    # One draw for all views and one for each sample: many small ones would take most of the time to compile on a CPU.
    common = jax.random.uniform(view_key, (count, 5 + 3 * sensors))
    own = jax.vmap(lambda row: jax.random.uniform(jax.random.fold_in(sample_key, row), (count, sensors, 2)))(rows)
    side = _between(common[:, 0], scale)
    place = common[:, 1:3]
    blur, sigma, radiometric = (common[:, 5 + i * sensors : 5 + (i + 1) * sensors] for i in range(3))
    changed = (radiometric < views.radiometric)[..., None]
    gain, bias = rearrange(own, "b v s two -> two v s b")
    return Cut(
        side=side,
        top_left=place if native else place * (1.0 - side)[:, None],
        flip=common[:, 3:5] < views.flip,
        blur=blur < views.blur,
        blur_sigma_px=_between(sigma, views.blur_sigma_px),
        gain=jnp.where(changed, _between(gain, views.gain), 1.0),
        bias=jnp.where(changed, _between(bias, views.bias), 0.0),
    )


def _between(uniform: jax.Array, bounds: tuple[float, float]) -> jax.Array:
    return bounds[0] + (bounds[1] - bounds[0]) * uniform


def _resample(size: int, start: jax.Array, side: jax.Array) -> jax.Array:
    """Bilinear weights [size size] that resize the crop [start, start + side] to `size` pixels, edges repeated."""
    first, length = start * size, jnp.maximum(side * size, 1.0)
    pixel = jnp.arange(size, dtype=jnp.float32)
    place = first + (pixel + 0.5) / size * length - 0.5
    place = jnp.clip(place, first, jnp.minimum(first + length - 1.0, size - 1.0))
    return jnp.maximum(0.0, 1.0 - jnp.abs(place[:, None] - pixel[None]))


def _flip(matrix: jax.Array, flip: jax.Array) -> jax.Array:
    return jnp.where(flip, matrix[::-1], matrix)


def _blur(size: int, blur: jax.Array, sigma_px: jax.Array) -> jax.Array:
    """Gaussian blur with mirrored edges as a matrix [size size]; the identity where `blur` is False.

    The kernel has max(3, size // 10) pixels, made odd downwards (code of SpectralEarth-FM).
    """
    radius = (max(3, size // 10) - 1) // 2
    i, j = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    # Distances at which pixel j enters pixel i: directly, mirrored at the first pixel, mirrored at the last.
    distances = np.stack([i - j, np.where(j > 0, i + j, size), np.where(j < size - 1, 2 * (size - 1) - i - j, size)])

    def gaussian(distance):
        return jnp.exp(-0.5 * (np.asarray(distance, np.float32) / sigma_px) ** 2)

    weight = jnp.where(np.abs(distances) <= radius, gaussian(distances), 0.0).sum(axis=0)
    weight = weight / gaussian(np.arange(-radius, radius + 1)).sum()
    return jnp.where(blur, weight, jnp.eye(size))


def _mix(pixels, valid, rows, columns):
    """Weighted means of valid pixels, by a matrix for rows and one for columns, and where valid ones are the majority."""
    weight = jnp.einsum("bhw,ih,jw->bij", valid.astype(jnp.float32), rows, columns)
    mixed = jnp.einsum("bhwc,ih,jw->bijc", pixels, rows, columns) / jnp.maximum(weight, 1e-6)[..., None]
    return mixed, weight > 0.5


def _radiometric(pixels, valid, cut: Cut, sensor: int):
    gain, bias = (rearrange(x[sensor], "b -> b 1 1 1") for x in (cut.gain, cut.bias))
    return jnp.where(valid[..., None], pixels * gain + bias, 0.0), valid
