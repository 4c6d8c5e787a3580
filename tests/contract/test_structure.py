"""The directions of the design: who may import what, and no empty test."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "spectral_jax"
# Reading order is data order: a module imports only from its own floor or from floors above it in this list.
FLOORS = ("closest", "shapes", "sensors", "config", "configure", "batch", "programs", "statistics", "means", "matchups",
          "data", "ingest", "spectral", "model", "objective", "train", "downstream", "interop", "api", "pretraining",
          "water_encoders", "prediction", "finetuning", "adapt_encoders", "adapt_rows", "adapting")  # fmt: skip
FENCES = {
    "flax": ("model/",),
    "grain": ("data/",),
    "tensorstore": ("data/",),
    "orbax": ("train/checkpoint.py",),
    "jax.sharding": ("train/partition.py", "data/feed.py"),
    "rasterio": ("ingest/", "data/realism.py", "downstream/maps.py"),
    "h5netcdf": ("ingest/",),
    "earthaccess": ("ingest/",),
}


def modules():
    return sorted(p.relative_to(PACKAGE).as_posix() for p in PACKAGE.rglob("*.py"))


def imports(path):
    """Dotted names that a file imports, anywhere in it, or reaches through a module it imported."""
    for node in ast.walk(ast.parse((PACKAGE / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute):
            yield ast.unparse(node)


def floor(path):
    return FLOORS.index(path.split("/")[0].removesuffix(".py"))


@pytest.mark.parametrize("path", [m for m in modules() if m != "__init__.py"])
def test_a_module_imports_from_its_own_floor_or_those_above(path):
    names = [n.split(".")[1] for n in imports(path) if n.startswith("spectral_jax.")]
    wrong = [n for n in names if n in FLOORS and FLOORS.index(n) > floor(path)]
    assert not wrong, f"{path} imports {wrong}, which are further down"


@pytest.mark.parametrize("library", FENCES)
def test_a_library_stays_behind_its_fence(library):
    users = {m for m in modules() for n in imports(m) if n == library or n.startswith(library + ".")}
    assert users, f"nobody imports {library}; remove its fence"
    assert {m for m in users if not m.startswith(FENCES[library])} == set()


def test_nothing_is_called_utils():
    assert not [m for m in modules() if Path(m).stem in ("utils", "common", "lib", "core", "base", "helpers")]


def test_every_test_can_fail():
    empty = []
    for file in (ROOT / "tests").rglob("test_*.py"):
        tree = ast.parse(file.read_text())
        checkers = {f.name for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) and _checks(f, set())}
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef) and function.name.startswith("test_") and not _checks(function, checkers):
                empty.append(f"{file.name}::{function.name}")
    assert not empty


def _checks(function, checkers):
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("raises", "fail") or name.startswith("assert_") or name in checkers:
                return True
    return False
