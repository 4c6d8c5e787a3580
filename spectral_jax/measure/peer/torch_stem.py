"""The stem of `spectral-mini`, which `pixels` maps are of, in PyTorch beside ours: the same windows in memory, in turn."""

import os
import statistics
import time
from collections.abc import Callable, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from spectral_jax import api
from spectral_jax.config import Model
from spectral_jax.interop.names import flatten
from spectral_jax.maps import embedder, windows
from spectral_jax.maps.bands import Known
from spectral_jax.sensors import SensorSpec
from spectral_jax.spectral.whitening import cell_px

ENCODER, KEY, LEVEL = "spectral-mini", "S2", "pixels"
EPS = 1e-6
# What both say may differ by this part of the largest number: rounding of float32.
TOLERANCE = 1e-4


class TorchStem:
    """Windows [B H W C], reflectance without gaps, to the stem's numbers of every cell [B h w P]."""

    def __init__(self, params: Mapping[str, np.ndarray], spec: SensorSpec, model: Model):
        """Takes our parameters by path, below the sensor's tokenizer."""
        self.params = {path: torch.from_numpy(np.array(value)) for path, value in params.items()}
        self.depth, self.side = model.stem_depth, cell_px(spec, model.stem_gsd_m)
        span = spec.high - spec.low
        mean, std = (torch.tensor(x, dtype=torch.float32) for x in (spec.mean, spec.std))
        self.scale, self.shift = 1.0 / (span * std), -(spec.low / span + mean) / std

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """As our function of windows: NumPy in and out."""
        with torch.inference_mode():
            return self._cells(torch.from_numpy(pixels)).numpy()

    def _cells(self, x: Tensor) -> Tensor:
        b, height, width, bands = x.shape
        k = self.side
        x = (x * self.scale + self.shift).view(b, height // k, k, width // k, k, bands)
        # A cell's pixels side by side: `torch.std_mean` over two axes apart takes five times as long.
        x = x.permute(0, 1, 3, 2, 4, 5).reshape(b, height // k, width // k, k * k, bands)
        mean = x.mean(dim=3)
        deviation = (x - mean.unsqueeze(3)).square_().mean(dim=3).sqrt_()
        h = self._linear("whitening", torch.cat([mean, deviation], dim=-1), "offset")
        h = self._linear("stem/widen", h)
        for i in range(self.depth):
            h = h + self._linear(f"stem/out{i}", F.gelu(self._linear(f"stem/in{i}", self._norm(f"stem/norm{i}", h))))
        return self._linear("stem/narrow", self._norm("stem/norm", h))

    def _linear(self, path: str, x: Tensor, bias: str = "bias") -> Tensor:
        return x @ self.params[f"{path}/kernel"] + self.params[f"{path}/{bias}"]

    def _norm(self, path: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.params[f"{path}/scale"], self.params[f"{path}/bias"], EPS)


def compared(repeats: int, count: int = windows.MOST_WINDOWS) -> dict[str, float]:
    """Pixels a second of both, on windows of random reflectance: medians and ranges of calls in turn.

    Both take the cores that the process may run on.

    Args:
      repeats: calls of each that are timed, after one that is not.
      count: windows of a call.

    Raises:
      ValueError: they do not say the same.
    """
    cores = len(os.sched_getaffinity(0))
    torch.set_num_threads(cores)
    cfg, params = api.load(ENCODER)
    made = embedder.of_level(Known(cfg, params, KEY), LEVEL)
    flat = flatten(params["encoder"])
    root = f"branches/{KEY}/tokenize/"
    own = {path.removeprefix(root): np.asarray(value) for path, value in flat.items() if path.startswith(root)}
    theirs = TorchStem(own, cfg.sensor(KEY).spec.without_bad_bands(), cfg.model)
    shape = (count, made.window_px, made.window_px, len(cfg.sensor(KEY).spec.used))
    pixels = np.random.default_rng(0).uniform(0.01, 0.6, shape).astype(np.float32)
    first, second = made.function(pixels), theirs(pixels)
    apart = float(np.abs(first - second).max() / np.abs(first).max())
    if first.shape != second.shape or not apart <= TOLERANCE:
        raise ValueError(
            f"maps: expected the same numbers of PyTorch's stem, and they are {apart:.2g} of the largest apart; nothing is "
            "timed."
        )
    seconds: dict[str, list[float]] = {"ours": [], "torch": []}
    for _ in range(repeats):
        for name, function in (("ours", made.function), ("torch", theirs)):
            seconds[name].append(_seconds(function, pixels))
    size = count * made.window_px**2
    out: dict[str, float] = {"cores": cores, "apart": apart}
    for name, times in seconds.items():
        out |= {name: size / statistics.median(times), f"{name}_low": size / max(times), f"{name}_high": size / min(times)}
    return out


def _seconds(function: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray) -> float:
    start = time.perf_counter()
    function(pixels)
    return time.perf_counter() - start
