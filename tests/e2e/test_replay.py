"""What the whole system did replays the same, a worker killed in the middle included, and can be shown."""

import json
import time
from pathlib import Path

import pytest
import redis
from typer.testing import CliRunner, Result

from cli.client import Client
from cli.main import app
from cli.stack import Stack, StackSettings

ALIGN = ["align", "Name a colour.", "--max-tokens", "48", "--period", "8", "--cycles", "2", "--json"]
BODY = {
    "model": "darwin",
    "messages": [{"role": "user", "content": "Name a colour."}],
    "max_tokens": 80,
    "darwin": {"period": 20},
}


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("darwin", "--survivors 2 --diversity 0.5"),
        ("best-of-n", "--shrink 0.5 --final-beta 0.5"),
        ("mutation-only", ""),
        ("replacement-only", "--selection pessimism --beta 0.3 --shrink 0.7"),
    ],
)
def test_what_align_printed_replays_and_can_be_shown(
    method: str, settings: str, simulated_stack: Stack, tmp_path: Path
) -> None:
    aligned = invoke(*ALIGN, "--method", method, *settings.split(), "--url", simulated_stack.url)
    assert aligned.exit_code == 0, aligned.output
    document, file = json.loads(aligned.stdout), tmp_path / "recording.json"
    file.write_text(aligned.stdout)
    decisions = sum(not event["type"].startswith("evolution.") for event in document["events"])
    from_file, by_id = invoke("replay", str(file)), invoke("replay", document["id"], "--url", simulated_stack.url)
    assert (from_file.exit_code, from_file.stdout) == (0, f"the same, {decisions} decisions\n")
    assert by_id.stdout == from_file.stdout
    shown = invoke("show", document["id"], "--url", simulated_stack.url)
    assert shown.exit_code == 0, shown.output
    assert shown.stdout == invoke("show", str(file)).stdout
    assert f"{document['result']['choices'][0]['reward']:+.3f}" in shown.stdout
    assert document["id"] in shown.stdout


def test_a_change_in_what_align_printed_is_found(simulated_stack: Stack, tmp_path: Path) -> None:
    document = json.loads(invoke(*ALIGN, "--url", simulated_stack.url).stdout)
    document["rounds"][0]["rewards"][0] = 99.0  # said twice: only the events are read
    (event, *_) = [event for event in document["events"] if event["type"] == "round.finished"]
    event["rewards"][0] = 99.0
    file = tmp_path / "recording.json"
    file.write_text(json.dumps(document))
    refused = invoke("replay", str(file))
    assert refused.exit_code == 1
    assert "round.finished.rewards[0]" in refused.stdout


def test_one_whose_worker_was_killed_replays_the_same() -> None:
    slow = {
        "DARWIN_GENERATION_SIMULATED_TOKENS_PER_SECOND": "40",
        "DARWIN_GENERATION_SIMULATED_RESPONSE_TOKENS": "0",
        "DARWIN_ORCHESTRATOR_LEASE_S": "2",
        "DARWIN_ORCHESTRATOR_HEARTBEAT_S": "0.25",
        "DARWIN_ORCHESTRATOR_STALLED_S": "1",
    }
    with Stack(StackSettings.simulated(slow)) as stack, Client(stack.url) as client:
        evolution_id = client.start(BODY)["id"]
        _await_second_round(stack, client, evolution_id)
        stack.kill("orchestrator")
        stack.restart("orchestrator")
        assert [event["type"] for event in client.events(evolution_id)][-1] == "evolution.ended"
        recording = client.recording(evolution_id)
        assert sum(len(attempt["lost"]) for attempt in recording["attempts"]) == 1
        replayed = invoke("replay", evolution_id, "--url", stack.url)
        assert replayed.exit_code == 0, replayed.output
        assert replayed.stdout.startswith("the same, ")
        assert "lost: its worker ended" in invoke("show", evolution_id, "--url", stack.url).stdout


def _await_second_round(stack: Stack, client: Client, evolution_id: str) -> None:
    """Returns once a worker holds the evolution again."""
    next(event for event in client.events(evolution_id) if event["type"] == "round.finished")
    give_up = time.monotonic() + 60
    with redis.Redis.from_url(stack.redis_url) as server:
        while not server.exists(f"darwin:evo:{{{evolution_id}}}:lease"):
            assert time.monotonic() < give_up
            time.sleep(0.02)


def test_an_unknown_id_is_told(simulated_stack: Stack) -> None:
    for command in ("replay", "show"):
        refused = invoke(command, "evo_0", "--url", simulated_stack.url)
        assert refused.exit_code == 1
        assert "evo_0" in refused.stderr
