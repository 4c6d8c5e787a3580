"""The newest product of each scene of a catalogue, fetched once into a folder, laid out as its agency delivers it."""

import dataclasses
import errno
import os
import shutil
import urllib.parse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from spectral_jax.addresses import address, bucket, fetched
from spectral_jax.ingest.catalogue import item, layout, search
from spectral_jax.ingest.catalogue.item import Item
from spectral_jax.ingest.downloaded.recognise import open_product
from spectral_jax.sentences import counted, needs

UNFINISHED = ".unfinished"  # folder below the cache with products that are not whole yet
_COMPUTER = ".blob.core.windows.net"  # where Planetary Computer keeps files, which it gives to whoever asks for a signature


@dataclasses.dataclass(frozen=True)
class Gathered:
    """What a catalogue gave.

    Attributes:
      folders: of products, one for each sensor, as `--product=delivered:FOLDER` takes them.
      products: that are there.
      fetched: of them, by this run.
      failures: a sentence for each item that is not there.
    """

    folders: tuple[Path, ...]
    products: int
    fetched: int
    failures: tuple[str, ...]


def gather(query: search.Query, cache: str | Path, say: Callable[[str], None] = print) -> Gathered:
    """Fetches the products of the items that a query finds; what the cache holds already is not fetched again.

    Of several products of one scene the newest is taken: by its processing baseline or version, then by when it was made.

    Args:
      query: which items.
      cache: folder; below it each sensor has one, below which each product has one.
      say: gets a line for each product.

    Raises:
      ImportError: the catalogue is an API and pystac-client is not installed; or rasterio is not.
      FileNotFoundError, PermissionError, OSError, ValueError: the catalogue cannot be read; or the cache not be written.
    """
    cache, failures = Path(cache), list[str]()
    chosen, count = _newest(query, failures, say)
    folders: dict[Path, int] = {}
    new = 0
    for number, (scene, wanted) in enumerate(chosen, 1):
        place = cache / wanted.room / wanted.name
        newer = [folder for folder, newness in _others(place, scene, wanted) if newness > wanted.newness[:-1]]
        if newer and not place.exists():
            place = newer[0]
            say(f"{wanted.name} left out: {place.name} is in the cache, the same scene, processed later.")
        elif not place.exists():
            try:
                size = _fetch(scene, wanted, cache)
            except (OSError, ValueError) as error:
                if _is_of_disk(error):
                    raise OSError(
                        f"--cache: {cache} cannot be written ({error}); free some space, then run it again."
                    ) from error
                failures.append(str(error))
                say(f"{number} of {len(chosen)}: left out: {error}")
                continue
            new += 1
            say(f"{number} of {len(chosen)}: {wanted.name} ({size / 1e6:.1f} MB)")
        folders[place.parent] = folders.get(place.parent, 0) + 1
    kept = sum(folders.values())
    there = counted(kept, "product of them is", "products of them are")
    say(f"{item.shown(query.catalogue)}: {counted(count, 'item')}, {there} in {cache}, {new} fetched now.")
    return Gathered(tuple(folders), kept, new, tuple(failures))


def _newest(
    query: search.Query, failures: list[str], say: Callable[[str], None]
) -> tuple[list[tuple[Item, layout.Product]], int]:
    """Items that are products, the newest of each scene, in the catalogue's order; and how many items there were."""
    chosen: dict[tuple[str, ...], tuple[Item, layout.Product]] = {}
    count = 0
    for scene in search.items(query, failures):
        count += 1
        try:
            wanted = layout.product(scene)
        except ValueError as error:
            failures.append(str(error))
            continue
        other = chosen.get(wanted.same)
        if other is None:
            chosen[wanted.same] = scene, wanted
            continue
        older, newer = sorted((other, (scene, wanted)), key=lambda each: each[1].newness)
        chosen[wanted.same] = newer
        if older[1].name != newer[1].name:
            say(f"{older[1].name} left out: {newer[1].name} is the same scene, processed later.")
    if not count:
        failures.append(f"{item.shown(query.catalogue)} has no item of this --collection, --bbox and time; widen them.")
    return list(chosen.values()), count


def _fetch(scene: Item, wanted: layout.Product, cache: Path) -> int:
    """One product, which appears in its place when all of it is there and a reader opens it; its bytes.

    Raises:
      ValueError, OSError: an asset is missing or cannot be fetched, or the product not be read; item and asset are named.
    """
    files = layout.files(scene, wanted)
    beside = cache / UNFINISHED / wanted.name
    beside.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(fetched.AT_ONCE) as threads:
        list(threads.map(lambda key: _fetch_asset(scene, key, beside / files[key]), files))
    try:
        open_product(beside).close()
    except (ValueError, OSError) as error:
        shutil.rmtree(beside)
        raise ValueError(f"item {scene.name}: what was fetched cannot be read: {error}") from error
    place = cache / wanted.room / wanted.name
    place.parent.mkdir(parents=True, exist_ok=True)
    for older, _ in _others(place, scene, wanted):
        shutil.rmtree(older)
    beside.rename(place)
    return sum(file.stat().st_size for file in place.iterdir())


def _is_of_disk(error: BaseException | None) -> bool:
    """Whether something could not be written here, which the next item cannot be either."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            return True
        error = error.__cause__ or error.__context__
    return False


def _others(place: Path, scene: Item, wanted: layout.Product) -> list[tuple[Path, tuple[str, ...]]]:
    """Other products of the same scene that an earlier run fetched, and how new their names say that they are."""
    found = []
    for folder in place.parent.iterdir() if place.parent.is_dir() else ():
        try:
            other = layout.product(dataclasses.replace(scene, name=folder.name, properties={}, assets={}))
        except ValueError:
            continue
        if other.same == wanted.same and folder != place:
            found.append((folder, other.newness[:-1]))
    return found


def _fetch_asset(scene: Item, key: str, file: Path) -> None:
    """One file, which is not there yet; its link is made anew where it has expired."""
    if file.exists():
        return
    link = _signed(scene.assets[key])
    try:
        _copy(link, file)
    except PermissionError as refused:
        again = _again(scene, key)
        try:
            if again in ("", link):
                raise
            _copy(again, file)
        except PermissionError as error:
            raise OSError(
                f"item {scene.name}, asset {key}: {item.shown(link)} is refused: its link has expired, and no new one works, "
                "or it needs a login; take the catalogue that signs its links, or fetch this product by hand."
            ) from (error if error is not refused else refused)
        except FileNotFoundError as error:
            raise _lost(scene, key, again) from error
    except FileNotFoundError as error:
        raise _lost(scene, key, link) from error
    except OSError as error:
        raise OSError(f"item {scene.name}, asset {key}: {str(error).replace(link, item.shown(link))}") from error


def _lost(scene: Item, key: str, link: str) -> OSError:
    return OSError(
        f"item {scene.name}, asset {key}: {item.shown(link)} is gone, and the catalogue still lists it; it was perhaps "
        "processed anew: look for another item of the same time."
    )


def _copy(link: str, file: Path) -> None:
    if address.is_address(link):
        bucket.fetch(link, file)
        return
    try:
        os.link(link, file)  # no second copy on the same disk
    except FileNotFoundError:
        raise
    except OSError:
        beside = file.with_name(f"{file.name}.partial")
        shutil.copyfile(link, beside)
        beside.replace(file)


def _again(scene: Item, key: str) -> str:
    """The link of an asset as the item says it now; empty where that cannot be asked."""
    link = scene.assets[key]
    if urllib.parse.urlsplit(link).netloc.endswith(_COMPUTER):
        return _signed(item.shown(link))
    try:
        return item.parsed(item.read(scene.own), scene.own).assets.get(key, "")
    except (OSError, ValueError):
        return ""


def _signed(link: str) -> str:
    """A link of Planetary Computer with a signature; any other as it is."""
    if not urllib.parse.urlsplit(link).netloc.endswith(_COMPUTER) or "sig=" in link:
        return link
    with needs("planetary-computer", "stac", "fetching files of Planetary Computer"):
        import planetary_computer
    return planetary_computer.sign(link)
