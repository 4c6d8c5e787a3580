"""How an encoder is adapted and trained on a task, as three studies state it: optimiser, schedule, head, stopping and labels.

(a) The TerraMind study (arXiv 2603.06690); its batch size, learning rate and decay were not to be found, so those of the
published TerraMind fine-tuning configs stand in. (b) SpectralEarth-FM (arXiv 2605.21075), frozen encoder, from its public
code. (c) PANGAEA (arXiv 2412.04204; pangaea-bench of 2025-07-09). What no source states is marked "choice".
"""

import dataclasses

from spectral_jax import ranges
from spectral_jax.ranges import COUNT, NOT_NEGATIVE, Range
from spectral_jax.sentences import unknown

SCHEDULES = ("constant", "cosine", "plateau", "multistep")
# What some fields may be.
KNOWN = {
    "head": ("linear", "fcn", "upernet", "multitap"),
    "schedule": SCHEDULES,
    "regression_schedule": SCHEDULES,
    "monitor": ("loss", "metric"),
    "series": ("ltae", "linear"),
    "change": ("concatenation", "difference"),
}


@dataclasses.dataclass(frozen=True)
class Protocol:
    """One way to train on a task.

    Attributes:
      name: of `PROTOCOLS`, where one of them is meant; a changed one keeps the name, and `changes` says what differs.
      frozen: the encoder does not train; head and learned projections do.
      head: of tasks with a label for each pixel: "linear", "fcn", "upernet" or "multitap".
      head_width: of that head; None: the head's own.
      regression_width: hidden width of the head of image-level tasks.
      dropout: of the head.
      learning_rate, weight_decay, betas: of AdamW.
      schedule: "cosine" to 0 at the last step, "plateau", "multistep" or "constant", for tasks with classes.
      regression_schedule: the same for regressions.
      plateau_factor, plateau_patience: the learning rate is multiplied after more than so many looks without a better one.
      milestones: shares of all steps at which "multistep" multiplies the learning rate by `milestone_factor`.
      milestone_factor: see `milestones`.
      epochs: at most.
      batch: samples a step.
      patience: epochs without a better monitor before training ends; None: never.
      evaluate_every: epochs between looks at the validation part.
      monitor: what is better: lower validation "loss", or the "metric" of the task.
      augment: training samples are flipped and turned by multiples of 90 degrees, drawn from the eight of the square.
      series: how the features of several dates become those of a sample, "ltae" or "linear", see `heads.temporal`.
      change: the same for the two images of a change, "concatenation" or "difference".
      window: images larger than the encoder's are cropped in training and read by a sliding window; otherwise all are resized.
      label_fraction: share of the training samples that is used.
      seeds: repetitions that the study makes.
    """

    name: str
    frozen: bool
    head: str
    head_width: int | None
    learning_rate: float
    weight_decay: float
    epochs: int
    batch: int
    schedule: str
    regression_schedule: str
    regression_width: int = 256
    dropout: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    plateau_factor: float = 0.5
    plateau_patience: int = 5
    milestones: tuple[float, ...] = (0.6, 0.9)
    milestone_factor: float = 0.1
    patience: int | None = None
    evaluate_every: int = 1
    monitor: str = "loss"
    augment: bool = False
    series: str = "ltae"
    change: str = "concatenation"
    window: bool = False
    label_fraction: float = 1.0
    seeds: int = 1

    def __post_init__(self):
        for field, known in KNOWN.items():
            if getattr(self, field) not in known:
                raise ValueError(f"protocol.{field}: expected one of {', '.join(known)}, got {getattr(self, field)!r}.")
        counts = ("epochs", "batch", "evaluate_every", "seeds", "regression_width", "head_width", "patience")
        table = dict.fromkeys(counts, COUNT) | {
            "learning_rate": NOT_NEGATIVE, "weight_decay": NOT_NEGATIVE, "dropout": Range(0.0, 1.0, below=True),
            "betas": Range(0.0, 1.0, below=True), "plateau_factor": Range(0.0, 1.0, above=True), "plateau_patience": Range(0),
            "milestones": Range(0.0, 1.0, rising=True), "milestone_factor": Range(0.0, 1.0, above=True),
            "label_fraction": Range(0.0, 1.0, above=True),
        }  # fmt: skip
        ranges.check(self, "protocol.", table)
        if self.patience is not None and self.patience < self.evaluate_every:
            raise ValueError(
                f"protocol.patience: expected at least evaluate_every = {self.evaluate_every} epochs, got {self.patience}."
            )


# (a) Stated: FCN decoder of 256 channels with cross-entropy, or linear head with hidden 256 and MSE; AdamW, 100 epochs, early
# stopping with patience 20, cosine annealing (segmentation) or ReduceLROnPlateau (regression), 10 seeds. From the configs of
# IBM/terramind: batch 8, learning rate 1e-4, decay 0.1, factor 0.5, patience 5, the validation loss monitored, augmentation by
# the symmetries of the square. Choice: no dropout.
TERRAMIND_STUDY = Protocol(
    name="terramind_study",
    frozen=False,
    head="fcn",
    head_width=256,
    learning_rate=1e-4,
    weight_decay=0.1,
    epochs=100,
    batch=8,
    schedule="cosine",
    regression_schedule="plateau",
    patience=20,
    augment=True,
    seeds=10,
)

# (b) Stated: backbone frozen, multi-tap head with 128 channels a tap, AdamW 1e-4, decay 1e-3, batch 8, 100 epochs,
# cross-entropy. Choices: a constant learning rate, the state of the lowest validation loss, no augmentation, one seed.
SPECTRALEARTH_FM_FROZEN = Protocol(
    name="spectralearth_fm_frozen",
    frozen=True,
    head="multitap",
    head_width=128,
    learning_rate=1e-4,
    weight_decay=1e-3,
    epochs=100,
    batch=8,
    schedule="constant",
    regression_schedule="constant",
)

# (c) Stated: encoder frozen, UPerNet of 512 channels with dropout 0.1, AdamW 1e-4 with betas 0.9 and 0.999 and decay 0.05,
# MultiStep at 60 and 90 % of the iterations, 80 epochs, batch 8, evaluated every 5 epochs, best validation metric kept,
# sliding window, 100, 50 or 10 % of the labels; dates encoded one by one and merged by L-TAE or a linear layer, a change by the
# features of both images, concatenated or subtracted (it publishes numbers of both ways). Choices: the factor 0.1 (PyTorch's
# default); hidden 256 for image-level tasks; no flips.
PANGAEA = Protocol(
    name="pangaea",
    frozen=True,
    head="upernet",
    head_width=512,
    dropout=0.1,
    learning_rate=1e-4,
    weight_decay=0.05,
    epochs=80,
    batch=8,
    schedule="multistep",
    regression_schedule="multistep",
    evaluate_every=5,
    monitor="metric",
    window=True,
)
# PANGAEA's label regimes, of which it draws each stratified over `parts.blocks.BINS` bins.
LABEL_FRACTIONS = (1.0, 0.5, 0.1)

PROTOCOLS = {p.name: p for p in (TERRAMIND_STUDY, SPECTRALEARTH_FM_FROZEN, PANGAEA)}


def published(name: str) -> Protocol:
    """The protocol called `name`, as published.

    Raises:
      ValueError: there is none of that name.
    """
    if name not in PROTOCOLS:
        raise unknown("protocol", "protocol", name, PROTOCOLS)
    return PROTOCOLS[name]


def changes(protocol: Protocol) -> tuple[str, ...]:
    """What differs from the published protocol of that name, as phrases `field value (published value)`; empty: nothing."""
    first = published(protocol.name)
    fields = [f.name for f in dataclasses.fields(Protocol) if getattr(protocol, f.name) != getattr(first, f.name)]
    return tuple(f"{f} {getattr(protocol, f)} (published {getattr(first, f)})" for f in fields)


def label(protocol: Protocol) -> str:
    """The name that stands in tables: `terramind_study`, or `terramind_study, changed`."""
    return protocol.name + (", changed" if changes(protocol) else "")
