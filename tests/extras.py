"""What the extras of pyproject.toml install. `python -m tests.extras EXTRA MODULE`: MODULE, with nothing else there."""

import importlib.metadata
import runpy
import sys
import sysconfig
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import Distribution, DistributionFinder
from pathlib import Path
from types import ModuleType

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
_SITE = sysconfig.get_path("purelib")


def distributions(extra: str) -> set[str]:
    """Names of all that `pip install darwin-align[extra]` brings, Darwin itself aside."""
    found: set[str] = set()
    wanted = [(_PROJECT["name"], ""), (_PROJECT["name"], extra)]
    seen = set(wanted)
    while wanted:
        name, part = wanted.pop()
        if name != _PROJECT["name"]:
            found.add(name)
        for needed in map(Requirement, _requirements(name, part)):
            for each in ("", *needed.extras):
                entry = (canonicalize_name(needed.name), each)
                if entry not in seen and (needed.marker is None or needed.marker.evaluate({"extra": part})):
                    seen.add(entry)
                    wanted.append(entry)
    return found


def _requirements(name: str, extra: str) -> Sequence[str]:
    if name == _PROJECT["name"]:
        return _PROJECT["optional-dependencies"][extra] if extra else _PROJECT["dependencies"]
    return importlib.metadata.requires(name) or ()


def _files(distribution: Distribution) -> Iterator[str]:
    """Of a wheel, as its list has them: `distribution.files` makes objects of tens of thousands."""
    root = distribution.locate_file("")
    for line in (distribution.read_text("RECORD") or "").splitlines():
        yield f"{root}/{line.partition(',')[0]}"


class _Only(DistributionFinder):
    """Finds the given distributions and their modules, and what is not installed (the standard library, Darwin)."""

    def __init__(self, names: set[str]) -> None:
        self._names = names | {_PROJECT["name"]}
        self._files = {file for name in names for file in _files(importlib.metadata.distribution(name))}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        found = PathFinder.find_spec(fullname, path, target)
        hidden = found and found.origin and found.origin.startswith(_SITE) and found.origin not in self._files
        return None if hidden else found

    def find_distributions(self, context: DistributionFinder.Context) -> Iterable[Distribution]:
        found = importlib.metadata.MetadataPathFinder.find_distributions(context)
        return (each for each in found if canonicalize_name(each.metadata["Name"]) in self._names)


def main() -> None:
    extra, module = sys.argv[1:]
    only = _Only(distributions(extra))
    sys.meta_path[sys.meta_path.index(PathFinder)] = only
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
