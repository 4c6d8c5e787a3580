"""Tiles that fit the chip, and operations counted by hand."""

import pytest

from spectral_jax.config import Model
from spectral_jax.model.encoder.spectral_kernel.sizes import executed, flops, shape_of


def test_a_tile_has_as_many_packs_as_the_chip_holds():
    assert (shape_of(Model(), 15).packs, shape_of(Model(), 15).cells) == (4, 32)
    assert [shape_of(Model(), 15, cells=n).packs for n in (1, 8, 9, 16, 17)] == [1, 1, 2, 2, 4]
    assert shape_of(Model(spectral_width=240, width=384), 15).packs == 2


def test_operations_are_those_counted_by_hand():
    # D = 32, one layer of one head, 3 groups, 5 cells: products of a token, then of a cell.
    layer = 32 * 96 + 3 * 32 + 3 * 32 + 32 * 32 + 32 * 128 + 128 * 32
    token = layer + 32 * 32 + 32 + 32  # widened, looked at by the query, averaged
    forward = 2 * 5 * (3 * token + 32 * 32 + 32 * 32)  # value and output
    model = Model(spectral_width=32, spectral_heads=1, spectral_depth=1, width=32, heads=1)
    assert flops(model, 3, 5) == (forward, 2 * forward)
    assert executed(shape_of(model, 3), 5)[0] > forward


def test_weights_that_the_chip_does_not_hold_are_refused():
    with pytest.raises(ValueError, match=r"keeps its weights on chip, in 48 MiB, and spectral_width 1024, .* take \d+ MiB"):
        shape_of(Model(spectral_width=1024, width=1024), 15)
