import pytest

from spectral_jax.measure.worth.question import Question


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (dict(labels=(20, 500)), r"--labels: expected numbers from 2 to 480 \(all labelled places\), each once, got 20, 500\."),
        (dict(labels=()), "each once, got none"),
        (dict(labels=(20, 20)), "each once, got 20, 20"),
        (
            dict(draws=1),
            "criterion: expected 2 places and draws or more, and two unseen places a draw, got labelled 480, unseen 3000",
        ),
        (dict(unseen=30), "unseen 30, draws 20"),
    ],
)
def test_a_question_that_cannot_be_asked_is_told(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        Question(**changes)


def test_places_are_those_that_may_be_labelled_and_those_that_are_unseen():
    assert Question().places == 3480
