"""SpecTM: reconstruct hidden bands, infer bio-optical indices, and predict a later date (arXiv 2603.22097).

The encoder sees spectra from which bands are hidden, after normalisation by constants of the sensor, so nothing of a hidden
value is left in what it sees: not in a mean, not in a neighbour's convolution. Targets alone are made of the whole spectrum.
The paper states the tasks and not their heads, weights or index list; those are choices of the config.
"""

import typing

import jax
import jax.numpy as jnp
from einops import rearrange, reduce

from spectral_jax.batch import Batch, decode, physical
from spectral_jax.config import Config
from spectral_jax.means import Axis, global_mean, total
from spectral_jax.model.encoder import encode, spectral_heads
from spectral_jax.objective import collapse
from spectral_jax.objective.parts import in_parts
from spectral_jax.spectral import indices, masks


def loss(params: dict, batch: Batch, key: jax.Array, cfg: Config, axis: Axis = None):
    """The objective on one batch.

    Args:
      params: `{"encoder", "spectm", ...}`.
      batch: of B locations on this device (all of them under `jit`).
      key: random key of the step, the same on every device.
      cfg: the run; `cfg.spectm` holds masks and weights.
      axis: mesh axes of `shard_map`, or None.

    Returns:
      The loss over the global batch, and a dict of float32 scalars. Errors are mean squares in normalised units; a task's mean
      over the sensors that take part.

    Raises:
      ValueError: no sensor of the batch has bands in every region, or one lacks a band of an index.
    """
    sensors = masked_sensors(tuple(batch.sensors), cfg)

    def of_locations(batch, numbers):
        return _of_locations(params, batch, numbers, sensors, key, cfg), ()

    found, _ = in_parts(of_locations, batch, cfg.train.accumulate, along=0, axis=axis)
    task, pooled = cfg.spectm, found.pooled
    parts: dict[str, list] = {}
    metrics: dict[str, jax.Array] = {}
    for sensor in sensors:
        terms = {}
        if task.reconstruction:
            error, count = found.reconstruction[sensor]
            terms["reconstruction"] = global_mean(error.sum(), count.sum(), axis)
        if task.index:
            predicted = spectral_heads.call(params["spectm"], sensor, cfg, "infer", pooled)
            target, defined = found.indices[sensor]
            terms["index"] = _index(predicted, target, defined, axis)
        if task.ahead:
            predicted = spectral_heads.call(params["spectm"], sensor, cfg, "forecast", pooled, found.ahead[sensor].lead_weeks)
            terms["ahead"], metrics[f"{sensor}_persistence"] = _ahead(predicted, found.ahead[sensor], axis)
        for name, value in terms.items():
            parts.setdefault(name, []).append(value)
    means = {name: sum(terms) / len(terms) for name, terms in parts.items()}
    value = sum(getattr(task, name) * mean for name, mean in means.items())
    metrics |= means | collapse.alarms(pooled, found.seen, axis) | {"loss": value}
    return value, jax.lax.stop_gradient(metrics)


class Dates(typing.NamedTuple):
    """Mean spectra of B locations at two dates."""

    later: jax.Array  # float32 [B C]
    now: jax.Array  # float32 [B C]
    both: jax.Array  # float32 [B], 1 where there are both
    lead_weeks: jax.Array  # float32 [B], the time between them; 0 where one is missing


class _Found(typing.NamedTuple):
    """What is known of each of B locations, or a sum over them [1]; of tasks of weight 0 nothing."""

    pooled: jax.Array  # float32 [B E]
    seen: jax.Array  # float32 [B], which show anything
    reconstruction: dict[str, tuple[jax.Array, jax.Array]]  # sensor -> sum of square errors, and their number
    indices: dict[str, tuple[jax.Array, jax.Array]]  # sensor -> of `index_targets`
    ahead: dict[str, Dates]


def _of_locations(params: dict, batch: Batch, numbers: jax.Array, sensors: list[str], key: jax.Array, cfg: Config) -> _Found:
    hidden = {k: draw(jax.random.fold_in(key, i), k, numbers, cfg) for i, k in enumerate(sensors)}
    stage1, encoded, values = encode_masked(params, batch, hidden, cfg)
    pooled, seen = encoded.pooled.astype(jnp.float32), encoded.valid.any(axis=-1).astype(jnp.float32)
    found, task = _Found(pooled, seen, {}, {}, {}), cfg.spectm
    for sensor in sensors:
        if task.reconstruction:
            predicted = spectral_heads.call(params["spectm"], sensor, cfg, "spectra", stage1[sensor].stage1, pooled)
            target, seen_px = values[sensor]
            found.reconstruction[sensor] = _errors(predicted, target, seen_px, hidden[sensor], cfg.token_px(sensor))
        if task.index:
            found.indices[sensor] = index_targets(batch, sensor, cfg)
        if task.ahead:
            found.ahead[sensor] = _dates(batch, sensor, values[sensor], cfg)
    return found


def masked_sensors(keys: tuple[str, ...], cfg: Config) -> list[str]:
    """The optical sensors with a band in every region: their bands are hidden; the others are seen as they are.

    Raises:
      ValueError: there is none.
    """
    found = []
    for key in keys:
        spec = cfg.sensor(key).spec
        if spec.kind == "optical":
            centre = spec.centre_nm
            if all(((low <= centre) & (centre <= high)).any() for low, high in regions(cfg)):
                found.append(key)
    if not found:
        raise ValueError(
            f"spectm.regions_nm: none of the sensors {', '.join(keys)} has a band in each of {regions(cfg)} nm; give regions "
            "that a sensor has, or a sensor that has them."
        )
    return found


def regions(cfg: Config) -> masks.Regions:
    """`spectm.regions_nm` as pairs."""
    flat = cfg.spectm.regions_nm
    return tuple(zip(flat[::2], flat[1::2], strict=True))


def draw(key: jax.Array, sensor: str, sample: jax.Array, cfg: Config) -> jax.Array:
    """Hidden bands [B C] of one sensor; a sample [B] (number in the global batch) draws the same whatever share it is in."""
    policies = tuple(masks.MaskPolicy(kind, regions(cfg)) for kind in cfg.spectm.masks)
    centre = cfg.sensor(sensor).spec.centre_nm

    def one(number):
        return masks.draw_mixture(jax.random.fold_in(key, number), policies, cfg.spectm.shares, centre, 1)[0]

    return jax.vmap(one)(sample)


def encode_masked(params: dict, batch: Batch, hidden: dict[str, jax.Array], cfg: Config):
    """Encodes a batch with bands hidden.

    Args:
      params: `{"encoder", "spectm", ...}`.
      batch: B locations.
      hidden: sensor -> bool [B C].
      cfg: the run.

    Returns:
      Sensor -> `BranchOutput`; `Encoded`; sensor -> normalised values [B H W C] and validity [B H W] with nothing hidden.
    """
    branches, values = {}, {}
    for key, data in batch.sensors.items():
        pixels, valid = values[key] = decode(data, cfg.sensor(key).spec)
        if key in hidden:
            token = spectral_heads.call(params["spectm"], key, cfg, "tokens")
            flat = rearrange(pixels, "b h w c -> (b h w) c")
            mask = jnp.broadcast_to(hidden[key][:, None, None], pixels.shape).reshape(flat.shape)
            pixels = masks.hide(flat, mask, token).reshape(pixels.shape)
        branches[key] = encode.encode_branch(params["encoder"], key, pixels, valid, cfg)
    tokens = jnp.stack([o.stage2 for o in branches.values()], axis=1)
    seen = jnp.stack([o.valid2 for o in branches.values()], axis=1)
    return branches, encode.encode_shared(params["encoder"], tokens, seen, tuple(branches), cfg), values


def token_spectra(values: jax.Array, valid: jax.Array, token_px: int) -> tuple[jax.Array, jax.Array]:
    """Mean spectrum of each token's valid pixels, [B H W C], [B H W] to [B R Q C], and which have any, bool [B R Q]."""
    cut = "b (r i) (q j) c -> b r q c"
    count = reduce(valid[..., None].astype(jnp.float32), cut, "sum", i=token_px, j=token_px)
    total_ = reduce(jnp.where(valid[..., None], values, 0.0), cut, "sum", i=token_px, j=token_px)
    return total_ / jnp.maximum(count, 1.0), count[..., 0] > 0


def index_targets(batch: Batch, sensor: str, cfg: Config) -> tuple[jax.Array, jax.Array]:
    """Indices [B I] of the mean spectrum in its physical unit, 0 where undefined; and which are defined, float32 [B I]."""
    spec, data = cfg.sensor(sensor).spec, batch.sensors[sensor]
    values, valid = physical(data.pixels, spec)
    valid &= data.present[:, None, None]
    mean = _mean_spectrum(values, valid)[0]
    found = jnp.stack([indices.index(name, mean, spec.centre_nm) for name in cfg.spectm.indices], axis=-1)
    defined = jnp.isfinite(found) & valid.any(axis=(1, 2))[:, None]
    return jnp.where(defined, found, 0.0), defined.astype(jnp.float32)


def token_mean(spectra: jax.Array, valid: jax.Array) -> jax.Array:
    """Mean [B C] of the spectra of valid tokens or pixels, [B R Q C], [B R Q]; 0 where there are none."""
    return _mean_spectrum(spectra, valid)[0]


def _mean_spectrum(values, valid):
    whole, any_ = token_spectra(values, valid, values.shape[1])
    return whole[:, 0, 0], any_[:, 0, 0].astype(jnp.float32)


def _errors(predicted, values, valid, hidden, token_px: int):
    """Sum [1] of the square errors of hidden bands, and their number [1]."""
    target, seen = token_spectra(values, valid, token_px)
    weight = (seen[..., None] & hidden[:, None, None]).astype(jnp.float32)
    return jnp.sum(weight * (predicted - target) ** 2)[None], weight.sum()[None]


def _index(predicted, target, weight, axis: Axis):
    """Each index counts alike, and small ones count too: arcsinh of each over its mean size in the global batch.

    What is compared is standardised over that batch. Heights are 1e-4 sr^-1 in clear water and a hundred times that in a
    bloom, ratios are about 1.
    """
    count = jnp.maximum(total(weight.sum(0), axis), 1.0)
    size = total((weight * jnp.abs(target)).sum(0), axis) / count
    scaled = jnp.arcsinh(target / jnp.maximum(size, 1e-12)[None])
    mean = total((weight * scaled).sum(0), axis) / count
    variance = total((weight * (scaled - mean[None]) ** 2).sum(0), axis) / count
    scaled = (scaled - mean[None]) * jax.lax.rsqrt(variance + 1e-12)[None]
    return global_mean(jnp.sum(weight * (predicted - jax.lax.stop_gradient(scaled)) ** 2), weight.sum(), axis)


def _dates(batch: Batch, sensor: str, values, cfg: Config) -> Dates:
    if batch.later is None:
        raise ValueError("spectm.ahead: the batch has no later date; set data.lead_days, so that the loader reads one.")
    later = batch.later[sensor]
    target, there = _mean_spectrum(*decode(later, cfg.sensor(sensor).spec))
    now, here = _mean_spectrum(*values)
    weight = there * here
    lead_weeks = jnp.where(weight > 0, (later.time - batch.sensors[sensor].time) / 7.0, 0.0)
    return Dates(target, now, weight, lead_weeks)


def _ahead(predicted, dates: Dates, axis: Axis):
    """Error of the later mean spectrum, and that of saying that nothing changes."""
    target, weight = dates.later, dates.both[:, None]
    count = dates.both.sum() * target.shape[-1]
    errors = [global_mean(jnp.sum(weight * (x - target) ** 2), count, axis) for x in (predicted, dates.now)]
    return errors[0], errors[1]
