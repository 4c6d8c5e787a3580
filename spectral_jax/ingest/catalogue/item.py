"""What a STAC catalogue says of one scene: where and when, and the addresses of its files (STAC 1.0 and 1.1, Item)."""

import dataclasses
import datetime
import json
import os
import posixpath
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spectral_jax.addresses import address, bucket

Box = tuple[float, float, float, float]


@dataclasses.dataclass(frozen=True)
class Item:
    """One scene.

    Attributes:
      name: its identifier.
      collection: that it is of; empty where it does not say.
      time: start of the observation, UTC.
      box: west, south, east, north, degrees; None where it does not say. West is east of east across the antimeridian.
      properties: what else is said of it.
      assets: key -> path or address of a file.
      own: path or address of the item itself, from which its links can be read anew; empty where it is not known.
    """

    name: str
    collection: str
    time: datetime.datetime
    box: Box | None
    properties: Mapping[str, Any]
    assets: Mapping[str, str]
    own: str = ""


def read(where: str) -> dict:
    """A JSON document at a path or an address.

    Raises:
      FileNotFoundError, PermissionError, OSError: it is not there, or cannot be read.
      ValueError: it is no JSON object.
    """
    data = bucket.read(where) if address.is_address(where) else Path(where).read_bytes()
    try:
        found = json.loads(data)
    except ValueError as error:
        raise ValueError(f"{shown(where)}: expected a STAC catalogue or item, and it is no JSON ({error}).") from error
    if not isinstance(found, dict):
        raise ValueError(f"{shown(where)}: expected a STAC catalogue or item, got a {type(found).__name__}.")
    return found


def parsed(said: Mapping[str, Any], where: str) -> Item:
    """An item from its JSON.

    Args:
      said: the JSON.
      where: it lies; relative links are below it.

    Raises:
      ValueError: it is no item; the sentence names the field.
    """
    name, properties, assets = said.get("id"), said.get("properties"), said.get("assets")
    if said.get("type") != "Feature" or not name or not isinstance(properties, dict) or not isinstance(assets, dict):
        raise ValueError(f"{shown(where)}: expected a STAC item (a Feature with id, properties and assets), got another JSON.")
    text = properties.get("datetime") or properties.get("start_datetime")
    try:
        time = datetime.datetime.fromisoformat(str(text))
    except ValueError as error:
        raise ValueError(f"item {name}: its datetime is {text!r}, and no time; it cannot be placed.") from error
    if time.tzinfo is None:
        time = time.replace(tzinfo=datetime.UTC)
    corners = said.get("bbox")
    box = None if not corners else tuple(float(corners[i]) for i in ((0, 1, 2, 3) if len(corners) == 4 else (0, 1, 3, 4)))
    own = next((link["href"] for link in said.get("links", []) if link.get("rel") == "self" and link.get("href")), where)
    files = {key: resolved(where, about["href"]) for key, about in assets.items() if about.get("href")}
    return Item(str(name), said.get("collection") or "", time, box, properties, files, resolved(where, own))  # type: ignore[arg-type]


def resolved(base: str, link: str) -> str:
    """A link of a document as a path or an address.

    Args:
      base: path or address of the document.
      link: absolute, or relative to it.
    """
    if address.is_address(link) or os.path.isabs(link):
        return link
    if not address.is_address(base):
        return posixpath.normpath(posixpath.join(posixpath.dirname(base), link))
    parts = urllib.parse.urlsplit(base)
    below, _, query = link.partition("?")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(parts.path), below))
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def shown(where: str) -> str:
    """A path or an address without what signs it, for sentences."""
    return where.partition("?")[0] if address.is_address(where) else where
