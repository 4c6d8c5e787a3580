"""The models that are kept in the package: each a folder of `data_specs/models` that is loaded by name.

model.json holds the run's config, what it was trained on and the checksum of its numbers; encoder.safetensors the encoder's
parameters by path; readout.safetensors, beside them, what makes 64 whole numbers of 8 bits of an embedding (`readout`).
"""

import hashlib
import json
from pathlib import Path

import jax
import numpy as np

from spectral_jax import configure, spec_files
from spectral_jax.config import Config
from spectral_jax.interop import safetensors_file
from spectral_jax.interop.names import flatten, nest
from spectral_jax.model import given
from spectral_jax.model.encoder import encode
from spectral_jax.released.compact import Compact
from spectral_jax.sentences import closest

ENCODER, READOUT, ABOUT = "encoder.safetensors", "readout.safetensors", "model.json"


def names() -> list[str]:
    """Names of the models."""
    return sorted(path.parent.name for path in spec_files.folder("models").glob(f"*/{ABOUT}"))


def is_name(path: str | Path) -> bool:
    """Whether a text can only mean a model of the package: no place of this machine, and one word."""
    return len(Path(path).parts) == 1 and not Path(path).exists()


def folder(name: str | Path) -> Path:
    """The folder of a model.

    Raises:
      ValueError: no model has the name; the sentence tells the closest.
    """
    if str(name) not in names():
        raise ValueError(
            f"{str(name)!r} is neither a folder here nor a model of the package; the models are, closest first: "
            f"{closest(name, names()) or 'none'}. A run of one's own is given by its work folder."
        )
    return spec_files.folder("models") / str(name)


def load(name: str | Path) -> tuple[Config, dict]:
    """The config and the parameters of a model, `{"encoder": ...}`, float32.

    Raises:
      ValueError: no model has the name, or its files are not as they were written.
    """
    place, about = _opened(name)
    cfg = configure.from_json(json.dumps(about["config"]), where=str(place / ABOUT))
    flat = safetensors_file.read(place / ENCODER)
    expected = flatten(jax.eval_shape(lambda: encode.init_encoder(jax.random.key(0), cfg)))
    if {key: x.shape for key, x in flat.items()} != {key: x.shape for key, x in expected.items()}:
        raise ValueError(f"{place / ENCODER}: its parameters are not those of {place / ABOUT}; install the package again.")
    params = nest(flat)
    given.check(params, cfg)
    return cfg, {"encoder": jax.tree.map(jax.numpy.asarray, params)}


def readout(name: str | Path) -> Compact:
    """What makes 64 numbers of 8 bits of a model's embedding: `compact.compact`.

    Raises:
      ValueError: no model has the name, or its files are not as they were written.
    """
    place, about = _opened(name)
    held = safetensors_file.read(place / READOUT)
    return Compact(about["readout"]["level"], *(jax.numpy.asarray(held[name]) for name in Compact._fields[1:]))


def write(place: Path, cfg: Config, encoder: dict, compact: Compact, about: dict) -> None:
    """Writes a model's folder.

    Args:
      place: the folder; it is made where it is missing.
      cfg: of the run.
      encoder: its parameters.
      compact: of the same encoder.
      about: what else model.json says: of the data, the cost, the command.

    Raises:
      OSError: it cannot be written.
    """
    place.mkdir(parents=True, exist_ok=True)
    flat = {key: np.asarray(x, np.float32) for key, x in sorted(flatten(encoder).items())}
    safetensors_file.write(place / ENCODER, flat)
    safetensors_file.write(place / READOUT, {key: np.asarray(x) for key, x in compact._asdict().items() if key != "level"})
    said = about | {
        "readout": {"level": compact.level},
        "sha256": {part: _sum(place / part) for part in (ENCODER, READOUT)},
        "config": json.loads(configure.to_json(cfg)),
    }
    (place / ABOUT).write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _opened(name: str | Path) -> tuple[Path, dict]:
    """A model's folder and what it says of itself, its files as they were written."""
    place = folder(name)
    about = json.loads((place / ABOUT).read_text(encoding="utf-8"))
    for part, expected in about["sha256"].items():
        path = place / part
        found = _sum(path) if path.is_file() else "no such file"
        if found != expected:
            raise ValueError(f"{path}: expected the SHA-256 {expected[:12]}..., got {found[:12]}; install the package again.")
    return place, about
