"""A run small enough to compile in seconds: three sensors with few bands, 4 x 4 tokens, a store of random numbers."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.batch import Batch, SensorData
from spectral_jax.config import Config, Data, Jepa, Model, Optim, SensorInput, Train, Views
from spectral_jax.data import store
from spectral_jax.sensors import Band, SensorSpec

HSI = SensorSpec(
    name="tiny_hsi", kind="optical", quantity="surface reflectance", unit="1", gsd_m=30.0, dtype="int16", scale=1e-4,
    nodata=-32768, bands=tuple(Band(f"{i}", 450.0 + 50.0 * i, 10.0) for i in range(6)), token_edges_nm=(575.0,),
)  # fmt: skip
MSI = SensorSpec(
    name="tiny_msi", kind="optical", quantity="surface reflectance", unit="1", gsd_m=20.0, dtype="int16", scale=1e-4,
    nodata=-32768, bands=(Band("red", 660.0, 30.0), Band("nir", 860.0, 30.0)), mean=(0.1, 0.2), std=(0.1, 0.1),
)  # fmt: skip
SAR = SensorSpec(
    name="tiny_sar", kind="radar", quantity="sigma0", unit="dB", gsd_m=20.0, dtype="int16", scale=0.01, nodata=-32768,
    bands=(Band("VV", polarisation="VV"),), low=-50.0, high=0.0,
)  # fmt: skip


def config(**changes) -> Config:
    """The config; `changes` replace whole parts of it."""
    parts = dict(
        name="tiny",
        sensors=(
            SensorInput("HSI", HSI, "grouped"),
            SensorInput("MSI", MSI, local_views=False),
            SensorInput("SAR", SAR, local_views=False),
        ),
        model=Model(
            footprint_m=240.0, width=8, heads=1, depths=(1, 1, 1), spectral_width=8, spectral_depth=1, spectral_heads=1,
            fusion_width=16, fusion_heads=1, projector_hidden=32, projector_out=8,
        ),
        data=Data(store="none", batch_size=8),
        views=Views(global_sensors=3, local_views=1),
        jepa=Jepa(directions=16, ema=(0.9, 1.0)),
        optim=Optim(lr=1e-3, warmup_steps=2),
        train=Train(steps=6, log_every=1, save_every=3),
    )  # fmt: skip
    return Config(**(parts | changes))


def lean(**changes) -> Config:
    """A run of one sensor, which compiles in a third of the time: for tests of what is around the step."""
    seen = dict(sensors=(SensorInput("MSI", MSI),), views=Views(global_sensors=1, local_views=1))
    return config(**(seen | changes))


def batch(cfg: Config, rng: np.random.Generator, size: int = 8) -> Batch:
    """Random stored numbers; the last location has no radar."""
    sensors = {}
    for sensor in cfg.sensors:
        px = cfg.patch_px(sensor.key)
        present = np.ones(size, bool)
        present[-1] = sensor.key != "SAR"
        low, high = (-3000, -500) if sensor.spec.kind == "radar" else (0, 6000)
        pixels = rng.integers(low, high, (size, px, px, len(sensor.spec.used))).astype(np.int16)
        sensors[sensor.key] = SensorData(pixels, present, np.zeros(size, np.float32))
    return Batch(sensors, np.arange(size, dtype=np.int32), np.zeros(size, np.int32))


def write_store(path: Path, cfg: Config, locations: int = 16, seed: int = 0, spoil: dict | None = None) -> Path:
    """A store with one group `all`, two dates. `spoil` maps a location's row to the value that all its numbers take."""
    specs = {s.key: s.spec for s in cfg.sensors}
    made = store.create(
        path, [store.GroupLayout("all", specs, locations, 2)], footprint_m=cfg.model.footprint_m, simulated=False
    )
    group, rng = made.groups["all"], np.random.default_rng(seed)
    for key, spec in specs.items():
        px = cfg.patch_px(key)
        shape = (locations, 2, len(spec.bands), px, px)
        pixels = rng.integers(*((-3000, -500) if spec.kind == "radar" else (0, 6000)), shape).astype(np.int16)
        for row, value in (spoil or {}).items():
            pixels[row] = value
        group.write_block(0, key, pixels, np.ones((locations, 2), bool), np.full((locations, 2), 9000.0))
    group.write_locations(
        0, [f"site-{i:02d}" for i in range(locations)], rng.uniform(0, 40, (locations, 2)), np.full(locations, 32633, np.int32),
        np.tile([240.0, 0, 4e5, 0, -240.0, 5e6], (locations, 1)),
    )  # fmt: skip
    return path


def idle_step(cfg: Config, mesh, spoiled_step: int = -1):
    """In place of `partition.place_step`: a step is counted and moves nothing; the loss of `spoiled_step` is not a number.

    For tests of what is around the step, which compile nothing then.
    """
    fine = dict.fromkeys(("invariance", "sigreg", "embedding_std", "embedding_rank", "grad_norm"), 1.0)

    def step(state, batch, key):
        adam = state.opt_state[0]._replace(count=state.step + 1)
        state = dataclasses.replace(state, step=state.step + 1, opt_state=(adam, *state.opt_state[1:]))
        return state, fine | {"loss": jnp.where(state.step == spoiled_step, jnp.nan, 1.0)}

    return jax.jit(step)
