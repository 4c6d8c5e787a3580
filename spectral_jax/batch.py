"""Batch: the pytree that travels from the loader to the model, and how stored numbers become model input.

Integers travel to the device as they are stored; `decode` scales, masks and normalises them there.
"""

import dataclasses

import jax
import jax.numpy as jnp

from spectral_jax.sensors import SensorSpec
from spectral_jax.shapes import check

BATCH_AXES = ("data", "fsdp")  # mesh axes over which the locations of a batch are split


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SensorData:
    """What one sensor saw.

    Attributes:
      pixels: [B H W C], the sensor's used bands. Integers are stored numbers, scaled by the sensor's spec; floats are in the
        spec's physical unit already, NaN where missing.
      present: [B] bool, False where the location has no usable date of this sensor.
      time: [B] float32, days since 2000-01-01 UTC; 0 where absent.
      valid: [B H W] bool, or None: a pixel is then valid when all its bands hold data (not nodata, not NaN, in range).
    """

    pixels: jax.Array
    present: jax.Array
    time: jax.Array
    valid: jax.Array | None = None


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Batch:
    """Co-located patches of several sensors.

    Attributes:
      sensors: sensor key -> `SensorData`; the keys are those of the config's sensors, or some of them.
      location: [B] int32, row of the location in its group of the store.
      group: [B] int32, number of the group in the store.
      later: sensor key -> the same patch some days later, where the run asks for it (`data.lead_days`).
      other: sensor key -> the same patch at another date, where the run asks for it (`views.dates`); again at the same
        date where the place has no other.
    """

    sensors: dict[str, SensorData]
    location: jax.Array | None = None
    group: jax.Array | None = None
    later: dict[str, SensorData] | None = None
    other: dict[str, SensorData] | None = None

    @property
    def size(self) -> int:
        """Number of locations B."""
        return next(iter(self.sensors.values())).pixels.shape[0]


def physical(pixels: jax.Array, spec: SensorSpec) -> tuple[jax.Array, jax.Array]:
    """Stored numbers to physical units.

    Args:
      pixels: [B H W C], integers as stored or floats in `spec.unit`.
      spec: the sensor; C is its number of used bands.

    Returns:
      Values in `spec.unit`, float32 [B H W C], 0 where missing; and which pixels hold data in every band, bool [B H W].

    Raises:
      ValueError: C is not the number of used bands.
    """
    check(pixels, "B H W C", f"pixels of {spec.name}", {"C": len(spec.used)})
    stored = jnp.issubdtype(pixels.dtype, jnp.integer)
    values = pixels.astype(jnp.float32)
    good = jnp.isfinite(values)
    if stored:
        if spec.nodata is not None:
            good &= pixels != jnp.asarray(spec.nodata, pixels.dtype)
        values = values * jnp.float32(spec.scale) + jnp.float32(spec.offset)
    if spec.valid_range is not None:
        good &= (values >= spec.valid_range[0]) & (values <= spec.valid_range[1])
    valid = jnp.all(good, axis=-1)
    return jnp.where(valid[..., None], values, 0.0), valid


def decode(data: SensorData, spec: SensorSpec) -> tuple[jax.Array, jax.Array]:
    """Stored numbers to what the model sees: normalised values, float32 [B H W C], and validity, bool [B H W].

    Absent samples are invalid everywhere; invalid pixels hold 0.
    """
    values, valid = physical(data.pixels, spec)
    if data.valid is not None:
        valid &= data.valid
    valid &= data.present[:, None, None]
    values = jnp.clip((values - spec.low) / (spec.high - spec.low), 0.0, 1.0)
    if spec.mean or spec.std:
        mean, std = (spec.mean or (0.0,)), (spec.std or (1.0,))
        values = (values - jnp.float32([[[mean]]])) / jnp.float32([[[std]]])
    return jnp.where(valid[..., None], values, 0.0), valid
