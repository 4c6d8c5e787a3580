import numpy as np
import pytest

from spectral_jax.interop.monthly import fixed_tables

TABLE = {"pos_embed": np.eye(3)}


def test_a_table_of_float32_rounding_is_the_same():
    fixed_tables.expect("a.pt", {"pos_embed": np.eye(3, dtype=np.float32) + np.float32(2e-6)}, TABLE)
    # What is missing, misshapen or NaN is told where all keys are.
    for tensors in ({}, {"pos_embed": np.eye(4)}, {"pos_embed": np.full((3, 3), np.nan)}):
        assert fixed_tables.expect("a.pt", tensors, TABLE) is None


def test_a_table_of_another_version_is_refused():
    said = (
        "a.pt: pos_embed is a table that does not train, and it differs by 1 from the formula of the released version, expected"
    )
    with pytest.raises(ValueError, match=f"^{said} the same to 0.0001; it is of another version of the code.$"):
        fixed_tables.expect("a.pt", {"pos_embed": np.zeros((3, 3), np.float32)}, TABLE)
