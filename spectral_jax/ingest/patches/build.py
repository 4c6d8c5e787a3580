"""From folders of GeoTIFFs to a store: what is read, whether it continues an earlier run, and the provenance."""

import contextlib
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

from spectral_jax import places
from spectral_jax.addresses import address, lease
from spectral_jax.data.store import Store
from spectral_jax.ingest.patches import begun, cluster, crew, plan, write
from spectral_jax.ingest.patches.products import table
from spectral_jax.ingest.patches.products.product import Chip, Product, look
from spectral_jax.ingest.raster import geotiff
from spectral_jax.ingest.raster.sentinel2_offset import Decision


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What a store is built from.

    Attributes:
      footprint_m: side of a patch, metres.
      sources: folders, each of one product, with its options.
    """

    footprint_m: float
    sources: tuple[table.ProductFolder, ...]

    def command(self) -> dict:
        """What must be the same when a build is continued: no matter in which order, or how, the command named it."""
        return {"footprint_m": self.footprint_m, "products": [source.settled() for source in table.ordered(self.sources)]}


@dataclasses.dataclass(frozen=True)
class Help:
    """Who builds beside this process.

    Attributes:
      workers: processes to start on this machine; 0: this process alone.
      scheduler: address of a Dask scheduler whose workers build; they see inputs and store at the same paths. Empty: none.

    Raises:
      ValueError: both are given, or a negative number.
    """

    workers: int = 0
    scheduler: str = ""

    def __post_init__(self):
        if self.workers < 0:
            raise ValueError(f"--workers: expected a number of processes, 0 for this one alone, got {self.workers}.")
        if self.workers and self.scheduler:
            raise ValueError(
                "--workers starts workers on this machine, and --scheduler takes those of a cluster; give one of the two."
            )

    def gathered(
        self, store: str, folders: list[str], report: Callable[[str], None]
    ) -> contextlib.AbstractContextManager[cluster.Cluster | crew.Alone]:
        """Those who build, while a block runs; errors as `cluster.on_this_machine` and `cluster.of_scheduler`."""
        if self.scheduler:
            return cluster.of_scheduler(self.scheduler, store, folders, report)
        if self.workers:
            return cluster.on_this_machine(self.workers, store, folders, report)
        return contextlib.nullcontext(crew.Alone())

    def fill(
        self, store: Store, plans: list[plan.GroupPlan], folders: list[str], report: Callable[[str], None]
    ) -> write.BuildSummary:
        """Writes what is missing; who helps is called where something is. Errors as `gathered` and `write.write`."""
        who = self if write.is_unfinished(store, plans) else ALONE
        with who.gathered(store.path, folders, report) as workers:
            return write.write(store, plans, report, workers)


ALONE = Help()


def build(
    inputs: Inputs, out: str | Path, report: Callable[[str], None] = print, shard_bytes: int = 64 * 2**20, help: Help = ALONE
) -> write.BuildSummary:
    """Builds the store at `out`, or continues it, whoever began it.

    Args:
      inputs: what to read.
      out: a folder that does not exist, is empty, or holds a store begun with the same inputs; or an address of a bucket, where
        shards are written directly.
      report: takes one line of progress.
      shard_bytes: uncompressed size of a shard.
      help: who builds beside this process.

    Raises:
      FileNotFoundError, ValueError: an input is missing, damaged or does not fit; the sentence names it. What is found to be
        damaged on the way leaves the others in the store.
      FileExistsError: `out` holds something else, or a store of other inputs.
      OSError: `out` cannot be written, another process is building it, or no worker can be reached.
    """
    out = places.either(out, "--out")
    if isinstance(out, Path):
        _check_writable(out)
    else:
        out = address.checked(out, "--out", written=True)
    earlier = _earlier(inputs, out)
    sources = table.ordered(inputs.sources)
    if help.scheduler:  # a worker elsewhere has another working folder
        sources = [dataclasses.replace(source, folder=str(Path(source.folder).resolve())) for source in sources]
    with contextlib.ExitStack() as stack:
        wanted = []
        for source in sources:
            wanted.append(source.read())
            stack.callback(wanted[-1].close)
        store, plans = _planned(inputs, sources, wanted, earlier, out, report, shard_bytes)
        stack.enter_context(held(out))
        weights = [str(source.options["cloud_weights"]) for source in sources if source.options.get("cloud_weights")]
        return help.fill(store, plans, [*(source.folder for source in sources), *weights], report)


def held(out: Path | str) -> contextlib.AbstractContextManager[None]:
    """Keeps other builds from a store while a block runs.

    Raises:
      OSError: another process is building it; the sentence says which.
    """
    words = "a store that is being built", "Two builds would undo each other's flags: wait for it, or end it first."
    return lease.on_folder(out, words) if isinstance(out, Path) else lease.on_address(out, words)


def _planned(
    inputs: Inputs,
    sources: list[table.ProductFolder],
    wanted: list[Product],
    earlier: Store | None,
    out: Path | str,
    report: Callable[[str], None],
    shard_bytes: int,
) -> tuple[Store, list[plan.GroupPlan]]:
    """The store, made with all its arrays or opened, and what belongs where in it."""
    for product in wanted:
        if product.told:
            report(product.told)
    _check_one_spec(sources, wanted)
    plan.check_footprint(wanted, inputs.footprint_m)
    chips: dict[str, list[Chip]] = {}
    offsets: dict[str, dict] = {}
    for source, product in zip(sources, wanted, strict=True):
        looked = _look(source, product, earlier, report)
        chips.setdefault(product.key, []).extend(looked)
        if product.subtracted:
            decisions = {chip.name: dataclasses.asdict(chip.decision) for chip in looked if chip.decision}
            offsets.setdefault(_offsets_of(source), {}).update(decisions)
    every = [chip for of_sensor in chips.values() for chip in of_sensor]
    plans = plan.groups(every, inputs.footprint_m)
    provenance = {
        "builder": "tools/build_store.py",
        "command": inputs.command(),
        "plan": plan.digest(plans),
        "bands": {key: sorted({chip.matched for chip in of_sensor}) for key, of_sensor in chips.items()},
        **offsets,
        "time_unknown": {key: sum(chip.time_days is None for chip in of_sensor) for key, of_sensor in chips.items()},
    }
    return begun.store(earlier, out, plans, inputs.footprint_m, provenance, shard_bytes, "files"), plans


def _check_one_spec(sources: list[table.ProductFolder], wanted: list[Product]):
    """One sensor of a store has one spec, so all folders that fill it must."""
    first: dict[str, tuple[table.ProductFolder, Product]] = {}
    for source, product in zip(sources, wanted, strict=True):
        other, before = first.setdefault(product.key, (source, product))
        if product.spec != before.spec:
            raise ValueError(
                f"{table.FLAG}={source.product}: the chips of {source.folder} are {product.spec.name}, and those of "
                f"{other.folder} {before.spec.name}; one store holds one of them as {product.key}: build their stores apart."
            )


def _look(source: table.ProductFolder, product: Product, earlier: Store | None, report: Callable[[str], None]) -> list[Chip]:
    before = {} if earlier is None else earlier.provenance.get(_offsets_of(source), {})
    decided = {name: Decision(**decision) for name, decision in before.items()}
    paths = (product.deliveries or geotiff).files(source.folder, f"product={source.product}")
    chips = [look(product, path, decided.get(path.stem)) for path in paths]
    key = product.key
    for matched in sorted({chip.matched for chip in chips}):
        off_nm = max(chip.off_nm for chip in chips)
        report(f"{key}: {len(chips)} files, bands {matched}{f', at most {off_nm:.2f} nm off' if off_nm else ''}")
    for chip in chips:
        if chip.decision:
            report(f"{key}: {chip.name}: subtract {chip.decision.offset:g} ({chip.decision.reason})")
    timeless = sum(chip.time_days is None for chip in chips)
    if timeless:
        report(f"{key}: {timeless} of {len(chips)} files do not say when they were seen; their time is stored as day 0")
    return chips


def _offsets_of(source: table.ProductFolder) -> str:
    """The entry of the provenance that holds what was subtracted from the chips of a product."""
    return f"{source.product}_offset"


def _earlier(inputs: Inputs, out: Path | str) -> Store | None:
    """The store that an earlier run began at `out`; None where there is nothing."""
    store = begun.earlier(out)
    if store is None:
        return None
    before = store.provenance.get("command")
    if before is None:
        raise FileExistsError(f"--out: {out} is a store that tools/build_store.py did not write; name another folder.")
    difference = _difference(_current(before), inputs.command())
    if difference:
        raise FileExistsError(
            f"--out: {out} was begun {difference}; run the same command to continue it, name another folder, or delete this "
            "one."
        )
    return store


def _current(command: dict) -> dict:
    """A recorded command in today's form; before `--product`, each product had a flag, and flags of its options."""
    if "products" in command:
        return command
    options = {"enmap": {}, "sentinel2": {"unit": "sentinel2_unit", "offset": "sentinel2_offset"}}
    options["sentinel1"] = {"kind": "sentinel1_product"}
    products = [
        {"product": name, "folder": command[name], "options": {option: command.get(flag) for option, flag in flags.items()}}
        for name, flags in options.items()
        if command.get(name)
    ]
    return {"footprint_m": command["footprint_m"], "products": products}


def _difference(begun: dict, now: dict) -> str:
    """How the command that began a store differs from this one, as the end of a sentence; empty where it does not."""
    if begun["footprint_m"] != now["footprint_m"]:
        return f"with --footprint_m={begun['footprint_m']}, and now it is {now['footprint_m']}"
    before, after = ([table.written(source) for source in command["products"]] for command in (begun, now))
    gone = " ".join(source for source in before if source not in after)
    new = " ".join(source for source in after if source not in before)
    if gone:
        return f"with {gone}, and now {f'it is {new}' if new else 'it is left out'}"
    return f"without {new}" if new else ""


def _check_writable(out: Path):
    there = next(p for p in (out, *out.absolute().parents) if p.exists())
    if not there.is_dir():
        raise NotADirectoryError(f"--out: {out} cannot be made, because {there} is a file; name another folder.")
    if not os.access(there, os.W_OK):
        raise PermissionError(f"--out: {out} cannot be made, because {there} is not writable; name another folder.")
