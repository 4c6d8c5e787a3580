"""The PyTorch step as a contestant: `python -m spectral_jax.measure.peer.torch_step FOLDER eager|compile THREADS`.

Fused AdamW, the teacher moved by `_foreach_lerp_`, no masks, and none of the norms and alarms that our step reports.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spectral_jax.measure.peer import torch_objective
from spectral_jax.measure.peer.contestant import Contestant, serve
from spectral_jax.measure.peer.torch_encoder import Network, copy_parameters

MODES = ("eager", "compile")


class TorchStep(Contestant):
    """Student, teacher and optimiser, and the planned views."""

    def __init__(self, folder: Path, mode: str):
        """Reads what `inputs.write` wrote.

        Args:
          folder: that holds it.
          mode: of `MODES`.

        Raises:
          ValueError: the network has not our parameters.
        """
        self.mode, self.number = mode, 0
        self.cfg = json.loads((folder / "config.json").read_text())
        self.sensors = self.cfg["sensors"]
        with np.load(folder / "pixels.npz") as file:
            self.pixels = {key: torch.from_numpy(file[key]) for key in file.files}
        with np.load(folder / "plans.npz") as file:
            self.plans = dict(file)
        self.student, self.teacher = Network(self.cfg), Network(self.cfg).requires_grad_(False)
        with np.load(folder / "params.npz") as file:
            params = dict(file)
        for network in (self.student, self.teacher):
            copy_parameters(network, params, self.cfg)
        optim = self.cfg["optim"]
        self.optimiser = torch.optim.AdamW(
            self.student.parameters(), betas=tuple(optim["betas"]), weight_decay=optim["weight_decay"], fused=True
        )
        self.objective = torch_objective.objective
        if mode == "compile":
            for part in (self.student.encoder, self.student.projector, self.teacher.encoder, self.teacher.projector):
                part.compile(dynamic=False)
            self.objective = torch.compile(self.objective, dynamic=False)

    def embed(self, folder: Path) -> np.ndarray:
        """The eager one writes the views too."""
        shown, local = self._views()
        if self.mode == "eager":
            split = {key: x.chunk(len(self.plans["shown"][0])) for key, x in shown.items()}
            views = [{key: parts[i] for key, parts in split.items()} for i in range(len(self.plans["shown"][0]))] + local
            arrays: dict[str, Any] = {f"{i}/{key}": x.numpy() for i, view in enumerate(views) for key, x in view.items()}
            np.savez(folder / "views.npz", **arrays)
        return self._pooled(shown, local).detach().numpy()

    def checked_step(self) -> dict[str, float]:
        """The norm is taken before the update."""
        loss = self._gradient()
        norms = [p.grad.norm() for p in self.student.parameters() if p.grad is not None]
        found = {"loss": float(loss), "grad_norm": float(torch.stack(norms).norm())}
        self._update()
        return found

    def step(self) -> float:
        """One step."""
        loss = self._gradient()
        self._update()
        return float(loss)

    def product(self, side: int) -> None:
        """By the library that torch was built with."""
        a = torch.ones(side, side)
        torch.mm(a, a)

    def _views(self) -> tuple[dict[str, Tensor], list[dict[str, Tensor]]]:
        """The global views of the step, one after another in one batch (all show all sensors), and its local views."""
        decoded = [torch_objective.decode(self.pixels[sensor["key"]], sensor) for sensor in self.sensors]
        keys = [sensor["key"] for sensor in self.sensors]
        cuts = torch_objective.cuts_of(self.plans, "global", self.number)
        shown = {k: torch.cat([torch_objective.resized(decoded[i], cut, i) for cut in cuts]) for i, k in enumerate(keys)}
        local = []
        cuts = torch_objective.cuts_of(self.plans, "local", self.number)
        for i, cut in zip(self.plans["sensor"][self.number].tolist(), cuts, strict=True):
            local.append({keys[i]: torch_objective.resized(decoded[i], cut, i)})
        return shown, local

    def _pooled(self, shown: dict[str, Tensor], local: list[dict[str, Tensor]]) -> Tensor:
        """Embeddings [V B D] of global and local views."""
        batch = len(next(iter(self.pixels.values())))
        wide = self.student.encoder(shown)
        return torch.cat([wide.view(-1, batch, wide.shape[-1])] + [self.student.encoder(view)[None] for view in local])

    def _gradient(self) -> Tensor:
        shown, local = self._views()
        pooled = self._pooled(shown, local)
        with torch.no_grad():
            target = self.teacher.projector(self.teacher.encoder(shown).view(-1, *pooled.shape[1:]))
        unit = torch.from_numpy(self.plans["directions"][self.number])
        loss = self.objective(self.student.projector(pooled), target, unit, self.cfg["jepa"])
        loss.backward()
        return loss.detach()

    def _update(self) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = float(self.plans["rate"][self.number])
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        keep = float(self.plans["momentum"][self.number])
        with torch.no_grad():
            torch._foreach_lerp_(list(self.teacher.parameters()), list(self.student.parameters()), 1.0 - keep)
        self.number += 1


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[3]))
    serve(TorchStep(Path(sys.argv[1]), sys.argv[2]), sys.argv[2], Path(sys.argv[1]))
