"""Dockerfiles as instructions by stage."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.files import ROOT


@dataclass(frozen=True)
class Stage:
    """`lines` are its instructions, continuations joined; the first is FROM."""

    name: str
    base: str
    lines: tuple[str, ...]

    def all(self, instruction: str) -> list[str]:
        """Arguments of every such instruction."""
        return [line.partition(" ")[2] for line in self.lines if line.startswith(f"{instruction} ")]


def stages(service: str, text: str | None = None) -> list[Stage]:
    """In the file's order; the last is the image."""
    text = text if text is not None else path(service).read_text()
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.M).replace("\\\n", " ")
    instructions = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    found: list[list[str]] = []
    for line in instructions:
        if line.startswith("FROM "):
            found.append([line])
        elif found:
            found[-1].append(line)
    return [_stage(lines) for lines in found]


def path(service: str) -> Path:
    return ROOT / "services" / service / "Dockerfile"


def _stage(lines: list[str]) -> Stage:
    _, base, *name = lines[0].split()
    return Stage(name[-1] if name else "", base, tuple(lines))
