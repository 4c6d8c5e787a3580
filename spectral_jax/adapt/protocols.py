"""How an encoder is adapted and trained on a task, as three studies state it: optimiser, schedule, head, stopping and labels.

(a) The TerraMind study (arXiv 2603.06690): as its text has it, whose batch size, learning rate and decay were not to be found,
so that those of the published TerraMind fine-tuning configs stand in; and as its code has it, in two versions. (b)
SpectralEarth-FM (arXiv 2605.21075), frozen encoder, from its public code. (c) PANGAEA (arXiv 2412.04204; pangaea-bench of
2025-07-09). What no source states is marked "choice".
"""

import dataclasses

from spectral_jax import ranges
from spectral_jax.ranges import COUNT, NOT_NEGATIVE, Range
from spectral_jax.sentences import unknown

SCHEDULES = ("constant", "cosine", "plateau", "multistep")
# By what bands are normalised before an encoder; see `Protocol.statistics`.
OF_ENCODER, OF_TASK, AS_PUBLISHED = STATISTICS = ("encoder", "task", "task_as_published")
# What some fields may be.
KNOWN = {
    "head": ("linear", "fcn", "upernet", "multitap"),
    "schedule": SCHEDULES,
    "regression_schedule": SCHEDULES,
    "monitor": ("loss", "metric"),
    "series": ("ltae", "linear"),
    "change": ("concatenation", "difference"),
    "statistics": STATISTICS,
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
      schedule: "cosine" to `lowest_rate` at the last step, "plateau", "multistep" or "constant", for tasks with classes.
      regression_schedule: the same for regressions.
      lowest_rate: where the cosine ends.
      plateau_factor, plateau_patience: the learning rate is multiplied after more than so many looks without a better one.
      milestones: shares of all steps at which "multistep" multiplies the learning rate by `milestone_factor`.
      milestone_factor: see `milestones`.
      epochs: at most.
      batch: samples a step.
      patience: epochs without a better monitor before training ends; None: never.
      least_gain: what a monitor must be better by to count as better.
      evaluate_every: epochs between looks at the validation part.
      monitor: what is better: lower validation "loss", or the "metric" of the task.
      augment: training samples are flipped and turned by multiples of 90 degrees, drawn from the eight of the square.
      series: how the features of several dates become those of a sample, "ltae" or "linear", see `heads.temporal`.
      change: the same for the two images of a change, "concatenation" or "difference".
      window: images larger than the encoder's are cropped in training and read by a sliding window; otherwise all are resized.
      statistics: "encoder": of an encoder with weights its own, else those of the training part; "task": those of what the
        encoder sees in the training part; "task_as_published": as the code of the TerraMind study has them, for nearest and
        srf: see `fit.study_statistics`.
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
    lowest_rate: float = 0.0
    plateau_factor: float = 0.5
    plateau_patience: int = 5
    milestones: tuple[float, ...] = (0.6, 0.9)
    milestone_factor: float = 0.1
    patience: int | None = None
    least_gain: float = 0.0
    evaluate_every: int = 1
    monitor: str = "loss"
    augment: bool = False
    series: str = "ltae"
    change: str = "concatenation"
    window: bool = False
    statistics: str = OF_ENCODER
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
            "label_fraction": Range(0.0, 1.0, above=True), "lowest_rate": NOT_NEGATIVE, "least_gain": NOT_NEGATIVE,
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

# The same study as its authors' code has it (github.com/leonardijulia/TM_HSI_finetuning at ca37f28; facts only), for its three
# sets of EnMAP: trained end to end, head dropout 0.21, AdamW 3e-5 with decay 1e-4, cosine to 1e-5, early stopping with patience
# 15 and least gain 1e-4 on the validation loss, batch 16 (CDL: 8), seeds 42 to 51. Inputs are standardised by the task's
# statistics. Left out: random resized crops of 0.2 to 1 (ours are turned and flipped), background as a class and class weights
# (a task's file says what is ignored), float16. Hyperview has other numbers: 5.4e-5, decay 0.01, dropout 0.2, plateau 0.5 / 10.
#
# Its two versions differ in the statistics and in nothing else: "as_published" has those of the band after the one that is read
# (nearest), and deviations as if neighbouring bands were independent (srf); "corrected" those of what the encoder sees.
STUDY = "terramind_study"
STUDY_CORRECTED = dataclasses.replace(
    TERRAMIND_STUDY,
    name=f"{STUDY}/corrected",
    dropout=0.21,
    learning_rate=3e-5,
    weight_decay=1e-4,
    lowest_rate=1e-5,
    least_gain=1e-4,
    patience=15,
    batch=16,
    statistics=OF_TASK,
)
STUDY_AS_PUBLISHED = dataclasses.replace(STUDY_CORRECTED, name=f"{STUDY}/as_published", statistics=AS_PUBLISHED)

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

PROTOCOLS = {p.name: p for p in (TERRAMIND_STUDY, STUDY_AS_PUBLISHED, STUDY_CORRECTED, SPECTRALEARTH_FM_FROZEN, PANGAEA)}


def published(name: str) -> Protocol:
    """The protocol called `name`, as published.

    Raises:
      ValueError: there is none of that name.
    """
    if name not in PROTOCOLS:
        raise unknown("protocol", "protocol", name, PROTOCOLS)
    return PROTOCOLS[name]


def version(name: str, run: Protocol) -> Protocol:
    """The protocol called `name` in a run; as published, or where it is a version of the run's own study, with its changes.

    So `terramind_study/as_published` and `terramind_study/corrected` at a smaller size differ in what they list alone.

    Args:
      name: of `PROTOCOLS`.
      run: the run's protocol.

    Raises:
      ValueError: there is none of that name.
    """
    first = published(name)
    of_one_study = "/" in name and "/" in run.name and name.split("/")[0] == run.name.split("/")[0]
    if not of_one_study:
        return first
    own = published(run.name)
    names = [f.name for f in dataclasses.fields(Protocol) if getattr(run, f.name) != getattr(own, f.name)]
    return dataclasses.replace(first, **{name: getattr(run, name) for name in names})


def changes(protocol: Protocol) -> tuple[str, ...]:
    """What differs from the published protocol of that name, as phrases `field value (published value)`; empty: nothing."""
    first = published(protocol.name)
    fields = [f.name for f in dataclasses.fields(Protocol) if getattr(protocol, f.name) != getattr(first, f.name)]
    return tuple(f"{f} {getattr(protocol, f)} (published {getattr(first, f)})" for f in fields)


def label(protocol: Protocol) -> str:
    """The name that stands in tables: `terramind_study`, or `terramind_study, changed`."""
    return protocol.name + (", changed" if changes(protocol) else "")
