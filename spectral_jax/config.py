"""What a run is: frozen, hashable dataclasses, checked when they are made.

A config file is Python with one function `config() -> Config`; its docstring is the run book. Reading files and command-line
overrides is `spectral_jax.configure`.
"""

import dataclasses

from spectral_jax import ranges
from spectral_jax.ranges import ANY, COUNT, NOT_NEGATIVE, POSITIVE, SEED, SHARE, Range
from spectral_jax.sensors import SensorSpec
from spectral_jax.sentences import unknown

TOKENIZERS = ("linear", "grouped", "wavelength", "stem")
DTYPES = ("float32", "bfloat16")
# Names of model/encoder/readout.py, spectral/masks.py and spectral/indices.py, which stand after this module.
LEVELS = ("pixels", "stage1", "stage2", "fused", "stage3", "pooled")
MASKS = ("targeted", "random", "block")
INDICES = (
    "ss681",
    "ci",
    "ss665",
    "ci_cyano",
    "sicf",
    "sipf",
    "bair",
    "mph",
    "mci",
    "ndci",
    "chlorophyll_ndci",
    "chlorophyll_gurlin",
    "chlorophyll_gilerson",
    "chlorophyll_moses",
    "pc_schalles",
    "pc_simis",
    "pc_mishra09",
    "pc_hunter",
    "pc_mishra14",
    "pci",
)


# Above the classes: their defaults are made, and so checked, while the module is read.
def _one_of(what: str, value: str, allowed: tuple[str, ...]):
    if value not in allowed:
        raise ValueError(f"{what}: expected one of {', '.join(allowed)}, got {value!r}.")


@dataclasses.dataclass(frozen=True)
class Whitening:
    """Which fixed whitening a sensor is seen through; `spectral.whitening.whitened` fills it in from the table."""

    table: str  # of data_specs/whitening, or the path of a CSV file; read where parameters are made, and nowhere else
    components: int  # numbers that it makes of a cell
    digest: str  # of the numbers that the parameters then hold; with a reference, of the table as its file has it
    # Of data_specs/sensors, or the path of a TOML file: the sensor whose table it is, and whose components any optical sensor's
    # bands only estimate (`spectral.estimate`); empty: the sensor's own.
    reference: str = ""

    def __post_init__(self):
        ranges.check(self, "whitening.", {"components": COUNT})


@dataclasses.dataclass(frozen=True)
class SensorInput:
    """One sensor of a run."""

    key: str  # array name in the store and in Batch.sensors, such as ENMAP
    spec: SensorSpec
    # linear: one convolution; grouped: spectral tokens; wavelength: generated weights; stem: a network of every pixel
    tokenizer: str = "linear"
    branch: str = ""  # parameters of the local stages; empty: the key, or "optical" where any optical sensor can share them
    local_views: bool = True  # may a local view show this sensor; never for radar and temperature (docs/sources.md, views)
    whitening: Whitening | None = None  # of the stem tokenizer, and of the grouped one's skip (`model.skip`)

    def __post_init__(self):
        _one_of(f"tokenizer of sensor {self.key}", self.tokenizer, TOKENIZERS)
        if self.tokenizer == "wavelength" and self.spec.kind != "optical":
            raise ValueError(
                f"sensor {self.key}: the wavelength tokenizer needs an optical sensor, {self.spec.name} is {self.spec.kind}; "
                "take tokenizer='linear'."
            )
        if self.tokenizer == "grouped" and not self.spec.token_edges_nm:
            raise ValueError(
                f"sensor {self.key}: the grouped tokenizer needs token_edges_nm, and {self.spec.name} has none; add them "
                "to its file in data_specs/sensors or take tokenizer='linear' or 'wavelength'."
            )
        if self.tokenizer == "stem" and self.whitening is None:
            raise ValueError(
                f"sensor {self.key}: the stem tokenizer needs a whitening of {self.spec.name}, and there is none; measure it "
                f"with tools/band_statistics.py --whitening --sensor={self.key} --out=FILE.csv and take it with "
                "spectral.whitening.whitened(sensor, 'FILE.csv')."
            )
        if self.tokenizer not in ("stem", "grouped") and self.whitening is not None:
            raise ValueError(
                f"sensor {self.key}: the {self.tokenizer} tokenizer takes no whitening, and {self.whitening.table!r} is given; "
                "leave it out, or take tokenizer='stem' or 'grouped'."
            )
        if self.whitening is not None and self.whitening.reference and self.tokenizer != "stem":
            raise ValueError(
                f"sensor {self.key}: components of {self.whitening.reference} are estimated for the stem tokenizer alone, and "
                f"the {self.tokenizer} tokenizer is given; take tokenizer='stem', or a whitening of the sensor's own."
            )
        if not self.branch:
            object.__setattr__(self, "branch", "optical" if self.any_sensor else self.key)

    @property
    def any_sensor(self) -> bool:
        """Whether the parameters of its branch can serve any other optical sensor."""
        return self.tokenizer == "wavelength" or (self.whitening is not None and bool(self.whitening.reference))


@dataclasses.dataclass(frozen=True)
class Model:
    """The encoder and projector. Defaults are size `b` of SpectralEarth-FM (docs/sources.md)."""

    footprint_m: float = 3840.0  # side of the square patch that the model takes
    token_gsd_m: float = 60.0  # side of a token of stage 1
    width: int = 192  # stage 1; doubled in stage 2 and stage 3, as are the heads
    heads: int = 2
    depths: tuple[int, int, int] = (2, 6, 10)
    mask_unit: int = 4  # side of an attention window of stage 1, tokens
    mlp_ratio: int = 4
    spectral_width: int = 96
    spectral_depth: int = 4
    spectral_heads: int = 2
    fusion_width: int = 768
    fusion_heads: int = 2
    wavelength_hidden: int = 128  # of the network that makes weights from band centre and width
    wavelength_edges_nm: tuple[float, ...] = (
        450.0, 510.0, 570.0, 630.0, 690.0, 750.0, 830.0, 910.0, 1000.0, 1150.0, 1320.0, 1600.0, 1850.0, 2150.0,
    )  # fmt: skip
    stem_gsd_m: float = 30.0  # side of the cells of the stem tokenizer; of a sensor of larger pixels, these are the cells
    stem_hidden: int = 128
    stem_depth: int = 2  # residual blocks
    stem_width: int = 64  # numbers of a cell that the stem gives
    stem_cells: str = "mean"  # mean | deviation: what a token is made of: the mean of its cells, or mean and deviation
    skip: bool = False  # grouped and wavelength: a token's mean spectrum through one linear layer is added to the token
    carry: bool = False  # linear paths past maxima and fusion: the mean of four tokens by a layer, and that of a cell's sensors
    projector_hidden: int = 2048
    projector_out: int = 128
    dtype: str = "float32"  # of the computation; parameters and reductions stay float32
    init_std: float = 0.02  # of the encoder's weights at the start; narrow encoders need more (size `tiny` says why)
    # What is computed again in the backward pass: nothing, every block, or every sensor and view as a whole. On a CPU the three
    # take equally long to 3 %, and "none" twice the temporaries; on a TPU "blocks" needs the least and moves the fewest bytes.
    remat: str = "blocks"  # none | blocks | branches
    kernel: str = "auto"  # xla | pallas: spectral transformer as one kernel, TPU | auto: by device | interpret: for tests

    def __post_init__(self):
        table = dict.fromkeys((f.name for f in dataclasses.fields(self)), COUNT) | {
            "footprint_m": Range(0.1, 1e6), "token_gsd_m": Range(0.01, 1e5), "init_std": POSITIVE,
            "wavelength_edges_nm": Range(100.0, 1e6),
            "spectral_depth": Range(0), "stem_gsd_m": Range(0.01, 1e5), "stem_depth": Range(0),
        }  # fmt: skip
        ranges.check(self, "model.", table)
        if list(self.wavelength_edges_nm) != sorted(set(self.wavelength_edges_nm)):
            raise ValueError(
                f"model.wavelength_edges_nm: expected wavelengths that increase, nm, got {self.wavelength_edges_nm}."
            )
        _one_of("model.dtype", self.dtype, DTYPES)
        _one_of("model.stem_cells", self.stem_cells, ("mean", "deviation"))
        _one_of("model.remat", self.remat, ("none", "blocks", "branches"))
        _one_of("model.kernel", self.kernel, ("auto", "xla", "pallas", "interpret"))
        unit = self.token_gsd_m * self.mask_unit
        if self.footprint_m % unit:
            raise ValueError(
                f"model.footprint_m: expected a multiple of token_gsd_m * mask_unit = {unit:g} m, got {self.footprint_m:g} m; "
                f"the nearest are {max(1, round(self.footprint_m / unit)) * unit:g} m and the next {unit:g} m steps."
            )
        for name, width, heads in (
            ("width", self.width, self.heads),
            ("spectral_width", self.spectral_width, self.spectral_heads),
            ("fusion_width", self.fusion_width, self.fusion_heads),
        ):
            if width % heads:
                raise ValueError(f"model.{name}: {width} is not divisible by {heads} heads.")

    @property
    def grid(self) -> int:
        """Tokens along a side of stage 1; half in stage 2, a quarter in stage 3."""
        return round(self.footprint_m / self.token_gsd_m)

    @property
    def widths(self) -> tuple[int, int, int]:
        """Width of the three stages."""
        return self.width, 2 * self.width, 4 * self.width


# At width 32 weights of 0.02 shrink what passes through a layer to a tenth, and Adam turns the network into one direction
# before it learns any other. Measured on the quickstart's ground parameters: 300 steps of a supervised fit bring the training
# error to 0.6 of the variance with 0.02, to 0.1 with 0.15.
SIZES: dict[str, dict] = {
    "tiny": dict(
        width=32, heads=1, depths=(1, 1, 2), spectral_width=32, spectral_depth=1, spectral_heads=1, fusion_width=64,
        fusion_heads=1, wavelength_hidden=32, projector_hidden=128, projector_out=32,
        init_std=0.1,
    ),
    "small": dict(
        width=96, heads=2, depths=(2, 4, 8), spectral_width=64, spectral_depth=2, spectral_heads=2, fusion_width=384,
        fusion_heads=2, projector_hidden=1024, projector_out=128,
    ),
    "b": dict(),
}  # fmt: skip


def model_size(name: str, **changes) -> Model:
    """A named size, `tiny`, `small` or `b`, with fields changed."""
    _one_of("model size", name, tuple(SIZES))
    return Model(**(SIZES[name] | changes))


@dataclasses.dataclass(frozen=True)
class Synthetic:
    """The simulated store that stands in when `data.store` is "synthetic"."""

    locations: int = 512  # in all groups together
    dates: int = 4
    seed: int = 0
    groups: tuple[str, ...] = ()  # names of data.synthetic.GROUPS; empty: all seven

    def __post_init__(self):
        ranges.check(self, "data.synthetic.", {"locations": COUNT, "dates": COUNT, "seed": SEED})


@dataclasses.dataclass(frozen=True)
class Data:
    """Where patches come from, and how batches are drawn."""

    store: str = "synthetic"  # a folder written by tools/build_store.py, or "synthetic" or "lake": simulated in the work folder
    synthetic: Synthetic = Synthetic()
    groups: tuple[str, ...] = ()  # groups of the store to draw from; empty: all
    batch_size: int = 64  # locations a step, over all processes
    seed: int = 0
    lead_days: tuple[float, float] | None = None  # a later date is read too, this many days after; None: no later date
    workers: int = 0  # worker processes; batches are the same for any number
    prefetch: int = 2  # batches held ready on the device
    cache_bytes: int = 256 * 2**20  # of shard indices and chunks, per process

    def __post_init__(self):
        table = {
            "batch_size": COUNT, "seed": SEED, "lead_days": Range(0.0, above=True, rising=True), "workers": Range(0, 4096),
            "prefetch": Range(1, 1024), "cache_bytes": Range(0),
        }  # fmt: skip
        ranges.check(self, "data.", table)
        if not self.store:
            raise ValueError('data.store: expected a folder, or "synthetic" or "lake", got an empty text.')
        for name, given in (("groups", self.groups), ("synthetic.groups", self.synthetic.groups)):
            odd = [group for group in given if not group or set(group) & set("\"'[](){} ,")]
            if odd or len(set(given)) != len(given):
                raise ValueError(
                    f"data.{name}: expected names of groups, each once and without quotes or brackets, got {given}."
                )


@dataclasses.dataclass(frozen=True)
class Views:
    """Two global and four local views of a location, as in SpectralEarth-FM (docs/sources.md)."""

    global_views: int = 2
    global_sensors: int = 4  # sensors in a global view, drawn without replacement; fewer if the group has fewer
    local_views: int = 4  # one sensor each
    global_scale: tuple[float, float] = (0.4, 1.0)  # side of the crop as a fraction of the patch
    local_scale: tuple[float, float] = (0.1, 0.4)
    # stratified: how many local views a sensor has is decided when the step is built, and weights make up for it; independent:
    # each view draws its own, as published, at the cost of every sensor's tokens in every local view. The mean is the same.
    draw: str = "stratified"
    local_mode: str = "resize"  # resize: crops are resized to the full input; native: cut at their own pixel size
    native_tokens: int = 16  # side of a native local view, tokens of stage 1
    # 2: views alternate between two dates of each sensor, where the place has two, and twice as much is read; 1: as published.
    dates: int = 1
    flip: float = 0.5
    blur: float = 0.5
    blur_sigma_px: tuple[float, float] = (0.1, 2.0)
    radiometric: float = 0.5
    gain: tuple[float, float] = (0.8, 1.2)
    bias: tuple[float, float] = (-0.1, 0.1)

    def __post_init__(self):
        table = {
            "global_views": COUNT, "global_sensors": COUNT, "local_views": Range(0), "native_tokens": COUNT,
            "dates": Range(1, 2), "flip": SHARE, "blur": SHARE, "blur_sigma_px": Range(0.0, above=True, rising=True),
            "radiometric": SHARE, "gain": Range(0.0, above=True, rising=True), "bias": Range(rising=True), "global_scale": ANY,
            "local_scale": ANY,
        }  # fmt: skip
        ranges.check(self, "views.", table)
        _one_of("views.draw", self.draw, ("stratified", "independent"))
        _one_of("views.local_mode", self.local_mode, ("resize", "native"))
        for name in ("global_scale", "local_scale"):
            low, high = getattr(self, name)
            if not 0.0 < low <= high <= 1.0:
                raise ValueError(f"views.{name}: expected 0 < low <= high <= 1, got ({low}, {high}).")


@dataclasses.dataclass(frozen=True)
class Jepa:
    """Invariance to the teacher's global centre, and SIGReg (SpectralEarth-FM; LeJEPA, arXiv 2511.08544)."""

    directions: int = 256
    knots: int = 17
    knot_max: float = 3.0
    lambda_numerator: float = 0.05 / 0.95 * 128  # lambda = o / (N + o), N the global batch: the code of SpectralEarth-FM
    ema: tuple[float, float] = (0.996, 1.0)  # cosine from first to last step

    def __post_init__(self):
        table = {
            "directions": COUNT, "knots": Range(2), "knot_max": POSITIVE, "lambda_numerator": NOT_NEGATIVE,
            "ema": Range(0.0, 1.0, rising=True),
        }  # fmt: skip
        ranges.check(self, "jepa.", table)


@dataclasses.dataclass(frozen=True)
class Objective:
    """Weights of the objectives of a run; one of weight 0 is not computed."""

    jepa: float = 1.0  # SpectralEarth-FM's, on the pooled embedding, with a teacher
    spectm: float = 0.0
    # On each of `levels.names`, without a teacher (docs/encoder.md has what each gives alone):
    agreement: float = 0.0  # invariance and SIGReg, as LeJEPA, arXiv 2511.08544
    contrast: float = 0.0  # InfoNCE, arXiv 1807.03748
    dense: float = 0.0  # agreement of single cells in the maps of `levels.dense`
    reconstruction: float = 0.0  # bands of a cell from its token

    def __post_init__(self):
        weights = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        ranges.check(self, "objective.", dict.fromkeys(weights, NOT_NEGATIVE))
        if not any(weights.values()):
            said = ", ".join(f"{name} {value}" for name, value in weights.items())
            raise ValueError(f"objective: expected weights of 0 or more, one of them above 0, got {said}.")

    @property
    def levels(self) -> bool:
        """Whether anything trains levels of the encoder by themselves."""
        return any((self.agreement, self.contrast, self.dense, self.reconstruction))


@dataclasses.dataclass(frozen=True)
class Levels:
    """Which levels of the encoder are trained by themselves, and by what heads."""

    names: tuple[str, ...] = ("stage1", "stage2", "stage3")
    shares: tuple[float, ...] = ()  # what each counts, in parts of their sum; empty: all alike
    hidden: int = 0  # of a head: one layer with BatchNorm before the linear one; 0: linear alone
    out: int = 32  # numbers a head gives
    temperature: float = 0.1  # of InfoNCE
    dense: str = "stage1"  # maps whose cells agree: stage1 or stage2
    cells: int = 8  # positions of the patch, drawn a step, at which they do

    def __post_init__(self):
        table = {
            "shares": POSITIVE, "hidden": Range(0), "out": COUNT, "temperature": POSITIVE, "cells": COUNT,
        }  # fmt: skip
        ranges.check(self, "levels.", table)
        for name in self.names:
            if name not in LEVELS:
                raise unknown("levels.names", "level", name, LEVELS)
        _one_of("levels.dense", self.dense, ("stage1", "stage2"))
        if not self.names or len(set(self.names)) != len(self.names) or len(self.shares) not in (0, len(self.names)):
            raise ValueError(
                f"levels: expected names, each once, and one share a name or none, got names {self.names} and shares "
                f"{self.shares}."
            )


@dataclasses.dataclass(frozen=True)
class SpecTM:
    """Masked bands, bio-optical indices and a later date (arXiv 2603.22097, which states neither weights nor heads)."""

    masks: tuple[str, ...] = ("targeted",)  # kinds of spectral/masks.py; each sample follows one of them
    shares: tuple[float, ...] = (1.0,)
    regions_nm: tuple[float, ...] = (615.0, 640.0, 660.0, 680.0, 695.0, 720.0)  # low, high, low, high, ...
    indices: tuple[str, ...] = ("ci", "ss665", "ndci", "pci")  # of spectral/indices.py
    reconstruction: float = 1.0  # weights of the three tasks; one of weight 0 is not computed
    index: float = 1.0
    ahead: float = 1.0
    hidden: int = 128  # of the heads

    def __post_init__(self):
        table = {
            "shares": POSITIVE, "regions_nm": Range(100.0, 1e6), "reconstruction": NOT_NEGATIVE,
            "index": NOT_NEGATIVE, "ahead": NOT_NEGATIVE, "hidden": COUNT,
        }  # fmt: skip
        ranges.check(self, "spectm.", table)
        for field, known in (("masks", MASKS), ("indices", INDICES)):
            for name in getattr(self, field):
                if name not in known:
                    raise unknown(f"spectm.{field}", field.removesuffix("s").replace("indice", "index"), name, known)
        low, high = self.regions_nm[::2], self.regions_nm[1::2]
        if any(not a < b for a, b in zip(low, high, strict=False)):
            raise ValueError(f"spectm.regions_nm: expected low below high in each pair, nm, got {self.regions_nm}.")
        if len(self.masks) != len(self.shares) or len(self.regions_nm) % 2 or not self.regions_nm:
            raise ValueError(
                f"spectm: expected one share a mask and regions_nm in pairs of low and high, got masks {self.masks}, shares "
                f"{self.shares}, regions_nm {self.regions_nm}."
            )
        if self.reconstruction + self.index + self.ahead == 0:
            raise ValueError("spectm: expected weights of 0 or more for reconstruction, index and ahead, one of them above 0.")


@dataclasses.dataclass(frozen=True)
class Optim:
    """AdamW, linear warm-up from 1/20, cosine to 0, as the code of SpectralEarth-FM does it."""

    lr: float = 1e-5
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.999)
    warmup_steps: int = 100
    clip_norm: float | None = None

    def __post_init__(self):
        table = {
            "lr": POSITIVE, "weight_decay": NOT_NEGATIVE, "betas": Range(0.0, 1.0, below=True), "warmup_steps": Range(0),
            "clip_norm": POSITIVE,
        }  # fmt: skip
        ranges.check(self, "optim.", table)


@dataclasses.dataclass(frozen=True)
class Train:
    """The loop, and where it runs."""

    steps: int = 1000
    seed: int = 0
    log_every: int = 10
    save_every: int = 500
    keep: int = 3
    start_from: str = ""  # checkpoint of another run whose parameters this one begins with, at step 0; empty: fresh ones
    accumulate: int = 1  # parts in which each device encodes its share of a batch, one after another; the update is the same
    fsdp: int = 1  # devices over which parameters are split; the batch is split over all devices
    # shard_map: every device runs its own share, weights are gathered and gradients added up once a step; jit: one global
    # program that the compiler parts.
    path: str = "shard_map"

    def __post_init__(self):
        counts = dict.fromkeys(("steps", "log_every", "save_every", "keep", "accumulate", "fsdp"), COUNT)
        ranges.check(self, "train.", counts | {"seed": SEED})
        _one_of("train.path", self.path, ("jit", "shard_map"))


@dataclasses.dataclass(frozen=True)
class Probe:
    """Linear probe of known ground parameters before and after training; only on stores that hold them."""

    enabled: bool = False
    train_locations: int = 128
    test_locations: int = 128
    sensors: tuple[str, ...] = ()  # sensors the probe looks at; empty: all

    def __post_init__(self):
        ranges.check(self, "probe.", {"train_locations": COUNT, "test_locations": COUNT})


@dataclasses.dataclass(frozen=True)
class Config:
    """A whole run. Hashable, so it can be a static argument of `jax.jit`."""

    name: str
    sensors: tuple[SensorInput, ...]
    model: Model = Model()
    data: Data = Data()
    views: Views = Views()
    jepa: Jepa = Jepa()
    objective: Objective = Objective()
    levels: Levels = Levels()
    spectm: SpecTM = SpecTM()
    optim: Optim = Optim()
    train: Train = Train()
    probe: Probe = Probe()

    def __post_init__(self):
        keys = [s.key for s in self.sensors]
        if not keys or len(set(keys)) != len(keys):
            raise ValueError(f"config {self.name}: sensors must be at least one, each key once; got {keys}.")
        for sensor in self.sensors:
            self._check_footprint(sensor)
        if self.objective.spectm and self.spectm.ahead and self.data.lead_days is None:
            raise ValueError(
                f"config {self.name}: spectm.ahead predicts a later date; set data.lead_days, such as 6,10, or "
                "spectm.ahead to 0."
            )
        self._check_levels()
        if self.model.kernel in ("pallas", "interpret") and all(s.tokenizer in ("linear", "stem") for s in self.sensors):
            raise ValueError(
                f"config {self.name}: model.kernel = {self.model.kernel!r} is a kernel of the spectral transformer, and no "
                "sensor has one (tokenizer grouped or wavelength); take 'auto'."
            )
        if self.views.local_mode == "native":
            side = self.views.native_tokens
            if side % self.model.mask_unit or side > self.model.grid:
                raise ValueError(
                    f"views.native_tokens: expected a multiple of model.mask_unit = {self.model.mask_unit} up to the grid of "
                    f"{self.model.grid} tokens, got {side}."
                )

    def _check_levels(self):
        v = self.views
        if "pixels" in self.levels.names and self.objective.levels and not any(s.tokenizer == "stem" for s in self.sensors):
            raise ValueError(
                f"config {self.name}: levels.names has pixels, which only the stem tokenizer gives, and no sensor has it; "
                "take tokenizer='stem' or leave that level out."
            )
        alone = v.global_views < 2 if v.dates == 2 else v.global_views + v.local_views < 2
        if (self.objective.agreement or self.objective.contrast or self.objective.dense) and alone:
            raise ValueError(
                f"config {self.name}: objective.agreement, contrast and dense compare views of a place, and there are "
                f"{v.global_views} global and {v.local_views} local ones of {v.dates} dates; set views.global_views to 2."
            )

    def _check_footprint(self, sensor: SensorInput):
        ratio = self.model.token_gsd_m / sensor.spec.gsd_m
        if abs(ratio - round(ratio)) > 1e-6 or round(ratio) < 1:
            raise ValueError(
                f"model.token_gsd_m: {self.model.token_gsd_m:g} m is not a whole number of {sensor.key} pixels of "
                f"{sensor.spec.gsd_m:g} m; every sensor must give the same token grid."
            )
        if sensor.whitening is not None:
            self._check_cells(sensor)

    def _check_cells(self, sensor: SensorInput):
        """A token is a whole number of the cells of the stem, and a cell a whole number of pixels."""
        m, pixel = self.model, sensor.spec.gsd_m
        cell = max(m.stem_gsd_m, pixel)
        for name, side, part, what in (
            ("stem_gsd_m", cell, pixel, f"{sensor.key} pixels"),
            ("token_gsd_m", m.token_gsd_m, cell, f"cells of the stem of {sensor.key}"),
        ):
            ratio = side / part
            if abs(ratio - round(ratio)) > 1e-6 or round(ratio) < 1:
                raise ValueError(
                    f"model.{name}: {side:g} m is not a whole number of {what} of {part:g} m; take a multiple, and a "
                    f"stem_gsd_m of which token_gsd_m = {m.token_gsd_m:g} m is one."
                )

    def sensor(self, key: str) -> SensorInput:
        """The sensor called `key`; a ValueError names the others."""
        for sensor in self.sensors:
            if sensor.key == key:
                return sensor
        raise unknown(f"config {self.name!r}", "sensor", key, [s.key for s in self.sensors])

    def patch_px(self, key: str) -> int:
        """Pixels along a side of the patch that the model takes from sensor `key`."""
        return self.model.grid * self.token_px(key)

    def token_px(self, key: str) -> int:
        """Pixels of sensor `key` along a side of a stage-1 token."""
        return round(self.model.token_gsd_m / self.sensor(key).spec.gsd_m)


def spectralearth_sensors(hsi: str = "grouped", only: tuple[str, ...] = ()) -> tuple[SensorInput, ...]:
    """The seven sensors of SpectralEarth-MM under the archive's own keys (docs/sources.md, data and views).

    Args:
      hsi: tokenizer of the three hyperspectral sensors, `grouped` or `wavelength`; with `wavelength` the other optical
        sensors take it too, all share one branch, and all show it reflectance as it is: bands of different sensors at one
        wavelength must mean the same there, so none is standardised.
      only: keys to keep; empty: all.
    """
    _one_of("hsi", hsi, ("grouped", "wavelength"))
    rest = "wavelength" if hsi == "wavelength" else "linear"
    table = (
        ("ENMAP", "enmap_l2a", hsi, True),
        ("EMIT", "emit_l2a", hsi, True),
        ("DESIS", "desis_l2a", hsi, True),
        ("S2", "sentinel2a_l2a", rest, True),
        ("LO", "landsat8_oli", rest, True),
        ("LT", "landsat_st", "linear", False),
        ("S1", "sentinel1_grd", "linear", False),
    )
    made = []
    for key, name, tokenizer, local in table:
        if not only or key in only:
            spec = SensorSpec.load(name)
            if tokenizer == "wavelength":
                spec = dataclasses.replace(spec, mean=(), std=())
            made.append(SensorInput(key, spec, tokenizer, local_views=local))
    return tuple(made)
