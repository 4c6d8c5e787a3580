"""The seven groups of locations of SpectralEarth-MM, and how a simulated store of any size is shared out among them."""

import numpy as np

from spectral_jax.config import Synthetic
from spectral_jax.data import store
from spectral_jax.sensors import SensorSpec

_SHARED = ("S2", "LO", "LT", "S1")
# The seven groups of SpectralEarth-MM (arXiv 2605.21075) and the locations that each holds there.
GROUPS: dict[str, tuple[str, ...]] = {
    "enmap_only": ("ENMAP", *_SHARED),
    "emit_only": ("EMIT", *_SHARED),
    "desis_only": ("DESIS", *_SHARED),
    "pair_emit_enmap": ("EMIT", "ENMAP", *_SHARED),
    "pair_emit_desis": ("EMIT", "DESIS", *_SHARED),
    "pair_enmap_desis": ("ENMAP", "DESIS", *_SHARED),
    "triplet": ("ENMAP", "EMIT", "DESIS", *_SHARED),
}
GROUP_LOCATIONS: dict[str, int] = {
    "enmap_only": 580_292,
    "emit_only": 486_388,
    "desis_only": 54_111,
    "pair_emit_enmap": 732_196,
    "pair_emit_desis": 102_589,
    "pair_enmap_desis": 37_129,
    "triplet": 69_242,
}


def group_sizes(locations: int, groups: tuple[str, ...] = ()) -> dict[str, int]:
    """Splits `locations` over groups in the proportions of `GROUP_LOCATIONS`, with at least four (or an equal share) in each.

    Raises:
      ValueError: an unknown group, or fewer locations than groups.
    """
    names = groups or tuple(GROUPS)
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        raise ValueError(f"data.synthetic.groups: {unknown[0]!r} is not a group; expected some of {', '.join(GROUPS)}.")
    if locations < len(names):
        raise ValueError(f"data.synthetic.locations: expected at least one for each of {len(names)} groups, got {locations}.")
    least = min(4, locations // len(names))
    spare = locations - least * len(names)
    weight = np.array([GROUP_LOCATIONS[name] for name in names], float)
    exact = spare * weight / weight.sum()
    sizes = np.floor(exact).astype(int)
    sizes[np.argsort(sizes - exact, kind="stable")[: spare - sizes.sum()]] += 1
    return {name: least + int(size) for name, size in zip(names, sizes, strict=True)}


def layouts(cfg: Synthetic, sensors: dict[str, SensorSpec]) -> list[store.GroupLayout]:
    """What `store.create` is to make room for: groups that hold some of `sensors`, each with its share of locations.

    Raises:
      ValueError: an unknown group, too few locations, or no sensor that a group holds.
    """
    names = cfg.groups or tuple(GROUPS)
    keys = {name: [key for key in GROUPS.get(name, ()) if key in sensors] for name in names}
    useful = tuple(name for name in names if keys[name] or name not in GROUPS)
    if not useful:
        raise ValueError(
            f"simulated store: none of the sensors {', '.join(sensors) or '(none)'} is in the groups {', '.join(names)}; "
            f"expected keys such as {', '.join(GROUPS['triplet'])}."
        )
    sizes = group_sizes(cfg.locations, useful)
    return [store.GroupLayout(n, {k: sensors[k] for k in keys[n]}, sizes[n], cfg.dates) for n in useful]
