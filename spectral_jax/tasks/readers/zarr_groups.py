"""Tasks in Zarr: one group a split, with images and labels as arrays."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from spectral_jax.data import store
from spectral_jax.tasks.readers import arrays
from spectral_jax.tasks.samples import TaskData
from spectral_jax.tasks.spec import TaskSpec


def zarr_groups(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> TaskData:
    """`train.zarr`, `val.zarr`, `test.zarr` (those that exist), with the arrays and options of `arrays.labelled`.

    Zarr version 2 or 3. An image is read faster where a chunk holds one image or a few.

    Raises:
      FileNotFoundError: no group of the splits asked for.
      ValueError: an array is missing, damaged or of another length, or a code is outside the class list.
    """
    return arrays.labelled(spec, folder, parts, ".zarr", _opened)


@contextlib.contextmanager
def _opened(path: Path):
    yield store.open_arrays(path)
