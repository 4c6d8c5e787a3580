"""Fixed 2-D tables of positions in sines and cosines, with which published encoders start and which never train.

Half of the width tells a patch's row and half its column, each as [sin(n w), cos(n w)] with w_k = 10000^(-k / (D/4)),
k = 0 .. D/4 - 1 (Vaswani et al. 2017, for two axes as in MoCo v3). Which half comes first differs between encoders.
"""

import functools

import numpy as np

# Longest wavelength over the shortest, of the original transformer.
BASE = 10000.0


def check_width(where: str, width: int) -> None:
    """Refuses a width that is not four equal parts, in a sentence.

    Raises:
      ValueError: 4 does not divide the width.
    """
    if width % 4:
        raise ValueError(
            f"{where}.width: expected a multiple of 4, since a quarter of it each holds the sines and the cosines of a patch's "
            f"row and column, got {width}; the closest are {width // 4 * 4} and {width // 4 * 4 + 4}."
        )


@functools.lru_cache(maxsize=16)
def rows_first(grid: int, width: int) -> np.ndarray:
    """Positions [N D] float32 of `grid` x `grid` patches in raster order: the row in the first half, the column in the second.

    So does TerraMind. 4 divides `width`, see `check_width`.
    """
    axis = _sines(grid, width // 2)
    row, column = np.divmod(np.arange(grid**2), grid)
    return np.concatenate([axis[row], axis[column]], axis=1)


@functools.lru_cache(maxsize=16)
def columns_first_after_class(grid: int, width: int) -> np.ndarray:
    """Positions [1+N D] float32: zeros for the class token, then patches, the column in the first half, the row in the second.

    So does MAE's `util/pos_embed.py`, where the half named after the height is given the horizontal places; DOFA's authors use
    it as it is (`pretraining/models_base_ofa_mae.py`). 4 divides `width`, see `check_width`.
    """
    row_half, column_half = np.split(rows_first(grid, width), 2, axis=1)
    return np.pad(np.concatenate([column_half, row_half], axis=1), ((1, 0), (0, 0)))


def _sines(count, width):
    # In float64: a float32 angle of 13 rad is already wrong by as much as the sine's own precision.
    angle = np.outer(np.arange(count), BASE ** (-np.arange(width // 2) / (width / 2)))
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)
