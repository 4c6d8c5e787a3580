"""The examples in docstrings run, in a folder of their own, and say what they promise."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "spectral_jax").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
# What a newcomer calls first.
PROMISED = ("spectral_jax.api", "spectral_jax.data.store", "spectral_jax.spectral.project", "spectral_jax.tasks.read")


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_run(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0, f"{module}: {result.failed} of {result.attempted} lines say something else; see the output"


def test_what_a_newcomer_calls_first_has_examples():
    assert set(PROMISED) <= set(WITH_EXAMPLES)
