"""A plan written, as a table and a page, and the stores after it: one for training and one for what is held out."""

import collections
import contextlib
import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

from spectral_jax import places
from spectral_jax.data.store import GroupLayout, Store, create, open_store
from spectral_jax.ingest.colocated import page, plan, rows
from spectral_jax.ingest.colocated.patch import Openings
from spectral_jax.ingest.colocated.plan import Plan
from spectral_jax.ingest.colocated.wanted import Wanted
from spectral_jax.ingest.patches import write
from spectral_jax.ingest.patches.plan import GroupPlan

TABLE, PAGE, UNREAD = "plan.csv", "plan.html", "unread.csv"


@dataclasses.dataclass(frozen=True)
class Colocated:
    """What was planned, and built.

    Attributes:
      plan: what goes where.
      table: the plan as CSV.
      page: the plan as HTML.
      built: split -> what was written; empty where a plan alone was asked for.
      unread: lines of patches that could not be read: cell, sensor, product, sentence.
    """

    plan: Plan
    table: Path
    page: Path
    built: dict[str, write.BuildSummary]
    unread: tuple[tuple[str, ...], ...] = ()

    def text(self) -> str:
        """What was done, what was left out and why, in lines."""
        # Nobody pretrains on what is held out, as the next step of a store would have it.
        lines = [s.text().partition("\n\n")[0] if split == "holdout" else s.text() for split, s in self.built.items()]
        counts = rows.refused(self.plan)
        if counts:
            lines.append("Left out:")
            lines += [f"  {what}, {reason}: {count}" for (what, reason), count in counts.items()]
        damaged = [one for one in self.plan.left_out if one.reason == plan.DAMAGED]
        lines += [f"  {one.name}: {one.sentence}" for one in damaged]
        torn = collections.Counter((sensor, name) for _, sensor, name, _ in self.unread)
        lines += [f"  {name} ({key}): {count} patches could not be read and are missing" for (key, name), count in torn.items()]
        if torn:
            lines.append(f"  the first: {self.unread[0][3]}")
        return "\n".join([*lines, f"The plan: {self.page}, and row by row {self.table}."])


def path_of(out: Path, split: str) -> Path:
    """The store of a split: `my.zarr`, and `my.holdout.zarr` beside it."""
    return out if split == "train" else out.with_name(f"{out.stem}.{split}{out.suffix}")


def build(
    wanted: Wanted, out: str | Path, plan_only: bool = False, report: Callable[[str], None] = print,
    shard_bytes: int = 64 * 2**20,
) -> Colocated:  # fmt: skip
    """Plans, writes the plan beside the store, and builds the store, or continues it.

    Args:
      wanted: what is asked for.
      out: the store; of cells that are held out the store is `path_of(out, "holdout")`.
      plan_only: whether to stop after the plan.
      report: takes one line of progress.
      shard_bytes: uncompressed size of a shard.

    Raises:
      FileNotFoundError: a folder is missing, or none holds a product.
      FileExistsError: `out` holds something else, or a store of another command or of other products.
      ImportError: a library is missing that a product needs.
      ValueError: no location is left; the sentence says why.
      OSError: something cannot be written, or a product is gone.
    """
    out = places.here(out, "--out")
    for split in ("train", "holdout"):
        places.for_folder(path_of(out, split), "--out")
    earlier = {split: _earlier(wanted, path_of(out, split)) for split in ("train", "holdout")}
    made = plan.planned(wanted, report)
    out.parent.mkdir(parents=True, exist_ok=True)
    table = rows.write(made, out.with_name(f"{out.stem}.{TABLE}"))
    web = out.with_name(f"{out.stem}.{PAGE}")
    web.write_text(page.page(made, table.name), encoding="utf-8")
    if plan_only:
        return Colocated(made, table, web, {})
    if not made.splits():
        why = "; ".join(f"{what}, {reason}: {count}" for (what, reason), count in rows.refused(made).items())
        raise ValueError(
            f"no cell of {wanted.footprint_m:g} m lies wholly inside products of two sensors that pass, so there is nothing to "
            f"store ({why or 'no product of an anchor'}); look at {web}."
        )
    built, torn = {}, []
    with contextlib.closing(Openings()) as openings:
        for split in made.splits():
            place = path_of(out, split)
            unread = place.absolute() / UNREAD
            plans = made.groups(split, openings, unread)
            store = _begun(made, plans, split, earlier[split], place, shard_bytes)
            for written in (table, web):
                shutil.copyfile(written, place / written.name.removeprefix(f"{out.stem}."))
            built[split] = write.write(store, plans, report)
            torn += [tuple(line) for line in rows.unread(unread)]
    return Colocated(made, table, web, built, tuple(torn))


def _begun(made: Plan, plans: list[GroupPlan], split: str, earlier: Store | None, out: Path, shard_bytes: int) -> Store:
    """The store of a split, empty or as an earlier run left it."""
    provenance = {
        "builder": "tools/colocate.py",
        "command": made.wanted.command(),
        "plan": plan.digest(plans),
        "split": split,
        "sources": [dict(one.provenance) | {"sensor": one.key, "time": one.date} for one in made.sightings],
        "refused": [[what, reason, count] for (what, reason), count in rows.refused(made).items()],
    }
    if earlier is None:
        layouts = [GroupLayout(p.name, {k: x.spec for k, x in p.products.items()}, len(p.locations), p.dates) for p in plans]
        side = made.wanted.footprint_m
        return create(out, layouts, footprint_m=side, simulated=False, provenance=provenance, shard_bytes=shard_bytes)
    if earlier.provenance["plan"] != provenance["plan"]:
        raise FileExistsError(
            f"--out: {out} was begun from other products than the folders hold now; build into another folder, or delete this "
            "one."
        )
    return earlier


def _earlier(wanted: Wanted, out: Path) -> Store | None:
    """The store that an earlier run began; None where there is nothing."""
    if not out.exists() or not any(out.iterdir()):
        return None
    if not (out / "zarr.json").is_file():
        raise FileExistsError(
            f"--out: {out} holds something that is not a store ({next(out.iterdir()).name}); name another folder, or delete it "
            "if a build left it that was stopped in its first moments."
        )
    store, now = open_store(out), wanted.command()
    before = store.provenance.get("command", {})
    for key in now:
        if before.get(key) != now[key]:
            raise FileExistsError(
                f"--out: {out} was begun with {key} {before.get(key, 'not given')}, and now it is {now[key]}; run the same "
                "command to continue it, name another folder, or delete this one."
            )
    return store
