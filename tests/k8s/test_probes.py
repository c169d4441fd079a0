"""The orchestrator's probe tells a loop that runs from one that hangs, with what its image has."""

import os
import time
from pathlib import Path

import pytest

from shared.healthcheck import STALE_S
from shared.process.ready import announce
from tests.k8s.probing import commands, exit_code
from tests.k8s.rendering import OVERLAYS


def test_all_its_probes_are_the_same() -> None:
    assert len({tuple(command) for name in OVERLAYS for command in commands(name)}) == 1


@pytest.mark.parametrize("name", ["ready", "a ready file"])
def test_a_loop_that_writes_is_well_and_one_that_hangs_is_not(tmp_path: Path, name: str) -> None:
    """It agrees with `python -m shared.healthcheck` on how old is too old."""
    ready_file = tmp_path / name
    assert exit_code(ready_file) == 1
    announce(ready_file, "", health="file")
    assert exit_code(ready_file) == 0
    for age_s, wanted in ((STALE_S - 3, 0), (STALE_S + 1, 1)):
        os.utime(ready_file, (time.time() - age_s,) * 2)
        assert exit_code(ready_file) == wanted
    announce(ready_file, "", health="file")
    assert exit_code(ready_file) == 0


def test_what_it_starts_is_in_the_image() -> None:
    """Debian's slim images have these three; what is trimmed away must not be among them."""
    trimmed = (Path(__file__).parents[2] / "scripts/containers/trim.sh").read_text()
    tools = trimmed.partition("tools='")[2].partition("'")[0].replace("\n", "|").split("|")
    assert "diffutils" in tools
    assert not {"dash", "coreutils", "findutils"} & set(tools)
