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


@pytest.mark.parametrize(("n", "size"), [(12, 4), (13, 4), (4, 4), (5, 4), (7, 4), (11, 8), (50, 16), (32_800, 3_200)])
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
    """Pieces of one group made pass by pass from the first: each exchanges what its head shares."""
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


def in_order_all_but(n, size, seed, name, batches):
    """Batches of more than half a group: who was visited least comes first; the left out have passes of their own."""
    visits, out = np.zeros(n, int), []
    for k, left_out in enumerate(in_order(n, n - size, seed, f"rest of {name}", batches)):
        order = np.argsort(words(seed, f"pass of {name}", k, n), kind="stable").tolist()
        batch = sorted((x for x in order if x not in left_out), key=lambda x: visits[x])
        visits[batch] += 1
        out.append(batch)
    return out


@pytest.mark.parametrize(
    ("n", "size", "oracle"),
    [(n, 7, in_order) for n in (7, 14, 15, 20, 21, 22)] + [(n, 7, in_order_all_but) for n in (8, 9, 10, 12, 13)],
)
def test_any_batch_is_what_all_batches_in_order_have_there(n, size, oracle):
    expected = oracle(n, size, 4, "g", 60)
    for i in (0, 59, 31, 58, 1):
        assert Schedule({"g": range(n)}, size, 4).rows(i).tolist() == expected[i]


@pytest.mark.parametrize("n", [732_196, 102_589, 37_129, 32_769])
def test_a_late_batch_of_a_large_group_draws_a_few_words(monkeypatch, n):
    """Sorting a whole group for one batch took 0.08 to 0.5 s, and one of three batches once took 47 s at step 16,384."""
    drawn = []
    monkeypatch.setattr(schedule, "words", lambda *args: drawn.append(args[3]) or words(*args))
    made = Schedule({"g": range(n), "h": range(9)}, 1000, 0)
    for i in (16_384, 10**6, 10**12):
        drawn.clear()
        assert len(set(made.rows(i).tolist())) in (1000, 9)
        assert sum(drawn) <= made.epoch_batches + max(3 * schedule.ROUNDS, 1000 + 9 + 9)
    assert made.epoch_batches <= 16_384


def test_the_archive_has_epochs_of_at_most_16384_batches_with_their_shares():
    sizes = {"a": 580_292, "b": 486_388, "c": 54_111, "d": 732_196, "e": 102_589, "f": 37_129, "g": 69_242}
    made = Schedule({k: range(n) for k, n in sizes.items()}, 64, 0)
    assert (made.epoch_batches, made.per_epoch.sum()) == (16_384, 16_384)
    np.testing.assert_allclose(made.per_epoch / 16_384, made.probabilities, atol=1 / 16_384)
    assert np.bincount([made.group(i) for i in range(16_384, 2 * 16_384)]).tolist() == made.per_epoch.tolist()


LARGE = 40_009  # above what is sorted; the sides of the cipher are 201 and 200


def test_the_cipher_is_a_permutation_of_any_size():
    for n in (2, 3, 5, 12, 143, 10_000, 32_769, LARGE):
        for number in range(3):
            found = schedule._cipher(np.arange(n), words(0, "x", number, schedule.ROUNDS), n)
            np.testing.assert_array_equal(np.sort(found), np.arange(n))


def is_even(cells: np.ndarray, among: int):
    """Chi-square of counts, within five standard deviations of its mean: neither uneven nor more even than chance."""
    counts = np.bincount(cells, minlength=among)
    expected = len(cells) / among
    found = ((counts - expected) ** 2 / expected).sum()
    assert len(counts) == among
    assert abs(found - (among - 1)) < 5 * math.sqrt(2 * (among - 1)), found


def test_a_place_of_a_large_group_holds_every_location_as_often_from_pass_to_pass():
    places = np.array([0, 1, 2, 19_999, LARGE - 2, LARGE - 1])
    order = schedule._Permutations(LARGE, 5, "pass of g")
    drawn = np.stack([order.at(number, places) for number in range(3000)])  # [passes places]
    sixteenth, eighth = drawn * 16 // LARGE, drawn * 8 // LARGE
    for place in range(len(places)):
        is_even(sixteenth[:, place], 16)
        is_even(eighth[1:, place] * 8 + eighth[:-1, place], 64)  # against the pass before
    for a, b in ((0, 1), (1, 2), (0, 3), (2, 4), (4, 5)):
        is_even(eighth[:, a] * 8 + eighth[:, b], 64)
        is_even((drawn[:, b] - drawn[:, a]) % LARGE * 16 // LARGE, 16)


def test_neighbours_within_a_pass_of_a_large_group_are_independent():
    whole = schedule._Permutations(LARGE, 6, "pass of g").at(3, np.arange(LARGE))
    for apart in (1, 2, 200, 201, 1000):  # also the sides of the cipher
        first, second = whole[:-apart], whole[apart:]
        is_even(first * 16 // LARGE * 16 + second * 16 // LARGE, 256)
        is_even((second - first) % LARGE * 64 // LARGE, 64)
    places = np.arange(LARGE)
    is_even(places * 16 // LARGE * 16 + whole * 16 // LARGE, 256)
    # Neighbours of the store: two rows side by side are at places that are independent.
    at = np.argsort(whole)
    is_even(at[:-1] * 16 // LARGE * 16 + at[1:] * 16 // LARGE, 256)
    # No pass agrees with another in more places than chance has it: one on average.
    other = schedule._Permutations(LARGE, 6, "pass of g").at(4, places)
    assert (whole == other).sum() < 8


def test_pairs_of_a_small_group_share_a_batch_equally_often():
    """Nine locations in batches of six: 36 pairs, of which a batch holds 15."""
    made, count = Schedule({"g": range(9)}, 6, 1), np.zeros((9, 9))
    for i in range(3000):
        rows = made.rows(i)
        count[np.ix_(rows, rows)] += 1
    pairs = count[np.triu_indices(9, 1)]
    # 1250 each; the left out are drawn without repeats, so it varies less than the binomial's 27.
    np.testing.assert_allclose(pairs, 1250, atol=130)
    np.testing.assert_array_equal(np.diag(count), 2000)


@pytest.mark.parametrize(
    ("sizes", "moved"),
    [
        ({"a": 12, "b": 6, "c": 4, "d": 3}, []),  # halves, wholes, and a batch of 4 + 2 and of 3 + 3
        ({"a": 12, "b": 7, "c": 13}, ["b"]),
        ({"a": 12, "b": 33_000}, ["b"]),
        ({"a": 120_000, "b": 20}, ["a", "b"]),  # 20,004 batches to an epoch before
    ],
)
def test_it_is_known_which_groups_the_first_version_drew_otherwise(sizes, moved):
    made = Schedule({name: range(n) for name, n in sizes.items()}, 6, 0)
    assert made.changed_since(1) == moved
    assert made.changed_since(schedule.ORDER) == []


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
