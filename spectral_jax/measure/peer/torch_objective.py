"""The views and the joint-embedding objective of `objective` in PyTorch, on planned views of data that are valid everywhere."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Cut:
    """One view's geometry and radiometry as Python's numbers, [S ...] for each sensor; see `objective.views.Cut`."""

    side: float
    top_left: list[float]
    flip: list[bool]
    blur: list[bool]
    blur_sigma_px: list[float]
    gain: Tensor
    bias: Tensor


def cuts_of(plans: Mapping[str, np.ndarray], kind: str, step: int) -> list[Cut]:
    """The cuts of a step's views of `kind`, "global" or "local", from plans.npz of `inputs.write`."""
    fields = {field.name: plans[f"{kind}/{field.name}"][step] for field in dataclasses.fields(Cut)}
    made = []
    for view in range(len(fields["side"])):
        mine = {name: value[view] for name, value in fields.items()}
        numbers: dict[str, Any] = {name: value.tolist() for name, value in mine.items() if name not in ("gain", "bias")}
        made.append(Cut(gain=torch.from_numpy(mine["gain"]), bias=torch.from_numpy(mine["bias"]), **numbers))
    return made


def decode(pixels: Tensor, sensor: Mapping[str, Any]) -> Tensor:
    """Stored integers [B C H W] to normalised values."""
    x = pixels.to(torch.float32) * sensor["scale"] + sensor["offset"]
    x = ((x - sensor["low"]) / (sensor["high"] - sensor["low"])).clamp(0.0, 1.0)
    if sensor["mean"]:
        mean, std = (torch.tensor(sensor[name]).view(1, -1, 1, 1) for name in ("mean", "std"))
        x = (x - mean) / std
    return x


def resized(x: Tensor, cut: Cut, sensor: int) -> Tensor:
    """The view of one sensor [B C H W]: cropped, resized to the full input, flipped, blurred, its radiometry changed."""
    rows, columns = (_matrix(x.shape[2 + axis], cut, sensor, axis) for axis in range(2))
    x = torch.matmul(torch.matmul(rows, x), columns.T)
    gain, bias = (value[sensor].view(-1, 1, 1, 1) for value in (cut.gain, cut.bias))
    return x * gain + bias


def _matrix(size: int, cut: Cut, sensor: int, axis: int) -> Tensor:
    """Weights [size size] of the pixels along an axis: bilinear, the edges repeated; then the blur, the edges mirrored."""
    first, length = cut.top_left[axis] * size, max(cut.side * size, 1.0)
    pixel = torch.arange(size, dtype=torch.float32)
    place = first + (pixel + 0.5) / size * length - 0.5
    place = place.clamp(first, min(first + length - 1.0, size - 1.0))
    matrix = (1.0 - (place[:, None] - pixel[None]).abs()).clamp(min=0.0)
    matrix = matrix.flip(0) if cut.flip[axis] else matrix
    return _blur(size, cut.blur_sigma_px[sensor]) @ matrix if cut.blur[sensor] else matrix


def _blur(size: int, sigma_px: float) -> Tensor:
    radius = (max(3, size // 10) - 1) // 2
    kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma_px) ** 2)
    # Mirrored rows of the identity, convolved: column j holds what pixel j gives to every pixel.
    padded = F.pad(torch.eye(size)[:, None], (radius, radius), mode="reflect")
    return F.conv1d(padded, (kernel / kernel.sum()).view(1, 1, -1))[:, 0].T


def objective(z: Tensor, target: Tensor, unit: Tensor, jepa: Mapping[str, Any]) -> Tensor:
    """The loss of projected views [V B D], the teacher's [G B D] and unit directions [D P]."""
    samples = z.shape[1]
    mix = jepa["lambda_numerator"] / (samples + jepa["lambda_numerator"])
    invariance = ((z - target.mean(dim=0)) ** 2).mean()
    return mix * _sigreg(z, unit, jepa["knots"], jepa["knot_max"]) + (1.0 - mix) * invariance


def _sigreg(z: Tensor, unit: Tensor, count: int, t_max: float) -> Tensor:
    """Epps-Pulley statistic, the mean over views and directions."""
    t = torch.linspace(0.0, t_max, count)
    weight = torch.full((count,), 2.0 * t_max / (count - 1))
    weight[[0, -1]] = t_max / (count - 1)
    target = torch.exp(-(t**2) / 2)
    angle = (z @ unit)[..., None] * t
    error = (angle.cos().mean(dim=1) - target) ** 2 + angle.sin().mean(dim=1) ** 2
    return z.shape[1] * (error @ (weight * target)).mean()
