"""The training step of this package as a contestant: `python -m spectral_jax.measure.peer.ours FOLDER`."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax import configure
from spectral_jax.batch import Batch, SensorData
from spectral_jax.measure.peer import inputs
from spectral_jax.measure.peer.contestant import Contestant, serve
from spectral_jax.model.encoder import encode
from spectral_jax.train import partition


class Ours(Contestant):
    """State, batch and compiled step, on one device."""

    def __init__(self, folder: Path):
        """Reads what `inputs.write` wrote; nothing of the step is compiled yet."""
        self.cfg = configure.from_json((folder / "run.json").read_text())
        with np.load(folder / "pixels.npz") as file:
            pixels = {key: jnp.asarray(np.moveaxis(file[key], 1, 3)) for key in file.files}
        size = self.cfg.data.batch_size
        sensors = {k: SensorData(x, jnp.ones(size, bool), jnp.zeros(size, jnp.float32)) for k, x in pixels.items()}
        self.batch = Batch(sensors, jnp.arange(size), jnp.zeros(size, jnp.int32))
        mesh = partition.make_mesh(self.cfg, jax.devices()[:1])
        self.key = jax.random.key(inputs.RUN_KEY)
        self.state = partition.create_state(self.cfg, mesh)
        self.run = partition.place_step(self.cfg, mesh)
        self.multiply = jax.jit(lambda a: a @ a)

    def embed(self, folder: Path) -> np.ndarray:
        """Embeds the views that PyTorch made of the drawn plan; the loss tells whether the step makes the same."""
        params = self.state.params["encoder"]
        # Part by part, so that a branch is compiled once for global and local views, and fast: it runs a few times.
        options = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
        branch = jax.jit(encode.encode_branch, static_argnames=("key", "cfg"), compiler_options=options)
        shared = jax.jit(encode.encode_shared, static_argnames=("sensors", "cfg"), compiler_options=options)
        views: dict[int, dict] = {}
        with np.load(folder / "views.npz") as file:
            for name in file.files:
                number, key = name.split("/")
                pixels = np.moveaxis(file[name], 1, 3)
                out = branch(params, key=key, pixels=pixels, valid=np.ones(pixels.shape[:3], bool), cfg=self.cfg)
                views.setdefault(int(number), {})[key] = out
        pooled = []
        for _, seen in sorted(views.items()):
            tokens, mask = (jnp.stack([getattr(out, name) for out in seen.values()], axis=1) for name in ("stage2", "valid2"))
            pooled.append(np.asarray(shared(params, tokens, mask, sensors=tuple(seen), cfg=self.cfg).pooled))
        jax.clear_caches()  # so that these programs are not in the memory of the steps
        return np.stack(pooled)

    def checked_step(self) -> dict[str, float]:
        """The step reports both itself."""
        self.state, metrics = self.run(self.state, self.batch, self.key)
        return {name: float(metrics[name]) for name in ("loss", "grad_norm")}

    def step(self) -> float:
        """One step, with all that it reports."""
        self.state, metrics = self.run(self.state, self.batch, self.key)
        jax.block_until_ready((self.state, metrics))
        return float(metrics["loss"])

    def product(self, side: int) -> None:
        """By XLA."""
        self.multiply(jnp.ones((side, side))).block_until_ready()


if __name__ == "__main__":
    serve(Ours(Path(sys.argv[1])), "ours", Path(sys.argv[1]))
