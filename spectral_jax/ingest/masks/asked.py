"""What a command may ask for of cloud: the products' own layers, a model beside them, or none."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from spectral_jax.sentences import unknown

PRODUCT, SPECTF, OMNICLOUDMASK, NONE = "product", "spectf", "omnicloudmask", "none"
MODELS = (SPECTF, OMNICLOUDMASK)
WAYS = (PRODUCT, *MODELS, NONE)


@dataclasses.dataclass(frozen=True)
class Asked:
    """How cloud is told.

    Attributes:
      ways: `product`: by each product's own layers; `none`: by nothing, so that missing pixels alone are unclear; else one or
        both of `spectf` and `omnicloudmask`, each for the sensors that it takes, joined with the product's own layers: a pixel
        is unclear where either says so.
      weights: folder of SpecTf's weights, which tools/convert_weights.py wrote.
      threshold: probability from which on a pixel is cloud; None: as published. SpecTf: 0.51 or 0.52 by its release.
        OmniCloudMask: the class with the highest confidence.

    Raises:
      ValueError: an unknown way, ways that exclude one another, or weights or a threshold that is missing or without a model.
    """

    ways: tuple[str, ...] = (PRODUCT,)
    weights: str = ""
    threshold: float | None = None

    def __post_init__(self):
        for way in self.ways:
            if way not in WAYS:
                raise unknown("clouds", "way to tell cloud", way, WAYS, most=len(WAYS))
        if not self.ways or len(set(self.ways)) < len(self.ways) or (len(self.ways) > 1 and set(self.ways) - set(MODELS)):
            raise ValueError(
                f"clouds: expected one of {', '.join(WAYS)}, or both {' and '.join(MODELS)}, which join the product's own "
                f"layers, got {','.join(self.ways) or 'nothing'}."
            )
        if SPECTF in self.ways and not self.weights:
            raise ValueError(
                "clouds=spectf: expected cloud_weights=FOLDER beside it, and it is not given; convert released weights first: "
                "tools/convert_weights.py --source=spectf --input=weights.pt --out=FOLDER."
            )
        if self.weights and SPECTF not in self.ways:
            raise ValueError(
                f"cloud_weights: {self.weights} is for clouds=spectf, and clouds is {','.join(self.ways)}; leave one of them "
                "out."
            )
        if self.threshold is not None:
            self._check_threshold(self.threshold)

    def _check_threshold(self, threshold: float) -> None:
        if len(self.ways) > 1 or self.ways[0] not in MODELS:
            raise ValueError(
                f"cloud_threshold: {threshold:g} is of one model's probability, and clouds is {','.join(self.ways)}; name one "
                f"of {', '.join(MODELS)}."
            )
        if not 0.0 < threshold < 1.0:
            raise ValueError(f"cloud_threshold: expected a probability between 0 and 1, got {threshold:g}.")

    @property
    def is_default(self) -> bool:
        """Whether products tell cloud themselves."""
        return self.ways == (PRODUCT,)

    @property
    def folders(self) -> tuple[str, ...]:
        """What is read: the weights, where there are some."""
        return (self.weights,) if self.weights else ()

    def command(self) -> dict:
        """What must be the same when a build is continued, as JSON has it; nothing of what is not asked for."""
        out: dict = {} if self.is_default else {"clouds": list(self.ways)}
        if self.weights:
            out["cloud_weights"] = self.weights
        return out if self.threshold is None else out | {"cloud_threshold": self.threshold}


def of_options(ways: Sequence[str], weights: str | None, threshold: float | str | None) -> Asked:
    """From what a command has; the folder of weights as an absolute path, as workers elsewhere have other working folders.

    Raises:
      ValueError: the threshold is no number, or as `Asked`.
    """
    try:
        number = None if threshold is None else float(threshold)
    except ValueError as error:
        raise ValueError(f"cloud_threshold: expected a probability between 0 and 1, got {threshold!r}.") from error
    return Asked(tuple(ways), str(Path(weights).resolve()) if weights else "", number)
