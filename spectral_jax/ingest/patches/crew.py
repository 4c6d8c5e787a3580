"""Who writes shards: what is asked of them, and this process, which is one of those who can."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from spectral_jax.ingest.patches import shard

Chain = list[shard.Task]


class Crew(Protocol):
    """Who writes shards."""

    @property
    def told(self) -> str:
        """What is said of them in a line of progress."""

    def longest(self, shards: int) -> int:
        """The most tasks that a chain should have, of all the shards of a build."""

    def run(self, chains: Iterable[Chain]) -> Iterator[tuple[shard.Task, shard.Outcome]]:
        """Tasks as they are done; those of a chain in their order."""


class Alone:
    """This process."""

    told = ""

    def longest(self, shards: int) -> int:
        """One: whatever the chains are, the same process goes on with the same granule."""
        return 1

    def run(self, chains: Iterable[Chain]) -> Iterator[tuple[shard.Task, shard.Outcome]]:
        """One task after another."""
        for chain in chains:
            for task in chain:
                yield task, shard.fill(task)
