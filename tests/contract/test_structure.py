"""The house: contents that name every module in the order of imports, fences of libraries, and no empty test."""

import ast
from pathlib import Path

import pytest
from reference import house

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "spectral_jax"
# Folders that have a module for each of many alike things: layouts of tasks, and whose weights there are.
MOST = {"tasks/readers": 16, "interop": 16}
APART = (("microcystin", "adapt"),)
AROUND = ("measure", "launch", "commands")
HANDING_ON = ("__init__.py", "interop/__init__.py")
FENCES = {
    "flax": ("model/",),
    "grain": ("data/",),
    "tensorstore": ("data/",),
    "orbax": ("train/checkpoint.py",),
    "jax.sharding": ("train/partition.py", "data/feed.py"),
    "rasterio": ("ingest/raster/", "tasks/", "microcystin/maps/", "measure/"),
    "h5netcdf": ("ingest/pace/",),
    "earthaccess": ("ingest/pace/",),
    "torch": ("measure/peer/torch_",),
    "sklearn": ("microcystin/", "adapt/", "pretrain/", "tasks/readers/"),
}
FOLDERS = house.folders(PACKAGE)
MODULES = house.modules(PACKAGE)
IMPORTING = [m for m in MODULES if m.relative_to(PACKAGE).as_posix() not in HANDING_ON]
CODE = [p for folder in ("spectral_jax", "tests", "tools", "experiments") for p in sorted((ROOT / folder).rglob("*.py"))]


def name(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_the_contents_name_every_module(folder):
    assert house.faults_of_contents(PACKAGE, folder, MOST) == []


def test_a_module_imports_only_what_stands_before_it():
    assert [fault for path in IMPORTING for fault in house.faults_of_imports(PACKAGE, path)] == []
    assert [fault for path in IMPORTING for fault in house.faults_of_rooms(PACKAGE, path, APART, AROUND)] == []


def test_modules_keep_their_names():
    assert [(name(path), fault) for path in CODE for fault in house.faults_of_names(PACKAGE, path)] == []


@pytest.mark.parametrize("library", FENCES)
def test_a_library_stays_behind_its_fence(library):
    users = {
        m.relative_to(PACKAGE).as_posix()
        for m in MODULES
        for n in house.names_used(m)
        if n == library or n.startswith(library + ".")
    }
    assert users, f"nobody imports {library}; remove its fence"
    assert {m for m in users if not m.startswith(FENCES[library])} == set()


@pytest.fixture
def small_house(tmp_path):
    """A package of two floors, `ground` before `roof`, and a folder `rooms` of two modules."""
    files = {
        "__init__.py": '"""A house.\n\nIn order:\n\n  ground: below\n  rooms: between\n  roof: above\n"""\n',
        "ground.py": '"""Ground."""\n',
        "roof.py": '"""Roof."""\n\nfrom house import ground\nfrom house.rooms.bath import water\n',
        "rooms/__init__.py": '"""Rooms.\n\nIn order:\n\n  hall: first\n  bath: second\n"""\n',
        "rooms/hall.py": '"""Hall."""\n',
        "rooms/bath.py": '"""Bath."""\n\nfrom house.rooms import hall\n\nwater = hall\n',
    }
    package = tmp_path / "house"
    for path, text in files.items():
        (package / path).parent.mkdir(parents=True, exist_ok=True)
        (package / path).write_text(text)
    return package


def faults(package):
    found = [f for folder in house.folders(package) for f in house.faults_of_contents(package, folder, {})]
    for path in house.modules(package):
        found += house.faults_of_imports(package, path) + house.faults_of_names(package, path)
        found += house.faults_of_rooms(package, path, (("rooms", "roof"),), ())
    return found


def test_a_house_in_order_has_one_fault_where_two_rooms_are_to_be_apart(small_house):
    assert faults(small_house) == ["house/roof.py imports rooms, and roof and rooms know nothing of each other"]


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        (
            "ground.py",
            "from house import roof\n",
            "house/ground.py imports house.roof; in house/__init__.py roof stands after ground",
        ),
        (
            "rooms/hall.py",
            "def f():\n    from house.rooms.bath import water\n    return water\n",
            "house/rooms/hall.py imports house.rooms.bath; in house/rooms/__init__.py bath stands after hall",
        ),
        ("rooms/bath.py", "import house\n", "house/rooms/bath.py imports house, in which it stands itself"),
        ("rooms/attic.py", "", "house/rooms/__init__.py: its docstring has no line for attic"),
        (
            "rooms/__init__.py",
            '"""Rooms.\n\nIn order:\n\n  hall: first\n  bath: second\n  cellar: none\n"""\n',
            "house/rooms/__init__.py: its docstring tells of cellar, and there is none",
        ),
        (
            "rooms/__init__.py",
            '"""Rooms.\n\nIn order:\n\n  hall: first\n  bath: second\n  hall: again\n"""\n',
            "house/rooms/__init__.py: hall stands there twice",
        ),
        (
            "roof.py",
            "from house.rooms import bath as pool\n",
            "roof.py renames rooms.bath to pool; give the module a better name, or a folder",
        ),
        (
            "bath.py",
            "from house.rooms import bath\nfrom house import bath\n",
            "bath.py imports two modules called bath: bath and rooms.bath; import what it needs of one",
        ),
        ("rooms/utils.py", "", "house/rooms: nothing may be called utils; say what it is"),
    ],
)
def test_a_house_out_of_order_is_told_in_a_sentence(small_house, file, text, sentence):
    (small_house / file).write_text(text)
    assert sentence in faults(small_house)


def test_a_thirteenth_module_is_told_in_a_sentence(small_house):
    lines = "".join(f"  m{i}: one\n" for i in range(11))
    (small_house / "rooms" / "__init__.py").write_text(f'"""Rooms.\n\nIn order:\n\n  hall: first\n  bath: second\n{lines}"""\n')
    for i in range(11):
        (small_house / "rooms" / f"m{i}.py").write_text("")
    assert "house/rooms: 13 modules, and a folder has at most 12; part it in two" in faults(small_house)


def test_what_stands_around_a_package_is_not_imported_in_it(small_house):
    (small_house / "rooms" / "bath.py").write_text("from house import ground\n")
    told = house.faults_of_rooms(small_house, small_house / "rooms" / "bath.py", (), ("ground",))
    assert told == ["house/rooms/bath.py imports ground, which is for scripts, tools and tests only"]


def test_every_test_can_fail():
    empty = []
    for file in (ROOT / "tests").rglob("test_*.py"):
        tree = house.parsed(file)
        checkers = {f.name for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) and _checks(f, set())}
        functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]
        empty += [f"{file.name}::{f.name}" for f in functions if not _checks(f, checkers)]
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


TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
# Folders of tests that are about more than one module.
ACROSS = ("contract", "oracles", "multiprocess", "cases")


def test_a_test_stands_where_its_module_stands():
    """`tests/FOLDER/test_MODULE.py`, or `test_MODULE_SUBJECT.py` where a module has several files of tests."""
    astray = []
    for path in TESTS:
        folder, subject = path.parent.relative_to(ROOT / "tests").as_posix(), path.stem.removeprefix("test_")
        home = ROOT / "tools" if folder == "tools" else PACKAGE / folder
        if folder not in ACROSS and not any(subject == p.stem or subject.startswith(p.stem + "_") for p in home.glob("*.py")):
            astray.append(f"{name(path)}: no module of {name(home)} is called {subject}; a test is named after its module")
    assert TESTS
    assert astray == []


def test_a_test_imports_no_other_test():
    found = []
    for path in (p for p in CODE if "tests" in p.relative_to(ROOT).parts):
        nodes = house.imports(path)
        brought = [getattr(n, "module", None) or "" for n in nodes] + [a.name for n in nodes for a in n.names]
        found += [(name(path), n) for n in brought if n.split(".")[-1].startswith("test_")]
    assert found == []
