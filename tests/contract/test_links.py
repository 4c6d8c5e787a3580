"""What the pages say of the repository is true of it: links, headings, paths in backticks, pictures."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.M | re.S)
LINK = re.compile(r"!?\[[^\]]*\]\(\s*([^)\s]+)[^)]*\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.M)
# A path in backticks or in a command: what starts like a folder of the repository, up to what no path has. A `<kind>`, a `*` or
# an ending `...` stands for any name.
REPOSITORY_PATH = re.compile(r"(?<![\w/.-])(?:spectral_jax|tools|experiments|data_specs|docs|tests)/[\w./*<>-]*")


def slug(heading: str) -> str:
    """GitHub's anchor of a heading: lower case, no punctuation but hyphens and underscores, a hyphen for each space."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(page: str) -> set[str]:
    """Anchors of a page's headings; the second of one name ends in -1, the third in -2."""
    seen: dict[str, int] = {}
    out = set()
    for heading in HEADING.findall(FENCE.sub("", page)):
        name = slug(heading)
        out.add(f"{name}-{seen[name]}" if name in seen else name)
        seen[name] = seen.get(name, 0) + 1
    return out


def broken_links(path: Path, root: Path) -> list[str]:
    """A sentence for every relative link or image of a page that leads to no file or heading inside `root`."""
    text = path.read_text(encoding="utf-8")
    wrong = []
    for target in LINK.findall(re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.is_relative_to(root) or not file.exists():
            wrong.append(f"{path.name}: the link {target} leads to no file of the repository.")
        elif anchor and anchor not in anchors(file.read_text(encoding="utf-8")):
            wrong.append(f"{path.name}: {file.name} has no heading for #{anchor}.")
    return wrong


def missing_paths(path: Path, root: Path) -> list[str]:
    """A sentence for every path of the repository that a page names, in backticks or in a command, and that is not there."""
    wrong = []
    for code in re.findall(r"`+([^`]+)`+", path.read_text(encoding="utf-8")):
        for name in REPOSITORY_PATH.findall(code):
            pattern = re.sub(r"<\w+>", "*", name.rstrip(".")).rstrip("/")
            if not any(root.glob(pattern)):
                wrong.append(f"{path.name}: {name} is not in the repository.")
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_and_paths_of_a_page_lead_somewhere(page):
    assert broken_links(page, ROOT) + missing_paths(page, ROOT) == []


def test_the_pages_that_a_reader_is_sent_to_are_there():
    names = {page.relative_to(ROOT).as_posix() for page in PAGES}
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/results.md", "docs/extend.md", "docs/sources.md"} <= names


def test_readme_fits_on_a_few_screens():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 110
    assert [line for line in FENCE.sub("", text).splitlines() if len(line) > 120] == []


def test_every_picture_of_the_gallery_is_small_and_used_by_a_page():
    pictures = sorted((ROOT / "docs" / "gallery").glob("*.png"))
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    shown = {Path(target).name for target in LINK.findall(text)}
    assert pictures
    assert [p.name for p in pictures if p.name not in shown] == []
    assert [p.name for p in pictures if p.stat().st_size > 250_000] == []


def test_a_wrong_page_is_refused_link_by_link(tmp_path):
    page = tmp_path / "page.md"
    (tmp_path / "other.md").write_text("# Units, and why\n\n## Twice\n\n## Twice\n\n```\n# no heading\n```\n")
    page.write_text(
        "# Page\n[here](#page) [file](other.md) [units](other.md#units-and-why) [second](other.md#twice-1) [web](https://x.org)\n"
        "[lost](gone.md) ![no picture](gallery/gone.png) [part](other.md#nothing) [code](other.md#no-heading) [out](../up.md)\n"
        "`[not a link](in_code.md)`\n"
    )
    assert broken_links(page, tmp_path) == [
        "page.md: the link gone.md leads to no file of the repository.",
        "page.md: the link gallery/gone.png leads to no file of the repository.",
        "page.md: other.md has no heading for #nothing.",
        "page.md: other.md has no heading for #no-heading.",
        "page.md: the link ../up.md leads to no file of the repository.",
    ]


def test_a_path_that_is_not_in_the_repository_is_named(tmp_path):
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "there.py").touch()
    page = tmp_path / "page.md"
    page.write_text("`tools/there.py`, `tools/<name>.py`, `tools/gone.py`\n\n```\nuv run python tools/lost.py --out=x\n```\n")
    assert missing_paths(page, tmp_path) == [
        "page.md: tools/gone.py is not in the repository.",
        "page.md: tools/lost.py is not in the repository.",
    ]
