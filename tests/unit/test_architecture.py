"""docs/architecture.md says where things live and which files a component needs; both are true."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
MOST_FILES = {
    "a setting of the search": 3,
    "a selection rule": 2,
    "a method": 2,
    "a reward component": 2,
    "an engine": 3,
}
_PATH = re.compile(r"`((?:services|shared|proto|bench|cli|tests)/[\w./-]*)`")


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    lines = [line for line in section(title).splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines][1:]


def test_every_path_that_the_page_names_is_there() -> None:
    named = _PATH.findall(PAGE)
    assert len(named) > 20
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(("component", "most"), MOST_FILES.items())
def test_a_component_needs_few_files(component: str, most: int) -> None:
    found = {row[0]: row for row in rows("Adding a component")}[component]
    files = _PATH.findall(found[1])
    assert 0 < len(files) <= most
    assert _PATH.findall(found[2]), "a test holds it"


@pytest.mark.parametrize("folder", ["shared", "services/gateway"])
def test_packages_are_named_and_few_files_stand_beside_them(folder: str) -> None:
    here = ROOT / folder
    packages = {path.name for path in here.iterdir() if (path / "__init__.py").exists()}
    listed = section("Where things live")
    assert [name for name in packages - {"pb"} if f"`{name}/`" not in listed] == []
    assert len([path for path in here.iterdir() if path.suffix == ".py"]) <= 6


def test_every_package_says_what_it_is_for() -> None:
    folders = ("shared", "services", "cli", "bench")
    packages = [path for folder in folders for path in (ROOT / folder).rglob("__init__.py")]
    silent = [path.parent.relative_to(ROOT) for path in packages if not re.match(r'"""\S.{19,}\.', path.read_text())]
    assert len(packages) > 20
    assert silent == []


def test_no_file_is_too_long() -> None:
    code = [
        path
        for folder in ("shared", "services", "cli", "bench", "scripts", "tests")
        for path in (ROOT / folder).rglob("*.py")
    ]
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in code if "pb" not in path.parts}
    assert {path: length for path, length in lengths.items() if length > 300} == {}
