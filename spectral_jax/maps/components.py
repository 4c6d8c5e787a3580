"""Principal components of a sample of a scene's vectors, for eyes: three of them make a picture."""

import dataclasses

import numpy as np

# Vectors that components are fitted on; more are thinned out. Choice.
MOST = 20_000


@dataclasses.dataclass(frozen=True)
class Components:
    """Score = (vector - mean) @ axes.

    Attributes:
      mean: float32 [D].
      axes: float32 [D K], of length 1; the largest weight of each is positive, so that two runs have one sign.
      share: of the sample's variance in each, [K].
      vectors: how many they were fitted on.
    """

    mean: np.ndarray
    axes: np.ndarray
    share: np.ndarray
    vectors: int

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Vectors [... D] to scores [... K]; NaN stays."""
        return (values - self.mean.reshape((1,) * (values.ndim - 1) + (-1,))) @ self.axes

    @property
    def text(self) -> str:
        """For tags and pages."""
        shares = ", ".join(f"{100 * s:.1f} %" for s in self.share)
        return f"principal components fitted on a sample of {self.vectors} cells of this scene; they hold {shares} of it"


def fit(vectors: np.ndarray, count: int) -> Components:
    """The first components of N vectors [N D].

    Raises:
      ValueError: more components than numbers of a vector, or fewer vectors than components.
    """
    if not 1 <= count <= vectors.shape[-1]:
        raise ValueError(
            f"--components: expected 1 to {vectors.shape[-1]}, the numbers of a vector of this level, got {count}."
        )
    if len(vectors) <= count:
        raise ValueError(
            f"--components: expected more than {count} cells with data to fit {count} components on, got {len(vectors)}; take "
            "fewer, or all numbers of the level."
        )
    some = vectors[:: -(-len(vectors) // MOST)].astype(np.float64)
    mean = some.mean(axis=0)
    variance, axes = np.linalg.eigh(np.atleast_2d(np.cov(some, rowvar=False)))
    variance, axes = np.maximum(variance[::-1], 0.0), axes[:, ::-1][:, :count]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(count)])
    share = variance[:count] / max(variance.sum(), 1e-30)
    return Components(mean.astype(np.float32), axes.astype(np.float32), share, len(some))
