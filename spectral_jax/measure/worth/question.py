"""What is asked of an encoder, fixed before it is trained."""

import dataclasses

# Choices: one seed of the simulator for the verdict, another for choosing among recipes, so that nothing is chosen by the
# places that judge it. Runs are simulated with other seeds.
VERDICT_SEED = 7919
SELECTION_SEED = 5003
MOST_NUMBERS = 808  # of a readout: as many as bands and logarithms of bands have, mean and deviation, for EnMAP's 202 bands


@dataclasses.dataclass(frozen=True)
class Question:
    """The criterion's settings.

    Attributes:
      sensor: the one sensor that is shown, at its first valid date.
      seed: of the simulator, for the places.
      labelled: places whose ground parameters the ridge may learn from.
      unseen: places that it is scored on.
      labels: how many labels; as many as `labelled`: all of them.
      draws: of labels; with all labels, parts of the unseen places.
    """

    sensor: str = "ENMAP"
    seed: int = VERDICT_SEED
    labelled: int = 480
    unseen: int = 3000
    labels: tuple[int, ...] = (20, 50, 100, 480)
    draws: int = 20

    def __post_init__(self):
        if min(self.labelled, self.unseen, self.draws) < 2 or self.draws > self.unseen // 2:
            raise ValueError(
                f"criterion: expected 2 places and draws or more, and two unseen places a draw, got labelled {self.labelled}, "
                f"unseen {self.unseen}, draws {self.draws}."
            )
        if not self.labels or any(not 2 <= n <= self.labelled for n in self.labels) or len(set(self.labels)) < len(self.labels):
            raise ValueError(
                f"--labels: expected numbers from 2 to {self.labelled} (all labelled places), each once, got "
                f"{', '.join(map(str, self.labels)) or 'none'}."
            )

    @property
    def places(self) -> int:
        """How many places there are in all."""
        return self.labelled + self.unseen
