"""What brings a program that does not fit into a chip's memory, and the largest batch that fits: tried by compiling."""

import dataclasses
from collections.abc import Callable

from spectral_jax.config import Config
from spectral_jax.measure.pod.program import Compiled

MOST_TRIES = 8  # of a search for the largest batch
MOST_OF_A_KIND = 4  # of changes
REMATS = ("none", "blocks", "branches")
FSDPS = (2, 8, 32)
PARTS = ("model", "train", "data")  # of a config, as `changes` lists what it changes


@dataclasses.dataclass(frozen=True)
class Tried:
    """One program.

    Attributes:
      what: what was changed of the config.
      fits: whether it fits.
      missing_bytes: of memory a chip; negative where so much is left.
      hbm_bytes: memory that it needs.
      refused: why it could not be compiled; empty where it could.
    """

    what: str
    fits: bool
    missing_bytes: float
    hbm_bytes: float
    refused: str = ""


def with_batch(cfg: Config, batch_per_chip: int, chips: int) -> Config:
    """The run with another batch a chip."""
    return dataclasses.replace(cfg, data=dataclasses.replace(cfg.data, batch_size=batch_per_chip * chips))


def judge(what: str, compiled: Compiled, usable_bytes: float) -> Tried:
    """Whether a program fits; the compiler's own word on the memory there is counts before the data sheet's."""
    usable = compiled.hbm_usable_bytes or usable_bytes
    missing = compiled.hbm_bytes - usable
    return Tried(what, compiled.fits and missing <= 0, missing, compiled.hbm_bytes)


def changes(cfg: Config, chips: int) -> list[list[tuple[str, Config]]]:
    """Changes of a run that need less memory: of rematerialisation, of fsdp and of the batch, each kind mildest first."""
    remats = [
        (f"model.remat={remat}", dataclasses.replace(cfg, model=dataclasses.replace(cfg.model, remat=remat)))
        for remat in REMATS[REMATS.index(cfg.model.remat) + 1 :]
    ]
    parts = [
        (f"train.fsdp={fsdp}", dataclasses.replace(cfg, train=dataclasses.replace(cfg.train, fsdp=fsdp)))
        for fsdp in FSDPS
        if cfg.train.fsdp < fsdp and chips % fsdp == 0
    ]
    smaller, batch = [], cfg.data.batch_size // chips
    while batch > 1:
        batch //= 2
        smaller.append((f"data.batch_size={batch * chips} ({batch} a chip)", with_batch(cfg, batch, chips)))
    return [remats, parts, smaller]


def ways_in(cfg: Config, chips: int, usable_bytes: float, compile_step: Callable[[Config], Compiled]) -> list[Tried]:
    """Tries the changes: of each kind one after another until one fits, and all kinds' strongest together if none did.

    Args:
      cfg: the run that does not fit.
      chips: devices of the mesh.
      usable_bytes: memory of a chip that a program can have.
      compile_step: compiles a config's step.
    """
    tried: list[Tried] = []

    def attempt(what: str, changed: Config) -> bool:
        try:
            tried.append(judge(what, compile_step(changed), usable_bytes))
        except ValueError as error:  # a width that fsdp does not divide
            tried.append(Tried(what, False, 0.0, 0.0, str(error)))
        return tried[-1].fits

    kinds = changes(cfg, chips)
    for kind in kinds:
        for what, changed in kind[:MOST_OF_A_KIND]:
            if attempt(what, changed):
                break
    if not any(one.fits for one in tried) and sum(map(bool, kinds)) > 1:
        allowed = [one.what for one in tried if not one.refused]
        strongest = [[pair for pair in kind if pair[0] in allowed][-1:] for kind in kinds[:2]] + [kinds[2][-1:]]
        together, words = cfg, []
        for (what, changed), part in ((kind[0], part) for kind, part in zip(strongest, PARTS, strict=True) if kind):
            together = dataclasses.replace(together, **{part: getattr(changed, part)})
            words.append(what)
        attempt(", ".join(words), together)
    return tried


def largest_batch(fits: Callable[[int], bool], start: int, most_tries: int = MOST_TRIES) -> tuple[int, list[tuple[int, bool]]]:
    """The largest batch a chip that fits, by doubling or halving from `start` and then halving the gap.

    Args:
      fits: compiles a step with so many samples a chip.
      start: where to begin.
      most_tries: programs compiled at most.

    Returns:
      The largest that was found to fit (0: none), and what was tried, in order. It is exact where the next larger one was
      tried too; the tries may end before.
    """
    tried: list[tuple[int, bool]] = []
    least, most = 0, 0  # the largest that fits, and the smallest that does not (0: none known)
    batch = max(1, start)
    while len(tried) < most_tries:
        good = fits(batch)
        tried.append((batch, good))
        if good:
            least = batch
        else:
            most = batch
        if most and most - least <= 1:
            break
        if not most:
            batch = 2 * least
        elif not least:
            batch = most // 2
        else:
            batch = (least + most) // 2
    return least, tried
