"""The stem in PyTorch: that it says what ours says, and that nothing is timed where it does not."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra spectral-jax[compare]")


@pytest.mark.slow
def test_both_say_the_same_and_unequal_ones_are_not_timed(monkeypatch):
    from spectral_jax.measure.peer import torch_stem

    found = torch_stem.compared(1, count=2)
    assert found["apart"] < 1e-5
    assert min(found["ours"], found["torch"]) > 0
    monkeypatch.setattr(torch_stem, "EPS", 0.1)
    with pytest.raises(
        ValueError, match="expected the same numbers of PyTorch's stem, and they are .* apart; nothing is timed"
    ):
        torch_stem.compared(1, count=2)
