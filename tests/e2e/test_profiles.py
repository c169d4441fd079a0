"""Reward profiles that are pushed, promoted and rolled back while a stack runs, and its reward service is killed."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.client import Client
from cli.main import app
from cli.stack import Stack

PLAIN = "components: [{name: plain, type: simulated, weight: 1.0}]\n"
GUARDED = "components:\n- {name: plain, type: simulated, weight: 1.0}\n- {name: guarded, type: guard, weight: 2.0}\n"


def evolved(stack: Stack, profile: str) -> tuple[str, set[str]]:
    """The profile of an evolution that succeeded, and the names of its reward's components."""
    body: dict[str, Any] = {
        "model": "darwin",
        "messages": [{"role": "user", "content": "Name a colour."}],
        "max_tokens": 20,
        "darwin": {"profile": profile} if profile else {},
    }
    with Client(stack.url) as client:
        started = client.start(body)
        assert list(client.events(started["id"]))
        ended = client.get(started["id"])
    assert ended["status"] == "succeeded", ended
    return ended["settings"]["profile"], set(ended["result"]["choices"][0]["components"])


def darwin(stack: Stack, *words: str) -> str:
    result = CliRunner().invoke(app, ["profiles", *words, "--url", stack.url])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_profile_is_steered_by_while_the_stack_runs_and_survives_a_killed_reward_service(
    simulated_stack: Stack, tmp_path: Path
) -> None:
    stack, file = simulated_stack, tmp_path / "steady.yaml"
    assert evolved(stack, "") == ("simulated@1", {"simulated"})
    file.write_text(PLAIN)
    darwin(stack, "push", str(file), "-m", "plain words")
    assert evolved(stack, "steady") == ("steady@1", {"plain"})
    file.write_text(GUARDED)
    darwin(stack, "push", str(file))
    assert evolved(stack, "steady") == ("steady@1", {"plain"})
    assert "+- {name: guarded" in darwin(stack, "diff", "steady")
    darwin(stack, "promote", "steady@2")
    stack.kill("reward")
    stack.restart("reward")
    stack.await_ready("reward")
    assert evolved(stack, "steady") == ("steady@2", {"plain", "guarded"})
    darwin(stack, "rollback", "steady", "-m", "worse")
    assert evolved(stack, "steady") == ("steady@1", {"plain"})
    shown = json.loads(darwin(stack, "show", "steady", "--json"))
    assert [each["kind"] for each in shown["history"]] == ["rolled_back", "promoted", "pushed", "pushed"]
    assert shown["version"]["content"] == PLAIN
    listed = json.loads(darwin(stack, "list", "--json"))
    assert [(each["name"], each["promoted"]) for each in listed] == [("simulated", 1), ("steady", 1)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("components: [{name: a, type: magic, weight: 1}]", "must have a type of"),
        ("components: [{name: a, type: guard, weight: 1}]\nlength_curve: none.json", "no such length curve"),
    ],
)
def test_a_broken_profile_is_refused_at_push(simulated_stack: Stack, tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(content)
    refused = CliRunner().invoke(app, ["profiles", "push", str(file), "--url", simulated_stack.url])
    assert refused.exit_code == 1
    assert said in refused.output
    assert "broken" not in darwin(simulated_stack, "list")


def test_a_preference_in_words_steers_a_stack_of_its_own(simulated_stack: Stack) -> None:
    words = [
        "align",
        "--engine",
        "simulated",
        "--max-tokens",
        "20",
        "--prefer",
        "at most 40 words, plain words",
        "Why?",
    ]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "name: at-most-40-words" in result.output
    assert "rules.plain-words" in result.output
    assert "[wishes" in result.output
    [held] = [line.split() for line in result.output.splitlines() if line.strip().startswith("at most 40 words")]
    assert held == ["at", "most", "40", "words", "✓", "✓"]
    for more in (["--url", simulated_stack.url], ["--profile", "default"]):
        refused = CliRunner().invoke(app, [*words, *more])
        assert refused.exit_code == 1
        assert "--prefer" in refused.output
