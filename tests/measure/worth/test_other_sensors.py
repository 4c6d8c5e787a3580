import numpy as np
import pytest
from made import tiny_run

from spectral_jax.measure.worth import other_sensors
from spectral_jax.sensors import SensorSpec

ENMAP = SensorSpec.load("enmap_l2a")


def test_every_embedding_that_is_nearest_to_its_own_counts():
    own = np.eye(4)
    other = np.array(
        [[0.9, 0.1, 0, 0], [0, 3.0, 1.0, 0], [1.0, 0, 0.2, 0], [0, 0, 0, 0.01]]
    )  # the third is nearest to the first
    assert other_sensors.nearest(own, other) == 0.75


def test_centring_removes_what_a_sensor_adds_to_all(rng):
    own = rng.normal(size=(30, 5))
    other = own + 40.0 * np.array([1.0, -1.0, 2.0, 0.0, 0.5])
    assert other_sensors.nearest(own, other) < 0.3
    assert other_sensors.nearest(*other_sensors._centred(own, other)) == 1.0


def test_an_encoder_that_knows_its_bands_by_position_takes_no_other_sensor():
    with pytest.raises(ValueError, match="tiny: the grouped tokenizer of HSI takes no sensor but the one it was trained for"):
        other_sensors.top1({}, tiny_run.config(), "HSI", 3)


def test_the_other_sensors_are_prisma_and_sixty_even_bands():
    found = other_sensors.others(ENMAP)
    assert len(found["PRISMA"].used) == 234
    even = found["60 bands"].centre_nm
    assert len(even) == 60
    assert (even[0], even[-1]) == (420.0, 2400.0)
    np.testing.assert_allclose(found["60 bands"].fwhm_nm, np.diff(even)[0])


def test_one_ground_is_seen_through_other_bands():
    through = [other_sensors.seen_by(spec, 3, 0, 240.0) for spec in (ENMAP, other_sensors.others(ENMAP)["PRISMA"])]
    assert [x.shape for x in through] == [(8, 8, 202), (8, 8, 234)]
    near = [np.argmin(abs(spec.centre_nm - 1650.0)) for spec in (ENMAP, other_sensors.others(ENMAP)["PRISMA"])]
    np.testing.assert_allclose(through[0][..., near[0]], through[1][..., near[1]], rtol=0.03)


def test_lines_say_that_the_places_are_simulated():
    said = other_sensors.text({"PRISMA": {"stage1": {"raw": 0.5, "centred": 1.0}}})
    assert said.startswith("Top-1 of 61 SIMULATED places")
    assert "PRISMA    stage1    raw 0.50  centred 1.00" in said
