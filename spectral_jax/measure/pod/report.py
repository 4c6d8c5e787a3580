"""A run on a pod: every group compiled, what fits, seconds and cost of the whole run, weak scaling."""

import dataclasses
import math
from collections.abc import Callable

from spectral_jax.config import Config
from spectral_jax.measure.pod import batches, fit, predict
from spectral_jax.measure.pod.chips import Slices, load, names, slices
from spectral_jax.measure.pod.fit import Tried
from spectral_jax.measure.pod.predict import Prediction
from spectral_jax.measure.pod.program import Compiled
from spectral_jax.simulate.scenes.groups import GROUP_LOCATIONS
from spectral_jax.train import partition

Compile = Callable[[Config, str, Slices], Compiled]


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Attributes:
      groups: of the archive; empty: all that hold a sensor of the config.
      batch_per_chip: samples a chip; None: `data.batch_size` of the config over all chips.
      search: look for the largest batch a chip that fits, beginning there.
      scaling: compile the step for each slice of the weak scaling, instead of carrying over one program.
      price: of a chip-hour, dollars; None: not known.
    """

    groups: tuple[str, ...] = ()
    batch_per_chip: int | None = None
    search: bool = False
    scaling: bool = False
    price: float | None = None

    def __post_init__(self):
        if self.price is not None and not 0 <= self.price < math.inf:
            raise ValueError(f"--price: expected dollars for an hour of one chip, 0 or more, got {self.price}.")
        if self.batch_per_chip is not None and self.batch_per_chip < 1:
            raise ValueError(f"--batch_per_chip: expected samples a chip, 1 or more, got {self.batch_per_chip}.")


@dataclasses.dataclass(frozen=True)
class GroupReport:
    """One group.

    Attributes:
      group: its name.
      sensors: keys of its sensors that the config has.
      batch_per_chip: samples; after a search the largest that was found to fit.
      flops_per_sample: model FLOPs.
      compiled: the step with that batch.
      fit: whether it fits.
      estimate_s: seconds of a step by the compiler's own estimate, without kernels and collectives; 0: not known.
      ways_in: what was tried where it does not.
      searched: batches a chip that a search tried, and whether they fit.
      step: seconds; None where it does not fit.
      scaling: weak scaling over slices of the same chip.
      gpus: the same on as many GPUs, by arithmetic alone.
    """

    group: str
    sensors: tuple[str, ...]
    batch_per_chip: int
    flops_per_sample: float
    compiled: Compiled
    fit: Tried
    estimate_s: float = 0.0
    ways_in: tuple[Tried, ...] = ()
    searched: tuple[tuple[int, bool], ...] = ()
    step: Prediction | None = None
    scaling: tuple[Prediction, ...] = ()
    gpus: tuple[Prediction, ...] = ()


@dataclasses.dataclass(frozen=True)
class Run:
    """The whole run.

    Attributes:
      config: name of it.
      where: slices, such as v5e:16x16.
      slices: how many.
      chips: of all slices.
      samples: that the run sees, `train.steps * data.batch_size` of the config.
      groups: one report each.
      hours: of the run; None where a group does not fit.
      chip_hours: the same times chips.
      price: of a chip-hour, dollars; None: not known.
      dollars: at the price; None where there is none.
    """

    config: str
    where: str
    slices: int
    chips: int
    samples: int
    groups: tuple[GroupReport, ...]
    hours: float | None
    chip_hours: float | None
    price: float | None
    dollars: float | None


def make(
    cfg: Config, where: Slices, wanted: Wanted, flops: Callable[[Config, list[str]], float], compile_step: Compile,
    say: Callable[[str], None] = lambda line: None,
) -> Run:  # fmt: skip
    """Compiles the groups one after another and puts the report together.

    Args:
      cfg: the run.
      where: the pod.
      wanted: what is asked for.
      flops: model FLOPs of a training sample, from the config and the keys of its sensors.
      compile_step: `child.compile_step`.
      say: gets a line before each compilation, which takes minutes.

    Raises:
      ValueError: an unknown group, one without a sensor of the config, or a batch that does not divide.
    """
    chosen = wanted.groups or tuple(batches.known(cfg))
    keys = {group: list(batches.sensors(cfg, group)) for group in chosen}

    def told(changed: Config, group: str, slice_: Slices) -> Compiled:
        per_chip = changed.data.batch_size / slice_.chips
        say(f"compiling {group} for {slice_.count} x {slice_.name}, {per_chip:g} samples a chip ...")
        return compile_step(changed, group, slice_)

    sized = cfg if wanted.batch_per_chip is None else fit.with_batch(cfg, wanted.batch_per_chip, where.chips)
    if sized.data.batch_size % where.chips or where.chips % cfg.train.fsdp:
        partition.make_mesh(sized, [None] * where.chips)  # raises, with the sentence that the run itself would end with
    reports = tuple(_group(sized, where, group, keys[group], wanted, flops(sized, keys[group]), told) for group in chosen)
    samples = cfg.train.steps * cfg.data.batch_size
    hours = None
    if all(one.step for one in reports):
        # Groups are drawn by the square root of their size, as the loader's schedule does.
        weights = [math.sqrt(GROUP_LOCATIONS.get(one.group, 1)) for one in reports]
        seconds = [weight / one.step.samples_per_s for weight, one in zip(weights, reports, strict=True) if one.step]
        hours = samples * sum(seconds) / sum(weights) / 3600.0
    spent = None if hours is None else hours * where.chips
    dollars = None if spent is None or wanted.price is None else spent * wanted.price
    return Run(cfg.name, where.name, where.count, where.chips, samples, reports, hours, spent, wanted.price, dollars)


def _group(
    cfg: Config, where: Slices, group: str, keys: list[str], wanted: Wanted, flops: float, compile_step: Compile
) -> GroupReport:
    usable, programs = where.chip.hbm_usable_bytes, {}

    def compiled(batch: int) -> Compiled:
        if batch not in programs:
            programs[batch] = compile_step(fit.with_batch(cfg, batch, where.chips), group, where)
        return programs[batch]

    batch = cfg.data.batch_size // where.chips
    searched: list[tuple[int, bool]] = []
    if wanted.search:
        best, searched = fit.largest_batch(lambda n: fit.judge("", compiled(n), usable).fits, batch)
        batch = best or 1
    cfg = fit.with_batch(cfg, batch, where.chips)
    found = compiled(batch)
    judged = fit.judge("as configured", found, usable)
    clock_hz = where.chip.clock_hz
    estimate_s = found.estimated_cycles / clock_hz if clock_hz else 0.0
    report = GroupReport(group, tuple(keys), batch, flops, found, judged, estimate_s, searched=tuple(searched))
    if not judged.fits:
        tried = fit.ways_in(cfg, where.chips, usable, lambda changed: compile_step(changed, group, where))
        return dataclasses.replace(report, ways_in=tuple(tried))
    remat, fsdp = cfg.model.remat, cfg.train.fsdp
    predicted = predict.step(found, where, batch, flops, remat)
    scaling = []
    for shape in where.chip.topologies:
        other = slices(f"{where.chip.name}:{shape}")
        if not 16 <= other.chips <= 256 or other.chips % fsdp or where.count > 1:
            continue
        if other == where:
            scaling.append(predicted)
            continue
        if wanted.scaling:
            there = compile_step(fit.with_batch(cfg, batch, other.chips), group, other)
        else:
            there = predict.scaled(found, where.chips, other.chips, fsdp)
        scaling.append(predict.step(there, other, batch, flops, remat, exact=wanted.scaling))
    gpus = [predict.on_gpus(found, load(name), where.chips, batch, flops, remat) for name in names("gpu")]
    return dataclasses.replace(report, step=predicted, scaling=tuple(scaling), gpus=tuple(gpus))
