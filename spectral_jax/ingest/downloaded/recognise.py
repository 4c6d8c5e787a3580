"""Which product a path is, told by the names that agencies give: the one way in."""

import contextlib
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from spectral_jax.ingest.downloaded import desis, emit, enmap, landsat, prisma, sentinel1, sentinel2
from spectral_jax.ingest.downloaded.files import archive
from spectral_jax.ingest.downloaded.files.archive import Files
from spectral_jax.ingest.downloaded.product import DownloadedProduct

# Modules with a KIND, a NAME (a regular expression) and `opened`.
READERS: tuple[Any, ...] = (enmap, sentinel2, landsat, emit, prisma, desis, sentinel1)
# Names of what has another reader, or none, and what to do with it.
OTHERS = {
    r"PACE_OCI\..*": "PACE OCI, whose swath has no grid: read it with spectral_jax.ingest.pace.read",
    r"S1[ABCD]_\w\w_(GRD|SLC)\w_.*": "Sentinel-1 before terrain correction: fetch RTC of Planetary Computer, HyP3 or OPERA",
    r"ECO.*_L2T_LSTE_.*": "ECOSTRESS, which has no reader yet",
}


class Recognised(NamedTuple):
    """What a path was taken for.

    Attributes:
      reader: the module that opens it.
      name: of the product.
    """

    reader: Any
    name: str


def open_product(path: str | os.PathLike, *, member: str | None = None, sensor: str | None = None) -> DownloadedProduct:
    """Opens a product as its agency delivers it: EnMAP, Sentinel-2, Landsat, EMIT, PRISMA, DESIS or Sentinel-1 RTC.

    Scale, offset, fill, wavelengths and widths are those of the product's own metadata; they are compared with the sensor's
    spec, and what cannot be is refused.

    Args:
      path: the product's folder, ZIP or tar, or one of its files, which stands for all.
      member: a part of the name of one of several products in an archive or folder.
      sensor: the spec whose numbers `stored` gives, where a product is of several: `landsat_st` for the surface temperature of
        a Landsat product. None: the sensor that the product's name says, of Landsat the optical one.

    Returns:
      The open product; use it in a `with`, or close it.

    Raises:
      ImportError: rasterio, or h5py for EMIT and PRISMA, is not installed.
      FileNotFoundError: there is no such path, or a file of the product is missing.
      ValueError: the path holds no product or several, a damaged one, one of another level, or one whose metadata contradicts
        the sensor's spec or itself.
    """
    stack = contextlib.ExitStack()
    try:
        files = archive.found(Path(path), stack, member)
        reader, name = recognised(files)
        return reader.opened(files, name, stack, sensor)
    except BaseException as error:
        stack.close()
        if isinstance(error, UnicodeDecodeError):  # of GDAL's tags
            raise ValueError(
                f"{path}: a file of it holds text that is none ({error}); it is damaged: fetch it again."
            ) from error
        raise


def recognised(files: Files) -> Recognised:
    """The one product among some files.

    Raises:
      ValueError: there is none, or several; the sentence says what was found.
    """
    given = files.given.name if files.given.is_file() else ""
    found = list(dict.fromkeys(matches(given) or [x for name in files.names for x in matches(name)]))
    if not found:
        # A SAFE whose inner file was given has its name above.
        found = list(dict.fromkeys(x for part in files.given.resolve().parts for x in matches(part)))[-1:]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(one.name for one in found[:4])
        raise ValueError(
            f"{files.given} holds {len(found)} products: {names}{' and others' if len(found) > 4 else ''}; give the path of "
            "one, or a part of its name as `member`."
        )
    for pattern, what in OTHERS.items():
        if any(re.match(pattern, part) for name in (*files.names, files.given.name) for part in name.split("/")):
            raise ValueError(f"{files.given} is of {what}.")
    kinds = ", ".join(reader.KIND for reader in READERS)
    listed = ", ".join(name.rpartition("/")[2] for name in files.names[:4]) or "no file"
    raise ValueError(
        f"{files.given}: expected a product with the names that its agency gives ({kinds}), and it holds {listed}; GeoTIFF "
        "tiles with band tags are read by tools/build_store.py."
    )


def matches(name: str) -> list[Recognised]:
    """The products that a path names, of each reader at most one: the last part of the path that does."""
    out = []
    for reader in READERS:
        for part in reversed(name.split("/")):
            match = reader.NAME.match(part)
            if match:
                out.append(Recognised(reader, match[0]))
                break
    return out
