"""Which products there are, and folders of them as a command names them: `sentinel2:chips/S2L2A,unit=b`."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from spectral_jax.ingest.patches.products import delivered, enmap, sentinel1, sentinel2
from spectral_jax.ingest.patches.products.product import Product, Reader
from spectral_jax.sentences import unknown

# One row a product. Their order is that of the sensors in a store's groups, whatever the order in a command.
READERS: dict[str, Reader] = {
    "enmap": enmap.READER,
    "sentinel2": sentinel2.READER,
    "sentinel1": sentinel1.READER,
    "delivered": delivered.READER,
}
FLAG = "--product"


@dataclasses.dataclass(frozen=True)
class ProductFolder:
    """A folder of files of one product.

    Attributes:
      product: a name of `READERS`.
      folder: with the files.
      options: option -> value, for those that the user gave.

    Raises:
      ValueError: no product or option of that name, or a value that an option does not have.
    """

    product: str
    folder: str
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.product not in READERS:
            raise unknown(FLAG, "product", self.product, READERS, most=len(READERS))
        known = READERS[self.product].options
        for name, value in self.options.items():
            if name not in known:
                raise _unknown_option(self.product, name)
            if known[name].values and value not in known[name].values:
                expected = " or ".join(known[name].values)
                raise ValueError(f"option {name} of {FLAG}={self.product}: expected {expected}, got {value!r}.")

    def settled(self) -> dict:
        """What a provenance records: the product, the folder as an absolute path, and the value of every option."""
        defaults = {name: option.default for name, option in READERS[self.product].options.items()}
        return {"product": self.product, "folder": str(Path(self.folder).resolve()), "options": defaults | dict(self.options)}

    def read(self) -> Product:
        """The product, with what its options and its folder say.

        Raises:
          FileNotFoundError, ValueError: the folder or an option is not what the product expects.
        """
        return READERS[self.product].product(Path(self.folder), self.settled()["options"])


def parsed(text: str) -> ProductFolder:
    """A folder from `NAME:FOLDER[,OPTION=VALUE...]`; the folder's name may hold commas, but none before `word=`.

    Raises:
      ValueError: another form, an option twice, or as `ProductFolder`.
    """
    name, colon, rest = text.partition(":")
    folder, *given = re.split(r",(?=\w+=)", rest)
    if not (name and colon and folder):
        raise ValueError(
            f"{FLAG}: expected NAME:FOLDER[,OPTION=VALUE...], such as {FLAG}=enmap:tiles/enmap, got {text!r}; the products are "
            f"{', '.join(READERS)}."
        )
    options: dict[str, str] = {}
    for option, _, value in (part.partition("=") for part in given):
        if option in options:
            raise ValueError(
                f"option {option} of {FLAG}={name}: it is given twice ({options[option]} and {value}); give it once."
            )
        options[option] = value
    return ProductFolder(name, folder, options)


def written(settled: Mapping) -> str:
    """What `ProductFolder.settled` gave, as the flag of a command; options with their default are left out."""
    reader = READERS.get(settled["product"])
    defaults = {name: option.default for name, option in reader.options.items()} if reader else {}
    given = [f",{name}={value}" for name, value in settled["options"].items() if value != defaults.get(name)]
    return f"{FLAG}={settled['product']}:{settled['folder']}{''.join(given)}"


def ordered(sources: Sequence[ProductFolder]) -> list[ProductFolder]:
    """The folders in the order of the table.

    Raises:
      ValueError: there is none, or a folder is named twice for one product.
    """
    if not sources:
        raise ValueError(
            f"{FLAG}: expected at least one folder of GeoTIFFs, such as {FLAG}=enmap:tiles/enmap, and got none; the products "
            f"are {', '.join(READERS)}."
        )
    seen: set[tuple[str, str]] = set()
    for source in sources:
        place = source.product, str(Path(source.folder).resolve())
        if place in seen:
            raise ValueError(f"{FLAG}={source.product}: the folder {source.folder} is named twice; name it once.")
        seen.add(place)
    return sorted(sources, key=lambda source: list(READERS).index(source.product))


def told() -> str:
    """The products and their options, in lines, for the help."""
    lines = []
    for name, reader in READERS.items():
        lines.append(f"{name}: {reader.what}.")
        for option, about in reader.options.items():
            values = f"{', '.join(about.values)}: " if about.values else ""
            default = f"; {about.default} where not given" if about.default else ""
            lines.append(f"{name}, option {option}: {values}{about.what}{default}.")
    return "\n".join(lines)


def _unknown_option(product: str, name: str) -> ValueError:
    error = unknown(f"{FLAG}={product}", "option", name, READERS[product].options)
    others = [other for other, reader in READERS.items() if name in reader.options]
    return ValueError(f"{error} It is an option of {', '.join(others)}.") if others else error
