"""Whether a spectrum seen by a sensor that was never shown finds its own embedding: top-1 among 61 simulated places.

The same ground is seen through the trained sensor's bands, through PRISMA's and through 60 even ones, without noise or
atmosphere: what differs is the sensor alone. Only encoders with a branch for any optical sensor can be asked.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.batch import Batch, SensorData
from spectral_jax.config import Config
from spectral_jax.model import given
from spectral_jax.model.encoder import encode, readout
from spectral_jax.sensors import Band, SensorSpec
from spectral_jax.simulate.scenes import layout, sensing
from spectral_jax.simulate.scenes.location import draw_ground
from spectral_jax.simulate.scenes.site import endmember_spectra

PLACES = 61  # as in the measurement that this one repeats; by chance 1 in 61 is found
EVEN_BANDS, EVEN_NM = 60, (420.0, 2400.0)
Found = dict[str, dict[str, dict[str, float]]]  # sensor -> level -> "raw" and "centred" -> share


def others(spec: SensorSpec) -> dict[str, SensorSpec]:
    """Sensors that are never shown, at the pixel size of `spec`; 60 bands as wide as they are apart."""
    centres = np.linspace(*EVEN_NM, EVEN_BANDS)
    width = float(centres[1] - centres[0])
    even = SensorSpec(
        name="even_60_bands", kind="optical", quantity=spec.quantity, unit=spec.unit, gsd_m=spec.gsd_m, dtype="float32",
        bands=tuple(Band(f"{nm:.0f}", float(nm), width) for nm in centres), low=spec.low, high=spec.high,
    )  # fmt: skip
    return {"PRISMA": dataclasses.replace(SensorSpec.load("prisma_l2d"), gsd_m=spec.gsd_m), "60 bands": even}


def top1(params: dict, cfg: Config, key: str, seed: int) -> Found:
    """For every other sensor and level, the share of 61 places whose own embedding by sensor `key` is the nearest.

    Args:
      params: of a run.
      cfg: of it.
      key: the trained sensor.
      seed: of the simulator; one that the run has not seen.

    Returns:
      See `Found`; cosine of embeddings as they are ("raw"), and minus the mean of each sensor's ("centred").

    Raises:
      ValueError: the encoder takes no other sensor.
    """
    sensor = cfg.sensor(key)
    if not sensor.any_sensor:
        raise ValueError(
            f"{cfg.name}: the {sensor.tokenizer} tokenizer of {key} takes no sensor but the one it was trained for; train with "
            "the wavelength tokenizer, or a stem of spectral.estimate.through, to ask how unseen sensors fare."
        )
    embed = functools.partial(_embedded, params, cfg, key, seed)
    own = embed(sensor.spec)
    out: Found = {}
    for name, spec in others(sensor.spec).items():
        other = embed(spec)
        out[name] = {
            level: {"raw": nearest(x, other[level]), "centred": nearest(*_centred(x, other[level]))} for level, x in own.items()
        }
    return out


def nearest(own: np.ndarray, other: np.ndarray) -> float:
    """Share of rows of `other` [N D] to which, by cosine, the same row of `own` [N D] is the nearest."""
    a, b = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (own, other))
    return float((np.argmax(b @ a.T, axis=1) == np.arange(len(a))).mean())


def seen_by(spec: SensorSpec, seed: int, index: int, footprint_m: float) -> np.ndarray:
    """One simulated place through the used bands of a sensor, reflectance [h w C]: no noise, blur, slope or atmosphere."""
    _, site, ground, states = draw_ground(seed, "other_sensors", index, footprint_m, 1)
    bands = sensing.in_bands(endmember_spectra(site, states)[0], spec)[:, list(spec.used_index)]
    weights = layout.sampling_weights(len(ground), spec.gsd_m, 0.0)
    return layout.resample(ground, weights, weights) @ bands


def text(found: Found) -> str:
    """Lines for a terminal."""
    lines = [f"Top-1 of {PLACES} SIMULATED places seen through a sensor that was never shown (by chance {1 / PLACES:.2f}):"]
    for name, by_level in found.items():
        lines += [f"  {name:<9s} {level:<9s} raw {x['raw']:.2f}  centred {x['centred']:.2f}" for level, x in by_level.items()]
    return "\n".join(lines)


def _centred(own: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return own - own.mean(axis=0), other - other.mean(axis=0)


def _embedded(params: dict, cfg: Config, key: str, seed: int, spec: SensorSpec) -> dict[str, np.ndarray]:
    encoder = params["encoder"]
    shown, encoder = (cfg, encoder) if spec == cfg.sensor(key).spec else given.added(encoder, cfg, key, spec)
    pixels = np.stack([seen_by(spec, seed, i, cfg.model.footprint_m) for i in range(PLACES)]).astype(np.float32)
    batch = Batch({key: SensorData(jnp.asarray(pixels), jnp.ones(PLACES, bool), jnp.zeros(PLACES))})
    embed = jax.jit(lambda params, batch: readout.summaries(encode.encode(params, batch, shown), (key,)))
    vectors = embed(encoder, batch)
    return {level: np.asarray(vectors[level], np.float64) for level in readout.NAMES if level in vectors}
