"""What the scripts share: overrides, kept programs, and *our* errors as one sentence with exit code 1."""

import contextlib
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from absl import app, flags, logging

from spectral_jax import configure, places
from spectral_jax.addresses import address, fetched, mirror
from spectral_jax.sentences import unknown

if TYPE_CHECKING:
    from spectral_jax.ingest.catalogue.gather import Gathered

TRACE = flags.DEFINE_bool("trace", False, "Show where an expected error was raised, before its sentence.")

# Flags of commands that take products of a STAC catalogue: its first document, and what of it is wanted.
CATALOGUE = ("stac", "collection", "bbox", "from", "to", "most_items", "cache")


class _Place(flags.ArgumentParser):
    """Reads a flag that holds a place; what cannot be used is refused while flags are parsed, before anything else."""

    def __init__(self, name: str, use: str):
        self.name, self.use = name, use
        super().__init__()

    def parse(self, argument):
        """The path as a text, with the home folder in it; or the address."""
        where = f"--{self.name}"
        if self.use in ("folder", "file", "work") and address.is_address(argument):
            return address.checked(argument, where, written=True)
        place = places.either(argument, where)
        if isinstance(place, Path) and self.use in ("folder", "work"):
            places.for_folder(place, where)
        if isinstance(place, Path) and self.use == "file":
            places.for_file(place, where)
        return str(place)

    def flag_type(self):
        """For the help."""
        return "path"


def DEFINE_place(  # named as absl's own
    name: str, default: str | None, about: str, use: str = "read", required: bool = False
) -> flags.FlagHolder:
    """A flag that holds a path or an address.

    What a command reads at an address it finds as a copy on this machine; what it writes to one is sent there while it runs,
    and at its end. A "store", a "checkpoint" and a "work" folder are handed on as addresses: they are used where they are.

    Args:
      name: of the flag.
      default: of the flag.
      about: for the help.
      use: "read", that the command writes a "folder" or a "file" there, or "store", "checkpoint" or "work".
      required: whether it must be given.
    """
    return flags.DEFINE(_Place(name, use), name, default, about, required=required)


def DEFINE_catalogue() -> None:  # named as absl's own
    """The flags of a command that takes products of a STAC catalogue, `CATALOGUE`; other commands use some of their names."""
    about = "First document of a STAC catalogue, or address of a STAC API; needs --cache."
    DEFINE_place("stac", None, about, "store")
    flags.DEFINE_list("collection", [], "With --stac: collections, with commas between; all where not given.")
    flags.DEFINE_string("bbox", None, "With --stac: west,south,east,north in degrees; items that touch it are taken.")
    flags.DEFINE_string("from", None, "With --stac: the first day, such as 2024-01-31, UTC.")
    flags.DEFINE_string("to", None, "With --stac: the last day, which is taken too.")
    flags.DEFINE_integer("most_items", 0, "With --stac: items at most; 0: all.", lower_bound=0)
    flags.DEFINE_string("cache", None, "With --stac: folder for the products, where what was fetched stays.")


def of_catalogue() -> "Gathered | None":
    """The products that the catalogue gave, a `catalogue.gather.Gathered`; None without --stac.

    Raises:
      ValueError, OSError, ImportError: the catalogue cannot be read, or a flag is missing.
    """
    from spectral_jax.ingest.catalogue import gather, search

    given = flags.FLAGS
    if not given.stac:
        alone = next((name for name in CATALOGUE[1:] if given[name].value), None)
        if alone is not None:
            raise ValueError(f"--{alone}: expected --stac=CATALOGUE beside it, and it is not given; give both, or none.")
        return None
    if not given.cache:
        raise ValueError("--stac: expected --cache=FOLDER beside it, for the products; what is in it is not fetched again.")
    days = {name: str(given[name].value or "") for name in ("from", "to")}
    first, last = (search.day(text, name) if text else None for name, text in days.items())
    box = search.box(given.bbox) if given.bbox else None
    query = search.Query(given.stac, tuple(given.collection), box, first, last, given.most_items)
    return gather.gather(query, places.here(given.cache, "--cache"), lambda line: print(line, flush=True))


@contextlib.contextmanager
def on_this_machine(values: flags.FlagValues = flags.FLAGS) -> Iterator[list[str]]:
    """While the block runs, flags that hold addresses hold paths of this machine instead, where their use asks for it.

    Args:
      values: the flags, parsed.

    Yields:
      The addresses that are written.

    Raises:
      FileNotFoundError, PermissionError, OSError: nothing is there, or the bucket cannot be read or written.
    """
    written: list[str] = []
    with contextlib.ExitStack() as stack:
        for flag in [values[name] for name in values]:
            use = flag.parser.use if isinstance(flag.parser, _Place) else ""
            if not flag.value or use in ("", "store", "checkpoint", "work") or not address.is_address(flag.value):
                continue
            before = flag.value
            if use == "read":
                flag.value = str(fetched.copy(before))
            else:
                written.append(before)
                if use == "folder":
                    flag.value = str(stack.enter_context(mirror.kept(before)).folder)
                else:
                    flag.value = str(stack.enter_context(mirror.kept_file(before)))
            stack.callback(setattr, flag, "value", before)
        yield written


def script(name: str, job: Callable[..., int | None], example: str, words: bool = False) -> Callable[[list[str]], int]:
    """The `main` of a script: it looks at the arguments, calls `job`, and turns what a user can mend into a sentence.

    Args:
      name: of the script, before its sentences.
      job: takes the overrides of the config; gives the exit code, or None for 0. It imports what is slow to import.
      example: an override such as `optim.lr=3e-4`, for the sentence about an unknown argument.
      words: whether arguments without a flag, such as the path of a scene, are the script's; `job` then takes them second.

    Returns:
      A function of `sys.argv` for `run`. Errors that are not of `expected` are bugs, and keep their trace.
    """

    def main(argv: list[str]) -> int:
        logging.set_verbosity(logging.WARNING)
        others, overrides = configure.split(argv[1:])
        strange = [word for word in others if word.startswith("-") or not words]
        if strange:
            return fail(name, f"argument {strange[0]!r} is not known; overrides have the form {configure.PREFIX}{example}.")
        keep()
        try:
            return job(overrides, *([others] if words else [])) or 0
        except expected() as error:
            if TRACE.value:
                traceback.print_exc()
                return fail(name, str(error))
            return fail(name, f"{error} (--trace shows where this was raised.)")

    return main


def run(main: Callable[[list[str]], int]) -> None:
    """Parses the flags and ends with the exit code of `main`, which finds on this machine what lies at addresses."""

    def here(argv: list[str]) -> int:
        try:
            with on_this_machine() as written:
                code = main(argv)
        except OSError as error:
            return fail(Path(argv[0]).stem, str(error))
        for place in [] if code else written:
            print(f"What was written is in {place}.", flush=True)
        return code

    app.run(here, flags_parser=_parsed)


def _parsed(argv: list[str]) -> list[str]:
    """Flags parsed; what is wrong with one is a sentence, and not the trace of the parser."""
    name = Path(argv[0]).stem
    try:
        return configure.parse_flags(argv)
    except flags.UnrecognizedFlagError as error:
        names = [f"--{flag}" for flag in _own_flags(argv[0])]
        sys.exit(fail(name, str(unknown("flags", "flag", f"--{error.flagname}", names))))
    except OSError as error:
        sys.exit(fail(name, str(error)))
    except flags.Error as error:
        text = str(error)
        if missing := re.search(r"Flag (--\w+) must have a value other than None", text):
            sys.exit(fail(name, f"{missing[1]} is needed; --help tells what it is."))
        # absl puts the flag and its text before our own sentence.
        sys.exit(fail(name, text.partition(": ")[2] if text.startswith("flag --") and ": --" in text else text))


def _own_flags(script: str) -> list[str]:
    """Names of the flags that a script and this module define."""
    of_modules = flags.FLAGS.flags_by_module_dict()
    return sorted({flag.name for module in (script, __name__) for flag in of_modules.get(module, [])})


def fail(name: str, text: str) -> int:
    """Says a sentence on standard error; the exit code of a failure."""
    print(f"{name}: {text}", file=sys.stderr, flush=True)
    return 1


def keep() -> None:
    """Keeps programs that take half a second or more to compile, in JAX_COMPILATION_CACHE_DIR or a folder of this user's own.

    The next run of the same shapes, and the seeds of one run, compile none of them again.
    """
    import jax

    own = Path(tempfile.gettempdir()) / f"spectral_jax_programs_{os.getuid()}"
    jax.config.update("jax_compilation_cache_dir", os.environ.get("JAX_COMPILATION_CACHE_DIR", str(own)))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def expected() -> tuple[type[Exception], ...]:
    """Errors that a user can mend. A KeyError is none: names that are not known are ValueErrors everywhere."""
    from spectral_jax.train.checkpoint import CheckpointError
    from spectral_jax.train.loop import NonFiniteLoss

    return ValueError, OSError, ImportError, CheckpointError, NonFiniteLoss
