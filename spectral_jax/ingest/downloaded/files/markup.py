"""A product's metadata in XML: values by path, with a sentence for what is missing or no number."""

import xml.etree.ElementTree
from collections.abc import Iterable
from pathlib import Path

from spectral_jax.ingest.downloaded.files.archive import Files


class Markup:
    """A tree of elements without namespaces.

    Attributes:
      where: archive and file, for sentences.
    """

    def __init__(self, root: xml.etree.ElementTree.Element, where: str):
        self._root, self.where = root, where

    def text(self, path: str) -> str:
        """The text of the first element at a path such as `base/temporalCoverage/startTime`.

        Raises:
          ValueError: there is none, or it is empty.
        """
        found = self.maybe(path)
        if not found:
            raise ValueError(f"{self.where}: expected the element {path}, and it is missing or empty; fetch the product again.")
        return found

    def maybe(self, path: str) -> str:
        """As `text`; empty where the element is missing."""
        return (self._root.findtext(path) or "").strip()

    def number(self, path: str) -> float:
        """The number of the first element at a path.

        Raises:
          ValueError: there is none, or it is no number.
        """
        return as_number(self.text(path), f"{self.where}: element {path}")

    def all(self, path: str) -> "list[Markup]":
        """Every element at a path; `.//tag` is anywhere."""
        return [Markup(node, self.where) for node in self._root.findall(path)]

    def attribute(self, name: str) -> str:
        """An attribute of the element itself; empty where it has none."""
        return self._root.get(name, "")

    @property
    def tag(self) -> str:
        """The element's name."""
        return self._root.tag

    @property
    def own(self) -> str:
        """The element's own text."""
        return (self._root.text or "").strip()

    def children(self) -> "Iterable[Markup]":
        """The elements right below."""
        return [Markup(node, self.where) for node in self._root]


def read(files: Files, name: str) -> Markup:
    """Reads a file of a product.

    Raises:
      ValueError: it is no XML, or cannot be read.
    """
    where = f"{files.given}, {Path(name).name}" if files.given.name != Path(name).name else str(files.given)
    try:
        root = xml.etree.ElementTree.fromstring(files.bytes(name))
    except xml.etree.ElementTree.ParseError as error:
        raise ValueError(
            f"{where}: expected the product's metadata, and it is no whole XML ({error}); fetch it again."
        ) from error
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
    return Markup(root, where)


def as_number(text: str, where: str) -> float:
    """A number of its text.

    Raises:
      ValueError: it is none.
    """
    try:
        return float(text)
    except ValueError as error:
        raise ValueError(f"{where}: expected a number, got {text!r}; fetch the product again.") from error


def as_integers(text: str, where: str) -> list[int]:
    """Whole numbers with commas between.

    Raises:
      ValueError: one of them is none.
    """
    numbers = [as_number(part, where) for part in text.split(",") if part.strip()]
    return [int(number) for number in numbers]
