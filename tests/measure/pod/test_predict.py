import dataclasses

import pytest

from spectral_jax.measure.pod import chips, predict
from spectral_jax.measure.pod.collectives import Collective
from spectral_jax.measure.pod.program import Compiled

V5E = chips.slices("v5e:16x16")
GRADIENTS = Collective("all-reduce", "f32", 624_000_000, 256)
STEP = Compiled(True, 10 * 2**30, moved_bytes=int(81.9e9), gradient_bytes=624_000_000, collectives=(GRADIENTS,))


def test_the_parts_of_a_step_by_hand():
    found = predict.step(STEP, V5E, 4, 3.5e12, "none")
    assert found.arithmetic_s == pytest.approx(4 * 3.5e12 / 197e12)
    assert found.memory_s == pytest.approx(0.1)
    # Twice 255 / 256 of the gradients over two rings of two directions, and there and back through 8 + 8 chips.
    assert found.network_s == pytest.approx(2 * 255 / 256 * 624e6 / 200e9 + 2 * 16e-6)
    assert found.shortest_s == found.memory_s
    assert found.longest_s == pytest.approx(found.arithmetic_s + found.memory_s + found.network_s)
    assert found.binds == "memory"
    assert found.samples_per_s == pytest.approx(4 * 256 / found.longest_s)
    assert found.peak_share == pytest.approx(4 * 3.5e12 / 197e12 / found.longest_s)
    assert found.compiled


def test_what_is_computed_again_takes_time_and_is_no_use():
    plain, again = (predict.step(STEP, V5E, 4, 3.5e12, remat) for remat in ("none", "blocks"))
    assert again.arithmetic_s == pytest.approx(plain.arithmetic_s * 4 / 3)
    assert again.peak_share < plain.peak_share


def test_parts_of_a_slice_have_a_line_of_links_and_slices_the_network():
    pair = chips.slices("v5e:16x16", 2)
    inner = dataclasses.replace(GRADIENTS, kind="all-gather", group_size=8, count=3)
    assert predict.collective_s(inner, pair) == pytest.approx(3 * (7 / 8 * 624e6 / 50e9 + 7e-6))
    across = Collective("all-reduce", "f32", 624_000_000 // 256, 2, between_slices=True)
    assert predict.collective_s(across, pair) == pytest.approx(2 * 1 / 2 * (624_000_000 // 256) / 3.125e9)


def test_weak_scaling_lets_the_groups_of_the_batch_grow_alone():
    gathered = Collective("all-gather", "bf16", 1000, 8)
    pair = Collective("collective-permute", "f32", 1000, 2)
    step = dataclasses.replace(STEP, collectives=(GRADIENTS, dataclasses.replace(GRADIENTS, group_size=32), gathered, pair))
    assert [one.group_size for one in predict.scaled(step, 256, 16, fsdp=8).collectives] == [16, 2, 8, 2]
    # On 64 chips with fsdp 8 both axes of the mesh have 8 devices.
    square = dataclasses.replace(STEP, collectives=(dataclasses.replace(GRADIENTS, group_size=8), gathered))
    assert [one.group_size for one in predict.scaled(square, 64, 256, fsdp=8).collectives] == [32, 8]


def test_gpus_are_arithmetic_alone_and_say_so():
    node = chips.load("h100")
    found = predict.on_gpus(STEP, node, 256, 4, 3.5e12, "none")
    assert (found.where, found.chips, found.compiled) == ("32 nodes of 8 x H100 SXM", 256, False)
    assert found.arithmetic_s == pytest.approx(4 * 3.5e12 / 989.4e12)
    assert found.memory_s == pytest.approx(81.9e9 / 3.35e12)
    assert found.network_s == pytest.approx(2 * 7 / 8 * 624e6 / 450e9 + 2 * 31 / 32 * 624e6 / 8 / 50e9)


def test_chip_hours_count_all_chips():
    assert predict.chip_hours(samples=7.2e6, samples_per_s=1000.0, chips=256) == pytest.approx(2 * 256)
