"""The orchestrator's probe, as the cluster runs it: by a shell, on a ready file."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from shared.healthcheck import STALE_S
from shared.process.ready import announce
from tests.k8s.checks.pods import PROBES
from tests.k8s.rendering import OVERLAYS, overlay

COMMANDS = [overlay(name).workload("orchestrator").main[kind]["exec"]["command"] for name in OVERLAYS for kind in PROBES]


def code(ready_file: Path) -> int:
    env = {"PATH": os.environ["PATH"], "DARWIN_READY_FILE": str(ready_file)}
    return subprocess.run(COMMANDS[0], env=env, capture_output=True, timeout=30).returncode


def test_all_are_the_same() -> None:
    assert all(command == COMMANDS[0] for command in COMMANDS)


@pytest.mark.parametrize("name", ["ready", "a ready file"])
def test_a_loop_that_writes_is_well_and_one_that_hangs_is_not(tmp_path: Path, name: str) -> None:
    """It agrees with `python -m shared.healthcheck` on how old is too old."""
    ready_file = tmp_path / name
    assert code(ready_file) == 1
    announce(ready_file, "", health="file")
    assert code(ready_file) == 0
    for age_s, wanted in ((STALE_S - 3, 0), (STALE_S + 1, 1)):
        os.utime(ready_file, (time.time() - age_s,) * 2)
        assert code(ready_file) == wanted
    announce(ready_file, "", health="file")
    assert code(ready_file) == 0


def test_what_it_starts_is_in_the_image() -> None:
    """Debian's slim images have these three; what is trimmed away must not be among them."""
    trimmed = (Path(__file__).parents[2] / "scripts/containers/trim.sh").read_text()
    tools = trimmed.partition("tools='")[2].partition("'")[0].replace("\n", "|").split("|")
    assert "diffutils" in tools
    assert not {"dash", "coreutils", "findutils"} & set(tools)
