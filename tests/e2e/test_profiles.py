"""Reward profiles that are pushed, promoted and rolled back while a stack runs, and its reward service is killed."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.client import Client
from cli.main import app
from cli.stack import Stack

PLAIN = "components: [{name: plain, type: simulated, weight: 1.0}]\n"
SHORT = """
components:
- name: brief
  type: rules
  weight: 1.0
  checks: [{name: short, type: length, unit: characters, max: 10}]
"""
GUARDED = "components:\n- {name: plain, type: simulated, weight: 1.0}\n- {name: guarded, type: guard, weight: 2.0}\n"


def evolved(stack: Stack, profile: str, max_tokens: int = 20) -> tuple[str, set[str]]:
    """The profile of an evolution that succeeded, and the names of its reward's components."""
    body: dict[str, Any] = {
        "model": "darwin",
        "messages": [{"role": "user", "content": "Name a colour."}],
        "max_tokens": max_tokens,
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


def test_a_draft_is_tried_on_recorded_evolutions(simulated_stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "shorter.yaml"
    file.write_text(SHORT)
    evolved(simulated_stack, "")
    trial = json.loads(darwin(simulated_stack, "try", str(file), "--last", "1", "--json"))
    [each] = trial["evolutions"]
    assert (trial["reference"], each["reproduced"]) == ("shorter", True)
    shortest = min(len(final["text"]) for final in each["finals"])
    held = [final["tried"]["reward"] for final in each["finals"] if len(final["text"]) == shortest]
    assert max(final["tried"]["reward"] for final in each["finals"]) == held[0]
    again = json.loads(darwin(simulated_stack, "try", "simulated@1", "--evolution", each["id"], "--json"))
    [same] = again["evolutions"]
    assert (same["id"], same["changed"], again["summary"]["changed"]) == (each["id"], False, 0)
    for final in same["finals"]:
        assert final["tried"]["reward"] == pytest.approx(final["recorded"]["reward"])
    assert "0 of 1 answers would have been other ones" in darwin(simulated_stack, "try", "simulated", "--last", "1")
    file.write_text("components: [{name: a, type: magic, weight: 1}]")
    refused = CliRunner().invoke(app, ["profiles", "try", str(file), "--url", simulated_stack.url])
    assert (refused.exit_code, "must have a type of" in refused.output) == (1, True)


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


def beside(stack: Stack, what: str, count: str, least: int) -> dict[str, Any]:
    """What is tried beside the promoted version, once it has counted so many evolutions."""
    give_up = time.monotonic() + 60
    while True:
        found: dict[str, Any] = json.loads(darwin(stack, "show", "tried", "--json"))[what]
        if (found[count] if count in found else sum(found[arm]["outcomes"] for arm in ("promoted", "canary"))) >= least:
            return found
        assert time.monotonic() < give_up, found
        time.sleep(0.1)


def test_a_version_is_tried_beside_the_promoted_one(simulated_stack: Stack, tmp_path: Path) -> None:
    stack, file = simulated_stack, tmp_path / "tried.yaml"
    for content in (PLAIN, GUARDED):
        file.write_text(content)
        darwin(stack, "push", str(file))
    assert "0 compared" in darwin(stack, "shadow", "tried", "2", "--share", "1")
    assert evolved(stack, "tried", max_tokens=100) == ("tried@1", {"plain"})
    shadow = beside(stack, "shadow", "evolutions", 1)
    assert (shadow["version"], shadow["evolutions"]) == (2, 1)
    assert shadow["decisions"] > 0
    canary = ["--by", "evolution", "--share", "0.5", "--metric", "judge", "--judge", "simulated"]
    assert "verdict: none yet" in darwin(stack, "canary", "tried", "2", *canary)
    versions = {evolved(stack, "tried")[0] for _ in range(12)}
    assert versions == {"tried@1", "tried@2"}
    found = beside(stack, "canary", "outcomes", 12)
    assert found["promoted"]["outcomes"] + found["canary"]["outcomes"] == 12
    assert 0 < found["canary"]["mean"] < 1
    assert "tried@1 for all" in darwin(stack, "canary", "tried", "--off")
    darwin(stack, "delete", "tried")


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
