"""What tests/clients says of its programs, without running any, and how it would run them side by side."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.environments import HERE, Client, clients
from tests.clients.runner import programs, reasons


@pytest.mark.parametrize("client", clients())
def test_a_client_has_programs_that_say_what_they_do(client: str) -> None:
    found = programs([client])
    assert f"{client}/hello" in [program.name for program in found]
    assert all(program.purpose for program in found)


@pytest.mark.parametrize(("client", "needs"), clients().items())
def test_the_gate_leaves_out_programs_that_are_there(client: str, needs: Client) -> None:
    assert set(needs.outside_gate) <= {program.path.stem for program in programs([client])}
    in_gate = {program.path.stem for program in programs([client], gate=True)}
    assert in_gate
    assert not in_gate & set(needs.outside_gate)


def test_single_programs_are_chosen_by_name_and_once() -> None:
    names = [program.name for program in programs(["openai/hello", "llm/hello", "openai/hello", "nobody"])]
    assert names == ["openai/hello", "llm/hello"]


def test_reasons_are_of_programs() -> None:
    assert set(reasons()) <= {program.name for program in programs(list(clients()))}


PROGRAMS = {
    "well": ("import json, os\nassert os.getcwd() == os.environ['HOME']\nprint(__name__, json.dumps(1))", 0),
    "raising": ("import nothing_of_this_name", 1),
    "saying": ("import sys\nsys.exit('no answer')", 1),
    "hanging": ("import time\ntime.sleep(60)", None),
}


def test_forks_end_as_programs_that_are_started_one_by_one(tmp_path: Path) -> None:
    words = []
    for name, (text, code) in PROGRAMS.items():
        (tmp_path / f"{name}.py").write_text(text)
        words += ["30" if code is not None else "0.5", str(tmp_path / f"{name}.py")]
    (out := tmp_path / "out").mkdir()
    command = [sys.executable, "-P", str(HERE / "forks.py"), str(out), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    ended = {told["name"]: told["code"] for told in map(json.loads, done.stdout.splitlines())}
    assert ended == {name: code for name, (_, code) in PROGRAMS.items()}
    logs = {name: (out / f"{name}.log").read_text().splitlines()[-1:] for name in PROGRAMS}
    assert logs == {
        "well": ["__main__ 1"],
        "raising": ["ModuleNotFoundError: No module named 'nothing_of_this_name'"],
        "saying": ["no answer"],
        "hanging": [],
    }
