"""Compiled programs kept on disk: a run's seeds, and the next run of the same shapes, compile none of them again."""

import os
import tempfile
from pathlib import Path

import jax


def keep() -> None:
    """Keeps what takes half a second or more to compile, in `JAX_COMPILATION_CACHE_DIR` or a folder of this user's own."""
    own = Path(tempfile.gettempdir()) / f"spectral_jax_programs_{os.getuid()}"
    jax.config.update("jax_compilation_cache_dir", os.environ.get("JAX_COMPILATION_CACHE_DIR", str(own)))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def expected() -> tuple[type[Exception], ...]:
    """Errors that a user can mend. A script turns these into one sentence; anything else is a bug and keeps its trace."""
    from spectral_jax.train.checkpoint import CheckpointError
    from spectral_jax.train.loop import NonFiniteLoss

    return ValueError, KeyError, OSError, ImportError, CheckpointError, NonFiniteLoss
