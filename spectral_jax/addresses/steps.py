"""Numbered folders of a bucket, each there whole or not at all: it counts as finished by the file that is sent last."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from spectral_jax.addresses import address, bucket, fetched


def finished(where: str, last: str) -> list[int]:
    """Numbers of the finished folders below an address, ascending.

    Args:
      where: the address above them.
      last: name of the file that makes one finished.

    Raises:
      PermissionError, OSError: see `bucket.read`.
    """
    parts = [name.split("/") for name in bucket.sizes(where)]
    return sorted(int(p[0]) for p in parts if len(p) == 2 and p[0].isdigit() and p[1] == last)


def fetch(where: str, number: int, folder: Path) -> None:
    """Copies one finished folder to this machine, where it appears whole; errors as `bucket.read`."""
    source, beside = address.joined(where, str(number)), folder.with_name(f"fetched {folder.name}")
    fetched.folder(source, beside, list(bucket.sizes(source)))
    beside.rename(folder)


def send(folder: Path, where: str, last: str, keep: int) -> None:
    """Sends a finished folder, named by its number, and then removes the oldest beyond the newest `keep`.

    Raises:
      PermissionError, OSError: see `bucket.write`; what was finished before is still there.
    """
    target = address.joined(where, folder.name)
    names = [p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*")) if p.is_file()]
    with ThreadPoolExecutor(fetched.AT_ONCE) as threads:
        list(threads.map(lambda n: bucket.send(folder / n, address.joined(target, n)), [n for n in names if n != last]))
    bucket.send(folder / last, address.joined(target, last))
    for number in finished(where, last)[:-keep]:
        old = address.joined(where, str(number))
        bucket.remove(address.joined(old, last))  # first: what is half removed is not finished
        bucket.remove(old)
