import math
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from spectral_jax.data import schedule
from spectral_jax.data.schedule import Schedule, largest_remainder, words


def stream(schedule, group, batches):
    """Rows of the first `batches` batches of a group, in order."""
    out, i = [], 0
    while len(out) < batches:
        if schedule.group(i) == group:
            out.append(schedule.rows(i))
        i += 1
    return out


def test_probabilities_are_those_of_square_roots():
    # Locations of SpectralEarth-MM in thousands, and percentages computed by hand from their square roots.
    sizes = {"a": 580, "b": 486, "c": 54, "d": 732, "e": 103, "f": 37, "g": 69}
    schedule = Schedule({k: range(n) for k, n in sizes.items()}, 8, 0)
    np.testing.assert_allclose(100 * schedule.probabilities, [22.9, 21.0, 7.0, 25.7, 9.7, 5.8, 7.9], atol=0.06)


def test_epoch_shares_sizes_100_and_25_two_to_one():
    schedule = Schedule({"large": range(100), "small": range(25)}, 5, 3)
    # 20 + 5 batches fill the groups; sqrt(100) : sqrt(25) = 2 : 1 of 25 is 16.67 : 8.33.
    assert schedule.epoch_batches == 25
    assert schedule.per_epoch.tolist() == [17, 8]
    for epoch in range(3):
        drawn = [schedule.group(epoch * 25 + j) for j in range(25)]
        assert (drawn.count(0), drawn.count(1)) == (17, 8)
    assert [schedule.group(i) for i in range(25)] != [schedule.group(25 + i) for i in range(25)]


# 7 seats: quotas 3.5, 2.1, 1.4, so the seventh goes to the first; 4 seats in equal thirds: the first in order.
@pytest.mark.parametrize(("shares", "seats", "expected"), [([0.5, 0.3, 0.2], 7, [4, 2, 1]), ([1 / 3] * 3, 4, [2, 1, 1])])
def test_largest_remainder_sums_to_the_seats(shares, seats, expected):
    assert largest_remainder(np.array(shares), seats).tolist() == expected


def test_rarest_group_comes_in_every_epoch():
    schedule = Schedule({"one": range(1), "many": range(10_000)}, 1000, 0)
    assert schedule.per_epoch.min() >= 1


@pytest.mark.parametrize(("n", "size"), [(12, 4), (13, 4), (4, 4), (5, 4), (7, 4), (11, 8), (50, 16)])
def test_every_location_once_a_pass_and_none_twice_in_a_batch(n, size):
    rows = np.arange(100, 100 + n)
    schedule = Schedule({"other": range(30), "this": rows}, size, 5)
    batches = stream(schedule, 1, 6 * math.lcm(n, size) // size)
    assert all(len(set(b.tolist())) == size for b in batches)
    flat = np.concatenate(batches)
    passes = flat.reshape(-1, n)
    np.testing.assert_array_equal(np.sort(passes, axis=1), np.tile(rows, (len(passes), 1)))
    assert len({tuple(p) for p in passes.tolist()}) > 1 or n == 1


@pytest.mark.parametrize(("n", "size"), [(3, 8), (1, 4), (4, 8), (5, 7)])
def test_groups_smaller_than_a_batch_repeat_evenly(n, size):
    schedule = Schedule({"this": range(n)}, size, 0)
    batches = [schedule.rows(i) for i in range(4 * n)]
    for rows in batches:
        counts = np.bincount(rows, minlength=n)
        assert len(rows) == size
        assert counts.max() - counts.min() <= 1
    assert len(set(np.bincount(np.concatenate(batches), minlength=n).tolist())) == 1


@pytest.mark.parametrize("n", [5, 29])
def test_random_access_equals_sequential_access(n):
    def make():
        return Schedule({"a": range(n), "b": range(9)}, 4, 11)

    sequential = make()
    expected = [sequential.rows(i).tolist() for i in range(200)]
    for i in (199, 0, 57, 198, 3):
        assert make().rows(i).tolist() == expected[i]
        assert sequential.rows(i).tolist() == expected[i]


def test_seed_changes_the_order():
    a, b = (Schedule({"a": range(40)}, 8, seed) for seed in (0, 1))
    assert a.rows(0).tolist() != b.rows(0).tolist()


def in_order(n, size, seed, name, batches):
    """Batches of one group made pass by pass from the first: each exchanges what its head shares."""
    out, before = [], None
    for number in range(batches * size // n + 1):
        order = np.argsort(words(seed, f"pass of {name}", number, n), kind="stable").tolist()
        head = -(number * n) % size
        if head:
            taken = set(before[n - (size - head) :])
            wrong = [i for i in range(head) if order[i] in taken]
            right = [i for i in range(head, n) if order[i] not in taken]
            for i, j in zip(wrong, right, strict=False):
                order[i], order[j] = order[j], order[i]
        before = order
        out += order
    return [out[i * size : (i + 1) * size] for i in range(batches)]


@pytest.mark.parametrize(("n", "size"), [(7, 7), (8, 7), (10, 7), (13, 7), (14, 7), (15, 7), (20, 7), (21, 7), (22, 7)])
def test_any_batch_is_what_all_batches_in_order_have_there(n, size):
    expected = in_order(n, size, 4, "g", 60)
    for i in (0, 59, 31, 58, 1):
        assert Schedule({"g": range(n)}, size, 4).rows(i).tolist() == expected[i]


@pytest.mark.parametrize(("n", "most"), [(37_129, 4), (30_001, 4), (25_003, 4), (14_000, 12)])
def test_a_late_batch_of_a_group_of_few_batches_needs_few_passes(monkeypatch, n, most):
    """Resuming at step 16,384 took 48 s where a group held three batches: every pass since the last whole piece was made."""
    drawn = []
    monkeypatch.setattr(schedule, "words", lambda *args: drawn.append(args) or words(*args))
    made = Schedule({"g": range(n)}, 12_400, 0)
    assert len(set(made.rows(16_384).tolist())) == 12_400
    assert 1 <= sum("pass" in args[1] for args in drawn) <= most


def philox4x64(counter: list[int], key: list[int]) -> list[int]:
    """Ten rounds as in Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"."""
    full = 2**64
    for _ in range(10):
        a, b = 0xD2E7470EE14C6C93 * counter[0], 0xCA5A826395121157 * counter[2]
        counter = [b // full ^ counter[1] ^ key[0], b % full, a // full ^ counter[3] ^ key[1], a % full]
        key = [(key[0] + 0x9E3779B97F4A7C15) % full, (key[1] + 0xBB67AE8584CAA73B) % full]
    return counter


def test_words_are_those_of_philox():
    # The published answer to all zeros, so that the oracle itself is right.
    assert philox4x64([0, 0, 0, 0], [0, 0])[0] == 0x16554D9ECA36314C
    expected = [w for block in (1, 2) for w in philox4x64([block, 0, 0, 5], [3, zlib.crc32(b"date of S2")])]
    assert words(3, "date of S2", 5, 8).tolist() == expected
    assert words(3, "date of S2", 5, 3).tolist() == expected[:3]


def test_threads_that_ask_at_once_get_what_one_thread_gets():
    """Small groups, whose passes depend on one another, and numbers far apart, so that what is kept is soon thrown away."""
    groups = {"small": range(5), "large": range(40)}
    numbers = np.random.default_rng(0).integers(0, 3000, 400).tolist()
    alone = Schedule(groups, 4, seed=3)
    expected = [alone.rows(i).tolist() for i in numbers]
    shared = Schedule(groups, 4, seed=3)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda i: shared.rows(i).tolist(), numbers))
    assert found == expected
