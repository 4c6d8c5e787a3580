"""Parts of `torch_network` put together: encoder and projector, and our parameters copied into them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spectral_jax.measure.peer.torch_network import EPS_HIERA, EPS_TORCH, QueryPool, Stage, Tokenize


class Branch(nn.Module):
    """Tokenizer and local stages of one sensor."""

    def __init__(self, sensor: dict[str, Any], m: dict[str, Any]):
        super().__init__()
        self.windows = m["grid"] // 4
        self.tokenize = Tokenize(sensor, m)
        self.stage1 = Stage(m["width"], m["heads"], m["depths"][0], m["mlp_ratio"], pool=False)
        self.stage2 = Stage(2 * m["width"], 2 * m["heads"], m["depths"][1], m["mlp_ratio"], pool=True)

    def forward(self, x: Tensor, position: Tensor) -> Tensor:
        """Maps [B C H W] to [B W 4 2D]."""
        x = self.tokenize(x) + position.flatten(0, 1)
        b, w, d = x.shape[0], self.windows, x.shape[-1]
        # A window of 4 x 4 tokens is 2 x 2 (i j), each pooled from 2 x 2 (p q): p and q come first, then i and j, which stage 3
        # pools.
        x = x.view(b, w, 2, 2, w, 2, 2, d)  # w i p, w j q
        x = x.permute(0, 1, 4, 3, 6, 2, 5, 7).reshape(b, w * w, 16, d)
        return self.stage2(self.stage1(x))


class Fuse(nn.Module):
    """The sensors' tokens of a cell to one."""

    def __init__(self, keys: list[str], m: dict[str, Any]):
        super().__init__()
        width, wide = 2 * m["width"], m["fusion_width"]
        self.widen, self.narrow = nn.Linear(width, wide), nn.Linear(wide, width)
        self.sensor = nn.ParameterDict({key: nn.Parameter(torch.zeros(wide)) for key in keys})
        self.pool, self.norm = QueryPool(wide, m["fusion_heads"], m["folded_query"]), nn.LayerNorm(wide, EPS_TORCH)

    def forward(self, tokens: dict[str, Tensor]) -> Tensor:
        """Maps [B W N D] of each sensor to [B W N D]."""
        x = self.widen(torch.stack(list(tokens.values()), dim=-2)) + torch.stack([self.sensor[key] for key in tokens])
        return self.narrow(self.norm(self.pool(x)))


class Encoder(nn.Module):
    """A view to its embedding."""

    def __init__(self, sensors: list[dict[str, Any]], m: dict[str, Any]):
        super().__init__()
        self.position = nn.Parameter(torch.zeros(m["grid"], m["grid"], m["width"]))
        self.branches = nn.ModuleDict({sensor["key"]: Branch(sensor, m) for sensor in sensors})
        self.fuse = Fuse([sensor["key"] for sensor in sensors], m)
        self.stage3 = Stage(4 * m["width"], 4 * m["heads"], m["depths"][2], m["mlp_ratio"], pool=True, whole=True)
        self.norm = nn.LayerNorm(4 * m["width"], EPS_HIERA)

    def forward(self, view: dict[str, Tensor]) -> Tensor:
        """Maps normalised pixels [B C H W] by sensor to [B D]."""
        tokens = {key: self.branches[key](x, self.position) for key, x in view.items()}
        return self.norm(self.stage3(self.fuse(tokens))).mean(dim=(1, 2))


class Projector(nn.Module):
    """Linear without bias, BatchNorm of the batch, ReLU, twice; then a linear layer."""

    def __init__(self, m: dict[str, Any]):
        super().__init__()
        hidden = m["projector_hidden"]
        self.hidden0 = nn.Linear(4 * m["width"], hidden, bias=False)
        self.hidden1 = nn.Linear(hidden, hidden, bias=False)
        self.norm0, self.norm1 = (nn.BatchNorm1d(hidden, track_running_stats=False) for _ in range(2))
        self.out = nn.Linear(hidden, m["projector_out"])

    def forward(self, x: Tensor) -> Tensor:
        """Maps [V B D] to [V B K]."""
        lead = x.shape[:-1]
        x = F.relu(self.norm0(self.hidden0(x.flatten(0, -2))))
        x = F.relu(self.norm1(self.hidden1(x)))
        return self.out(x).view(*lead, -1)


class Network(nn.Module):
    """Encoder and projector."""

    def __init__(self, cfg: dict[str, Any]):
        """Makes parameters, which `copy_parameters` fills; `cfg` is config.json of `inputs.write`."""
        super().__init__()
        self.encoder, self.projector = Encoder(cfg["sensors"], cfg["model"]), Projector(cfg["model"])


def copy_parameters(network: Network, params: Mapping[str, np.ndarray], cfg: dict[str, Any]) -> None:
    """Copies our parameters, by path, into the network.

    Raises:
      ValueError: the two have not the same parameters.
    """
    left = {path: torch.from_numpy(np.asarray(value)) for path, value in params.items()}
    used: set[str] = set()

    def ours(name: str) -> Tensor:
        path, _, end = name.replace(".", "/").rpartition("/")
        names = {"weight": ("kernel", "scale"), "bias": ("bias",)}.get(end, (end,))
        if "/convolutions/" in path:
            path, _, group = path.partition("/convolutions/")
            key = path.split("/")[2]
            bands = next(sensor["bands"] for sensor in cfg["sensors"] if sensor["key"] == key)
            value = take(path, names)
            return value[np.asarray(bands) == int(group)].permute(3, 0, 1, 2) if end == "weight" else value[int(group)]
        value = take(path, names)
        return value.T if end == "weight" and value.ndim == 2 else value

    def take(path: str, names: tuple[str, ...]) -> Tensor:
        for name in names:
            if f"{path}/{name}" in left:
                used.add(f"{path}/{name}")
                return left[f"{path}/{name}"]
        raise ValueError(f"compare: PyTorch's network has {path}/{names[0]}, and ours has no such parameter.")

    with torch.no_grad():
        for name, parameter in network.named_parameters():
            value = ours(name)
            if value.shape != parameter.shape:
                raise ValueError(f"compare: {name} is {tuple(parameter.shape)} in PyTorch and {tuple(value.shape)} in ours.")
            parameter.copy_(value)
    if spare := sorted(set(left) - used):
        raise ValueError(f"compare: ours has {len(spare)} parameters that PyTorch's network lacks, {spare[0]} the first.")
