"""A copy on this machine of what lies at an address, for readers that know files alone."""

import atexit
import functools
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from spectral_jax.addresses import address, bucket

AT_ONCE = 8  # files that are under way together


@functools.cache
def copy(where: str) -> Path:
    """The path of a copy, which this process makes once and removes when it ends.

    Args:
      where: address of a file, or in a bucket of a folder.

    Raises:
      FileNotFoundError: there is nothing.
      PermissionError, OSError: see `bucket.read`.
    """
    place = _own_folder() / f"{len(list(_own_folder().iterdir()))}" / address.last(where)
    if address.scheme(where) not in address.WRITTEN or bucket.is_file(where):
        bucket.fetch(where, place)
        return place
    files = bucket.sizes(where)
    if not files:
        raise FileNotFoundError(f"{where} does not exist: there is no file there, and none below it; look at the address.")
    folder(where, place, list(files))
    return place


def folder(where: str, place: Path, names: list[str]) -> None:
    """Copies files below an address into a folder of this machine.

    Raises:
      ValueError: a name would lie outside the folder.
      PermissionError, OSError: see `bucket.read`.
    """
    inside = place.resolve()
    for name in names:
        if not (inside / name).resolve().is_relative_to(inside):
            raise ValueError(f"{where}: the name {name!r} leads out of the folder; remove that object.")
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(lambda name: bucket.fetch(address.joined(where, name), place / name), names))


@functools.cache
def _own_folder() -> Path:
    made = Path(tempfile.mkdtemp(prefix="spectral_jax_fetched_"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made
