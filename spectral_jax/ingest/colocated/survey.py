"""Every product opened once: what it is, where and when it saw, and why some are left out."""

import collections
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spectral_jax import places
from spectral_jax.ingest.colocated import footprints
from spectral_jax.ingest.colocated.footprints import Footprint
from spectral_jax.ingest.colocated.wanted import ALIKE, SENSORS, Wanted
from spectral_jax.ingest.downloaded import folders, landsat
from spectral_jax.ingest.downloaded.product import DownloadedProduct
from spectral_jax.ingest.downloaded.recognise import matches, open_product
from spectral_jax.ingest.masks.finder import BLANK, FLAG, CloudFinder
from spectral_jax.ingest.patches.products.delivered import KEYS
from spectral_jax.ingest.raster import earth, geotiff
from spectral_jax.sensors import SensorSpec

# The sensor to ask a Landsat product for, once more, beside that of its name.
THERMAL = "landsat_st"
# Two products of one sensor are one observation processed twice where their times and middles differ by no more. Times of one
# granule are equal to a second; neighbours in a swath are 30 km and more apart.
SAME_SECONDS, SAME_METRES = 1.0, 2_000.0


@dataclasses.dataclass(frozen=True)
class Sighting:
    """A product that was opened and closed again.

    Attributes:
      path: that `open_product` takes.
      name: of the product.
      key: sensor key in a store.
      spec: the sensor whose numbers the store gets.
      time_days: start of the observation, days since 2000-01-01 UTC.
      footprint: where its pixels lie.
      version: processing baseline, then name: greater is newer.
      provenance: what is kept beside the pixels.
      flags: whether its quality layers, or a model beside them, tell cloud.
    """

    path: Path
    name: str
    key: str
    spec: SensorSpec
    time_days: float
    footprint: Footprint = dataclasses.field(compare=False, repr=False)
    version: tuple[str, str]
    provenance: Mapping[str, object] = dataclasses.field(compare=False, repr=False)
    flags: bool

    @property
    def date(self) -> str:
        """Time of the observation, ISO, to the second, UTC."""
        return str((geotiff.EPOCH + np.timedelta64(round(self.time_days * 86400e3), "ms")).astype("datetime64[s]"))


class LeftOut(NamedTuple):
    """A product that no location gets.

    Attributes:
      name: of the product, or its path where it has none.
      key: sensor key; empty where it is not known.
      reason: in few words, by which such products are counted.
      sentence: what is wrong, and what to do.
    """

    name: str
    key: str
    reason: str
    sentence: str


DAMAGED = "cannot be read"


def survey(
    wanted: Wanted, report: Callable[[str], None], masked: CloudFinder | None = None
) -> tuple[list[Sighting], list[LeftOut]]:
    """Opens every product of the folders.

    Args:
      wanted: the folders, and the sensors that a store may hold.
      report: takes one line of progress.
      masked: gives products the flags of models; None: as `wanted` asks for.

    Returns:
      Products of use by time, and those that are left out.

    Raises:
      FileNotFoundError: a folder is missing, or none holds a product.
      ImportError: a library is missing that a product needs.
      ValueError: a folder is at an address.
    """
    seen: list[Sighting] = []
    out: list[LeftOut] = []
    masked = masked or CloudFinder(wanted.mask)
    # Patches are read wherever they are sent, from whatever working folder.
    paths = folders.products([places.here(folder, "--folder").absolute() for folder in wanted.folders], "folder")
    for path in paths:
        for sensor in _asked(path, wanted):
            try:
                with open_product(path, sensor=sensor) as product:
                    _probe(product)
                    seen.append(_sighting(masked(product), path))
            except (ValueError, OSError) as error:
                out.append(LeftOut(path.name, "LT" if sensor else "", DAMAGED, str(error)))
    unwanted = [one for one in seen if one.key not in wanted.sensors]
    out += [LeftOut(x.name, x.key, "sensor not asked for", f"--sensors leaves {x.key} out.") for x in unwanted]
    seen = [one for one in seen if one.key in wanted.sensors]
    seen, twice = _newest(seen)
    seen, others = _of_one_satellite(seen, wanted)
    report(f"{len(paths)} products found, {len(seen)} of use as {_counted(seen)}")
    return sorted(seen, key=lambda one: (one.time_days, one.name, one.key)), [*out, *twice, *others]


def _asked(path: Path, wanted: Wanted) -> tuple[str | None, ...]:
    """The sensors that a product is opened as: its own, and of Landsat's that have it the surface temperature."""
    named = [one for one in matches(path.name) if one.reader is landsat]
    if not named or "_L2SP_" not in named[0].name.upper() or not named[0].name.upper().startswith("LC"):
        return (None,)
    return tuple(spec for key, spec in (("LO", None), ("LT", THERMAL)) if key in wanted.sensors) or (None,)


def _sighting(product: DownloadedProduct, path: Path) -> Sighting:
    days = geotiff.days_of(product.time)
    said = product.provenance
    version = str(said.get("baseline") or said.get("version") or ""), product.name
    if FLAG in product.flags:
        said = dict(said) | {FLAG: product.flags[FLAG]}
    return Sighting(
        path, product.name, KEYS[product.spec.name], product.spec, days, footprints.of(product), version, said,
        any(flag not in BLANK for flag in product.dropped),
    )  # fmt: skip


def _probe(product: DownloadedProduct) -> None:
    """Reads two pixels of two bands, the first and the last: a file that ends too early has lost the last."""
    height, width = product.shape
    for row, column in ((0, 0), (height - 1, width - 1)):
        window = slice(row, row + 1), slice(column, column + 1)
        product.read(*window, bands=[0, len(product.bands) - 1])
        product.flagged(*window)


def _newest(seen: Sequence[Sighting]) -> tuple[list[Sighting], list[LeftOut]]:
    """Of one observation that was processed several times, the newest."""
    kept: list[Sighting] = []
    out: list[LeftOut] = []
    of_key = collections.defaultdict(list)
    for one in seen:
        of_key[one.spec.name].append(one)
    for several in of_key.values():
        several.sort(key=lambda one: one.version, reverse=True)
        newer: list[Sighting] = []
        for one in several:
            twin = next((other for other in newer if _same(one, other)), None)
            if twin is None:
                newer.append(one)
                continue
            out.append(LeftOut(one.name, one.key, "processed again", f"{twin.name} shows the same, processed later or alike."))
        kept += newer
    return kept, out


def _same(one: Sighting, other: Sighting) -> bool:
    if abs(one.time_days - other.time_days) * 86400.0 > SAME_SECONDS:
        return False
    middles = [x.footprint.ring.mean(axis=0) for x in (one, other)]
    return float(earth.distance_m(*middles)) <= SAME_METRES


def _of_one_satellite(seen: Sequence[Sighting], wanted: Wanted) -> tuple[list[Sighting], list[LeftOut]]:
    """One sensor of a store has one spec: that with most products of a key, the first of `KEYS` where several have."""
    kept: list[Sighting] = []
    out: list[LeftOut] = []
    for key in dict.fromkeys(one.key for one in seen):
        mine = [one for one in seen if one.key == key]
        counts = collections.Counter(one.spec.name for one in mine)
        name = max(counts, key=lambda spec: (counts[spec], -ALIKE[key].index(spec)))
        spec = next(one.spec for one in mine if one.spec.name == name)
        for one in mine:
            if one.spec.name == name or wanted.satellites == "alike":
                kept.append(dataclasses.replace(one, spec=spec))
                continue
            out.append(LeftOut(
                one.name, key, "another satellite",
                f"the store's {key} is {name}, of which there are most ({counts[name]} of {len(mine)}), and its bands are not "
                f"those of {one.spec.name}; build a store of its own, or take all alike with --satellites=alike.",
            ))  # fmt: skip
    return kept, out


def _counted(seen: Sequence[Sighting]) -> str:
    counts = collections.Counter(one.key for one in seen)
    return ", ".join(f"{key} ({counts[key]})" for key in SENSORS if counts[key]) or "none"
