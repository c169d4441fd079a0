"""What of a comparison with other packages needs none of them: counters, pins, and the lines of a program."""

import json
import subprocess
import sys

import pytest

from bench.peers.environments import HERE, PEERS, version_of
from bench.peers.server import Counted, counted

METRICS = """# HELP vllm:generation_tokens_total Number of generation tokens processed.
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{engine="0",model_name="m"} 1204.0
vllm:generation_tokens_total{engine="1",model_name="m"} 6.0
vllm:prompt_tokens_total{engine="0",model_name="m"} 90.0
vllm:generation_tokens_created{engine="0",model_name="m"} 1.7e+09
"""


def test_tokens_are_those_of_all_of_the_servers_engines() -> None:
    assert counted(METRICS) == Counted(1210, 90)
    assert counted(METRICS) - Counted(1000, 60) == Counted(210, 30)


def test_a_server_that_counts_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="is it vLLM's"):
        counted("process_cpu_seconds_total 3\n")


@pytest.mark.parametrize("name", PEERS)
def test_every_requirement_of_a_peer_is_pinned(name: str) -> None:
    peer = PEERS[name]
    assert (HERE / "programs" / peer.program).is_file()
    lines = (HERE / f"{peer.package}.txt").read_text().splitlines()
    assert all("==" in line for line in lines if not line.startswith("#"))
    [version] = version_of(peer.package).values()
    assert version[0].isdigit()


def test_a_program_speaks_by_lines_between_which_nothing_gets() -> None:
    code = "import wire\nprint('noise')\nwire.serve(lambda prompt: prompt + str(wire.guide(['a', 'b'])))"
    said = [{"prompt": "Hi", "seed": 1}, {"rewards": [1.5, 2.0]}]
    done = subprocess.run(
        [sys.executable, "-c", code],
        input="".join(json.dumps(line) + "\n" for line in said),
        capture_output=True,
        text=True,
        cwd=HERE / "programs",
        check=True,
    )
    heard = [json.loads(line) for line in done.stdout.splitlines()]
    assert heard == [{"ready": True}, {"score": ["a", "b"], "partial": False}, {"answer": "Hi[1.5, 2.0]"}]
    assert "noise" in done.stderr
