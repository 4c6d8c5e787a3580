"""Where things are: covers of a simulated location on a fine ground grid, and how a sensor's pixels average them."""

import math

import numpy as np

GROUND_M = 10.0  # cell of the ground grid
CLASSES = ("low_vegetation", "tree", "soil", "water", "built")
# Endmembers and the class each belongs to; a cell is a mixture of all of them.
ENDMEMBERS = (
    ("sparse grass", 0), ("dense grass", 0), ("dry grass", 0), ("open trees", 1), ("closed trees", 1), ("bare soil", 2),
    ("wet soil", 2), ("stubble", 2), ("water", 3), ("bloom", 3), ("tile", 4), ("metal", 4), ("bitumen", 4), ("asphalt", 4),
    ("concrete", 4),
)  # fmt: skip
CLASS_OF = np.array([c for _, c in ENDMEMBERS])


def noise_fields(rng: np.random.Generator, count: int, side: int, length_m) -> np.ndarray:
    """Smooth random fields with mean 0 and standard deviation 1, float32 [count side side].

    Args:
      rng: source of randomness.
      count: number of fields.
      side: cells along a side.
      length_m: correlation length of each field, metres [count].
    """
    white = np.fft.rfft2(rng.standard_normal((count, side, side), np.float32))
    fy, fx = np.fft.fftfreq(side, GROUND_M)[:, None], np.fft.rfftfreq(side, GROUND_M)[None, :]
    radius = np.sqrt(fy**2 + fx**2)
    length = np.asarray(length_m, float)[:, None, None]
    # Flat below 1 / length, then as the -3 power: patches with rough edges, as land cover has.
    fields = np.fft.irfft2(white * (1.0 + (2.0 * np.pi * radius * length) ** 2) ** -1.5, s=(side, side)).astype(np.float32)
    fields -= fields.mean((1, 2), keepdims=True)
    return fields / (fields.std((1, 2), keepdims=True) + 1e-9)


def abundances(rng: np.random.Generator, site, side: int) -> np.ndarray:
    """Fraction of every ground cell that each endmember covers, float32 [side side E], summing to 1.

    Water takes the lowest places of a smooth field (a lake), or the band around its zero line (a river); the other classes
    compete by a softmax of fields, so most cells are mixtures dominated by one class, with shores, hedges and verges between.

    Args:
      rng: source of randomness.
      site: `scenes.site.Site`; its `fractions` are what is aimed at, the map's own means are the truth.
      side: cells along a side.
    """
    extent = side * GROUND_M
    lengths = [0.25 * min(extent, 800.0), *[site.patch_m] * 3, 0.5 * site.patch_m] + [0.6 * site.patch_m] * 6
    f = noise_fields(rng, len(lengths), side, lengths)
    low, tree, bare, wet, town = site.fractions
    height = np.abs(f[0] + 0.3 * f[5]) if site.river else f[0] + 0.15 * f[5]
    shore = np.quantile(height, wet)
    # The shore is about two cells wide: reeds, banks, overhanging crowns.
    slope = np.float32(np.mean(np.abs(np.diff(height, axis=0))) * 1.2 + 1e-6)
    water = 1.0 / (1.0 + np.exp(np.clip((height - shore) / slope, -30, 30)))
    land = np.log(np.array([low, tree, bare, town], np.float32))[:, None, None] * 1.3 + 2.4 * f[1:5]
    land = np.exp(land - land.max(0))
    land *= (1.0 - water) / land.sum(0)

    def split(total, *logits):
        weights = np.exp(np.stack(np.broadcast_arrays(*logits)))
        return total * weights / weights.sum(0)

    roof, road = site.roof_log_share, site.pavement_log_share
    parts = [
        split(land[0], 1.2 * f[6], -1.2 * f[6], np.log(site.dry_share) + 1.2 * f[7]),
        split(land[1], 1.0 * f[8] - 0.5, -1.0 * f[8]),
        split(land[2], 0.8 * f[9], -0.8 * f[9], 0.8 * f[6] - 0.6),
        split(water, 0.0 * f[8], site.bloom_log_share + 1.5 * f[8]),
        split(land[3], *[share + 1.5 * f[6 + i] for i, share in enumerate((*roof, *road))]),
    ]
    return np.moveaxis(np.concatenate(parts), 0, -1).astype(np.float32)


def class_cover(ground: np.ndarray) -> np.ndarray:
    """Endmember fractions [... E] to class fractions [... 5], in the order of `CLASSES`."""
    return np.stack([ground[..., c == CLASS_OF].sum(-1) for c in range(len(CLASSES))], -1)


def sampling_weights(side: int, gsd_m: float, fwhm_m: float, shift_m: float = 0.0) -> np.ndarray:
    """Weights that turn a row of ground cells into a row of pixels, float32 [px side]; rows sum to 1.

    A pixel is the mean over its width, blurred by a Gaussian (optics, resampling, scattered light) and moved by `shift_m`.

    Args:
      side: ground cells along a side.
      gsd_m: pixel size, metres.
      fwhm_m: width of the Gaussian, metres; 0: the bare mean.
      shift_m: error of geolocation, metres.

    Raises:
      ValueError: the patch is not a whole number of pixels.
    """
    pixels = side * GROUND_M / gsd_m
    if abs(pixels - round(pixels)) > 1e-6 or pixels < 1:
        raise ValueError(f"footprint_m: expected a multiple of the pixel size of {gsd_m:g} m, got {side * GROUND_M:g} m.")
    # Finer than a ground cell, so pixels of any size are averaged exactly; cells beyond the patch repeat its edge.
    fine = GROUND_M / 5.0
    margin = math.ceil((2.0 * fwhm_m + abs(shift_m)) / GROUND_M) * 5
    position = (np.arange(-margin, side * 5 + margin) + 0.5) * fine
    cell = np.clip((position / GROUND_M).astype(int), 0, side - 1)
    centres = (np.arange(round(pixels)) + 0.5)[:, None] * gsd_m + shift_m
    half = gsd_m / 2.0
    # A steep logistic step stands for the error function: a box of width gsd, with blurred edges.
    width = max(fwhm_m / 2.355 / 1.70, fine / 20.0)
    edges = np.clip((position - centres + half) / width, -40, 40), np.clip((position - centres - half) / width, -40, 40)
    weight = 1.0 / (1.0 + np.exp(-edges[0])) - 1.0 / (1.0 + np.exp(-edges[1]))
    out = np.add.reduceat(weight, np.searchsorted(cell, np.arange(side)), axis=1)
    return (out / out.sum(1, keepdims=True)).astype(np.float32)


def resample(ground: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Ground cells [side side E] to pixels [h w E] by `sampling_weights` of rows [h side] and columns [w side]."""
    # As batches of small products, which the BLAS does not spread over threads: on a busy machine those would wait.
    half = np.matmul(rows, ground.transpose(1, 0, 2))  # one product a ground column: [side h E]
    return np.matmul(columns, half.transpose(1, 0, 2))
