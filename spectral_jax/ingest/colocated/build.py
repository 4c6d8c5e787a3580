"""A plan written, as a table and a page, and the stores after it: one for training and one for what is held out."""

import contextlib
import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

from spectral_jax import places
from spectral_jax.data.store import Store
from spectral_jax.ingest.colocated import page, plan, rows
from spectral_jax.ingest.colocated.patch import Openings
from spectral_jax.ingest.colocated.plan import Plan
from spectral_jax.ingest.colocated.wanted import Wanted
from spectral_jax.ingest.masks.finder import CloudFinder
from spectral_jax.ingest.patches import begun, write
from spectral_jax.ingest.patches.build import ALONE, Help, held
from spectral_jax.ingest.patches.plan import GroupPlan

TABLE, PAGE = "plan.csv", "plan.html"


@dataclasses.dataclass(frozen=True)
class Colocated:
    """What was planned, and built.

    Attributes:
      plan: what goes where.
      table: the plan as CSV.
      page: the plan as HTML.
      built: split -> what was written; empty where a plan alone was asked for.
      failures: a text for each store of which patches are missing, as products are damaged that the plan took; all others are
        there.
    """

    plan: Plan
    table: Path
    page: Path
    built: dict[str, write.BuildSummary]
    failures: tuple[str, ...] = ()

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
        return "\n".join([*lines, f"The plan: {self.page}, and row by row {self.table}."])


def path_of(out: Path, split: str) -> Path:
    """The store of a split: `my.zarr`, and `my.holdout.zarr` beside it."""
    return out if split == "train" else out.with_name(f"{out.stem}.{split}{out.suffix}")


def build(
    wanted: Wanted, out: str | Path, plan_only: bool = False, report: Callable[[str], None] = print,
    shard_bytes: int = 64 * 2**20, help: Help = ALONE,
) -> Colocated:  # fmt: skip
    """Plans, writes the plan beside the store, and builds the store, or continues it.

    Args:
      wanted: what is asked for.
      out: the store; of cells that are held out the store is `path_of(out, "holdout")`.
      plan_only: whether to stop after the plan.
      report: takes one line of progress.
      shard_bytes: uncompressed size of a shard.
      help: who builds beside this process.

    Raises:
      FileNotFoundError: a folder is missing, or none holds a product.
      FileExistsError: `out` holds something else, or a store of another command or of other products.
      ImportError: a library is missing that a product needs.
      ValueError: no location is left; the sentence says why.
      OSError: something cannot be written, another process is building it, or no worker can be reached.
    """
    out = places.here(out, "--out")
    for split in ("train", "holdout"):
        places.for_folder(path_of(out, split), "--out")
    earlier = {split: _earlier(wanted, path_of(out, split)) for split in ("train", "holdout")}
    masked = CloudFinder(wanted.mask)
    made = plan.planned(wanted, report, masked)
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
    built, failures = {}, []
    for split in made.splits():
        place = path_of(out, split)
        with contextlib.ExitStack() as stack:
            plans = made.groups(split, stack.enter_context(contextlib.closing(Openings(masked=masked))))
            store = _begun(made, plans, split, earlier[split], place, shard_bytes)
            stack.enter_context(held(place))
            for written in (table, web):
                shutil.copyfile(written, place / written.name.removeprefix(f"{out.stem}."))
            try:
                built[split] = help.fill(store, plans, [*wanted.folders, *masked.asked.folders], report)
            except ValueError as error:  # what is held out is built all the same
                failures.append(str(error))
    return Colocated(made, table, web, built, tuple(failures))


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
    return begun.store(earlier, out, plans, made.wanted.footprint_m, provenance, shard_bytes, "products")


def _earlier(wanted: Wanted, out: Path) -> Store | None:
    """The store that an earlier run began; None where there is nothing."""
    store, now = begun.earlier(out), wanted.command()
    if store is None:
        return None
    before = store.provenance.get("command", {})
    for key in {**now, **before}:
        if before.get(key) != now.get(key):
            raise FileExistsError(
                f"--out: {out} was begun with {key} {before.get(key, 'not given')}, and now it is {now.get(key, 'not given')}; "
                "run the same command to continue it, name another folder, or delete this one."
            )
    return store
