"""Which products of a cell are taken: around each date of an anchor the nearest of every sensor, then the least cloudy."""

import dataclasses
from collections.abc import Sequence

from spectral_jax.ingest.colocated.quality import UNMEASURED, Quality
from spectral_jax.ingest.colocated.survey import Sighting
from spectral_jax.ingest.colocated.wanted import SENSORS, Wanted

# Products of one sensor within so many seconds are of one pass: tiles and scenes that overlap show a cell once.
PASS_SECONDS = 60.0


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A product that covers a cell.

    Attributes:
      sighting: the product.
      quality: of the cell in it; `UNMEASURED` where no anchor is near enough in time.
    """

    sighting: Sighting
    quality: Quality

    @property
    def key(self) -> str:
        """Sensor key."""
        return self.sighting.key

    @property
    def which(self) -> tuple[str, str]:
        """Product and sensor key, under which a choice speaks of it."""
        return self.sighting.name, self.key

    @property
    def days(self) -> float:
        """Days since 2000-01-01 UTC."""
        return self.sighting.time_days


@dataclasses.dataclass(frozen=True)
class Place:
    """A location of a cell: products around one date.

    Attributes:
      days: the anchor's date, days since 2000-01-01 UTC.
      taken: sensor key -> products by time.
    """

    days: float
    taken: dict[str, tuple[Candidate, ...]]


@dataclasses.dataclass(frozen=True)
class Choice:
    """What becomes of a cell.

    Attributes:
      places: locations, the best first.
      why: product and sensor key -> why it is in none of them: a reason to count by, and what it rests on.
    """

    places: tuple[Place, ...]
    why: dict[tuple[str, str], tuple[str, str]]


def choose(candidates: Sequence[Candidate], wanted: Wanted) -> Choice:
    """The locations of a cell.

    A product passes by its shares of data and of clear pixels, and of one pass one product does. A location is made around the
    anchor that most other sensors are near to, then around the next that lies farther away in time than `wanted.days`. Each
    sensor gives the nearest product within `days`, or within `most_days` where none is so near, and then the least cloudy
    ones, up to `dates`. A location has two sensors or more.
    """
    why: dict[tuple[str, str], tuple[str, str]] = {}

    def refuse(one: Candidate, reason: str, told: str) -> None:
        why[one.which] = reason, told

    passing = _of_one_pass([one for one in candidates if _passes(one, wanted, refuse)], refuse)
    left = [one for one in passing if one.key in wanted.anchors]
    places: list[Place] = []
    used: set[tuple[str, str]] = set()
    if not left:
        for one in passing:
            refuse(one, "no clear anchor", f"no product of {', '.join(wanted.anchors)} passes here")
    while left:
        anchor = max(left, key=lambda one: _worth(one, passing, wanted))
        # An anchor of an earlier location is not stored twice.
        free = [one for one in passing if one.key not in wanted.anchors or one.which not in used]
        taken = _around(anchor, free, wanted)
        near = [one for one in left if abs(one.days - anchor.days) <= wanted.days]
        if len(taken) > 1:
            places.append(Place(anchor.days, taken))
            used |= {one.which for several in taken.values() for one in several}
        else:
            refuse(anchor, "no second sensor", f"no other sensor passes within {wanted.most_days:g} days of it")
            near = [anchor]
        left = [one for one in left if one not in near and one.which not in used]
    for one in passing:
        if one.which not in used | why.keys():
            refuse(one, *_why_not(one, places, wanted))
    return Choice(tuple(places), {at: told for at, told in why.items() if at not in used})


def gap(one: Candidate, places: Sequence[Place]) -> float:
    """Days from the nearest location's date, later ones positive."""
    return min((one.days - place.days for place in places), key=abs)


def _passes(one: Candidate, wanted: Wanted, refuse) -> bool:
    if one.quality is UNMEASURED:
        refuse(one, "gap over the limit", f"no anchor that covers the cell lies within {wanted.most_days:g} days")
    elif one.quality.valid < wanted.valid:
        refuse(one, "too little data", f"{one.quality.valid:.2%} of the cell holds data, below {wanted.valid:.2%}")
    elif one.quality.clear < wanted.clear:
        refuse(one, "too cloudy", f"{one.quality.clear:.2%} of the cell is clear, below {wanted.clear:.2%}")
    else:
        return True
    return False


def _of_one_pass(passing: Sequence[Candidate], refuse) -> list[Candidate]:
    """Of products of one sensor and one pass that which needs no warping, then the clearest, then the newest."""
    kept: list[Candidate] = []
    for one in sorted(passing, key=lambda x: (x.quality.how == "own grid", x.quality.clear, x.sighting.version), reverse=True):
        twin = next(
            (x for x in kept if x.key == one.key and abs(x.days - one.days) * 86400.0 <= PASS_SECONDS), None
        )  # fmt: skip
        if twin is None:
            kept.append(one)
        else:
            refuse(one, "same pass", f"{twin.sighting.name} shows the cell in the same pass")
    return sorted(kept, key=lambda x: (x.days, x.sighting.name))


def _worth(anchor: Candidate, passing: Sequence[Candidate], wanted: Wanted) -> tuple:
    """What makes an anchor the better middle: sensors near it, then clearness, then being early."""
    near, far = (
        len({one.key for one in passing if abs(one.days - anchor.days) <= days}) for days in (wanted.days, wanted.most_days)
    )
    return near, far, anchor.quality.clear, -anchor.days, anchor.sighting.name


def _around(anchor: Candidate, passing: Sequence[Candidate], wanted: Wanted) -> dict[str, tuple[Candidate, ...]]:
    taken = {}
    for key in (key for key in SENSORS if key in wanted.sensors):
        mine = [one for one in passing if one.key == key]
        for days in (wanted.days, wanted.most_days):
            near = sorted((one for one in mine if abs(one.days - anchor.days) <= days), key=lambda x: abs(x.days - anchor.days))
            if near:
                clearest = sorted(near[1:], key=lambda x: (-x.quality.clear, abs(x.days - anchor.days)))
                chosen = [near[0], *clearest][: wanted.dates]
                taken[key] = tuple(sorted(chosen, key=lambda x: x.days))
                break
    return taken


def _why_not(one: Candidate, places: Sequence[Place], wanted: Wanted) -> tuple[str, str]:
    if not places:
        return "no second sensor", "no location is made here"
    off = abs(gap(one, places))
    if off > wanted.most_days:
        return "gap over the limit", f"{off:.1f} days from the nearest location's date, over {wanted.most_days:g}"
    if off > wanted.days:
        return "nearer ones are there", f"{off:.1f} days away, and others lie within {wanted.days:g}"
    return "more dates than asked for", f"{wanted.dates} of {one.key} are nearer or clearer (--dates)"
