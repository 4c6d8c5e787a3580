"""Products in folders of any depth: which paths are one, by the names that agencies give."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from spectral_jax.ingest.downloaded.recognise import matches

_ARCHIVE = re.compile(r".*\.(zip|tar|tgz|tar\.gz)$", re.IGNORECASE)


def products(folders: Sequence[str | os.PathLike], flag: str) -> list[Path]:
    """Paths that `open_product` takes, in the order of their names: folders of products, archives, and single files.

    A file stands for all files of its product in its folder, so that scenes may lie beside each other in one. Archives are
    taken whatever their name, as agencies pack orders under names of their own.

    Args:
      folders: where to look, and in all folders below.
      flag: of a command that named them, without its dashes, for the sentences.

    Raises:
      FileNotFoundError: no such folder, or no product in any of them.
    """
    found: list[Path] = []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise FileNotFoundError(f"--{flag}: expected a folder of products, and {folder} is not a folder.")
        found += _below(folder)
    if not found:
        raise FileNotFoundError(
            f"--{flag}: no product is in {' or '.join(map(str, folders))}, nor below: no folder or file has a name that an "
            "agency gives (EnMAP, EMIT, DESIS, PRISMA, Sentinel-2, Landsat, Sentinel-1 RTC), and there is no archive."
        )
    return list(dict.fromkeys(found))


def _below(folder: Path) -> Iterator[Path]:
    loose: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__")):
            continue
        named = matches(path.name)
        if path.is_dir():
            if named:
                yield path
            else:
                yield from _below(path)
        elif _ARCHIVE.match(path.name):
            yield path
        elif named:
            loose.setdefault(named[0].name, path)
    yield from loose.values()
