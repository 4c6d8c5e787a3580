"""Seconds a step that a compiled program would take, what binds it, and how it scales: predictions, none of them measured.

Three parts are computed from the program and the chip's data sheet:

- arithmetic: model FLOPs of the chip's samples / peak, times 4/3 where `model.remat` computes the forward pass again;
- memory: bytes moved between HBM and chip (`traffic`) / bandwidth. A Pallas kernel counts as its author estimates;
- network: bytes that a chip sends by ring algorithms / bandwidth of its links, and between slices of its share of the data
  centre's network; and the time that a message takes from chip to chip, for each collective.

`longest_s` is their sum: nothing overlaps. `shortest_s` is the greatest: everything overlaps. The prediction is the sum, as XLA
for TPU runs one operation after another and an operation is bound by one of the three. In both the matrix units run at their
peak whenever they run, which small products do not reach, and changing a layout costs its bytes alone, so even the sum can be
too short: the compiler's own estimate (`traffic.step_cycles`), which the report gives beside it, is several times as long.
"""

import dataclasses

from spectral_jax.measure.pod.chips import Chip, Slices
from spectral_jax.measure.pod.collectives import Collective
from spectral_jax.measure.pod.program import Compiled

RECOMPUTE = 4.0 / 3.0  # forward again: four forwards' worth of arithmetic instead of three


@dataclasses.dataclass(frozen=True)
class Prediction:
    """Of one step; `compiled` tells whether a program for exactly these chips was compiled, or its numbers are carried over.

    Attributes:
      where: the slices or GPU nodes.
      chips: how many.
      batch_per_chip: samples.
      arithmetic_s: matrix products at peak.
      memory_s: traffic of HBM.
      network_s: collectives, within slices and between them.
      shortest_s: the greatest of the three.
      longest_s: their sum, which is the prediction.
      binds: name of the greatest.
      samples_per_s: of all chips.
      peak_share: model FLOPs / (peak * longest_s); what is computed again does not count.
      most_peak_share: the same with shortest_s.
      compiled: see above.
    """

    where: str
    chips: int
    batch_per_chip: int
    arithmetic_s: float
    memory_s: float
    network_s: float
    shortest_s: float
    longest_s: float
    binds: str
    samples_per_s: float
    peak_share: float
    most_peak_share: float
    compiled: bool


def step(
    compiled: Compiled, slices: Slices, batch_per_chip: int, flops_per_sample: float, remat: str, exact: bool = True
) -> Prediction:
    """The step of a compiled program on TPUs.

    Args:
      compiled: the program.
      slices: where it runs.
      batch_per_chip: samples.
      flops_per_sample: model FLOPs, forward and backward.
      remat: `model.remat` of the run.
      exact: whether the program was compiled for these slices.
    """
    network = sum(collective_s(one, slices) for one in compiled.collectives)
    memory = compiled.moved_bytes / slices.chip.hbm_bandwidth_bytes_per_s
    where = slices.name if slices.count == 1 else f"{slices.count} x {slices.name}"
    return _put_together(where, slices.chips, slices.chip, batch_per_chip, flops_per_sample, remat, memory, network, exact)


def collective_s(one: Collective, slices: Slices) -> float:
    """Seconds of collectives on TPUs: of bytes over links and of hops, or of bytes over the network between slices."""
    if one.between_slices:
        return one.sent_bytes / slices.chip.network_bandwidth_bytes_per_s
    ways = 2 if one.kind == "all-reduce" else 1  # it reduces, and then gathers
    hops_s = ways * slices.hops(one.group_size) * slices.chip.hop_s * one.count * one.runs
    return one.sent_bytes / slices.send_bandwidth_bytes_per_s(one.group_size) + hops_s


def scaled(compiled: Compiled, chips: int, others: int, fsdp: int) -> Compiled:
    """The program as it would be on `others` chips instead of `chips`, with the same batch a chip.

    Groups of all chips, and of those that hold the same part of the parameters, grow or shrink; others, as those of
    `train.fsdp`, stay. Where the two kinds have one size, all-reduces are taken for the former.
    """
    replicas = chips // fsdp

    def size(one: Collective) -> int:
        if one.group_size == chips:
            return others
        if one.group_size == replicas and (replicas != fsdp or one.kind == "all-reduce"):
            return others // fsdp
        return one.group_size

    moved = tuple(dataclasses.replace(one, group_size=size(one)) for one in compiled.collectives)
    return dataclasses.replace(compiled, collectives=moved)


def on_gpus(compiled: Compiled, node: Chip, chips: int, batch_per_chip: int, flops_per_sample: float, remat: str) -> Prediction:
    """The same step on GPU nodes, by arithmetic alone: nothing is compiled for them.

    Traffic is that of the TPU's program. Gradients in float32 are added up by rings, over NVLink within a node and by the
    network between nodes, where each GPU sends its eighth.
    """
    nodes = max(1, round(chips / node.chips_per_node))
    gradients = Collective("all-reduce", "f32", compiled.gradient_bytes, node.chips_per_node)
    across = dataclasses.replace(gradients, group_size=nodes).sent_bytes / node.chips_per_node
    network = gradients.sent_bytes / node.link_bandwidth_bytes_per_s + across / node.network_bandwidth_bytes_per_s
    memory = compiled.moved_bytes / node.hbm_bandwidth_bytes_per_s
    gpus = nodes * node.chips_per_node
    where = f"{nodes} nodes of {node.title}"
    return _put_together(where, gpus, node, batch_per_chip, flops_per_sample, remat, memory, network, False)


def chip_hours(samples: float, samples_per_s: float, chips: int) -> float:
    """Hours of one chip for so many samples."""
    return samples / samples_per_s * chips / 3600.0


def _put_together(
    where: str, chips: int, chip: Chip, batch: int, flops: float, remat: str, memory: float, network: float, compiled: bool
) -> Prediction:
    ideal = flops * batch / chip.peak_flops_per_s
    parts = {"arithmetic": ideal * (1.0 if remat == "none" else RECOMPUTE), "memory": memory, "network": network}
    shortest, longest = max(parts.values()), sum(parts.values())
    return Prediction(
        where, chips, batch, parts["arithmetic"], memory, network, shortest, longest, max(parts, key=lambda name: parts[name]),
        chips * batch / longest, ideal / longest, ideal / shortest, compiled,
    )  # fmt: skip
