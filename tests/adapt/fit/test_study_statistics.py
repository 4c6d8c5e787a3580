"""What the code of the TerraMind study normalises by, against sums written out, and what the encoder sees of it."""

import dataclasses

import numpy as np
import pytest
from made import tiny_adapt

from spectral_jax.adapt.fit import line, prepared, study_statistics
from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.parts.source import source_of
from spectral_jax.adapt.protocols import STUDY_AS_PUBLISHED, STUDY_CORRECTED


@pytest.fixture
def train():
    data = tiny_adapt.segmentation()
    return Part(data, source_of(data), range(4))


@pytest.fixture
def spectra(train):
    return np.concatenate([train.sample(i)[0].reshape(-1, len(train.source.sensor.used)) for i in range(4)]).astype(float)


def test_selection_has_the_statistics_of_the_next_band(train, spectra):
    matrix = np.eye(spectra.shape[1])[[3, 40, spectra.shape[1] - 1]]
    mean, std = study_statistics.as_published(matrix, "nearest", train)
    following = [4, 41, spectra.shape[1] - 1]
    np.testing.assert_allclose(mean, spectra.mean(axis=0)[following], rtol=1e-6)
    np.testing.assert_allclose(std, spectra.std(axis=0)[following], rtol=1e-6)
    seen = study_statistics.spread(matrix, "nearest", train)
    np.testing.assert_allclose(seen, spectra.std(axis=0)[[3, 40, -1]] / std, rtol=1e-6)


def test_grouping_has_the_deviation_of_independent_bands(train, spectra):
    rng = np.random.default_rng(0)
    matrix = np.zeros((2, spectra.shape[1]))
    matrix[0, 10:14], matrix[1, 60:80] = 0.25, rng.dirichlet(np.ones(20))
    mean, std = study_statistics.as_published(matrix, "srf", train)
    np.testing.assert_allclose(mean, (spectra @ matrix.T).mean(axis=0), rtol=1e-6)
    alone = [np.sqrt(sum(w**2 * spectra[:, i].var() for i, w in enumerate(row))) for row in matrix]
    np.testing.assert_allclose(std, alone, rtol=1e-6)
    # Bands of the infrared go together, so that what is divided by that spreads more than 1; noise alone would not.
    seen = study_statistics.spread(matrix, "srf", train)
    np.testing.assert_allclose(seen, (spectra @ matrix.T).std(axis=0) / std, rtol=1e-6)
    assert seen[1] > 2.5 > 1.2 > seen[0]


def test_a_sentence_tells_how_large_the_inputs_are(train):
    cfg = tiny_adapt.run(("terramind/srf/terramind_study/as_published",))
    start = prepared.prepare(cfg.lines()[0], cfg, train.data.task, train.source).start
    told = study_statistics.told("terramind/srf", start, train)
    assert told.startswith(
        "terramind/srf: by the statistics of the study's code, bands that the encoder sees have a deviation of"
    )
    assert "4.69 (B12) in the training part" in told


@pytest.mark.slow
def test_an_adaptation_that_the_study_has_not_is_refused(train):
    row = "terramind/learned_linear/terramind_study/as_published"
    cfg = tiny_adapt.run((row,))
    ready = prepared.prepare(cfg.lines()[0], cfg, train.data.task, train.source)
    with pytest.raises(ValueError, match=f"{row}: terramind_study/as_published has statistics of nearest and srf alone"):
        line.fit(cfg.lines()[0], ready, train, train, train, 0)


@pytest.mark.slow
def test_both_versions_are_of_the_task_and_not_of_the_encoders_own_statistics(train, monkeypatch):
    given = {}
    monkeypatch.setattr(line.supervised, "fit", lambda model, params, buffers, *rest: given.update(buffers) or _stop())
    for protocol, wanted in ((STUDY_CORRECTED, 1.0), (STUDY_AS_PUBLISHED, None)):
        small = dataclasses.replace(protocol, head="multitap", head_width=8)
        cfg = tiny_adapt.run((f"terramind/srf/{protocol.name}",), protocol=small)
        ready = prepared.prepare(cfg.lines()[0], cfg, train.data.task, train.source)
        ready = ready._replace(statistics=(np.full(12, 7.0), np.full(12, 9.0)))
        with pytest.raises(Stopped):
            line.fit(cfg.lines()[0], ready, train, train, train, 0)
        seen = study_statistics.spread(ready.start.matrix, "srf", train)
        measured = seen * study_statistics.as_published(ready.start.matrix, "srf", train)[1]
        expected = measured * wanted if wanted else measured / seen
        np.testing.assert_allclose(given["std"], expected, rtol=1e-4)


class Stopped(Exception):
    """Training is not of interest."""


def _stop():
    raise Stopped
