"""Whether a store is whole: flags, times and what is known of locations, and the shards of pixels that the flags promise.

Zarr reads a chunk that is not there as the fill value, so a chunk lost in copying would be thousands of locations without a
date. What our own writers always write must therefore be there. Archives of others may leave out chunks of fill values.
"""

import math
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from spectral_jax.data import store_format
from spectral_jax.data.store import Store

OF_LOCATIONS = ("location_id", "centre_lonlat", "epsg", "geotransform")

TOGETHER = 16  # listings asked for at once


def check(store: Store) -> None:
    """Compares the chunks of the small arrays with those that must be there.

    A store of `tools/build_store.py` or of a simulation has all of them. One that was filled through `Group.write_patch` and
    its like has those that the order of writes promises: times before flags, both after pixels, all that is known of locations
    together. Where chunks cannot be listed, any that is not there becomes an error when it is read.

    Raises:
      ValueError: a chunk is missing; the sentence names array, chunk, locations and file.
    """
    whole = "builder" in store.provenance or "made_by" in store.provenance
    facts = [*OF_LOCATIONS, *(["truth"] if store.truth_names else [])]
    ours = [group for group in store.groups.values() if group.chunked]
    for group in ours:
        group.complete = not group.listed
    listed = [
        (group, name)
        for group in ours
        if group.listed
        for name in [*facts, *(f"{key}_{kind}" for key in group.sensors for kind in ("mask", "time"))]
    ]
    with ThreadPoolExecutor(TOGETHER) as threads:
        found = threads.map(lambda each: each[0].chunks(each[1]), listed)
        held = {(group.name, name): chunks for (group, name), chunks in zip(listed, found, strict=True)}
    for group in dict.fromkeys(group for group, _ in listed):
        rows = min(store_format.SMALL_ROWS, group.locations)
        every = set(range(math.ceil(group.locations / rows)))
        known = every if whole else set().union(*(held[group.name, name] for name in facts))
        for name in facts:
            _refuse(store, group, name, known - held[group.name, name], rows)
        for key in group.sensors:
            flags, times = held[group.name, f"{key}_mask"], held[group.name, f"{key}_time"]
            begun = every if whole else flags | times
            if begun != every:
                begun |= _begun(group, key, begun, rows)
            _refuse(store, group, f"{key}_mask", begun - flags, rows)
            _refuse(store, group, f"{key}_time", begun - times, rows)


def check_pixels(store: Store, used: Mapping[str, Iterable[str]]) -> None:
    """Looks whether there is a shard of pixels for every location that the flags call valid, where shards can be listed.

    So that a store of which some files have not arrived is refused at the start, and not by the first batch that needs one.

    Args:
      store: with its flags, which are read.
      used: keys of the sensors that are used, by group.

    Raises:
      ValueError: a shard is missing; the sentence names array, locations and file.
    """
    pairs = [(store.groups[name], key) for name, keys in used.items() for key in keys]
    listed = [(group, key) for group, key in pairs if group.chunked and group.listed]
    with ThreadPoolExecutor(TOGETHER) as threads:
        found = list(threads.map(lambda pair: pair[0].chunks(pair[1]), listed))
    for (group, key), held in zip(listed, found, strict=True):
        each = group.shard_locations(key)
        _refuse(store, group, key, set((group.rows_with([key]) // each).tolist()) - held, each)


def _begun(group, key: str, known: set[int], rows: int) -> set[int]:
    """Chunks of flags that must be there because a shard of pixels is: one at least of those that the shard reaches into."""
    each = group.shard_locations(key)
    spans = (range(s * each // rows, (min((s + 1) * each, group.locations) - 1) // rows + 1) for s in group.chunks(key))
    return {span[0] for span in spans if known.isdisjoint(span)}


def _refuse(store: Store, group, name: str, missing: set[int], rows: int) -> None:
    if not missing:
        return
    first = min(missing)
    more = f", and {len(missing) - 1} more of its chunks" if len(missing) > 1 else ""
    raise ValueError(
        f"store {store.path}: group {group.name}, array {name}: chunk {first}, of locations {first * rows} to "
        f"{min((first + 1) * rows, group.locations) - 1}, is missing{more} (file {group.name}/{name}/c/{first}...). It was "
        "lost in copying, or the store was never finished: copy it again, or run the command that builds it again to finish it."
    )
