"""Tasks in HDF5: one file a split, with images and labels as arrays."""

from collections.abc import Sequence
from pathlib import Path

from spectral_jax.sentences import needs
from spectral_jax.tasks.readers import arrays
from spectral_jax.tasks.samples import TaskData
from spectral_jax.tasks.spec import TaskSpec


def hdf5(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> TaskData:
    """`train.h5`, `val.h5`, `test.h5` (those that exist), with the arrays and options of `arrays.labelled`.

    Raises:
      FileNotFoundError: no file of the splits asked for.
      ImportError: h5py is not installed.
      ValueError: an array is missing or of another length, or a code is outside the class list.
    """
    return arrays.labelled(spec, folder, parts, ".h5", _opened)


def _opened(path: Path):
    with needs("h5py", "pace", "reading HDF5 tasks"):
        import h5py
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise ValueError(f"{path}: expected an HDF5 file, and it cannot be opened ({error}); fetch it again.") from error
