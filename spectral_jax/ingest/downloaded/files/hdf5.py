"""One HDF5 file, which a NetCDF-4 file is too: opened, arrays and attributes by name, with a sentence for what is missing."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from spectral_jax.sentences import needs


class Hdf5:
    """An open file.

    Attributes:
      path: of the file.
      file: the open `h5py.File`.
    """

    def __init__(self, path: Path, stack: contextlib.ExitStack):
        """Opens a file until `stack` closes.

        Raises:
          ImportError: h5py is not installed.
          ValueError: it is no HDF5, or damaged.
        """
        with needs("h5py", "products", "reading EMIT and PRISMA"):
            import h5py
        self.path = path
        try:
            self.file = stack.enter_context(h5py.File(path, "r"))
        except OSError as error:
            reason = str(error).split("\n", 1)[0]
            raise ValueError(
                f"{path}: expected a whole HDF5 file, and it cannot be opened ({reason}); it is truncated or of another "
                "format: fetch it again."
            ) from error

    def array(self, name: str, dimensions: int):
        """An array that is not read yet, such as `location/glt_x`.

        Raises:
          ValueError: it is missing, or has another number of dimensions.
        """
        with self.readable(name):
            found = self.file.get(name)
        if found is None or not hasattr(found, "shape"):
            raise ValueError(f"{self.path}: expected the array {name}, and it is missing; fetch the file again.")
        if found.ndim != dimensions:
            raise ValueError(
                f"{self.path}: expected {name} with {dimensions} dimensions, got shape {found.shape}; is it of another level?"
            )
        return found

    def whole(self, name: str, dimensions: int) -> np.ndarray:
        """All numbers of an array.

        Raises:
          ValueError: as `array`, or it is damaged.
        """
        found = self.array(name, dimensions)
        with self.readable(name):
            return found[()]

    @contextlib.contextmanager
    def readable(self, name: str) -> Iterator[None]:
        """Turns what the library raises over a damaged array into a sentence.

        Raises:
          ValueError: what is read inside is damaged.
        """
        try:
            yield
        except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:  # a damaged file fails in many ways
            reason = str(error).split("\n", 1)[0]
            raise ValueError(f"{self.path}: {name} cannot be read ({reason}); the file is damaged: fetch it again.") from error

    def has(self, name: str) -> bool:
        """Whether there is an array or attribute of the root of that name."""
        with self.readable(name):
            return name in self.file or name in self.file.attrs

    def attribute(self, name: str) -> np.ndarray:
        """The numbers of an attribute of the root [n].

        Raises:
          ValueError: it is missing, or holds no numbers.
        """
        with self.readable(name):
            value = self.file.attrs.get(name)
        if value is None:
            raise ValueError(f"{self.path}: expected the attribute {name}, and it is missing; fetch the file again.")
        try:
            return np.ravel(np.asarray(value, np.float64))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{self.path}: expected numbers in the attribute {name}, got {value!r}; fetch the file again."
            ) from error

    def text(self, name: str) -> str:
        """An attribute of the root as text.

        Raises:
          ValueError: it is missing or empty.
        """
        with self.readable(name):
            found = as_text(self.file.attrs.get(name))
        if not found:
            raise ValueError(f"{self.path}: expected the attribute {name}, and it is missing; fetch the file again.")
        return found


def as_text(value) -> str:
    """An attribute or string as text; empty where there is none."""
    if value is None or np.size(value) == 0:
        return ""
    one = np.ravel(value)[0]
    return (one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one)).strip()
