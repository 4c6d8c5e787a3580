"""The one table of dimension letters, and the check that names them when a shape is wrong."""

from collections.abc import Mapping

LETTERS: Mapping[str, str] = {
    "B": "batch",
    "S": "sensor",
    "M": "sensors stacked for fusion",
    "V": "view",
    "T": "date",
    "H": "patch row",
    "W": "patch column",
    "C": "band",
    "G": "group of bands",
    "N": "token",
    "R": "token row",
    "Q": "token column",
    "D": "width",
    "A": "attention head",
    "K": "ground parameter",
}


def check(array, letters: str, name: str, sizes: dict[str, int] | None = None) -> dict[str, int]:
    """Checks that `array` has the dimensions `letters`, and returns the size of each letter.

    Runs while tracing, so it costs nothing in a compiled step.

    Args:
      array: anything with a `shape`.
      letters: letters of `LETTERS` (or literal sizes) with blanks between, such as `"B H W C"` or `"B 2"`.
      name: what the caller calls the array; it stands in the error.
      sizes: letters whose size is known already; it is not changed.

    Returns:
      `sizes` with the letters of `array` added.

    Raises:
      ValueError: the rank or a size differs; the sentence names argument, letters, expected and found sizes.
    """
    wanted = letters.split()
    known = dict(sizes or {})
    shape = tuple(array.shape)
    if len(shape) != len(wanted):
        raise ValueError(
            f"{name}: expected {len(wanted)} dimensions [{letters}] ({_spell(wanted)}), got {len(shape)} with shape {shape}."
        )
    for axis, (letter, size) in enumerate(zip(wanted, shape, strict=True)):
        expected = int(letter) if letter.isdigit() else known.setdefault(letter, size)
        if expected != size:
            meaning = LETTERS.get(letter, "fixed size")
            raise ValueError(
                f"{name}: expected [{letters}] with {letter} ({meaning}) = {expected}, got {size} at axis {axis} of "
                f"shape {shape}."
            )
    return known


def _spell(letters: list[str]) -> str:
    return ", ".join(LETTERS.get(letter, letter) for letter in letters)
