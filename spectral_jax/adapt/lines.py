"""Lines of a comparison: `encoder/adaptation`, trained by the run's protocol, or `encoder/adaptation/how` by another one."""

from typing import NamedTuple

from spectral_jax.adapt import bands, protocols
from spectral_jax.adapt.encoders.table import ENCODERS
from spectral_jax.adapt.protocols import PROTOCOLS, Protocol
from spectral_jax.sentences import unknown

# Nothing is trained: models of scikit-learn on the embeddings of whole images.
KNN_PROBE, LINEAR_PROBE = "knn_probe", "linear_probe"
PROBES = (KNN_PROBE, LINEAR_PROBE)


class Line(NamedTuple):
    """One line of the table.

    Attributes:
      name: as it stands in `Comparison.rows`.
      encoder: of `encoders.table.ENCODERS`.
      adaptation: of `adapt.bands.ADAPTATIONS`.
      protocol: how head, projection and encoder are trained; of a probe nothing but its batch size is used.
      probe: of `PROBES`; empty: the protocol trains.
    """

    name: str
    encoder: str
    adaptation: str
    protocol: Protocol
    probe: str

    @property
    def how(self) -> str:
        """What results.json calls the protocol."""
        return self.probe or protocols.label(self.protocol)


def parse(row: str, protocol: Protocol) -> Line:
    """The line that a row names.

    Args:
      row: "encoder/adaptation", or with a third part: a published protocol, or one of `PROBES`.
      protocol: of rows without a third part; those of another version of its study have its changes.

    Raises:
      ValueError: an unknown encoder, adaptation, protocol or probe.
    """
    parts = row.split("/", 2)  # names of protocols may have a further one
    if len(parts) not in (2, 3):
        raise ValueError(
            f"rows: expected encoder/adaptation, such as terramind/srf, or encoder/adaptation/protocol, got {row!r}."
        )
    if parts[0] not in ENCODERS:
        raise unknown("rows", "encoder", parts[0], ENCODERS, most=len(ENCODERS))
    adaptation = bands.known(parts[1])
    if len(parts) == 2:
        return Line(row, parts[0], adaptation, protocol, "")
    ways = (*PROTOCOLS, *PROBES)
    if parts[2] not in ways:
        raise unknown("rows", "protocol or probe", parts[2], ways, most=len(ways))
    if parts[2] in PROBES:
        return Line(row, parts[0], adaptation, protocol, parts[2])
    return Line(row, parts[0], adaptation, protocols.version(parts[2], protocol), "")
