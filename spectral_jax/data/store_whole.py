"""A store that is written beside its place and renamed when complete, so that what stands at a path is whole."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def written_whole(path: Path, what: str) -> Iterator[Path]:
    """Gives the temporary folder to write; it takes its place at `path` when the block ends without an error.

    Args:
      path: a folder that does not exist yet; its parents are made.
      what: what is written, for the sentences.

    Raises:
      FileExistsError: there is something at `path` already.
      OSError: the disk is full, or writing failed otherwise; nothing is left behind.
    """
    if path.exists():
        raise FileExistsError(f"{what}: expected nothing at {path}, and it exists; remove it or take another place.")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    try:
        yield partial
        partial.rename(path)
    except OSError as error:
        _remove(partial)
        raise OSError(
            f"{what}: {path} could not be written, and nothing of it is left there. {error} Free some space or take "
            "another place, then run it again."
        ) from error
    except BaseException:
        _remove(partial)
        raise


def _remove(folder: Path) -> None:
    # Other shards of the failed write may still be on their way to the disk; a folder emptied too early fills again.
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)
