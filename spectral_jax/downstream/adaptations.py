"""An encoder, what is done to a sensor's bands before it, and a head after it: one pure function of parameters.

Which encoders take which adaptation:

| adaptation | bands the encoder sees | encoders |
|---|---|---|
| nearest, srf | target bands, by a fixed matrix | TerraMind, DOFA |
| learned_linear | target bands, by a matrix that starts as srf and trains | TerraMind, DOFA |
| wavelength_attention | target bands, by attention that starts close to srf and trains | TerraMind, DOFA |
| none | all bands of the source | SpectralEarth, DOFA, ours |
"""

import dataclasses
import difflib

import einops
import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.config import Config
from spectral_jax.model import encode, projection, published, spectral_adapter, task_heads
from spectral_jax.model.dofa import DofaConfig
from spectral_jax.model.spectralearth import SpectralEarthConfig
from spectral_jax.model.task_heads import HeadConfig
from spectral_jax.model.terramind import TerraMindConfig
from spectral_jax.sensors import SensorSpec
from spectral_jax.spectral import project
from spectral_jax.spectral.project import Projection

NONE = "none"
FIXED, LEARNED = ("nearest", "srf"), ("learned_linear", "wavelength_attention")
ADAPTATIONS = (*FIXED, *LEARNED, NONE)
Encoder = TerraMindConfig | SpectralEarthConfig | DofaConfig | Config


@dataclasses.dataclass(frozen=True)
class Adapted:
    """What is fitted to a task; hashable, a static argument of `jax.jit`.

    Attributes:
      encoder: config of the encoder.
      adaptation: of `ADAPTATIONS`.
      source: sensor of the images, C used bands.
      target: sensor that the adaptation goes to; None without one.
      kept: positions of the target's used bands that the encoder sees, see `Projection.kept_index`.
      head: what follows the encoder.
      layers: blocks whose maps the head gets; our encoder gives its three stages always.
      px: side of what the encoder reads of an image at once, pixels of the image, for protocols with a window.
      key: sensor of our encoder.
    """

    encoder: Encoder
    adaptation: str
    source: SensorSpec
    target: SensorSpec | None
    kept: tuple[int, ...]
    head: HeadConfig
    layers: tuple[int, ...]
    px: int
    key: str = ""

    @property
    def side(self) -> int:
        """Pixels along a side of the encoder's input; what it reads is resized to it."""
        if isinstance(self.encoder, Config):
            return self.encoder.patch_px(self.key)
        return self.encoder.grid * self.encoder.patch

    @property
    def bands(self) -> int:
        """How many bands the encoder sees."""
        return len(self.kept) if self.target else len(self.source.used)


def known(adaptation: str) -> str:
    """The adaptation itself.

    Raises:
      ValueError: there is none of that name; the sentence names the closest first.
    """
    if adaptation not in ADAPTATIONS:
        near = difflib.get_close_matches(str(adaptation), ADAPTATIONS, n=len(ADAPTATIONS), cutoff=0.0)
        raise ValueError(f"no adaptation is called {adaptation!r}; the names are, closest first: {', '.join(near)}.")
    return adaptation


def fixed_projection(adaptation: str, source: SensorSpec, target: SensorSpec, uncovered: str) -> Projection | None:
    """The projection an adaptation is, or starts from; None for "none".

    Raises:
      ValueError: an unknown adaptation, or what `project.project` refuses, such as sensors without overlap.
    """
    if known(adaptation) == NONE:
        return None
    return project.project(source, target, adaptation if adaptation in FIXED else "srf", uncovered)


def init(key: jax.Array, model: Adapted, start: Projection | None, image_px: int, encoder: dict | None = None) -> dict:
    """Parameters `{"encoder", "projection", "head"}`, float32.

    Args:
      key: random key.
      model: what they are of.
      start: of `fixed_projection`; the learned linear map starts as its matrix.
      image_px: side of the images.
      encoder: parameters of an encoder that was read; None: fresh ones.
    """
    encoder_key, head_key = jax.random.split(key)
    params = {"encoder": _init_encoder(encoder_key, model.encoder) if encoder is None else encoder, "projection": {}}
    if model.adaptation == "learned_linear":
        params["projection"] = projection.init_linear(start)
    elif model.adaptation == "wavelength_attention":
        params["projection"] = projection.init_attention(model.target)
    image = jax.ShapeDtypeStruct((1, image_px, image_px, model.bands), jnp.float32)
    valid = jax.ShapeDtypeStruct((1, image_px, image_px), jnp.bool_)
    maps, pooled = jax.eval_shape(lambda p, x, v: features(p, x, v, model), params["encoder"], image, valid)
    shapes = tuple(m.shape[1:] for m in maps)
    params["head"] = task_heads.init_head(head_key, model.head, shapes, pooled.shape[-1], (image_px, image_px))
    return params


def project_bands(params: dict, matrix: jax.Array | None, images: jax.Array, model: Adapted) -> jax.Array:
    """Bands of the source [B H W C] to those that the encoder sees [B H W K], both physical values.

    Args:
      params: `params["projection"]`.
      matrix: [K C] of a fixed adaptation; None for the others.
      images: [B H W C], 0 where invalid.
      model: see `Adapted`.
    """
    if model.adaptation == NONE:
        return images
    if model.adaptation == "learned_linear":
        return projection.call_linear(params, images)
    if model.adaptation == "wavelength_attention":
        matrix = projection.attention_matrix(params, model.source)[np.array(model.kept)]
    return project.apply(matrix, images)


def features(encoder: dict, x: jax.Array, valid: jax.Array, model: Adapted) -> tuple[tuple[jax.Array, ...], jax.Array]:
    """Maps [B h w D], finest first where they differ, and the pooled embedding [B D].

    Args:
      encoder: `params["encoder"]`.
      x: [B H W K] normalised, 0 where invalid.
      valid: bool [B H W]; only our encoder asks for it.
      model: see `Adapted`.
    """
    cfg, side = model.encoder, model.side
    if x.shape[1:3] != (side, side):
        x = jax.image.resize(x, (x.shape[0], side, side, x.shape[3]), "bilinear")
        valid = jax.image.resize(valid.astype(jnp.float32), (valid.shape[0], side, side), "nearest") > 0.5
    if isinstance(cfg, Config):
        return _ours(encoder, x, valid, cfg, model.key)
    centre_nm = model.source.centre_nm if model.target is None else model.target.centre_nm[list(model.kept)]
    found = published.encode(encoder, x, cfg, model.layers, jnp.asarray(centre_nm, jnp.float32))
    return found.maps, found.pooled


def predict(
    params: dict, buffers: dict, images: jax.Array, valid: jax.Array, model: Adapted, key: jax.Array | None = None
) -> jax.Array:
    """What the head says.

    Args:
      params: of `init`.
      buffers: `mean` and `std` [K] by which bands are normalised, and `matrix` [K C] of a fixed adaptation; none trains.
      images: [B H W C] physical values, 0 where invalid.
      valid: bool [B H W].
      model: see `Adapted`; static.
      key: for dropout; None: without.

    Returns:
      Float32 [B H W outputs] of heads with maps, [B outputs] of the others.
    """
    x = project_bands(params["projection"], buffers.get("matrix"), images, model)
    x = (x - _last(buffers["mean"], x)) / _last(buffers["std"], x)
    maps, pooled = features(params["encoder"], jnp.where(valid[..., None], x, 0.0), valid, model)
    return task_heads.call_head(params["head"], model.head, maps, pooled, images.shape[1:3], key)


def trainable(params: dict, model: Adapted) -> dict:
    """For each parameter, whether it may train: not the buffers of the published encoders."""
    everything = jax.tree.map(lambda _: True, params)
    if isinstance(model.encoder, Config):
        return everything
    return everything | {"encoder": published.trainable(params["encoder"], model.encoder)}


def check_pair(name: str, kind: type, adaptation: str, bands: int) -> None:
    """Refuses an encoder with an adaptation it cannot take.

    Args:
      name: of the encoder.
      kind: class of its config.
      adaptation: of `ADAPTATIONS`.
      bands: of the source.

    Raises:
      ValueError: it cannot; the sentence says what it takes.
    """
    takes = {TerraMindConfig: (*FIXED, *LEARNED), DofaConfig: ADAPTATIONS}.get(kind, (NONE,))
    if known(adaptation) not in takes:
        raise ValueError(f"{name}/{adaptation}: {name} takes {', '.join(takes)}; choose one of them.")
    fewest = spectral_adapter.fewest_bands()
    if kind is SpectralEarthConfig and bands < fewest:
        raise ValueError(
            f"{name}/{adaptation}: its spectral adapter needs at least {fewest} bands, and the task has {bands}; take another "
            "encoder."
        )


def _init_encoder(key: jax.Array, cfg: Encoder) -> dict:
    return encode.init_encoder(key, cfg) if isinstance(cfg, Config) else published.init(key, cfg)


def _ours(encoder: dict, x, valid, cfg: Config, key: str):
    branch = encode.encode_branch(encoder, key, x, valid, cfg)
    shared = encode.encode_shared(encoder, branch.stage2[:, None], branch.valid2[:, None], (key,), cfg)
    side = branch.stage2.shape[1] // 2
    last = einops.rearrange(shared.tokens, "b (r q) d -> b r q d", r=side)
    return (branch.stage1, branch.stage2, last), shared.pooled


def _last(vector, like):
    return vector.reshape((1,) * (like.ndim - 1) + vector.shape)
