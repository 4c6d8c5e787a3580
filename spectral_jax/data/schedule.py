"""Which group and which locations batch i has, and the random numbers of batch i: all by random access.

Nothing here remembers a position. Random numbers are raw words of NumPy's Philox (a counter-based generator, Salmon et al.
2011), whose stream is fixed for all NumPy versions; the key is (seed, purpose) and the counter says for what the words are.
"""

import math
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

KEPT = 8  # permutations and epochs held ready, each a function of its number


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
    An epoch holds as many batches as all groups together fill, and at least enough for one of the rarest group; each group
    gets its share by largest remainder, and the order is a seeded permutation. Within a group the locations follow
    seeded permutations, one a pass, so all are visited once before any is visited again.

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
        filled = int(np.ceil(sizes / batch_size).sum())
        # The small reduction keeps 1 / (1 / 3) from asking for one batch more.
        self.epoch_batches = max(filled, math.ceil(1.0 / self.probabilities.min() - 1e-9))
        self.per_epoch = largest_remainder(self.probabilities, self.epoch_batches)
        self._passes = [
            _Passes(size, batch_size if size >= batch_size else batch_size % size, seed, name)
            for name, size in zip(self.names, sizes.tolist(), strict=True)
        ]
        self._epochs: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def group(self, i: int) -> int:
        """Number of the group of batch `i`."""
        return int(self._epoch(i // self.epoch_batches)[0][i % self.epoch_batches])

    def rows(self, i: int) -> np.ndarray:
        """Rows of the locations of batch `i` over all processes, int32 [batch_size].

        No row comes twice if the group has at least `batch_size` usable locations; else all come equally often, give or take
        one.
        """
        epoch, place = divmod(i, self.epoch_batches)
        order, rank = self._epoch(epoch)
        group = int(order[place])
        k = epoch * int(self.per_epoch[group]) + int(rank[place])
        usable = self._rows[group]
        if len(usable) >= self.batch_size:
            return usable[self._passes[group].take(k)]
        whole = np.tile(np.arange(len(usable)), self.batch_size // len(usable))
        mixed = np.concatenate([whole, self._passes[group].take(k)])
        return usable[mixed[_permutation(self.seed, f"repeats of {self.names[group]}", k, self.batch_size)]]

    def _epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        kept = self._epochs  # what another thread puts in its place meanwhile does not matter
        if epoch not in kept:
            groups = np.repeat(np.arange(len(self.names)), self.per_epoch)
            order = groups[_permutation(self.seed, "epoch", epoch, len(groups))]
            rank = np.empty(len(order), np.int64)
            for group, count in enumerate(self.per_epoch):
                rank[order == group] = np.arange(count)
            self._epochs = _keep(kept, epoch, (order, rank))
            return order, rank
        return kept[epoch]


class _Passes:
    """Endless permutations of n positions, cut into pieces of `step` <= n (0 too) that hold no position twice."""

    def __init__(self, n: int, step: int, seed: int, name: str):
        self.n, self.step, self.seed, self.name = n, step, seed, name
        self._kept: dict[int, np.ndarray] = {}

    def take(self, k: int) -> np.ndarray:
        """Piece `k`, [step]."""
        if not self.step:
            return np.zeros(0, int)
        number, start = divmod(k * self.step, self.n)
        piece = self._pass(number)[start : start + self.step]
        missing = self.step - len(piece)
        return np.concatenate([piece, self._pass(number + 1)[:missing]]) if missing else piece

    def _pass(self, number: int) -> np.ndarray:
        """Permutation of pass `number`, whose head shares nothing with the tail of the pass before in the same piece."""
        pending, kept = [], self._kept  # as in `Schedule._epoch`
        while number not in kept:
            pending.append(number)
            if not self._shared(number) or self._untouched(number):
                break
            number -= 1
        for number in reversed(pending):
            order = _permutation(self.seed, f"pass of {self.name}", number, self.n)
            shared = self._shared(number)
            if shared:
                if self._untouched(number):
                    before = _permutation(self.seed, f"pass of {self.name}", number - 1, self.n)
                else:
                    before = kept[number - 1]
                order = _avoid(order, self.step - shared, before[self.n - shared :])
            kept = self._kept = _keep(kept, number, order)
        return kept[number]

    def _shared(self, number: int) -> int:
        """Places of the pass before that lie in one piece with the head of pass `number`; 0 where the pass begins a piece."""
        return number * self.n % self.step

    def _untouched(self, number: int) -> bool:
        """Whether those places of the pass before are surely as they were drawn, so that no earlier pass matters.

        An exchange in a pass reaches no further than its first `step` places: it looks past at most as many members of a tail
        as there are, and a tail and the head beside it make one piece. So in groups of two batches or more no pass depends on
        more than the one before, and in smaller ones the way back is at most step / (n - step) passes.
        """
        return self.n - self._shared(number) >= self.step


def largest_remainder(probabilities: np.ndarray, seats: int) -> np.ndarray:
    """Whole numbers that sum to `seats` and are nearest to `probabilities * seats` (Hamilton's method), int [G]."""
    quotas = probabilities * seats
    out = np.floor(quotas).astype(int)
    order = np.argsort(-(quotas - out), kind="stable")
    out[order[: seats - out.sum()]] += 1
    return out


def _avoid(order: np.ndarray, head: int, taken: np.ndarray) -> np.ndarray:
    """Exchanges the members of `taken` in the first `head` places with the next later ones that are not in `taken`."""
    is_taken = np.zeros(len(order), bool)
    is_taken[taken] = True
    wrong = np.flatnonzero(is_taken[order[:head]])
    right = head + np.flatnonzero(~is_taken[order[head:]])[: len(wrong)]
    order = order.copy()
    order[wrong], order[right] = order[right], order[wrong]
    return order


def _permutation(seed: int, purpose: str, number: int, n: int) -> np.ndarray:
    return np.argsort(words(seed, purpose, number, n), kind="stable")


def _keep(kept: dict, number: int, value) -> dict:
    # A new dictionary instead of an eviction: threads that read the old one are not disturbed.
    return {**(kept if len(kept) < KEPT else {}), number: value}
