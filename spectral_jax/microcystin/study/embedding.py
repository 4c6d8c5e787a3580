"""Match-up patches through an encoder: embeddings of frozen encoders, and their guess at hidden bands."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.batch import Batch, SensorData
from spectral_jax.config import Config, SensorInput
from spectral_jax.matchups import Matchups
from spectral_jax.microcystin import features
from spectral_jax.model.encoder import encode, spectral_heads
from spectral_jax.objective import spectm
from spectral_jax.sensors import CENTRE_TOLERANCE_NM, nearest_bands

# Rows a call: one compiled program serves any number of rows.
AT_ONCE = 64


def patches(cfg: Config, data: Matchups) -> tuple[str, np.ndarray, np.ndarray]:
    """Match-ups as the encoder takes them.

    Args:
      cfg: of the encoder; its first optical sensor is the match-ups'.
      data: N rows of K x K pixels, K not above the encoder's patch.

    Returns:
      Sensor key; Rrs, sr^-1, float32 [N H W C] in the sensor's used bands, the patch in the upper left corner; and whether a
      pixel is valid, bool [N H W]. Gaps in a spectrum are interpolated, as they are for the other models; pixels without any
      band are invalid.

    Raises:
      ValueError: a band of the sensor is missing, or the patch is larger than the encoder's.
    """
    sensor = _optical(cfg)
    centre = np.asarray(sensor.spec.centre_nm)
    at, away = nearest_bands(data.wavelength_nm, centre)
    if (away > CENTRE_TOLERANCE_NM).any():
        i = int(np.argmax(away))
        raise ValueError(
            f"{data.source}: field 'wavelength' has no band within {CENTRE_TOLERANCE_NM:g} nm of {centre[i]:g} nm, which the "
            f"encoder's sensor {sensor.spec.name} has; its nearest is at {data.wavelength_nm[at[i]]:g} nm."
        )
    side, n, k = cfg.patch_px(sensor.key), len(data), data.rrs.shape[1]
    if k > side:
        raise ValueError(f"{data.source}: patches of {k} x {k} pixels do not fit into the encoder's {side} x {side}.")
    flat = features.filled(data.rrs.reshape(-1, data.rrs.shape[-1])).reshape(data.rrs.shape)[..., at]
    pixels = np.zeros((n, side, side, len(at)), np.float32)
    valid = np.zeros((n, side, side), bool)
    valid[:, :k, :k] = np.isfinite(flat).all(axis=-1)
    pixels[:, :k, :k] = np.where(valid[:, :k, :k, None], flat, 0.0)
    return sensor.key, pixels, valid


def embed(params: dict, cfg: Config, data: Matchups) -> np.ndarray:
    """Embedding of every row, float64 [N D]: the pooled one beside the mean stage-1 token; 0 where a row has no valid pixel.

    Stage 1 keeps what the pooled embedding, made for a whole patch, has given up; probes and fine-tuned heads read both.
    """
    key, pixels, valid = patches(cfg, data)
    run = partial(_embed, params, cfg=cfg, key=key)
    return np.concatenate([run(*part) for part in _parts(pixels, valid)])[: len(data)].astype(np.float64)


def encoded(encoder: dict, pixels: jax.Array, valid: jax.Array, cfg: Config, key: str) -> jax.Array:
    """What `embed` gives, as a pure function of the encoder's parameters: [N H W C], [N H W] to float32 [N D]."""
    out = encode.encode(encoder, _batch(key, pixels, valid), cfg)
    tokens = out.stage1[key].astype(jnp.float32)
    return jnp.concatenate([out.pooled, spectm.token_mean(tokens, jnp.any(tokens != 0, axis=-1))], axis=-1)


def guess_hidden(params: dict, cfg: Config, data: Matchups) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hides the bands of the targeted regions and reads them off the reconstruction head.

    Returns:
      Mean spectrum that the head gives, sr^-1 [N C]; the wavelengths [C]; and which were hidden, bool [C].
    """
    key, pixels, valid = patches(cfg, data)
    spec = cfg.sensor(key).spec
    hidden = np.asarray(spectm.masks.targeted(spec.centre_nm, spectm.regions(cfg)))
    guessed = np.concatenate([_guess(params, *part, hidden, cfg=cfg, key=key) for part in _parts(pixels, valid)])[: len(data)]
    mean, std = (np.asarray(x or default) for x, default in ((spec.mean, (0.0,)), (spec.std, (1.0,))))
    return (guessed * std + mean) * (spec.high - spec.low) + spec.low, np.asarray(spec.centre_nm), hidden


def _optical(cfg: Config) -> SensorInput:
    return next(s for s in cfg.sensors if s.spec.kind == "optical")


def _parts(pixels: np.ndarray, valid: np.ndarray):
    """Stretches of `AT_ONCE` rows, the last filled up with empty ones."""
    for first in range(0, len(pixels), AT_ONCE):
        part = [x[first : first + AT_ONCE] for x in (pixels, valid)]
        missing = AT_ONCE - len(part[0])
        yield [np.concatenate([x, np.zeros((missing, *x.shape[1:]), x.dtype)]) for x in part]


def _batch(key: str, pixels, valid) -> Batch:
    rows = pixels.shape[0]
    return Batch({key: SensorData(pixels, jnp.ones(rows, bool), jnp.zeros(rows, jnp.float32), valid)})


@partial(jax.jit, static_argnames=("cfg", "key"))
def _embed(params, pixels, valid, *, cfg: Config, key: str):
    return encoded(params["encoder"], pixels, valid, cfg, key)


@partial(jax.jit, static_argnames=("cfg", "key"))
def _guess(params, pixels, valid, hidden, *, cfg: Config, key: str):
    masked = {key: jnp.broadcast_to(hidden[None], (len(pixels), len(hidden)))}
    branches, encoded, _ = spectm.encode_masked(params, _batch(key, pixels, valid), masked, cfg)
    spectra = spectral_heads.call(params["spectm"], key, cfg, "spectra", branches[key].stage1, encoded.pooled)
    return spectm.token_mean(spectra, branches[key].valid1)
