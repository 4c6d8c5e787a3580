"""What a downstream task is: kind, classes or targets, channels, published protocol and layout of its files.

One small file a task in `data_specs/tasks`. A number that no source states is left out there, and is None or empty here.
"""

import dataclasses
import functools
from pathlib import Path

from spectral_jax import spec_files
from spectral_jax.ingest import units
from spectral_jax.sensors import SensorSpec
from spectral_jax.sensors import names as sensor_names
from spectral_jax.sentences import unknown
from spectral_jax.tasks import fields
from spectral_jax.tasks.kinds import KINDS, Kind

OTHERS = ("error", "ignore", "last")
SPLITS = ("train", "val", "test")
# Layout of a task of which no source that was read states how the published files lie on disk.
NOT_STATED = "unknown"
# What a task file may hold.
FIELDS = (
    "title", "kind", "image_px", "dates", "loss", "metric", "averaging", "published_classes", "channels", "classes.codes",
    "classes.names", "classes.ignored", "classes.others", "targets.names", "targets.units", "split", "layout", "sources",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class ChannelGroup:
    """Channels of one sensor, in the order of the files.

    Attributes:
      sensor: a sensor of `data_specs/sensors`, from which wavelengths are taken, or a free name that has none.
      bands: names of its bands; empty where a file has all bands of the sensor, or all outside the bad intervals.
      count: how many channels; 0 where it is not stated.
      unit: of the stored numbers; empty where it is not stated.
    """

    sensor: str
    bands: tuple[str, ...] = ()
    count: int = 0
    unit: str = ""


@dataclasses.dataclass(frozen=True)
class TaskSpec:
    """One downstream task.

    Attributes:
      name: of its file.
      title: one line.
      kind: of `kinds.KINDS`; its name will do.
      channels: groups of channels of one date.
      codes: raw codes of every class, in the order of the class index; several codes may make one class.
      class_names: as many as classes, or empty where they are not stated.
      ignored: raw codes whose pixels count neither in the loss nor in a metric. In `TaskData` they have class index -1.
      others: what a code outside both lists is: an "error", to "ignore", or of the "last" class.
      targets: names of the regression targets.
      target_units: as many, empty strings where not stated.
      image_px: side of the images, pixels; None where it varies or is not stated.
      dates: how many dates an image has.
      sizes: split -> images, as published.
      loss: of the published protocol.
      metric: of the published protocol.
      averaging: over classes, "micro" or "macro"; empty where it is not stated.
      published_classes: the number of classes that the source counts, where it counts ignored ones too.
      layout: of `read.LAYOUTS`, or `NOT_STATED`; `read.read` checks it.
      options: of the layout, as pairs.
      sources: field -> where its numbers are from.
      path: the file.
    """

    name: str
    title: str
    kind: Kind
    channels: tuple[ChannelGroup, ...] = ()
    codes: tuple[tuple[int, ...], ...] = ()
    class_names: tuple[str, ...] = ()
    ignored: tuple[int, ...] = ()
    others: str = "error"
    targets: tuple[str, ...] = ()
    target_units: tuple[str, ...] = ()
    image_px: int | None = None
    dates: int = 1
    sizes: tuple[tuple[str, int], ...] = ()
    loss: str = ""
    metric: str = ""
    averaging: str = ""
    published_classes: int | None = None
    layout: str = NOT_STATED
    options: tuple[tuple[str, object], ...] = ()
    sources: tuple[tuple[str, str], ...] = ()
    path: str = ""

    def __post_init__(self):
        if not isinstance(self.kind, Kind):
            if self.kind not in KINDS:
                raise unknown(f"{self.path or self.name}: kind", "kind of task", self.kind, KINDS, most=len(KINDS))
            object.__setattr__(self, "kind", KINDS[self.kind])
        _validate(self)

    @classmethod
    def load(cls, name: str) -> "TaskSpec":
        """Reads `data_specs/tasks/<name>.toml`, or the TOML file at the path `name`.

        Raises:
          FileNotFoundError: there is no file at the path.
          ValueError: there is no task of that name, or the file breaks a rule of a task.
        """
        return _load(spec_files.find("tasks", name, "task", "task"))

    @property
    def classes(self) -> int:
        """How many classes count; 0 for a regression, and where the codes are not stated."""
        return len(self.codes)

    def option(self, name: str, default=None):
        """An option of the layout.

        Raises:
          ValueError: there is none and no default; the sentence names the file to complete.
        """
        found = dict(self.options).get(name, default)
        if found is None:
            raise ValueError(f"{self.path}: layout {self.layout!r} needs the option {name!r}; add it to [layout].")
        return found


def names() -> list[str]:
    """The tasks of `data_specs/tasks`."""
    return spec_files.names("tasks")


@functools.cache
def _load(path: Path) -> TaskSpec:
    try:
        return _spec_of(spec_files.read_toml(path), path)
    except (AttributeError, TypeError) as error:
        raise ValueError(
            f"{path}: a field is of another type than a task has there ({error}); see the tasks of data_specs/tasks."
        ) from error


def _spec_of(data: dict, path: Path) -> TaskSpec:
    missing = [field for field in ("title", "kind") if field not in data]
    if missing:
        raise ValueError(f"{path}: expected the fields of a task, and {', '.join(missing)} are missing; complete the file.")
    fields.check(data, path)
    layout = dict(data.pop("layout", {"name": NOT_STATED}))
    classes, targets = data.pop("classes", {}), data.pop("targets", {})
    parsed = {
        "channels": tuple(_group(row) for row in data.pop("channels", [])),
        "codes": tuple(tuple(c) if isinstance(c, list) else (c,) for c in classes.pop("codes", [])),
        "class_names": tuple(classes.pop("names", [])),
        "ignored": tuple(classes.pop("ignored", [])),
        "others": classes.pop("others", "error"),
        "targets": tuple(targets.pop("names", [])),
        "target_units": tuple(targets.pop("units", [])),
        "sizes": tuple(data.pop("split", {}).items()),
        "layout": layout.pop("name", NOT_STATED),
        "options": tuple((k, tuple(v) if isinstance(v, list) else v) for k, v in layout.items()),
        "sources": tuple(data.pop("sources", {}).items()),
    }
    strange = [*(f"classes.{k}" for k in classes), *(f"targets.{k}" for k in targets), *(set(data) - set(FIELDS))]
    if strange:
        raise unknown(str(path), "field of a task", strange[0], FIELDS, most=len(FIELDS))
    return TaskSpec(name=path.stem, path=str(path), **parsed, **data)


def _group(row: dict) -> ChannelGroup:
    row = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    return ChannelGroup(**{"count": len(row.get("bands", ())), **row})


def _listed(words) -> str:
    return ", ".join(words)


def _validate(spec: TaskSpec) -> None:
    def fail(text):
        raise ValueError(f"{spec.path or spec.name}: {text}")

    for field, known in (("others", OTHERS), ("averaging", ("", "micro", "macro"))):
        if getattr(spec, field) not in known:
            fail(f"{field} is {getattr(spec, field)!r}; expected one of {_listed(map(repr, known))}.")
    flat = [code for codes in spec.codes for code in codes] + list(spec.ignored)
    twice = sorted({code for code in flat if flat.count(code) > 1})
    if twice:
        fail(f"code {twice[0]} stands in two classes or is ignored too; a code has one meaning.")
    if spec.class_names and len(spec.class_names) != spec.classes:
        fail(f"{len(spec.class_names)} class names for {spec.classes} classes; name all or none.")
    if spec.kind.has_codes and spec.layout != NOT_STATED and spec.classes < 2:
        fail(f"a task of kind {spec.kind.name!r} needs at least two classes, got {spec.classes}; complete classes.codes.")
    if not spec.kind.has_codes and not spec.targets:
        fail(f"a task of kind {spec.kind.name!r} needs targets; complete targets.names.")
    if len(spec.target_units) not in (0, len(spec.targets)):
        fail(f"{len(spec.target_units)} units for {len(spec.targets)} targets; give all or none.")
    if {part for part, _ in spec.sizes} - set(SPLITS):
        fail(f"the splits are {_listed(part for part, _ in spec.sizes)}; expected some of {_listed(SPLITS)}.")
    for group in spec.channels:
        _known(group, fail, f"{spec.path or spec.name}: [[channels]]")


def _known(group: ChannelGroup, fail, where: str) -> None:
    """Refuses a sensor's name that is a known one written otherwise, and a unit that is not its sensor's."""
    plain = lambda name: "".join(c for c in name.lower() if c.isalnum())  # noqa: E731
    if group.sensor not in sensor_names():
        same = [name for name in sensor_names() if plain(name) == plain(group.sensor)]
        if same:
            fail(f"[[channels]] has the sensor {group.sensor!r}; the name of data_specs/sensors is {same[0]!r}. Write it so.")
        return
    unit = SensorSpec.load(group.sensor).unit
    if group.unit and group.unit != unit:
        units.expect(group.unit, unit, f"{where}: {group.sensor}")
