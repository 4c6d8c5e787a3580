"""Peak, memory and links of accelerators, from `data_specs/chips`, and slices of TPUs by name, such as v5e:16x16."""

import dataclasses
import functools
import math

from spectral_jax import spec_files
from spectral_jax.sentences import unknown


@dataclasses.dataclass(frozen=True)
class Chip:
    """One accelerator; every number has its source in the chip's file.

    Attributes:
      name: of its file.
      title: for people.
      kind: "tpu" or "gpu".
      peak_flops_per_s: of bfloat16 matrix products.
      hbm_bytes: memory.
      hbm_usable_bytes: what of it a program can have.
      hbm_bandwidth_bytes_per_s: between memory and chip.
      link_bandwidth_bytes_per_s: one direction: of one link of a TPU, of all NVLinks of a GPU together.
      network_bandwidth_bytes_per_s: of a chip's share of the data-centre network, one direction.
      clock_hz: of a TPU's cores; 0: not known.
      links: of a TPU to its neighbours.
      hop_s: from a TPU to its neighbour, however little is sent.
      torus_dimensions: of a TPU's network.
      wrap: sides that close to a ring: a number of chips, or "multiple of 4".
      topology_name: libtpu's name.
      topologies: shapes of slices that are offered.
      chips_per_node: GPUs that NVLink joins.
    """

    name: str
    title: str
    kind: str
    peak_flops_per_s: float
    hbm_bytes: float
    hbm_usable_bytes: float
    hbm_bandwidth_bytes_per_s: float
    link_bandwidth_bytes_per_s: float
    network_bandwidth_bytes_per_s: float
    clock_hz: float = 0.0
    links: int = 0
    hop_s: float = 0.0
    torus_dimensions: int = 0
    wrap: str = ""
    topology_name: str = ""
    topologies: tuple[str, ...] = ()
    chips_per_node: int = 0

    def rings(self, side: int) -> bool:
        """Whether a side of that many chips closes to a ring."""
        return side % 4 == 0 if self.wrap == "multiple of 4" else str(side) == self.wrap


@dataclasses.dataclass(frozen=True)
class Slices:
    """Slices of TPUs of one shape, joined by the data-centre network where there are several.

    Attributes:
      chip: of which they consist.
      sides: chips along the axes of one slice.
      count: how many slices.
    """

    chip: Chip
    sides: tuple[int, ...]
    count: int = 1

    @property
    def name(self) -> str:
        """Such as v5e:16x16, the name in libtpu."""
        return f"{self.chip.topology_name}:{'x'.join(map(str, self.sides))}"

    @property
    def chips_per_slice(self) -> int:
        """Chips of one slice."""
        return math.prod(self.sides)

    @property
    def chips(self) -> int:
        """Chips of all slices."""
        return self.chips_per_slice * self.count

    def send_bandwidth_bytes_per_s(self, group_size: int) -> float:
        """How fast a chip sends to the others of its group within a slice, as a ring algorithm can use it.

        A whole slice uses all its axes. A smaller group is taken to lie along one axis, as groups of consecutive devices do,
        and not to close to a ring unless it is as long as a side that does. A side that closes is used in both directions.
        """
        return self.chip.link_bandwidth_bytes_per_s * max(1, sum(2 if ring else 1 for _, ring in self._axes(group_size)))

    def hops(self, group_size: int) -> int:
        """Links that a message passes at most on its way through such a group; no more than through the whole slice."""
        own, whole = (
            sum(side // 2 if ring else side - 1 for side, ring in self._axes(size))
            for size in (group_size, self.chips_per_slice)
        )
        return min(own, whole)

    def _axes(self, group_size: int) -> list[tuple[int, bool]]:
        """Sides longer than one chip that a group spans, and whether each closes to a ring."""
        whole = group_size >= self.chips_per_slice
        sides = self.sides if whole else (group_size,)
        return [(side, self.chip.rings(side) and (whole or side in self.sides)) for side in sides if side > 1]


@functools.cache
def load(name: str) -> Chip:
    """The chip of a name of `data_specs/chips`.

    Raises:
      ValueError: no chip has the name; the sentence tells the closest.
    """
    path = spec_files.find("chips", name, "chip", "chip")
    fields = spec_files.read_toml(path)
    return Chip(**({"name": path.stem} | fields | {"topologies": tuple(fields.get("topologies", ()))}))


def names(kind: str) -> list[str]:
    """Names of the chips of a kind, "tpu" or "gpu"."""
    return [name for name in spec_files.names("chips") if load(name).kind == kind]


def slices(name: str, count: int = 1) -> Slices:
    """The slices that a name such as v5e:16x16 means.

    Raises:
      ValueError: no slice has the name; the sentence tells the closest; or the count is not positive.
    """
    offered = {f"{chip}:{shape}": (chip, shape) for chip in names("tpu") for shape in load(chip).topologies}
    if name not in offered:
        raise unknown("--topology", "slice of TPUs", name, offered, most=5)
    if count < 1:
        raise ValueError(f"--slices: expected how many slices {name} work together, 1 or more, got {count}.")
    chip, shape = offered[name]
    return Slices(load(chip), tuple(int(side) for side in shape.split("x")), count)
