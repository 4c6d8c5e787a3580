"""Which group and which locations batch i has, and the random numbers of batch i: all by random access, in constant time.

Nothing here remembers a position. Random numbers are raw words of NumPy's Philox (a counter-based generator, Salmon et al.
2011), whose stream is fixed for all NumPy versions; the key is (seed, purpose) and the counter says for what the words are.
"""

import math
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

# Of the order of batches; a checkpoint says which it was saved under. Before 2, groups above `SORTED` locations were sorted
# whole, those below two batches followed passes that hung on all before them, and an epoch had no upper limit.
ORDER = 2
KEPT = 8  # permutations and epochs held ready, each a function of its number
SORTED = 32_768  # positions up to which a permutation is a sort of random words, in half a millisecond
LONGEST_EPOCH = 16_384  # batches; the published recipe has 8,595 of 240 locations
ROUNDS = 8  # of the cipher; three make pairs of places look random (Luby and Rackoff 1988), the rest is margin


def words(seed: int, purpose: str, number: int, count: int) -> np.ndarray:
    """Random 64-bit words, uint64 [count]: a pure function of the arguments; a longer draw begins with the shorter one.

    Args:
      seed: of the run.
      purpose: what the words are for; different purposes are independent.
      number: of the batch, the epoch or the pass.
      count: how many.
    """
    key = np.array([seed % 2**64, zlib.crc32(purpose.encode())], np.uint64)
    return np.random.Philox(key=key, counter=np.array([0, 0, 0, number], np.uint64)).random_raw(count)


class Schedule:
    """The order of batches over groups of locations.

    Groups are drawn with probability proportional to the square root of their size (SpectralEarth-FM, arXiv 2605.21075, data).
    An epoch holds as many batches as all groups together fill, but no more than `LONGEST_EPOCH`, and at least enough for one of
    the rarest group; each group gets its share by largest remainder, and the order is a seeded permutation. Within a group the
    locations follow seeded permutations, so all are visited once before any is visited again.

    Attributes:
      names: groups, in the order of their numbers here.
      probabilities: of the groups [G].
      per_epoch: batches of each group in an epoch, int [G].
      epoch_batches: their sum.
    """

    def __init__(self, locations: Mapping[str, np.ndarray | Sequence[int]], batch_size: int, seed: int):
        """Takes the usable rows of each group, and the number of locations in a batch over all processes."""
        self.names = list(locations)
        self.batch_size = batch_size
        self.seed = seed
        self._rows = [np.asarray(x, np.int32) for x in locations.values()]
        sizes = np.array([len(x) for x in self._rows])
        roots = np.sqrt(sizes)
        self.probabilities = roots / roots.sum()
        self._filled = int(np.ceil(sizes / batch_size).sum())
        # The small reduction keeps 1 / (1 / 3) from asking for one batch more.
        rarest = math.ceil(1.0 / self.probabilities.min() - 1e-9)
        self.epoch_batches = max(min(self._filled, LONGEST_EPOCH), rarest)
        self.per_epoch = largest_remainder(self.probabilities, self.epoch_batches)
        self._passes = [
            _Passes(size, batch_size if size >= batch_size else batch_size % size, seed, name)
            for name, size in zip(self.names, sizes.tolist(), strict=True)
        ]
        self._epochs: dict[int, np.ndarray] = {}

    def group(self, i: int) -> int:
        """Number of the group of batch `i`."""
        return int(self._epoch(i // self.epoch_batches)[i % self.epoch_batches])

    def rows(self, i: int) -> np.ndarray:
        """Rows of the locations of batch `i` over all processes, int32 [batch_size].

        No row comes twice if the group has at least `batch_size` usable locations; else all come equally often, give or take
        one.
        """
        epoch, place = divmod(i, self.epoch_batches)
        order = self._epoch(epoch)
        group = int(order[place])
        k = epoch * int(self.per_epoch[group]) + np.count_nonzero(order[:place] == group)
        usable = self._rows[group]
        if len(usable) >= self.batch_size:
            return usable[self._passes[group].take(k)]
        whole = np.tile(np.arange(len(usable)), self.batch_size // len(usable))
        mixed = np.concatenate([whole, self._passes[group].take(k)])
        return usable[mixed[_sorted(self.seed, f"repeats of {self.names[group]}", k, self.batch_size)]]

    def changed_since(self, order: int) -> list[str]:
        """Groups whose batches are others than under the version `order` of the order of batches (`ORDER`)."""
        if order == ORDER:
            return []
        if self._filled > self.epoch_batches:
            return self.names
        passes = zip(self.names, self._passes, strict=True)
        return [name for name, p in passes if p.n > SORTED or p.n / 2 < p.step < p.n]

    def _epoch(self, epoch: int) -> np.ndarray:
        """Groups of the batches of an epoch, in their order."""
        kept = self._epochs  # what another thread puts in its place meanwhile does not matter
        if epoch not in kept:
            groups = np.repeat(np.arange(len(self.names)), self.per_epoch)
            kept = self._epochs = _keep(kept, epoch, groups[_sorted(self.seed, "epoch", epoch, len(groups))])
        return kept[epoch]


class _Passes:
    """Endless passes over n positions, cut into pieces of `step` <= n (0 too) that hold no position twice."""

    def __init__(self, n: int, step: int, seed: int, name: str):
        self.n, self.step, self.seed, self.name = n, step, seed, name
        if 2 * step > n:
            self._rest = _Passes(n, n - step, seed, f"rest of {name}")
        self._pass = _Permutations(n, seed, f"pass of {name}")

    def take(self, k: int) -> np.ndarray:
        """Piece `k`, [step]."""
        if not self.step:
            return np.zeros(0, int)
        if 2 * self.step > self.n:
            return self._all_but(k)
        number, start = divmod(k * self.step, self.n)
        piece = self._places(number, start, min(start + self.step, self.n))
        missing = self.step - len(piece)
        return np.concatenate([piece, self._places(number + 1, 0, missing)]) if missing else piece

    def _places(self, number: int, start: int, stop: int) -> np.ndarray:
        """Places `start` to `stop - 1` of pass `number`, whose head shares nothing with the tail before it in the same piece.

        What the head shares is exchanged with the next later places. That looks past at most as many members of a tail as
        there are, and a tail and the head beside it make one piece, so it reaches no further than the first `step` places. A
        tail lies behind those, for a pass has two pieces or more: it is as it was drawn, and no earlier pass matters.
        """
        shared = number * self.n % self.step  # places of the pass before that lie in one piece with the head of this one
        if not shared or start >= self.step:
            return self._pass.at(number, np.arange(start, stop))
        order = self._pass.at(number, np.arange(max(stop, self.step)))
        taken = np.zeros(self.n, bool)
        taken[self._pass.at(number - 1, np.arange(self.n - shared, self.n))] = True
        taken = taken[order]
        wrong = np.flatnonzero(taken[: self.step - shared])
        right = self.step - shared + np.flatnonzero(~taken[self.step - shared :])[: len(wrong)]
        order[wrong], order[right] = order[right], order[wrong]
        return order[start:stop]

    def _all_but(self, k: int) -> np.ndarray:
        """Piece `k` where it is more than half of a pass: all but piece `k` of passes over those that are left out.

        A position that was left out since their pass began has been visited once less than the others, so it comes first.
        """
        less = k * self._rest.step % self.n
        order = self._pass.at(k, np.arange(self.n))
        if not self._rest.step:
            return order
        number = k * self._rest.step // self.n
        waiting, out = np.zeros(self.n, bool), np.zeros(self.n, bool)
        waiting[self._rest._places(number, 0, less)] = True
        out[self._rest.take(k)] = True
        order = order[~out[order]]
        return np.concatenate([order[waiting[order]], order[~waiting[order]]])


class _Permutations:
    """Seeded permutations of n positions, each a function of its number, of which single places can be asked."""

    def __init__(self, n: int, seed: int, purpose: str):
        self.n, self.seed, self.purpose = n, seed, purpose
        self._kept: dict[int, np.ndarray] = {}

    def at(self, number: int, places: np.ndarray) -> np.ndarray:
        """Positions at `places` of permutation `number`, an array of its own."""
        if self.n > SORTED:
            return _cipher(places, words(self.seed, self.purpose, number, ROUNDS), self.n)
        kept = self._kept  # as in `Schedule._epoch`
        if number not in kept:
            kept = self._kept = _keep(kept, number, _sorted(self.seed, self.purpose, number, self.n))
        return kept[number][places]


def largest_remainder(probabilities: np.ndarray, seats: int) -> np.ndarray:
    """Whole numbers that sum to `seats` and are nearest to `probabilities * seats` (Hamilton's method), int [G]."""
    quotas = probabilities * seats
    out = np.floor(quotas).astype(int)
    order = np.argsort(-(quotas - out), kind="stable")
    out[order[: seats - out.sum()]] += 1
    return out


def _sorted(seed: int, purpose: str, number: int, n: int) -> np.ndarray:
    """The permutation that sorts n random words, by their upper bits.

    The lowest bits of each word hold its own place: a sort of numbers is ten times as fast as one that has to tell places.
    """
    places = np.uint64(2 ** (n - 1).bit_length() - 1)
    keyed = words(seed, purpose, number, n) & ~places | np.arange(n, dtype=np.uint64)
    return (np.sort(keyed) & places).astype(np.int64)


def _cipher(places: np.ndarray, keys: np.ndarray, n: int) -> np.ndarray:
    """A keyed bijection of 0 to n - 1 at `places`: a Feistel network over the next product of like sides, walked until inside.

    The network permutes, so the walk from a place inside ends inside, on a place of its own (Black and Rogaway 2002, "Ciphers
    with arbitrary finite domains", which has the network of two sides too). A product is so near that few places walk at all.
    """
    high = math.isqrt(n - 1) + 1
    low = -(-n // high)
    out = places.astype(np.uint64)
    outside = np.arange(len(out))
    while len(outside):
        out[outside] = _network(out[outside], keys, high, low)
        outside = outside[out[outside] >= n]
    return out.astype(np.int64)


def _network(values: np.ndarray, keys: np.ndarray, high: int, low: int) -> np.ndarray:
    """Feistel rounds on numbers below high * low, uint64; an even number of rounds, so that the sides are in place again.

    The function of a round is the finaliser of SplitMix64 (Steele, Lea and Flood 2014); its upper 32 bits, as a fraction of the
    side, are added modulo the side.
    """
    left, right = np.divmod(values, np.uint64(low))
    for number, key in enumerate(keys):
        side = np.uint64(low if number % 2 else high)
        z = right + key
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        total = left + ((z >> np.uint64(32)) * side >> np.uint64(32))
        left, right = right, np.where(total < side, total, total - side)
    return left * np.uint64(low) + right


def _keep(kept: dict, number: int, value) -> dict:
    # A new dictionary instead of an eviction: threads that read the old one are not disturbed.
    return {**(kept if len(kept) < KEPT else {}), number: value}
