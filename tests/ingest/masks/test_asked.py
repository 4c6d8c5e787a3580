"""What may be asked for of cloud, and what is refused in a sentence."""

import json
import re

import pytest

from spectral_jax.ingest.masks import asked
from spectral_jax.ingest.masks.asked import Asked


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"ways": ("spectif",)}, "clouds: no way to tell cloud is called 'spectif'; the names are, closest first: spectf"),
        ({"ways": ()}, "clouds: expected one of product, spectf, omnicloudmask, none, or both spectf and omnicloudmask"),
        ({"ways": ("none", "omnicloudmask")}, "got none,omnicloudmask."),
        ({"ways": ("product", "omnicloudmask")}, "which join the product's own layers, got product,omnicloudmask."),
        ({"ways": ("omnicloudmask", "omnicloudmask")}, "got omnicloudmask,omnicloudmask."),
        (
            {"ways": ("spectf",)},
            "clouds=spectf: expected cloud_weights=FOLDER beside it, and it is not given; convert released",
        ),
        ({"weights": "w"}, "cloud_weights: w is for clouds=spectf, and clouds is product; leave one of them out."),
        ({"threshold": 0.5}, "cloud_threshold: 0.5 is of one model's probability, and clouds is product; name one of spectf"),
        (
            {"ways": ("spectf", "omnicloudmask"), "weights": "w", "threshold": 0.5},
            "cloud_threshold: 0.5 is of one model's probability, and clouds is spectf,omnicloudmask; name one of",
        ),
        (
            {"ways": ("omnicloudmask",), "threshold": 51.0},
            "cloud_threshold: expected a probability between 0 and 1, got 51.",
        ),
        (
            {"ways": ("omnicloudmask",), "threshold": float("nan")},
            "cloud_threshold: expected a probability between 0 and 1, got nan.",
        ),
    ],
)
def test_what_cannot_be_asked_for_is_told_in_a_sentence(more, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        Asked(**more)


def test_options_become_numbers_and_an_absolute_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = asked.of_options(["spectf"], "w", "0.4")
    assert made == Asked(("spectf",), str(tmp_path / "w"), 0.4)
    assert made.folders == (str(tmp_path / "w"),)
    with pytest.raises(ValueError, match=r"cloud_threshold: expected a probability between 0 and 1, got 'half'\."):
        asked.of_options(["omnicloudmask"], None, "half")


def test_nothing_of_the_default_is_in_the_command_that_began_a_store():
    assert (Asked().command(), Asked().folders, Asked().is_default) == ({}, (), True)
    made = Asked(("spectf",), "w", 0.4)
    assert json.loads(json.dumps(made.command())) == {"clouds": ["spectf"], "cloud_weights": "w", "cloud_threshold": 0.4}
    assert Asked(("none",)).command() == {"clouds": ["none"]}
