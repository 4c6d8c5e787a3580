"""Heads of the SpecTM objective, one set a sensor: hidden bands, bio-optical indices, and the spectrum of a later date."""

from functools import partial

import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.config import Config
from spectral_jax.model.layers import Dense, gelu


class Head(nn.Module):
    """Linear, GELU, linear; float32 out."""

    hidden: int
    out: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x):
        """Maps [... D] to [... out]."""
        x = gelu(Dense(self.hidden, self.dtype, name="in")(x))
        return Dense(self.out, self.dtype, name="out")(x).astype(jnp.float32)


class SensorHeads(nn.Module):
    """The heads of one sensor with C bands."""

    bands: int
    indices: int
    hidden: int
    dtype: jnp.dtype

    def setup(self):
        """Makes the parts."""
        self.hidden_band = self.param("hidden_band", nn.initializers.zeros, (self.bands,), jnp.float32)
        self.reconstruct = Head(self.hidden, self.bands, self.dtype)
        self.index = Head(self.hidden, self.indices, self.dtype)
        self.ahead = Head(self.hidden, self.bands, self.dtype)

    def tokens(self):
        """What stands in for each hidden band, [C]; 0, the mean of a standardised band, at the start."""
        return self.hidden_band

    def spectra(self, stage1, pooled):
        """Stage-1 tokens [B R Q D] and the pooled embedding [B E] to the spectrum of each token [B R Q C]."""
        b, r, q, _ = stage1.shape
        whole = jnp.broadcast_to(pooled[:, None, None].astype(stage1.dtype), (b, r, q, pooled.shape[-1]))
        return self.reconstruct(jnp.concatenate([stage1, whole], axis=-1))

    def infer(self, pooled):
        """Pooled embedding [B E] to indices [B I]."""
        return self.index(pooled)

    def forecast(self, pooled, lead_weeks):
        """Pooled embedding [B E] and the true time between the dates, weeks [B], to the later mean spectrum [B C]."""
        lead = jnp.stack([lead_weeks, lead_weeks**2], axis=-1)
        return self.ahead(jnp.concatenate([pooled, lead], axis=-1))

    def everything(self, stage1, pooled):
        """Touches every part once."""
        return self.tokens(), self.spectra(stage1, pooled), self.infer(pooled), self.forecast(pooled, pooled[:, 0])


def init_heads(key: jax.Array, cfg: Config) -> dict:
    """Parameters of all sensors' heads, by sensor key, float32."""
    return _init(key, cfg)


def call(params: dict, sensor: str, cfg: Config, method: str, *args):
    """Runs a method of `SensorHeads` for one sensor."""
    return _heads(cfg, sensor).apply({"params": params[sensor]}, *args, method=method)


def _heads(cfg: Config, sensor: str) -> SensorHeads:
    spec = cfg.sensor(sensor).spec
    return SensorHeads(len(spec.used), len(cfg.spectm.indices), cfg.spectm.hidden, jnp.dtype(cfg.model.dtype))


@partial(jax.jit, static_argnames="cfg")
def _init(key, cfg: Config):
    stage1, pooled = jnp.zeros((1, 1, 1, cfg.model.width)), jnp.zeros((1, cfg.model.widths[2]))
    keys = jax.random.split(key, len(cfg.sensors))
    return {
        s.key: _heads(cfg, s.key).init(k, stage1, pooled, method="everything")["params"]
        for s, k in zip(cfg.sensors, keys, strict=True)
        if s.spec.kind == "optical"
    }
