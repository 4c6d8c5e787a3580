"""The encoder and projector of `model.encoder` in PyTorch, as people write them there, with the same parameters.

Convolutions are `nn.Conv2d`, one a group of bands; attention is `scaled_dot_product_attention`; tokens of a window lie so that
Hiera pools over a leading axis, as in the published code. There are no validity masks: all pixels have to be valid. Parameters
have the names of ours, so that they can be copied by path.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS_HIERA, EPS_TORCH = 1e-6, 1e-5


class Attention(nn.Module):
    """Self-attention within windows, [B W N D]; with `pool` queries are the maximum over the leading 4 of N = 4 x N/4."""

    def __init__(self, width_in: int, width: int, heads: int, pool: bool):
        super().__init__()
        self.width, self.heads, self.pool = width, heads, pool
        self.qkv, self.out = nn.Linear(width_in, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B W N D] to [B W N width], or N/4."""
        b, w, n, _ = x.shape
        d = self.width // self.heads
        q, k, v = self.qkv(x).view(b * w, n, 3, self.heads, d).permute(2, 0, 3, 1, 4).unbind(0)
        if self.pool:
            q = q.reshape(b * w, self.heads, 4, n // 4, d).amax(dim=2)
        x = F.scaled_dot_product_attention(q, k, v)
        return self.out(x.transpose(1, 2).reshape(b, w, -1, self.width))


class Mlp(nn.Module):
    """Linear, GELU, linear."""

    def __init__(self, width: int, ratio: int):
        super().__init__()
        self.add_module("in", nn.Linear(width, ratio * width))  # "in" is a word of Python
        self.out = nn.Linear(ratio * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [... D] to [... D]."""
        return self.out(F.gelu(getattr(self, "in")(x)))


class Block(nn.Module):
    """Pre-norm transformer block; with `pool` the first of a Hiera stage."""

    def __init__(self, width_in: int, width: int, heads: int, ratio: int, pool: bool = False, eps: float = EPS_HIERA):
        super().__init__()
        self.pool = pool
        self.norm1, self.norm2 = nn.LayerNorm(width_in, eps), nn.LayerNorm(width, eps)
        self.attend, self.mlp = Attention(width_in, width, heads, pool), Mlp(width, ratio)
        if pool:
            self.skip = nn.Linear(width_in, width)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B W N D] to [B W N width], or N/4."""
        h = self.norm1(x)
        if self.pool:
            skip = self.skip(h)
            x = skip.view(*skip.shape[:2], 4, -1, skip.shape[-1]).amax(dim=2)
        x = x + self.attend(h)
        return x + self.mlp(self.norm2(x))


class Stage(nn.Module):
    """Blocks of one width; with `whole` those after the pooling one see all tokens."""

    def __init__(self, width: int, heads: int, depth: int, ratio: int, pool: bool, whole: bool = False):
        super().__init__()
        self.depth, self.pool, self.whole = depth, pool, whole
        for i in range(depth):
            first = pool and i == 0
            self.add_module(f"block{i}", Block(width // 2 if first else width, width, heads, ratio, first))

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B W N D] to [B W N width], N/4 tokens when pooling, in one window with `whole`."""
        for i in range(self.depth):
            if self.whole and i == int(self.pool):
                x = x.reshape(x.shape[0], 1, -1, x.shape[-1])
            x = getattr(self, f"block{i}")(x)
        return x


class QueryPool(nn.Module):
    """Cross-attention of one learned query, [... M D] to [... D].

    Keys and values of every token are made, as `nn.MultiheadAttention` does; with `folded` neither is, as in ours: a score is
    x . (W_k q), and the mean of values is the value of the mean.
    """

    def __init__(self, width: int, heads: int, folded: bool):
        super().__init__()
        self.width, self.heads, self.folded = width, heads, folded
        self.query = nn.Parameter(torch.zeros(width))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [... M D] to [... D]."""
        lead, a, d = x.shape[:-2], self.heads, self.width // self.heads
        x = x.reshape(-1, *x.shape[-2:])
        weight, bias = self.qkv.weight, self.qkv.bias
        q = F.linear(self.query, weight[: self.width], bias[: self.width]).view(a, d)
        if self.folded:
            w_key, w_value = weight[self.width :].view(2, a, d, self.width).unbind(0)
            read = torch.einsum("adp,ad->pa", w_key, q) * d**-0.5
            mean = (x @ read).softmax(dim=1).transpose(1, 2) @ x  # [n a D]
            x = torch.einsum("nap,adp->nad", mean, w_value).flatten(1) + bias[2 * self.width :]
        else:
            k, v = F.linear(x, weight[self.width :], bias[self.width :]).view(*x.shape[:2], 2, a, d).permute(2, 0, 3, 1, 4)
            q = q[None, :, None].expand(len(x), a, 1, d)
            x = F.scaled_dot_product_attention(q, k, v)
        return self.out(x.reshape(*lead, self.width))


class Bands(nn.Module):
    """One convolution a group of neighbouring bands, [B C H W] to [B N G D]."""

    def __init__(self, sensor: dict[str, Any], width: int):
        super().__init__()
        side = sensor["token_px"]
        kernel, padding = (side + 1, side // 2) if side % 2 == 0 else (side, 0)
        self.sizes = np.bincount(sensor["bands"]).tolist()
        self.convolutions = nn.ModuleList(nn.Conv2d(n, width, kernel, side, padding) for n in self.sizes)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B C H W] to [B N G D]."""
        groups = zip(self.convolutions, x.split(self.sizes, dim=1), strict=True)
        return torch.stack([convolve(bands) for convolve, bands in groups], dim=-1).flatten(2, 3).permute(0, 2, 3, 1)


class Spectrum(nn.Module):
    """Spectral tokens of a cell [B N G D] to one token [B N width]."""

    def __init__(self, groups: int, m: dict[str, Any]):
        super().__init__()
        d = m["spectral_width"]
        self.depth = m["spectral_depth"]
        self.group, self.group_wide = (nn.Parameter(torch.zeros(groups, width)) for width in (d, m["width"]))
        for i in range(self.depth):
            self.add_module(f"block{i}", Block(d, d, m["spectral_heads"], m["mlp_ratio"], eps=EPS_TORCH))
        self.norm, self.widen = nn.LayerNorm(d, EPS_TORCH), nn.Linear(d, m["width"])
        self.pool, self.norm_out = QueryPool(m["width"], m["heads"], m["folded_query"]), nn.LayerNorm(m["width"], EPS_TORCH)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B N G D] to [B N width]."""
        x = x + self.group
        for i in range(self.depth):
            x = getattr(self, f"block{i}")(x)
        return self.norm_out(self.pool(self.widen(self.norm(x)) + self.group_wide))


class Tokenize(nn.Module):
    """Pixels to tokens of stage 1."""

    def __init__(self, sensor: dict[str, Any], m: dict[str, Any]):
        super().__init__()
        self.bands = Bands(sensor, m["spectral_width"] if sensor["grouped"] else m["width"])
        self.spectrum = Spectrum(len(self.bands.sizes), m) if sensor["grouped"] else None

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B C H W] to [B N D]."""
        x = self.bands(x)
        return x[:, :, 0] if self.spectrum is None else self.spectrum(x)
