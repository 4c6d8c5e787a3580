"""Who stands in the table, and that random weights are called so."""

from spectral_jax.adapt.encoders.table import ENCODERS
from spectral_jax.adapt.settings import WeightFolders
from spectral_jax.adapt.survey import contestants


def test_random_weights_stand_beside_each_folder_and_are_called_so():
    found = {one.name: one for one in contestants.of(WeightFolders(galileo="g", dofa="d"))}
    assert (found["galileo"].folder, found["galileo"].random) == ("g", False)
    assert (found["galileo, random weights"].folder, found["galileo, random weights"].random) == ("g", True)
    assert "dofa" in found
    assert "dofa, random weights" in found
    assert "terramind" not in found
    assert found["terramind, small, random weights"].random
    assert {one.encoder for one in found.values()} == set(contestants.ADAPTATIONS)


def test_every_encoder_takes_the_adaptation_that_it_has_here():
    for name, adaptation in contestants.ADAPTATIONS.items():
        assert adaptation in ENCODERS[name].takes
