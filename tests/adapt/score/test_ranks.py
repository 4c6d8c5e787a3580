"""Average ranks over tasks: literal tables, ties, lines that a task lacks, and the command."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spectral_jax.adapt.score import ranks

TOOL = Path(__file__).resolve().parents[3] / "tools" / "rank_tasks.py"


def rows(task, metric, values):
    """Values of each encoder, one a seed."""
    return [
        {"encoder": e, "adaptation": "none", "protocol": "p", "task": task, "metric": metric, "seed": s, "value": v}
        for e, scores in values.items()
        for s, v in enumerate(scores)
    ]


FIRST = rows("crops", "iou_macro", {"a": (0.5, 0.7), "b": (0.9, 0.7), "c": (0.1, 0.1)})
SECOND = rows("soil", "r2_mean", {"a": (0.3, None), "b": (0.3, 0.3), "c": (0.8, 0.6), "d": (0.9, 0.9)})


def test_lines_are_ranked_by_their_means_and_equal_means_share_a_rank():
    found = ranks.rank(FIRST + SECOND + rows("soil", "rmse", {"a": (9.0, 9.0)}))
    assert (found.tasks, found.metric) == (("crops", "soil"), ("iou_macro", "r2_mean"))
    assert [line[0] for line in found.lines] == ["b", "c", "a"]
    # crops: b 0.8, a 0.6, c 0.1. soil, d left out: c 0.7, then a and b with 0.3 each.
    np.testing.assert_allclose(found.mean, [[0.8, 0.3], [0.1, 0.7], [0.6, 0.3]])
    np.testing.assert_array_equal(found.rank, [[1, 2.5], [3, 1], [2, 2.5]])
    assert [line[0] for line in found.left_out] == ["d"]
    assert "b none p 0.800 (rank 1) 0.300 (rank 2.5) 1.75" in " ".join(found.text().split())
    assert "Not ranked, for a task lacks it: d/none/p" in found.text()


def test_what_cannot_be_ranked_is_refused():
    with pytest.raises(ValueError, match="task crops: a/none/p has two values for seed 0; give one run of each task"):
        ranks.rank(FIRST + FIRST)
    with pytest.raises(ValueError, match="that crops, soil have in common, and there is none; run the same rows"):
        ranks.rank(FIRST + rows("soil", "r2_mean", {"d": (0.9,)}))
    with pytest.raises(ValueError, match="task soil: expected one of the metrics iou_macro, .* got rmse"):
        ranks.rank(rows("soil", "rmse", {"d": (0.9,)}))


@pytest.mark.slow
def test_the_command_reads_runs_and_names_a_folder_without_one(tmp_path):
    for name, found in (("one", FIRST), ("two", SECOND)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.json").write_text(json.dumps(found))
    ask = lambda *folders: subprocess.run(  # noqa: E731
        [sys.executable, str(TOOL), *(str(tmp_path / f) for f in folders)], capture_output=True, text=True, check=False
    )
    done = ask("one", "two")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split() == [
        "encoder", "adaptation", "protocol", "crops", "(iou_macro)", "soil", "(r2_mean)", "average", "rank",
    ]  # fmt: skip
    assert done.stdout.splitlines()[1].startswith("b ")
    missing = ask("three")
    assert missing.returncode == 1
    assert "it has no results.json" in missing.stderr
