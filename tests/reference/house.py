"""The rules of the house, each a function of a package's folder that returns sentences: what is wrong, and which list to mend.

The docstring of a folder's `__init__` lists its modules, one line each ("  name: what it is"), in the order in which they may
import one another. There is no second list.
"""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

MOST_MODULES = 12
UNCONTENTED = ("utils", "common", "lib", "core", "base", "helpers")  # names that say nothing


def parsed(path: Path) -> ast.Module:
    """The code of a file; a file that has not changed is parsed once."""
    return _parsed(path, path.stat().st_mtime_ns, path.stat().st_size)


@functools.lru_cache(maxsize=2048)
def _parsed(path: Path, changed_ns: int, size: int) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """Every import in a file, anywhere in it."""
    return _walked(path, path.stat().st_mtime_ns, path.stat().st_size)[0]


def names_used(path: Path) -> tuple[str, ...]:
    """Dotted names that a file imports, anywhere in it, or reaches through a module it imported."""
    return _walked(path, path.stat().st_mtime_ns, path.stat().st_size)[1]


@functools.lru_cache(maxsize=2048)
def _walked(path: Path, changed_ns: int, size: int) -> tuple[tuple[ast.Import | ast.ImportFrom, ...], tuple[str, ...]]:
    found, names = [], []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Attribute):
            names.append(ast.unparse(node))
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
    return tuple(found), tuple(names)


def folders(package: Path) -> list[Path]:
    """Every folder of the package that holds modules, the package itself first."""
    return [package, *sorted(p for p in package.rglob("*") if p.is_dir() and any(p.glob("*.py")))]


def modules(package: Path) -> list[Path]:
    """Every file of code."""
    return sorted(package.rglob("*.py"))


def children(folder: Path) -> list[str]:
    """Names of the modules and folders in a folder."""
    files = [p.stem for p in folder.glob("*.py") if p.stem != "__init__"]
    return sorted(files + [p.name for p in folder.iterdir() if p.is_dir() and any(p.glob("*.py"))])


def contents(folder: Path) -> list[str]:
    """Names in the docstring of a folder's `__init__`, in order."""
    init = folder / "__init__.py"
    text = ast.get_docstring(parsed(init)) if init.is_file() else None
    return re.findall(r"^  (\w+): ", text or "", re.M)


def faults_of_contents(package: Path, folder: Path, most: dict[str, int]) -> list[str]:
    """What a folder's contents leave out, invent or say twice, and whether it has too many modules."""
    told, there, where = contents(folder), children(folder), _where(package, folder)
    faults = [f"{where}/__init__.py: its docstring has no line for {name}" for name in there if name not in told]
    faults += [f"{where}/__init__.py: its docstring tells of {name}, and there is none" for name in told if name not in there]
    faults += [f"{where}/__init__.py: {name} stands there twice" for name in sorted({n for n in told if told.count(n) > 1})]
    limit = most.get(folder.relative_to(package).as_posix(), MOST_MODULES)
    files = [p for p in folder.glob("*.py") if p.stem != "__init__"]
    if len(files) > limit and folder != package:
        faults.append(f"{where}: {len(files)} modules, and a folder has at most {limit}; part it in two")
    faults += [f"{where}: nothing may be called {name}; say what it is" for name in there if name in UNCONTENTED]
    return faults


def project_imports(package: Path, path: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """Modules of the package that a file imports, as parts of their path, and what each is called in the file."""
    for node in imports(path):
        if isinstance(node, ast.Import):
            named = [(tuple(a.name.split(".")), a.asname or "") for a in node.names]
        elif node.module:
            # What `from` brings is a module where there is one of that name, and else a name in the module before it.
            pairs = [(tuple(node.module.split(".")), a) for a in node.names]
            named = [((*m, a.name), a.asname or a.name) if _exists(package, (*m, a.name)) else (m, "") for m, a in pairs]
        else:
            continue
        yield from ((parts[1:], local) for parts, local in named if parts[0] == package.name)


def faults_of_imports(package: Path, path: Path) -> list[str]:
    """Imports of what stands after a module in the contents of the folder where their paths part."""
    mine = path.relative_to(package).with_suffix("").parts
    faults = []
    for theirs, _ in project_imports(package, path):
        part = next((i for i, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), None)
        if part is None:
            faults.append(f"{_where(package, path)} imports {'.'.join((package.name, *theirs))}, in which it stands itself")
            continue
        parent = package.joinpath(*mine[:part])
        order = contents(parent)
        if not {mine[part], theirs[part]} <= set(order):
            continue  # the fault of the contents, told there
        if order.index(theirs[part]) > order.index(mine[part]):
            faults.append(
                f"{_where(package, path)} imports {'.'.join((package.name, *theirs))}; in "
                f"{_where(package, parent)}/__init__.py {theirs[part]} stands after {mine[part]}"
            )
    return faults


def faults_of_names(package: Path, path: Path) -> list[str]:
    """Modules of the project that a file renames, or two of them with one last name."""
    found = {(parts, local) for parts, local in project_imports(package, path) if local}
    faults = [
        f"{path.name} renames {'.'.join(parts)} to {local}; give the module a better name, or a folder"
        for parts, local in sorted(found)
        if parts and local != parts[-1]
    ]
    for name in sorted({parts[-1] for parts, _ in found if parts}):
        same = sorted({".".join(parts) for parts, _ in found if parts and parts[-1] == name})
        if len(same) > 1:
            faults.append(f"{path.name} imports two modules called {name}: {' and '.join(same)}; import what it needs of one")
    return faults


def faults_of_rooms(package: Path, path: Path, apart: tuple[tuple[str, str], ...], around: tuple[str, ...]) -> list[str]:
    """Imports between products that know nothing of each other, and of what stands around the package."""
    mine = path.relative_to(package).with_suffix("").parts[0]
    faults = []
    for theirs in {parts[0] for parts, _ in project_imports(package, path) if parts}:
        if (mine, theirs) in apart or (theirs, mine) in apart:
            faults.append(f"{_where(package, path)} imports {theirs}, and {mine} and {theirs} know nothing of each other")
        if theirs in around and theirs != mine:
            faults.append(f"{_where(package, path)} imports {theirs}, which is for scripts, tools and tests only")
    return faults


def _exists(package: Path, parts: tuple[str, ...]) -> bool:
    place = package.parent.joinpath(*parts)
    return parts[0] == package.name and (place.with_suffix(".py").is_file() or (place / "__init__.py").is_file())


def _where(package: Path, path: Path) -> str:
    return path.relative_to(package.parent).as_posix()
