"""Which published model a checkpoint is of, by its keys and its width: for sentences about the wrong file."""

import math

import numpy as np

from spectral_jax.model.published import dofa, spectralearth, terramind

# A part that a key of each model's checkpoints has, and the end of the key of a vector as long as the model is wide. The first
# that fits is taken.
MARKS = (
    ("terramind", "encoder_embeddings.", "encoder_norm.weight", terramind.SIZES),
    ("spectralearth resnet50", "resnet.layer1.", None, {}),
    ("spectralearth", "spectral_adapter.", "blocks.0.norm1.weight", spectralearth.SIZES),
    ("dofa v2", "model.blocks.0.ls1.gamma", "blocks.0.norm1.weight", dofa.SIZES[2]),
    ("dofa v1", "patch_embed.weight_generator.", "blocks.0.norm1.weight", dofa.SIZES[1]),
    ("panopticon", "patch_embed.chnfus.", "blocks.0.norm1.weight", {}),
    ("prithvi", "encoder.patch_embed.proj.weight", "blocks.0.norm1.weight", {}),
    ("a plain vision transformer of timm", "patch_embed.proj.weight", "blocks.0.norm1.weight", {}),
)


def recognise(tensors: dict[str, np.ndarray]) -> str:
    """A name such as "terramind base (768 wide)"; "nothing known" where no mark is found."""
    for family, mark, wide, sizes in MARKS:
        if any(mark in key for key in tensors):
            widths = [len(v) for k, v in tensors.items() if wide and k.endswith(wide) and v.ndim == 1]
            return sized(family, widths[0], sizes) if widths else family
    return "nothing known"


def sized(family: str, width: int, sizes: dict) -> str:
    """A family, its size where the width is a published one, and the width."""
    size = next((f" {name}" for name, size in sizes.items() if size["width"] == width), "")
    return f"{family}{size} ({width} wide)"


def published_heads(width: int, sizes: dict) -> int | None:
    """The number of heads of the published size of this width; None where there is none."""
    return next((size["heads"] for size in sizes.values() if size["width"] == width), None)


def expect_size(file: str, tensors: dict, found: tuple[int, int], size: str | None, sizes: dict) -> None:
    """Refuses a checkpoint of another size than the one asked for, or a published size with blocks cut off.

    Args:
      file: for the sentence.
      tensors: the checkpoint.
      found: its width and number of blocks.
      size: name of the size that will do; None: any.
      sizes: the published ones.
    """
    if size is not None and size not in sizes:
        raise ValueError(f"size: expected one of {', '.join(sizes)}, got {size!r}.")
    width, depth = found
    if size is not None and sizes[size]["width"] != width:
        expected = f"expected {size} ({sizes[size]['width']} wide)"
        raise ValueError(f"{file} looks like {recognise(tensors)}, {expected}; give another file or another size.")
    published = next((s["depth"] for s in sizes.values() if s["width"] == width), depth)
    if published != depth:
        raise ValueError(
            f"{file} looks like {recognise(tensors)} with {depth} blocks, and the published one has {published}: keys of block "
            f"{min(depth, published)} on are missing or too many; fetch the file again."
        )


def expect_family(file: str, tensors: dict, family: str, mark: str) -> None:
    """Refuses a checkpoint that has no key with the mark of `family`, naming what it looks like."""
    if not any(mark in key for key in tensors):
        first = next(iter(tensors), "none")
        raise ValueError(
            f"{file} looks like {recognise(tensors)}, expected {family}: no key of it holds {mark!r}; the first is {first!r}."
        )


def count_blocks(tensors: dict, prefix: str) -> int:
    """How many blocks there are under `<prefix>.<number>.`."""
    dotted = f"{prefix}."
    numbers = [key.removeprefix(dotted).split(".")[0] for key in tensors if key.startswith(dotted)]
    return 1 + max((int(n) for n in numbers if n.isdecimal()), default=-1)


def telling(file: str, tensors: dict, key: str, rank: int) -> np.ndarray:
    """A tensor that a config is read from; a sentence with the file and the key where it is missing or of another rank."""
    if key not in tensors or tensors[key].ndim != rank:
        got = f"shape {list(tensors[key].shape)}" if key in tensors else "nothing"
        raise ValueError(f"{file}: expected {key} with {rank} axes, got {got}; it looks like {recognise(tensors)}.")
    return tensors[key]


def side(file: str, key: str, count: int) -> int:
    """The side of a square of `count` things, such as positions; a sentence where it is none."""
    root = math.isqrt(max(count, 0))
    if root < 1 or root * root != count:
        raise ValueError(f"{file}: {key} is for {count} in a square, and {count} is not a square number.")
    return root
