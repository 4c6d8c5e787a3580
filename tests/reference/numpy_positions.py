"""PyTorch's `interpolate` of a table of positions, `align_corners=False`, sample by sample in float64.

As its `UpSampleKernel.cpp` says: bilinear takes the two samples around a place that is not below 0; antialiased bicubic takes
all within two wanted samples, with Keys' kernel of a = -0.5, and divides by the sum of their weights.
"""

import numpy as np


def bilinear(size, wanted):
    """Weights [wanted size]."""
    weights = np.zeros((wanted, size))
    for i in range(wanted):
        place = max((i + 0.5) * size / wanted - 0.5, 0.0)
        first = int(place)
        weights[i, first] += 1 - (place - first)
        weights[i, min(first + 1, size - 1)] += place - first
    return weights


def antialiased(size, wanted, a=-0.5):
    """Weights [wanted size]."""
    scale = size / wanted
    stretch = max(scale, 1.0)
    weights = np.zeros((wanted, size))
    for i in range(wanted):
        centre = scale * (i + 0.5)
        first, end = max(int(centre - 2 * stretch + 0.5), 0), min(int(centre + 2 * stretch + 0.5), size)
        for j in range(first, end):
            x = abs((j - centre + 0.5) / stretch)
            if x < 1:
                weights[i, j] = ((a + 2) * x - (a + 3)) * x * x + 1
            elif x < 2:
                weights[i, j] = (((x - 5) * x + 8) * x - 4) * a
        weights[i] /= weights[i].sum()
    return weights


def resize(positions, wanted, rule):
    """A table [1+N D] with a class token's row, for a square of N patches, to `wanted` rows and columns of patches."""
    positions = positions.astype(float)
    side = round((len(positions) - 1) ** 0.5)
    table = positions[1:].reshape(side, side, -1)
    made = np.einsum("rn,cm,nmd->rcd", rule(side, wanted[0]), rule(side, wanted[1]), table)
    return np.concatenate([positions[:1], made.reshape(-1, table.shape[-1])])
