"""Sentences that many places say: a number of things, an unknown name with the closest, a missing library with its command."""

import contextlib
import difflib
from collections.abc import Iterable, Iterator


def counted(count: int, one: str, many: str = "") -> str:
    """`1 location`, `2 locations`; `many` where an s is not enough."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def closest(name: object, names: Iterable[str], most: int | None = None) -> str:
    """`names` with commas between, the one most like `name` first; at most `most` of them."""
    names = list(names)
    found = difflib.get_close_matches(str(name), names, n=most or max(1, len(names)), cutoff=0.0)
    return ", ".join(found)


def unknown(where: str, what: str, name: object, names: Iterable[str], most: int = 3) -> ValueError:
    """The error about a name that nothing has.

    Its sentence: `rows: no encoder is called 'tera'; the names are, closest first: terramind, ours, dofa.`

    Args:
      where: the field, argument or file that holds the name.
      what: what it should be a name of.
      name: the wrong one.
      names: all there are.
      most: how many of them are listed.
    """
    names = list(names)
    if not names:
        return ValueError(f"{where}: no {what} is called {name!r}; there are none.")
    more = f" ({len(names)} in all)" if len(names) > most else ""
    near = closest(name, names, most)
    return ValueError(f"{where}: no {what} is called {name!r}; the names are, closest first: {near}{more}.")


@contextlib.contextmanager
def needs(library: str, extra: str, what: str) -> Iterator[None]:
    """Turns the failing import of an optional library into a sentence with the command that installs it.

    Example: `with needs("rasterio", "geo", "reading GeoTIFFs"): import rasterio`.

    Args:
      library: its name as people know it.
      extra: the extra of pyproject.toml that brings it.
      what: what the caller wanted to do.

    Raises:
      ImportError: what is imported inside is not installed.
    """
    try:
        yield
    except ImportError as error:
        raise ImportError(
            f"{what} needs {library}, and it is not installed; install the extra {extra}: pip install 'spectral-jax[{extra}]'."
        ) from error
