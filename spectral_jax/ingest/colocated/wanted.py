"""What is asked of a co-located store: sensors, squares, dates, shares of cloud."""

import dataclasses
from pathlib import Path

from spectral_jax.ingest.masks import asked
from spectral_jax.ingest.masks.asked import PRODUCT, Asked
from spectral_jax.ingest.patches.products.delivered import KEYS
from spectral_jax.sentences import unknown

# Sensors whose spectra are never mixed, and around which locations are made; then those of several bands, and radar. The
# order is that of the sensors in a group's name.
SPECTRA = ("ENMAP", "EMIT", "DESIS", "PRISMA")
SENSORS = (*SPECTRA, "S2", "LO", "LT", "S1")
# Specs of one key whose bands are those of other satellites: taken alike on request.
ALIKE = {key: tuple(spec for spec, of in KEYS.items() if of == key) for key in SENSORS}
UNCLEAR, SATELLITES = ("missing", "keep"), ("one", "alike")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a plan is made for.

    Attributes:
      folders: with products, at any depth.
      footprint_m: side of a cell, metres.
      anchors: sensors around whose dates locations are made.
      sensors: that a store may hold, the anchors among them.
      days: other products are taken from so many days around an anchor's.
      most_days: and from so many, where a sensor has none nearer.
      dates: at most so many of a sensor at a location.
      clear: least share of a cell that its product's quality layers call clear.
      valid: least share of a cell that holds data.
      holdout: share of the blocks whose cells are held out, 0 to 1.
      block_deg: side of a block, degrees.
      unclear: `missing` or `keep`, what becomes of pixels that quality layers call unclear.
      satellites: `one`: of satellites under one key, such as Sentinel-2A and B, that with most products is taken; `alike`: all
        are, and stored as that one's bands.
      clouds: how cloud is told, see `masks.asked.Asked`.
      cloud_weights: of a model that tells it.
      cloud_threshold: of that model.

    Raises:
      ValueError: a number out of its range, an unknown sensor, an anchor that is no sensor of the store, or as `Asked`.
    """

    folders: tuple[str, ...]
    footprint_m: float = 3840.0
    anchors: tuple[str, ...] = SPECTRA
    sensors: tuple[str, ...] = SENSORS
    days: float = 15.0
    most_days: float = 45.0
    dates: int = 4
    clear: float = 0.9
    valid: float = 0.99
    holdout: float = 0.0
    block_deg: float = 0.5
    unclear: str = "missing"
    satellites: str = "one"
    clouds: tuple[str, ...] = (PRODUCT,)
    cloud_weights: str = ""
    cloud_threshold: float | None = None

    def __post_init__(self):
        for flag, names in (("anchors", self.anchors), ("sensors", self.sensors)):
            for name in names:
                if name not in SENSORS:
                    raise unknown(f"--{flag}", "sensor", name, SENSORS, most=len(SENSORS))
        if not set(self.anchors) & set(self.sensors):
            got = ",".join(self.anchors) or "none"
            raise ValueError(
                f"--anchors: expected at least one of --sensors={','.join(self.sensors)}, got {got}; a location is made around "
                "an anchor's date."
            )
        for flag, number, low, high in (
            ("footprint_m", self.footprint_m, 1.0, 100_000.0), ("days", self.days, 0.0, 36_525.0),
            ("most_days", self.most_days, self.days, 36_525.0), ("dates", self.dates, 1, 366), ("clear", self.clear, 0.0, 1.0),
            ("valid", self.valid, 0.0, 1.0), ("holdout", self.holdout, 0.0, 1.0), ("block_deg", self.block_deg, 0.01, 10.0),
        ):  # fmt: skip
            if not low <= number <= high:
                why = " (--days)" if flag == "most_days" else ""
                raise ValueError(f"--{flag}: expected a number from {low:g}{why} to {high:g}, got {number:g}.")
        for flag, value, values in (("unclear", self.unclear, UNCLEAR), ("satellites", self.satellites, SATELLITES)):
            if value not in values:
                raise ValueError(f"--{flag}: expected {' or '.join(values)}, got {value!r}.")
        assert self.mask  # what is asked of cloud is looked at here, before anything is read

    @property
    def mask(self) -> Asked:
        """How cloud is told."""
        return asked.of_options(self.clouds, self.cloud_weights, self.cloud_threshold)

    def command(self) -> dict:
        """What must be the same when a build is continued, as JSON has it."""
        said = {key: list(value) if isinstance(value, tuple) else value for key, value in dataclasses.asdict(self).items()}
        for name in ("clouds", "cloud_weights", "cloud_threshold"):
            said.pop(name)
        return said | self.mask.command() | {"folders": sorted(str(Path(folder).resolve()) for folder in self.folders)}
