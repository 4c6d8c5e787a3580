"""The kinds of tasks: what is labelled, with what, and the metric that ranks.

Whoever treats kinds differently asks for one of these properties, so that a further kind is one more row.
"""

from typing import NamedTuple


class Kind(NamedTuple):
    """One kind of task.

    Attributes:
      name: as task files have it.
      of: what has a label: "pixels" or "images".
      labels: what a label is: "class", an index; "set", 0 or 1 for each of K things; "numbers", K of them.
      headline: the metric that ranks, higher is better.
      dates: images that a sample has at least; 2 for a change.
    """

    name: str
    of: str
    labels: str
    headline: str
    dates: int = 1

    @property
    def is_map(self) -> bool:
        """Whether a label is a map of classes [H W]."""
        return self.of == "pixels" and self.labels == "class"

    @property
    def has_codes(self) -> bool:
        """Whether files hold codes of classes; the others hold a column or a band for each of the task's targets."""
        return self.labels == "class" or (self.of == "images" and self.labels == "set")


KINDS = {
    kind.name: kind
    for kind in (
        Kind("segmentation", "pixels", "class", "iou_macro"),
        Kind("change", "pixels", "class", "iou_macro", dates=2),
        Kind("classification", "images", "class", "accuracy_overall"),
        Kind("multilabel", "images", "set", "map"),
        Kind("pixel_multilabel", "pixels", "set", "iou_macro"),
        Kind("image_regression", "images", "numbers", "r2_mean"),
        Kind("pixel_regression", "pixels", "numbers", "r2_mean"),
    )
}
