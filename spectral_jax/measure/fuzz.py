"""What damaged files do to a reader: mutations that are a function of a seed, and runs that no crash and no hang can stop.

A reader may give something or refuse in a sentence (an error of `launch.expected`). Everything else is a fault: another
exception, the death of the process, more than `LIMIT_S` seconds, or an output that is left half-written.
"""

import collections
import dataclasses
import json
import multiprocessing
import resource
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

Errors = tuple[type[BaseException], ...]
LIMIT_S, DEAD_S = 10.0, 20.0
MEMORY_BYTES = 24 * 2**30
WORDS = (
    b"nan",
    b"inf",
    b"-1",
    b"1e999",
    b"0",
    b"",
    b"\xff\xfe",
    b"None",
    b"9" * 40,
    b"<html>",
    b"version https://git-lfs",
    b"{}",
    b"\x00",
)


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of input.

    Attributes:
      name: of it.
      make: (folder) to the valid file or folder that is damaged.
      use: (path, folder for outputs) as a command uses it.
    """

    name: str
    make: Callable[[Path], Path]
    use: Callable[[Path, Path], object]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one input: "given", "refused" or "fault", and what was said."""

    kind: str
    number: int
    what: str
    said: str = ""


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """A damaged copy of a file: cut short, bits flipped, blocks swapped, zeroed or doubled, words put in, or another whole."""
    data = bytearray(content)
    size = len(data)
    how = int(rng.integers(10)) if size > 8 else 8
    if how == 0:
        return bytes(data[: int(rng.integers(size))])
    if how in (1, 2):
        for at in rng.integers(0, size, int(rng.integers(1, 9))):
            data[at] ^= 1 << int(rng.integers(8))
        return bytes(data)
    a, b = sorted(int(x) for x in rng.integers(0, size, 2))
    length = int(rng.integers(1, max(2, min(64, size - b))))
    if how == 3:
        data[a : a + length], data[b : b + length] = data[b : b + length], data[a : a + length]
    elif how == 4:
        data[a : a + length] = bytes(length)
    elif how == 5:
        data[a:a] = data[a:b]
    elif how == 6:
        word = WORDS[int(rng.integers(len(WORDS)))]
        data[a : a + len(word)] = word
    elif how == 7:
        del data[a:b]
    elif how == 8:
        return [b"", b"\x00" * size, rng.bytes(int(rng.integers(1, 200))), b"version https://git-lfs.github.com/spec/v1\n"][
            int(rng.integers(4))
        ]
    else:
        lines = bytes(data).split(b"\n")
        order = rng.permutation(len(lines)) if rng.random() < 0.5 else rng.integers(0, len(lines), len(lines))
        return b"\n".join(lines[i] for i in order)
    return bytes(data)


def write_damaged(valid: Path, target: Path, rng: np.random.Generator) -> None:
    """Copies a file, or a folder of which one file is damaged or left out."""
    if valid.is_file():
        target.write_bytes(damaged(valid.read_bytes(), rng))
        return
    files = sorted(p for p in valid.rglob("*") if p.is_file())
    chosen = files[int(rng.integers(len(files)))]
    for file in files:
        copy = target / file.relative_to(valid)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if file != chosen:
            copy.write_bytes(file.read_bytes())
        elif rng.random() < 0.9:
            copy.write_bytes(damaged(file.read_bytes(), rng))


def run(
    kinds: Sequence[Kind], inputs: int, seed: int, folder: Path, expected: Callable[[], Errors], workers: int = 2, told=print
) -> list[Outcome]:
    """Runs `inputs` inputs of all kinds together, and gives what became of each.

    Input i of a kind is a function of (seed, kind, i). A worker that dies or hangs is replaced, and goes on after the input.

    Args:
      kinds: to run, in turn.
      inputs: how many, of all kinds together.
      seed: of all.
      folder: for valid files, and for the inputs of faults, which stay in `faults`.
      expected: gives the errors that are refusals, as `launch.expected`; called in the workers, for it imports much.
      workers: processes.
      told: takes a line of progress.
    """
    context = multiprocessing.get_context("fork")
    maker = context.Process(target=_make, args=(kinds, folder))
    maker.start()
    maker.join()
    if maker.exitcode:
        raise RuntimeError("the valid files could not be made; see the trace above.")
    shares = [list(range(first, inputs, workers)) for first in range(workers)]
    places = [context.Array("d", [-1.0, time.monotonic()]) for _ in shares]
    running: list = [None] * workers
    results = [folder / f"worker_{w}.jsonl" for w in range(workers)]
    last = time.monotonic()
    while any(shares) or any(running):
        for w in range(workers):
            process = running[w]
            stuck = process is not None and process.is_alive() and time.monotonic() - places[w][1] > DEAD_S
            if stuck:
                process.kill()
                process.join()
            if process is not None and not process.is_alive():
                number = int(places[w][0])
                if process.exitcode or stuck:
                    kind = kinds[number % len(kinds)].name
                    why = "it hangs, and no alarm stops it" if stuck else f"the process died ({process.exitcode})"
                    _add(results[w], Outcome(kind, number, "fault", why))
                    shares[w] = [i for i in shares[w] if i > number]
                else:
                    shares[w] = []
                running[w] = None
            if running[w] is None and shares[w]:
                places[w][1] = time.monotonic() + 60.0  # to start and import
                running[w] = context.Process(
                    target=_work, args=(kinds, shares[w], seed, folder, results[w], places[w], expected)
                )
                running[w].start()
        time.sleep(0.2)
        if time.monotonic() - last > 20:
            last = time.monotonic()
            told(f"{sum(int(p[0]) for p in places) // workers} of {inputs}")
    rows = [json.loads(line) for path in results if path.exists() for line in path.read_text().splitlines()]
    return sorted((Outcome(**row) for row in rows), key=lambda outcome: outcome.number)


def table(outcomes: Sequence[Outcome]) -> str:
    """Kinds, and how many of their inputs were given, refused and faults, in lines."""
    counts: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    for outcome in outcomes:
        counts[outcome.kind][outcome.what] += 1
    lines = [f"{'kind':<14s} {'inputs':>7s} {'given':>7s} {'refused':>8s} {'faults':>7s}"]
    for kind, of in sorted(counts.items()):
        lines.append(f"{kind:<14s} {sum(of.values()):7d} {of['given']:7d} {of['refused']:8d} {of['fault']:7d}")
    every = collections.Counter(outcome.what for outcome in outcomes)
    return "\n".join([*lines, f"{'all':<14s} {len(outcomes):7d} {every['given']:7d} {every['refused']:8d} {every['fault']:7d}"])


def outcome_of(kind: Kind, number: int, seed: int, valid: Path, scratch: Path, expected: Errors) -> Outcome:
    """Damages a file, uses it, and tells what became of it; the damaged file is left in `scratch`."""
    rng = np.random.default_rng([seed, number])
    target = scratch / valid.name
    write_damaged(valid, target, rng)
    out = scratch / "out"
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        kind.use(target, out)
        what, said = "given", ""
    except _Alarm:
        what, said = "fault", f"more than {LIMIT_S:g} s"
    except expected as error:
        what, said = "refused", str(error)
        if len(said) < 20:
            what, said = "fault", f"no sentence: {said!r}\n{traceback.format_exc()}"
    except BaseException:
        what, said = "fault", traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
    return Outcome(kind.name, number, what, said)


class _Alarm(BaseException):
    """The time of an input is over."""


def _ring(*_):
    raise _Alarm


def _make(kinds, folder):
    for kind in kinds:
        home = folder / "valid" / kind.name
        home.mkdir(parents=True, exist_ok=True)
        path = kind.make(home)
        kind.use(path, folder / "valid" / f"{kind.name}_out")  # what is damaged later works as it is
        (folder / "valid" / f"{kind.name}.path").write_text(str(path))


def _work(kinds, numbers, seed, folder, results, place, expected):
    import logging
    import shutil
    import tempfile
    import warnings

    errors = expected()  # imports before the limits
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGALRM, _ring)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    valid = {kind.name: Path((folder / "valid" / f"{kind.name}.path").read_text()) for kind in kinds}
    for number in numbers:
        kind = kinds[number % len(kinds)]
        place[0], place[1] = float(number), max(place[1], time.monotonic())
        scratch = Path(tempfile.mkdtemp(prefix="fuzz_", dir=folder))
        outcome = outcome_of(kind, number, seed, valid[kind.name], scratch, errors)
        place[1] = time.monotonic()
        _add(results, dataclasses.replace(outcome, said=outcome.said[:4000]))
        if outcome.what == "fault":
            shutil.copytree(scratch, folder / "faults" / f"{kind.name}_{number}", dirs_exist_ok=True)
            (folder / "faults" / f"{kind.name}_{number}" / "said.txt").write_text(outcome.said)
        shutil.rmtree(scratch, ignore_errors=True)


def _add(path: Path, outcome: Outcome) -> None:
    with path.open("a") as file:
        file.write(json.dumps(dataclasses.asdict(outcome)) + "\n")
