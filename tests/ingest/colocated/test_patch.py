"""A patch that reads itself: without open files, in another process too, and with a hole where its product is damaged."""

import pickle
import shutil

import numpy as np
import pytest
from made import region

from spectral_jax.ingest.colocated.cells import Cell
from spectral_jax.ingest.colocated.patch import CellPatch, Openings
from spectral_jax.ingest.colocated.survey import survey
from spectral_jax.ingest.colocated.wanted import Wanted

CELL = Cell(32633, 2083, 24166, 240.0)


@pytest.fixture
def openings():
    made = Openings(most=2)
    yield made
    made.close()


@pytest.fixture
def patch_of(tmp_path, openings):
    def of(path, keep=False, key=None):
        seen, out = survey(Wanted((str(path.parent),)), lambda line: None)
        assert not out
        one = next(x for x in seen if x.name == path.name.removesuffix(".SAFE") and key in (None, x.key))
        return CellPatch(one, CELL, keep, openings)

    return of


def test_a_patch_is_the_products_own_pixels_and_unclear_ones_are_missing_or_kept(tmp_path, patch_of):
    product = region.enmap(tmp_path / "d", cloud=2 / 24, seed=5)
    numbers = region.enmap_numbers(24, 5)[:, :8, :8]
    np.testing.assert_array_equal(patch_of(product, keep=True).stored().pixels, numbers)
    cloudy = np.zeros((8, 8), bool)
    cloudy[:2] = True
    np.testing.assert_array_equal(patch_of(product).stored().pixels, np.where(cloudy, -32768, numbers))


def test_a_patch_goes_to_another_process_without_its_open_files(tmp_path, patch_of, openings):
    patch = patch_of(region.landsat(tmp_path / "d"), key="LT")
    first = patch.stored().pixels
    assert len(openings._open) == 1
    sent = pickle.loads(pickle.dumps(patch))
    assert len(sent.openings._open) == 0
    np.testing.assert_array_equal(sent.stored().pixels, first)
    np.testing.assert_array_equal(first[0], region.ramp(8, 8, 44_000, 11, 5))
    assert (sent == patch, sent.said()) == (True, patch.said())
    sent.openings.close()


def test_few_products_stay_open(tmp_path, patch_of, openings):
    patches = [patch_of(region.radar(tmp_path / str(k), time=f"2024061{k}T165445")) for k in range(4)]
    for patch in patches:
        assert patch.stored().pixels.shape == (2, 24, 24)
    assert len(openings._open) == 2


def test_a_product_that_is_damaged_or_gone_is_told(tmp_path, patch_of, openings):
    product = region.enmap(tmp_path / "d")
    patch = patch_of(product)
    openings.close()
    cube = next(product.glob("*SPECTRAL_IMAGE.TIF"))
    cube.write_bytes(cube.read_bytes()[:20_000])
    with pytest.raises(ValueError, match="it is truncated or of another format"):
        patch.stored()
    openings.close()
    shutil.rmtree(product)
    with pytest.raises(FileNotFoundError, match="does not exist; give a product's folder"):
        patch.stored()
