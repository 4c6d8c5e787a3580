"""Matrix operations of a training sample, roughly: layers of `model.encoder` by their shapes, without norms, views and heads.

To be replaced by the count of `measure.flops`; `report` is given the number and never calls this.
"""

from spectral_jax.config import Config, SensorInput


def flops_per_sample(cfg: Config, keys: list[str]) -> float:
    """Operations of a sample that has the sensors `keys`: student forward and backward (three forwards), teacher forward.

    A multiplication and an addition are two. Views show sensors at random, so the mean over sensors counts.
    """
    views, inputs = cfg.views, [cfg.sensor(key) for key in keys]
    shown = min(views.global_sensors, len(inputs))
    alone = [sensor for sensor in inputs if sensor.local_views] or inputs
    whole = shown * _mean(cfg, inputs) + _shared(cfg, shown)
    local = _mean(cfg, alone) + _shared(cfg, 1)
    student = views.global_views * whole + views.local_views * local
    return 2.0 * (3 * student + views.global_views * whole)


def _mean(cfg: Config, inputs: list[SensorInput]) -> float:
    return sum(_branch(cfg, sensor) for sensor in inputs) / len(inputs)


def _branch(cfg: Config, sensor: SensorInput) -> float:
    """Multiplications of tokenizer and local stages for one view."""
    model, bands, px = cfg.model, len(sensor.spec.used), cfg.token_px(sensor.key)
    cells, kernel = model.grid**2, (px + 1 if px > 1 else 1) ** 2
    width, middle, _ = model.widths
    if sensor.tokenizer == "grouped":
        groups, inner = len(sensor.spec.token_edges_nm) + 1, model.spectral_width
        layers = model.spectral_depth * groups * _layer(model.mlp_ratio, inner, groups)
        tokens = cells * (kernel * bands * inner + layers + groups * (inner * width + 2 * width**2))
    else:
        tokens = cells * kernel * bands * width
    first = model.depths[0] * cells * _layer(model.mlp_ratio, width, model.mask_unit**2)
    second = model.depths[1] * cells / 4 * _layer(model.mlp_ratio, middle, model.mask_unit**2 / 4)
    return tokens + first + second


def _shared(cfg: Config, sensors: int) -> float:
    """Multiplications of fusion and the shared stage for one view."""
    model = cfg.model
    _, width, last = model.widths
    inner, cells = model.fusion_width, model.grid**2 / 4
    fused = cells * (sensors * (width * inner + 2 * inner**2) + inner**2 + inner * width)
    return fused + model.depths[2] * cells / 4 * _layer(model.mlp_ratio, last, cells / 4)


def _layer(mlp_ratio: int, width: int, span: float) -> float:
    """Multiplications of a transformer layer for one token that attends to `span`."""
    return (4 + 2 * mlp_ratio) * width**2 + 2 * span * width
