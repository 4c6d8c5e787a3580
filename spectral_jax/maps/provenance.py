"""What the tags of a map say of where it is from."""

import hashlib
import importlib.metadata
import json
from pathlib import Path

import jax
import numpy as np

from spectral_jax.interop.names import flatten
from spectral_jax.maps.observed import Observed

EPOCH = np.datetime64("2000-01-01T00:00:00")


def digest(params: dict) -> str:
    """Sixteen hexadecimal digits of an encoder's parameters: two that differ in one number have others."""
    found = hashlib.sha256()
    for name, value in sorted(flatten(jax.tree.map(np.asarray, params)).items()):
        found.update(f"{name} {value.dtype} {value.shape}".encode())
        found.update(np.ascontiguousarray(value).tobytes())
    return found.hexdigest()[:16]


def version() -> str:
    """Of this package."""
    return importlib.metadata.version("spectral-jax")


def tags(observed: Observed, encoder: str, params: dict) -> dict[str, str]:
    """Tags that every map has.

    Args:
      observed: the scene.
      encoder: as the user named it; of a folder its last name.
      params: of the encoder.
    """
    time = None if observed.time_days is None else EPOCH + np.timedelta64(round(observed.time_days * 86400), "s")
    return {
        "SOFTWARE": f"spectral_jax {version()}",
        "SOURCE_FILE": observed.path.name,
        "SOURCE_TIME": "unknown" if time is None else f"{time}Z",
        "SOURCE_BANDS": observed.told,
        "ENCODER": Path(encoder).name,
        "ENCODER_SHA256": digest(params),
        "SENSOR": observed.spec.name,
        "SENSOR_SPEC": json.dumps(observed.spec.to_dict(), sort_keys=True),
        "SIMULATED": "true" if observed.simulated else "false",
    }
