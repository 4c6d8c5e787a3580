"""The store that is built: made with all its arrays before anyone writes, or as an earlier run left it."""

from collections.abc import Sequence
from pathlib import Path

from spectral_jax.addresses import bucket
from spectral_jax.data.store import GroupLayout, Store, create, open_store
from spectral_jax.ingest.patches.plan import GroupPlan


def earlier(out: Path | str) -> Store | None:
    """The store at a folder or an address; None where there is nothing.

    Raises:
      FileExistsError: there is something else.
    """
    if isinstance(out, Path):
        names = [file.name for file in out.iterdir()] if out.exists() else []
    else:
        names = bucket.names(out)
    if not names:
        return None
    if "zarr.json" not in names:
        raise FileExistsError(
            f"--out: {out} holds something that is not a store ({names[0]}); name another folder, or delete it if a build left "
            "it that was stopped in its first moments."
        )
    return open_store(out)


def store(
    before: Store | None, out: Path | str, plans: Sequence[GroupPlan], footprint_m: float, provenance: dict, shard_bytes: int,
    inputs: str,
) -> Store:  # fmt: skip
    """A new store for some plans, or the earlier one.

    Args:
      before: of `earlier`.
      out: where a new one is made.
      plans: what belongs where.
      footprint_m: side of a patch, metres.
      provenance: of a new one; its "plan" is the digest of the plans, which the earlier one must have too.
      shard_bytes: uncompressed size of a shard.
      inputs: what a store is built from, for the sentence: "files".

    Raises:
      FileExistsError: the earlier one was begun with another plan.
    """
    if before is None:
        layouts = [GroupLayout(p.name, {k: x.spec for k, x in p.products.items()}, len(p.locations), p.dates) for p in plans]
        return create(out, layouts, footprint_m=footprint_m, simulated=False, provenance=provenance, shard_bytes=shard_bytes)
    if before.provenance["plan"] != provenance["plan"]:
        raise FileExistsError(
            f"--out: {out} was begun from other {inputs} than the folders hold now; build into another folder, or delete this "
            "one."
        )
    return before
