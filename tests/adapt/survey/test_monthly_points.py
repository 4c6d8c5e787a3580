"""Points of monthly series in the table: raw numbers, few labels, and encoders that take no series."""

import numpy as np
import pytest
from made import tiny_monthly

from spectral_jax.adapt.monthly.comparison import MonthlyWeights
from spectral_jax.adapt.survey import monthly_points
from spectral_jax.adapt.survey.contestants import Contestant

pytest.importorskip("sklearn", reason="needs the extra spectral-jax[eval]")


@pytest.fixture
def points(tmp_path):
    tiny_monthly.write(tmp_path)
    return monthly_points.points_of("fuel_moisture", tmp_path, MonthlyWeights())


def test_the_target_itself_is_read_off_and_few_labels_are_fewer(points):
    assert monthly_points.scored(points, [points.values[:, None]], range(1), 0).value < 0.1
    few = monthly_points.scored(points, [points.raw], range(3), 10)
    assert len(few.seeds) == 3
    assert np.std(few.seeds) > 0
    assert few.low < few.value < few.high


def test_an_encoder_of_images_takes_no_series(points):
    with pytest.raises(ValueError, match="dofa takes no monthly series"):
        monthly_points.features(points, Contestant("dofa", "dofa", "", True), range(1))
