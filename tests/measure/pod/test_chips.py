import pytest

from spectral_jax import spec_files
from spectral_jax.measure.pod import chips


def test_every_file_is_a_chip_whose_numbers_are_plausible():
    for name in spec_files.names("chips"):
        chip = chips.load(name)
        assert 1e14 < chip.peak_flops_per_s < 1e16
        assert 0 < chip.hbm_usable_bytes <= 1.01 * chip.hbm_bytes
        assert chip.network_bandwidth_bytes_per_s < chip.link_bandwidth_bytes_per_s < chip.hbm_bandwidth_bytes_per_s
        assert (chip.kind == "tpu") == (chip.links == 2 * chip.torus_dimensions > 0)
    assert chips.names("tpu") == ["v4", "v5e", "v5p", "v6e"]
    assert chips.names("gpu") == ["a100", "h100"]


def test_links_of_a_chip_make_its_interconnect():
    """Google states them together and for both directions: 400, 800 and 1200 GB/s."""
    for name, total in (("v5e", 400e9), ("v6e", 800e9), ("v5p", 1200e9)):
        chip = chips.load(name)
        assert 2 * chip.links * chip.link_bandwidth_bytes_per_s == total


def test_every_slice_that_is_offered_can_be_named():
    for name in chips.names("tpu"):
        for shape in chips.load(name).topologies:
            found = chips.slices(f"{name}:{shape}", count=2)
            assert found.name == f"{name}:{shape}"
            assert len(found.sides) == found.chip.torus_dimensions
            assert found.chips == 2 * found.chips_per_slice


def test_a_pod_uses_all_its_links_and_a_part_of_a_line_one():
    pod, small = chips.slices("v5e:16x16"), chips.slices("v5e:4x4")
    assert pod.send_bandwidth_bytes_per_s(256) == 4 * 50e9  # two rings, both directions of each
    assert pod.send_bandwidth_bytes_per_s(16) == 2 * 50e9
    assert pod.send_bandwidth_bytes_per_s(8) == 50e9
    assert small.send_bandwidth_bytes_per_s(16) == 2 * 50e9  # two lines
    assert small.send_bandwidth_bytes_per_s(1) == 50e9
    cube = chips.slices("v5p:4x4x8")
    assert cube.send_bandwidth_bytes_per_s(128) == 6 * 100e9
    assert cube.send_bandwidth_bytes_per_s(2) == 100e9
    assert (pod.hops(256), pod.hops(16), pod.hops(8), small.hops(16), small.hops(1)) == (16, 8, 7, 6, 0)
    assert pod.hops(64) == 16  # and not 63: there are shorter ways


@pytest.mark.parametrize(
    ("name", "count", "sentence"),
    [
        (
            "v5e:16x61", 1,
            r"--topology: no slice of TPUs is called 'v5e:16x61'; the names are, closest first: v5e:16x16, v6e:16x16, .*in all",
        ),
        ("v5e:4x4", 0, "--slices: expected how many slices v5e:4x4 work together, 1 or more, got 0."),
    ],
)  # fmt: skip
def test_slices_that_are_not_there_are_refused_in_a_sentence(name, count, sentence):
    with pytest.raises(ValueError, match=sentence):
        chips.slices(name, count)


def test_an_unknown_chip_is_told_with_the_closest():
    with pytest.raises(ValueError, match="chip: no chip is called 'h10'; the names are, closest first: h100, a100"):
        chips.load("h10")
