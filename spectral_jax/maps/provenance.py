"""What the tags of a map say of where it is from."""

import hashlib
import importlib.metadata
import json
from pathlib import Path

import jax
import numpy as np

from spectral_jax.ingest.raster import geotiff
from spectral_jax.interop.names import flatten
from spectral_jax.maps.observed import Observed
from spectral_jax.maps.windows import Seams


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
    time = None if observed.time_days is None else geotiff.EPOCH + np.timedelta64(round(observed.time_days * 86400), "s")
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


def measured(seams: Seams, share: float) -> dict[str, str]:
    """Tags of what is known once a map is written: the share of its cells with data, and how visible windows are."""
    return {"VALID_SHARE": f"{share:.6f}", "SEAM_RATIO": seams.text}


def pace(shape: tuple[int, int], seconds: float) -> dict[str, str]:
    """Facts for the page: the seconds that a scene of H x W pixels took."""
    return {"SECONDS": f"{seconds:.1f}", "PIXELS_PER_SECOND": f"{np.prod(shape) / seconds:.0f}"}
