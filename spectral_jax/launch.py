"""What the scripts share: overrides, kept programs, and *our* errors as one sentence with exit code 1."""

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from absl import app, flags, logging

from spectral_jax import configure

TRACE = flags.DEFINE_bool("trace", False, "Show where an expected error was raised, before its sentence.")


def script(name: str, job: Callable[[list[str]], int | None], example: str) -> Callable[[list[str]], int]:
    """The `main` of a script: it looks at the arguments, calls `job`, and turns what a user can mend into a sentence.

    Args:
      name: of the script, before its sentences.
      job: takes the overrides of the config; gives the exit code, or None for 0. It imports what is slow to import.
      example: an override such as `optim.lr=3e-4`, for the sentence about an unknown argument.

    Returns:
      A function of `sys.argv` for `run`. Errors that are not of `expected` are bugs, and keep their trace.
    """

    def main(argv: list[str]) -> int:
        logging.set_verbosity(logging.WARNING)
        unknown, overrides = configure.split(argv[1:])
        if unknown:
            return fail(name, f"argument {unknown[0]!r} is not known; overrides have the form {configure.PREFIX}{example}.")
        keep()
        try:
            return job(overrides) or 0
        except expected() as error:
            if TRACE.value:
                traceback.print_exc()
                return fail(name, str(error))
            return fail(name, f"{error} (--trace shows where this was raised.)")

    return main


def run(main: Callable[[list[str]], int]) -> None:
    """Parses the flags and ends the process with the exit code of `main`."""
    app.run(main, flags_parser=configure.parse_flags)


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
