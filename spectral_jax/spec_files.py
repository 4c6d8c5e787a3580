"""The text files of `data_specs`, which say what sensors, products and tasks are: where they lie, which there are."""

import csv
import tomllib
from pathlib import Path

from spectral_jax.sentences import unknown


def folder(kind: str) -> Path:
    """The folder of one kind of files, such as `sensors`: beside the package in a checkout, inside it when installed."""
    here = Path(__file__).resolve().parent
    for candidate in (here / "data_specs", here.parent / "data_specs"):
        if candidate.is_dir():
            return candidate / kind
    raise FileNotFoundError(f"data_specs was found neither in {here} nor in {here.parent}; reinstall spectral_jax.")


def names(kind: str, suffix: str = ".toml") -> list[str]:
    """Names of the files of one kind, without their ending."""
    return sorted(path.stem for path in folder(kind).glob(f"*{suffix}"))


def find(kind: str, name: str, where: str, what: str, suffix: str = ".toml") -> Path:
    """The file that a user means by a name of `data_specs`, or by a path that ends in `suffix`.

    Args:
      kind: folder of `data_specs`.
      name: a name without ending, or the path of a file of one's own.
      where: the field or argument that holds the name, for the sentence.
      what: what such a file describes, for the sentence.
      suffix: ending of the files.

    Raises:
      ValueError: no file has the name; the sentence tells the closest.
      FileNotFoundError: there is no file at the path.
    """
    path = Path(name) if name.endswith(suffix) else folder(kind) / f"{name}{suffix}"
    if path.is_file():
        return path
    if name.endswith(suffix):
        raise FileNotFoundError(
            f"{where}: expected a file of a {what}, and {name} does not exist; correct the path, or give one of "
            f"{', '.join(names(kind, suffix))}."
        )
    raise unknown(where, what, name, names(kind, suffix))


def read_toml(path: Path) -> dict:
    """What a TOML file holds.

    Raises:
      ValueError: it is none, or not in UTF-8.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected TOML in UTF-8, and it cannot be read ({error}); mend the file.") from error


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV by column; lines that begin with # tell where its numbers come from and are left out.

    Raises:
      ValueError: a row has more or fewer cells than there are columns.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    for number, row in enumerate(rows, 1):
        if None in row or None in row.values():
            raise ValueError(f"{path}: row {number} has another number of cells than the line of columns; mend it.")
    return rows
