"""Model FLOPs of a training sample: floating-point operations that the network needs, whatever a compiler makes of them.

A multiply-accumulate is two. Products of matrices and convolutions are counted; norms, activations, softmax, views, the
statistics of the objective and the optimiser are not. A backward pass counts as two forward passes, and what `model.remat`
computes again is not counted. Counted is the form that the encoder has: a learned query reads tokens without making keys and
values of each (`model.attention.QueryPool`).
"""

import dataclasses
from collections.abc import Sequence

from spectral_jax.config import Config, Model, SensorInput
from spectral_jax.model.encoder.branch import SKIPPED
from spectral_jax.model.encoder.spectral_kernel import sizes
from spectral_jax.model.encoder.tokenize import kernel_px
from spectral_jax.spectral import whitening


@dataclasses.dataclass(frozen=True)
class Flops:
    """Model FLOPs by part; parts can be added, and multiplied by a number.

    Attributes:
      tokenizer: convolutions, spectral transformer, widening and pooling over spectral tokens.
      stages: stages 1 and 2 of all sensors.
      fusion: of the sensors' tokens of a cell.
      shared: stage 3.
      projector: of embeddings.
    """

    tokenizer: float = 0.0
    stages: float = 0.0
    fusion: float = 0.0
    shared: float = 0.0
    projector: float = 0.0

    @property
    def total(self) -> float:
        """Of all parts."""
        return sum(dataclasses.astuple(self))

    def __add__(self, other: "Flops") -> "Flops":
        return Flops(*(a + b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)))

    def __mul__(self, times: float) -> "Flops":
        return Flops(*(times * part for part in dataclasses.astuple(self)))


def view(cfg: Config, keys: Sequence[str], grid: int | None = None) -> Flops:
    """The forward pass of one view of one sample through encoder and projector.

    Args:
      cfg: the run.
      keys: the M sensors that the view shows.
      grid: tokens of stage 1 along a side of the view; None: `model.grid`.

    Raises:
      ValueError: the config has no sensor of such a key.
    """
    m = cfg.model
    tokens = (grid or m.grid) ** 2
    # Widened from each sensor and narrowed once; the query reads and averages each; then value and output of the mean.
    fused = m.fusion_width * (m.widths[1] * (len(keys) + 1) + 2 * m.fusion_heads * len(keys) + 2 * m.fusion_width)
    return Flops(
        tokenizer=2.0 * tokens * sum(_tokenizer(cfg, key) for key in keys),
        stages=2.0 * len(keys) * _local_stages(m, tokens),
        fusion=2.0 * tokens / 4 * fused,
        shared=2.0 * _stage3(m, tokens),
        projector=2.0 * (m.widths[2] * m.projector_hidden + m.projector_hidden**2 + m.projector_hidden * m.projector_out),
    )


def expected_views(cfg: Config, keys: Sequence[str]) -> tuple[Flops, Flops]:
    """The forward pass of a global and of a local view of one sample, expected over the draws.

    A global view shows `min(views.global_sensors, S)` sensors, each as often as any other; a local view shows one of those that
    may be shown locally, each as often as any other. Without local views, or a sensor for them, theirs is 0.

    Args:
      cfg: the run.
      keys: the S sensors of the group that the sample is of.
    """
    shown = min(cfg.views.global_sensors, len(keys))
    some = view(cfg, keys[:shown])
    mean = _mean([view(cfg, [key]) for key in keys])
    # Tokenizer and stages are a sum over the sensors shown; the other parts depend on their number alone.
    global_view = dataclasses.replace(some, tokenizer=shown * mean.tokenizer, stages=shown * mean.stages)
    local = [key for key in keys if cfg.sensor(key).local_views] if cfg.views.local_views else []
    side = cfg.views.native_tokens if cfg.views.local_mode == "native" else None
    return global_view, _mean([view(cfg, [key], side) for key in local])


def training_sample(cfg: Config, keys: Sequence[str]) -> Flops:
    """One sample of a training step: student forward and backward on all views, teacher forward on the global ones.

    Of the joint-embedding objective alone: masked bands and indices (`objective.spectm`) are not counted.

    Args:
      cfg: the run.
      keys: the sensors of the group that the sample is of.

    Returns:
      Expected over the draws of views; times B for a step of B samples.
    """
    global_view, local_view = expected_views(cfg, keys)
    forward = global_view * cfg.views.global_views + local_view * cfg.views.local_views
    return forward * 3 + global_view * cfg.views.global_views


def _mean(counts: list[Flops]) -> Flops:
    return sum(counts, Flops()) * (1 / max(1, len(counts)))


def _tokenizer(cfg: Config, key: str) -> float:
    """Multiply-accumulates of one token.

    Of the wavelength tokenizer its weights are left out: they are made once a step, not once a sample.
    """
    m, sensor = cfg.model, cfg.sensor(key)
    if sensor.tokenizer == "stem":
        return _stem(cfg, sensor)
    skip = _skip(sensor, m) if m.skip and sensor.tokenizer in SKIPPED else 0.0
    pixels = len(sensor.spec.used) * kernel_px(cfg.token_px(key)) ** 2
    if sensor.tokenizer == "linear":
        return pixels * m.width
    groups = sensor.spec.groups if sensor.tokenizer == "grouped" else len(m.wavelength_edges_nm) + 1
    return pixels * m.spectral_width + sizes.flops(m, groups, cells=1)[0] / 2 + skip


def _stem(cfg: Config, sensor: SensorInput) -> float:
    m, spec = cfg.model, sensor.spec
    assert sensor.whitening is not None  # `SensorInput` refuses it otherwise
    side, known = whitening.cell_px(spec, m.stem_gsd_m), sensor.whitening.components
    cell = whitening.inputs(spec, side) * known + m.stem_hidden * (known + 2 * m.stem_depth * m.stem_hidden + m.stem_width)
    cells = (cfg.token_px(sensor.key) // side) ** 2
    taken = m.stem_width * (2 if m.stem_cells == "deviation" else 1)
    return cells * cell + (0 if taken == m.stem_width == m.width else taken * m.width)


def _skip(sensor: SensorInput, m: Model) -> float:
    """Of the linear skip, whose means over pixels are no products."""
    bands = len(sensor.spec.used)
    if sensor.tokenizer == "wavelength":
        windows = len(m.wavelength_edges_nm) + 1
        return bands * windows + 2 * windows * m.width
    if sensor.whitening is None:
        return bands * m.width
    known = sensor.whitening.components
    return known * (whitening.inputs(sensor.spec, whitening.cell_px(sensor.spec, m.stem_gsd_m)) + m.width)


def _local_stages(m: Model, tokens: int) -> float:
    window = m.mask_unit**2
    first = m.depths[0] * _block(tokens, window, m.width, m.mlp_ratio)
    second = _pooling_block(tokens, window, m.width, m)
    return first + second + (m.depths[1] - 1) * _block(tokens / 4, window / 4, m.widths[1], m.mlp_ratio)


def _stage3(m: Model, tokens: int) -> float:
    whole = tokens / 16
    first = _pooling_block(tokens / 4, m.mask_unit**2 / 4, m.widths[1], m)
    return first + (m.depths[2] - 1) * _block(whole, whole, m.widths[2], m.mlp_ratio)


def _block(tokens: float, window: float, width: int, ratio: int) -> float:
    """A transformer block on `tokens` tokens that attend within windows of `window`: multiply-accumulates."""
    return tokens * ((4 + 2 * ratio) * width**2 + 2 * window * width)


def _pooling_block(tokens: float, window: float, width: int, m: Model) -> float:
    """The first block of a stage: doubles the width, and a quarter of the tokens leave it."""
    wide = 2 * width
    left = tokens / 4
    carried = left * width * wide if m.carry else 0.0
    return tokens * (3 + 1) * width * wide + left * (2 * window * wide + (1 + 2 * m.mlp_ratio) * wide**2) + carried
