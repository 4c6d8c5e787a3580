"""Items of a STAC catalogue: a static one, whose documents are read one after another, or an API that searches."""

import dataclasses
import datetime
from collections.abc import Iterator
from typing import Any

from spectral_jax.ingest.catalogue import item
from spectral_jax.ingest.catalogue.item import Box, Item
from spectral_jax.sentences import needs, unknown

_TRIES = 5
_SECONDS = 60.0  # without an answer for so long, a request has failed


@dataclasses.dataclass(frozen=True)
class Query:
    """Which items are wanted.

    Attributes:
      catalogue: path or address of its first document.
      collections: their names; empty: all.
      box: west, south, east, north, degrees; an item's box must touch it. None: anywhere.
      first: the first day, UTC; None: any.
      last: the last day, which is wanted too; None: any.
      most: items at most; 0: all.

    Raises:
      ValueError: the box or the days are none.
    """

    catalogue: str
    collections: tuple[str, ...] = ()
    box: Box | None = None
    first: datetime.date | None = None
    last: datetime.date | None = None
    most: int = 0

    def __post_init__(self):
        if self.box is not None:
            west, south, east, north = self.box
            if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south < north <= 90 and west != east):
                raise ValueError(
                    f"--bbox: expected west,south,east,north in degrees, such as 12.9,52.3,13.2,52.5, got {self.box}; across "
                    "the antimeridian west is the larger of the two."
                )
        if self.first and self.last and self.first > self.last:
            raise ValueError(f"--from={self.first} is after --to={self.last}; exchange them.")

    def takes(self, scene: Item) -> bool:
        """Whether an item is wanted."""
        day = scene.time.astimezone(datetime.UTC).date()
        if (self.first and day < self.first) or (self.last and day > self.last):
            return False
        if self.collections and scene.collection and scene.collection not in self.collections:
            return False
        return self.box is None or scene.box is None or _touch(self.box, scene.box)


def box(text: str) -> Box:
    """A box from `west,south,east,north`.

    Raises:
      ValueError: it is not four numbers.
    """
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(f"--bbox: expected four numbers west,south,east,north, got {text!r}.") from error
    return west, south, east, north


def day(text: str, flag: str) -> datetime.date:
    """A day from `2024-01-31`.

    Raises:
      ValueError: it is none.
    """
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"--{flag}: expected a day such as 2024-01-31, got {text!r}.") from error


def items(query: Query, failures: list[str]) -> Iterator[Item]:
    """The items that are wanted, in the catalogue's order.

    Args:
      query: which.
      failures: gets a sentence for each document below the first that cannot be read; the others are still given.

    Raises:
      FileNotFoundError, PermissionError, OSError, ValueError: the first document cannot be read, or has no such collection.
      ImportError: it is an API, and pystac-client is not installed.
    """
    try:
        root = item.read(query.catalogue)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"--stac: there is no catalogue at {item.shown(query.catalogue)}; give its first document, often catalog.json."
        ) from error
    searches = any(link.get("rel") == "search" for link in root.get("links", []))
    found = _of_api(query) if searches else _of_documents(query, root, failures)
    for count, scene in enumerate(found, 1):
        yield scene
        if count == query.most:
            return


def _of_documents(query: Query, root: dict, failures: list[str]) -> Iterator[Item]:
    waiting, seen, names = [(query.catalogue, root)], {query.catalogue}, set()
    while waiting:
        where, said = waiting.pop(0)
        try:
            said = said or item.read(where)
            scenes = said.get("features", []) if said.get("type") == "FeatureCollection" else [said]
            for scene in (item.parsed(one, where) for one in scenes if one.get("type") == "Feature"):
                names.add(scene.collection)
                if query.takes(scene):
                    yield scene
        except (OSError, ValueError) as error:
            failures.append(f"{item.shown(where)} of the catalogue could not be read: {error}")
            continue
        if said.get("type") == "Collection":
            names.add(said.get("id", ""))
            if query.collections and said.get("id") not in query.collections:
                continue
        for link in said.get("links", []):
            below = item.resolved(where, link.get("href", ""))
            if link.get("rel") in ("child", "item", "items") and below not in seen and said.get("type") != "Feature":
                seen.add(below)
                waiting.append((below, {}))
    for name in query.collections:
        if name not in names:
            raise unknown(f"--collection: {item.shown(query.catalogue)}", "collection", name, sorted(names - {""}))


def _of_api(query: Query) -> Iterator[Item]:
    with needs("pystac-client", "stac", "searching a STAC API"):
        import pystac_client
        from pystac_client.stac_api_io import StacApiIO
    import requests
    import urllib3

    # A search is a POST, which is not tried again unless told: it changes nothing.
    tries = urllib3.Retry(_TRIES, backoff_factor=1.0, status_forcelist=(408, 429, 502, 503, 504), allowed_methods=None)
    days = None
    if query.first or query.last:
        # A day without a time is the whole of it.
        days = f"{query.first or '..'}/{query.last or '..'}"
    try:
        client = pystac_client.Client.open(query.catalogue, stac_io=StacApiIO(max_retries=tries, timeout=_SECONDS))
        wanted: dict[str, Any] = {"collections": list(query.collections) or None, "bbox": query.box, "datetime": days}
        pages = client.search(**wanted, max_items=query.most or None).items_as_dicts()
        for said in pages:
            scene = item.parsed(said, query.catalogue)
            if query.takes(scene):
                yield scene
    except (pystac_client.exceptions.APIError, requests.RequestException) as error:
        lines = [*str(error).strip().splitlines(), type(error).__name__]
        raise OSError(
            f"--stac: {query.catalogue} did not answer the search ({lines[0][:200]}); a narrower --bbox or "
            "fewer days may help where it ran out of time."
        ) from error


def _touch(one: Box, other: Box) -> bool:
    """Whether two boxes have a point in common, across the antimeridian too."""
    return any(
        a[0] <= b[2] and b[0] <= a[2] and one[1] <= other[3] and other[1] <= one[3] for a in _parts(one) for b in _parts(other)
    )


def _parts(one: Box) -> list[Box]:
    west, south, east, north = one
    return [one] if west <= east else [(west, south, 180.0, north), (-180.0, south, east, north)]
