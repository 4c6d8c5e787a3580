"""Stores as xarray Datasets: the numbers that are stored, in physical units, and nothing read before it is asked for."""

import numpy as np
import pytest
from made import tiny_run

from spectral_jax import lazy_arrays
from spectral_jax.data import store

xarray = pytest.importorskip("xarray", reason="needs the extra spectral-jax[xarray]")


class Counted:
    """An array that counts how often it is read, and remembers the last index."""

    shape, dtype = (4, 5), np.dtype(np.int16)

    def __init__(self):
        self.reads, self.last = 0, None

    def __getitem__(self, index):
        self.reads, self.last = self.reads + 1, index
        return np.arange(20, dtype=np.int16).reshape(4, 5)[index]


def test_an_array_is_read_where_it_is_asked_for():
    array = Counted()
    found = lazy_arrays.variable(("a", "b"), array, {"units": "1"})
    part = found[1:3]
    assert (array.reads, part.shape) == (0, (2, 5))
    np.testing.assert_array_equal(part.values, np.arange(5, 15).reshape(2, 5))
    assert (array.reads, array.last[0]) == (1, slice(1, 3, 1))


@pytest.fixture
def opened(tmp_path):
    cfg = tiny_run.config()
    path = tiny_run.write_store(tmp_path / "s.zarr", cfg, locations=5, spoil={2: -32768})
    return store.open_store(path)


def test_a_group_is_a_dataset_in_physical_units(opened):
    found = opened.to_xarray()
    raw = opened.group("all").pixels("HSI")[3].read().result()
    assert found.HSI.dims == ("location", "date", "band_HSI", "y_HSI", "x_HSI")
    np.testing.assert_allclose(found.HSI[3].values, raw * 1e-4, rtol=1e-6)
    assert np.isnan(found.HSI[2].values).all()
    assert (found.HSI.attrs["units"], found.SAR.attrs["units"]) == ("1", "dB")
    np.testing.assert_array_equal(found.wavelength_HSI, [450.0, 500.0, 550.0, 600.0, 650.0, 700.0])
    assert str(found.time_HSI.values[0, 0])[:10] == "2024-08-22"
    assert found.location.values.tolist() == [f"site-{i:02d}" for i in range(5)]
    assert (found.attrs["simulated"], found.attrs["footprint_m"]) == ("false", 240.0)


def test_a_dataset_of_one_group_at_a_time(tmp_path):
    layouts = [store.GroupLayout(name, {"HSI": tiny_run.HSI}, 1, 1) for name in ("a", "b")]
    made = store.create(tmp_path / "s.zarr", layouts, footprint_m=240.0, simulated=True)
    assert np.isnat(made.to_xarray("b").time_HSI.values).all()
    with pytest.raises(ValueError, match="expected the name of a group, of a, b, got none; a Dataset has one"):
        made.to_xarray()
    with pytest.raises(ValueError, match="no group is called 'c'"):
        made.to_xarray("c")
