"""What a product is: the text files of `data_specs/products`, read once."""

import functools
import tomllib

from spectral_jax import spec_files


@functools.cache
def facts(name: str) -> dict:
    """The tables of `data_specs/products/<name>.toml`.

    Raises:
      FileNotFoundError: there is no such file.
    """
    path = spec_files.folder("products") / f"{name}.toml"
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: the facts of {name} are missing; reinstall spectral_jax.")
    return tomllib.loads(path.read_text(encoding="utf-8"))
