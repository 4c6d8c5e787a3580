"""What a worker must have to build with others: this version of the package, and the folders."""

import contextlib
import dataclasses
import functools
import hashlib
import importlib.metadata
import os
import platform
from collections.abc import Iterable
from pathlib import Path

from spectral_jax.addresses import address


@dataclasses.dataclass(frozen=True)
class Needed:
    """What a worker must have; it travels with each task, as workers may join later.

    Attributes:
      version: of spectral_jax.
      store: path or address.
      folders: that are read.
    """

    version: str
    store: str
    folders: tuple[str, ...]

    def missing(self) -> str:
        """What this process lacks, as the end of a sentence; empty where it lacks nothing."""
        if self.version != version():
            return f"it has spectral_jax {version()}, and this process {self.version}; install the same on both"
        if not address.is_address(self.store) and not Path(self.store, "zarr.json").is_file():
            return f"it sees no store at {self.store}; give an --out on a disk that all machines share, or gs:// or s3://"
        unseen = next((folder for folder in self.folders if not os.path.exists(folder)), "")
        return f"it does not see the folder {unseen}; products must lie on a disk that all machines share" if unseen else ""


@functools.cache
def version() -> str:
    """Of spectral_jax and Python, with eight hexadecimal digits of the code that reads and writes."""
    package = Path(__file__).resolve().parents[2]
    files = [*package.glob("*.py"), *(f for room in ("data", "ingest") for f in package.joinpath(room).rglob("*.py"))]
    code = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).hexdigest()[:8]
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # a checkout that is not installed
        code = f"{importlib.metadata.version('spectral-jax')}, code {code}"
    return f"{code} on Python {'.'.join(platform.python_version_tuple()[:2])}"


def of(store: str, folders: Iterable[str]) -> Needed:
    """What a build of a store from some folders needs."""
    return Needed(version(), store, tuple(str(Path(folder).resolve()) for folder in folders))
