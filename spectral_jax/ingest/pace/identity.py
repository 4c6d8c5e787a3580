"""What a file is: product, version and time, told by what is in it."""

import dataclasses
import re
from pathlib import Path

import numpy as np

from spectral_jax.ingest.facts import facts
from spectral_jax.ingest.pace import start
from spectral_jax.ingest.pace.file import find, text

_NAME_VERSION = re.compile(r"\.V(\d+)_(\d+)\.")
_OCI = ("OCI", "OCEAN COLOR INSTRUMENT")
# Variables beside the spectra whose names begin like theirs.
_BESIDE = re.compile(r"_?(unc|uncertainty|std|sd|err|error|flags?|mask|count|nobs)", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Identity:
    """What a file says it is.

    Attributes:
      path: the file.
      granule: its name as the archive gave it.
      product: `aop` (Level-2 Rrs), `sfrefl` (Level-2 rhos) or `l3m` (Level-3 mapped Rrs).
      version: of the processing, such as 3.1.
      near_real_time: made from predicted ancillary data, to be replaced by a final file of the same scene.
      time: start of the observation, UTC, datetime64[s].
    """

    path: Path
    granule: str
    product: str
    version: str
    near_real_time: bool
    time: np.datetime64


def identify(file, path: Path) -> Identity:
    """Product, version and time of an open file, from its variables and attributes, and from its name where they are silent.

    Raises:
      ValueError: it is not of PACE OCI, of another product, of a version that is not read, or without a time.
    """
    title, said = text(file.attrs.get("title")), text(file.attrs.get("product_name"))
    # A user's path is believed first: archives name near-real-time files, the attribute does not always.
    granule = next((name for name in (path.name, said) if start.NAME.search(name)), path.name)
    _check_sensor(file, path, title, granule)
    product, version = _product(file, path, title), _version(file, path, granule)
    time = start.of(text(file.attrs.get("time_coverage_start")), granule, str(path))
    return Identity(
        path=path, granule=granule, product=product, version=version, near_real_time=".NRT" in granule.upper(), time=time,
    )  # fmt: skip


def _check_sensor(file, path: Path, title: str, granule: str) -> None:
    instrument, platform = (text(file.attrs.get(name)).strip() for name in ("instrument", "platform"))
    other = (instrument and instrument.upper() not in _OCI) or (platform and platform.upper() != "PACE")
    if other or not (instrument or "OCI" in title.split() or start.NAME.search(granule)):
        raise ValueError(
            f"{path}: expected a file of PACE OCI, and its attributes 'instrument' and 'title' say {instrument!r} and {title!r}"
            f"{f', its platform {platform!r}' if platform else ''}."
        )


def _product(file, path: Path, title: str) -> str:
    for product, layout in facts("pace_oci")["variables"].items():
        if find(file, f"{layout['group']}/{layout['variable']}".lstrip("/")) is not None:
            _check_alone(file, path, layout["variable"])
            return product
    group = file.groups.get("geophysical_data", file)
    names = ", ".join(sorted(group.variables)[:6]) or "nothing"
    raise ValueError(
        f"{path}: expected PACE OCI Level-2 AOP (geophysical_data/Rrs), Level-2 SFREFL (geophysical_data/rhos) or Level-3 "
        f"mapped Rrs; this file's title is {title!r} and it holds {names}.{_level(file, path, title)}"
    )


def _check_alone(file, path: Path, name: str) -> None:
    """Refuses a file with several variables that could be the spectra."""
    rooms = {"": file.variables, **{group: file.groups[group].variables for group in file.groups}}
    spectra = [
        f"{room}/{own}".lstrip("/")
        for room, variables in rooms.items()
        for own in variables
        if own.lower().startswith(name.lower()) and not _BESIDE.match(own[len(name) :]) and len(variables[own].shape) == 3
    ]
    if len(spectra) > 1:
        raise ValueError(
            f"{path}: expected one variable of {name}, and the file has {len(spectra)}: {', '.join(spectra)}; keep the one "
            "that is meant, in a file of its own."
        )


def _level(file, path: Path, title: str) -> str:
    """What a file of another level of processing is, as a sentence; empty where nothing tells."""
    says = f"{title} {text(file.attrs.get('processing_level'))} {path.name} {text(file.attrs.get('product_name'))}"
    if "level-3_binned_data" in file.groups or re.search(r"L3b\b|Level-3 Binned", says):
        return " It is a Level-3 binned file, whose bins have no rows and columns; fetch the mapped one (L3m)."
    if re.search(r"L1[ABC]\b|Level-1[ABC]?\b", says) or "observation_data" in file.groups:
        level = "Level-1C" if re.search(r"L1C|Level-1C", says) else "Level-1"
        return (
            f" It is a {level} file, of light at the top of the atmosphere; fetch Level 2, which has the water's reflectance."
        )
    return ""


def _version(file, path: Path, granule: str) -> str:
    said = text(file.attrs.get("processing_version"))
    parts = re.match(r"\s*[vV]?(\d+)(?:[._](\d+))?", said) or _NAME_VERSION.search(granule)
    if parts is None:
        raise ValueError(
            f"{path}: expected the attribute 'processing_version' or a name with .V3_0., got {said!r} and {granule!r}; the "
            "layout depends on the version."
        )
    major, minor = int(parts[1]), int(parts[2] or 0)
    known = facts("pace_oci")["major_versions"]
    if major not in known:
        raise ValueError(
            f"{path}: expected PACE processing version {' or '.join(f'{v}.x' for v in known)}, got {major}.{minor} (attribute "
            "'processing_version', or the name); fetch the granule in a newer version."
            + (" This version came after these readers." if major > max(known) else "")
        )
    return f"{major}.{minor}"
