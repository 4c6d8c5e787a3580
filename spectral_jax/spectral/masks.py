"""Which bands a spectrum is shown without: targeted at wavelength regions, random, a contiguous block, or a mixture.

A mask is True where a band is hidden. It says nothing of how hiding is done; whoever uses it must keep hidden values out of
normalisation, indices and neighbouring tokens.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.shapes import check

Regions = tuple[tuple[float, float], ...]
# SpecTM (arXiv 2603.22097): phycocyanin absorption, chlorophyll-a's red absorption, and the red edge, nm, closed intervals.
TARGETED: Regions = ((615.0, 640.0), (660.0, 680.0), (695.0, 720.0))
# The paper hides 28 of 122 bands and does not say which; on PACE SFREFL the regions above hold 24, these 28.
TARGETED_28: Regions = ((615.0, 650.0), (660.0, 680.0), (695.0, 720.0))
KINDS = ("targeted", "random", "block")


@dataclasses.dataclass(frozen=True)
class MaskPolicy:
    """How bands are chosen.

    Attributes:
      kind: targeted: the bands in `regions`, the same every time; random: as many, anywhere; block: as many neighbours in
        wavelength.
      regions: closed wavelength intervals, nm; for random and block they only say how many bands are hidden.
    """

    kind: str = "targeted"
    regions: Regions = TARGETED

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"mask policy: expected one of {', '.join(KINDS)}, got {self.kind!r}.")
        if not self.regions or any(low >= high for low, high in self.regions):
            raise ValueError(f"mask policy: expected regions (low, high) in nm with low < high, got {self.regions}.")


def targeted(centre_nm: np.ndarray, regions: Regions = TARGETED) -> np.ndarray:
    """The bands inside `regions`, bool [C].

    Raises:
      ValueError: a region holds no band of this sensor, or all bands are hidden.
    """
    centre = np.asarray(centre_nm, float)
    inside = np.array([(low <= centre) & (centre <= high) for low, high in regions])
    if not inside.any(axis=1).all():
        low, high = regions[int(np.argmin(inside.any(axis=1)))]
        near = centre[np.argmin(np.abs(centre - (low + high) / 2))]
        raise ValueError(
            f"mask region {low:g} to {high:g} nm holds no band of this sensor, whose nearest is at {near:g} nm; leave the "
            "region out or widen it."
        )
    hidden: np.ndarray = np.asarray(inside.any(axis=0))
    if hidden.all():
        raise ValueError(f"mask regions {regions} hide all {len(centre)} bands; narrow them.")
    return hidden


def draw(key: jax.Array, policy: MaskPolicy, centre_nm: np.ndarray, batch: int) -> jax.Array:
    """Masks of a batch, bool [B C].

    Args:
      key: random key; a targeted policy does not use it.
      policy: which bands.
      centre_nm: [C], in any order.
      batch: B.
    """
    hidden = targeted(centre_nm, policy.regions)
    bands, count = len(hidden), int(hidden.sum())
    if policy.kind == "targeted":
        return jnp.broadcast_to(jnp.asarray(hidden)[None], (batch, bands))
    if policy.kind == "random":
        order = jnp.argsort(jax.random.uniform(key, (batch, bands)), axis=-1)
        return jnp.argsort(order, axis=-1) < count  # the rank of each band in a random order
    rank = np.argsort(np.argsort(np.asarray(centre_nm), kind="stable"), kind="stable")
    first = jax.random.randint(key, (batch, 1), 0, bands - count + 1)
    return (first <= rank[None]) & (rank[None] < first + count)


def draw_mixture(
    key: jax.Array, policies: tuple[MaskPolicy, ...], shares: tuple[float, ...], centre_nm: np.ndarray, batch: int
) -> jax.Array:
    """Masks [B C] where each sample follows one of several policies, drawn with probability proportional to its share.

    Raises:
      ValueError: not one share above 0 a policy.
    """
    if len(shares) != len(policies) or not policies or min(shares) <= 0:
        raise ValueError(f"mask mixture: expected one share above 0 for each of {len(policies)} policies, got {shares}.")
    which_key, *keys = jax.random.split(key, len(policies) + 1)
    masks = jnp.stack([draw(k, p, centre_nm, batch) for k, p in zip(keys, policies, strict=True)])
    which = jax.random.categorical(which_key, jnp.log(jnp.asarray(shares, jnp.float32)), shape=(batch,))
    return jnp.take_along_axis(masks, which[None, :, None], axis=0)[0]


def hide(values: jax.Array, mask: jax.Array, token: jax.Array) -> jax.Array:
    """Spectra [B C] with hidden bands replaced by the learned number of each band, `token` [C].

    What was hidden has no influence on the result, not even where it is NaN.
    """
    sizes = check(values, "B C", "values")
    check(mask, "B C", "mask", sizes)
    check(token, "C", "token", sizes)
    return jnp.where(mask, token[None], values)
