"""`darwin show`: everything is there, at every width, and nothing but text."""

import io
import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from typer.testing import CliRunner

from cli.history.comparisons import comparison_tables
from cli.history.recording import parse, request_of
from cli.history.show_command import parts
from cli.main import app
from shared.records.events import Comparison, PopulationScored
from tests.unit.cli.history.evolved import evolved, request_for
from tests.unit.cli.history.test_replaying import CONFIG

Document = dict[str, Any]

LARGE = replace(CONFIG, cycles=3, mutants=15, period=3, max_tokens=60)


def shown(document: Document, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    for part in parts(parse(document, "it"), width):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def section(text: str, title: str) -> str:
    """What stands under a title."""
    return re.split(r"^[\w :,]+ ─+$", text.split(f"\n{title} ─")[1], flags=re.MULTILINE)[0]


@pytest.fixture
def document() -> Document:
    return evolved(request_for(CONFIG, 11))


@pytest.mark.parametrize("width", [80, 120])
def test_a_large_evolution_is_whole_at_every_width(width: int) -> None:
    document = evolved(request_for(LARGE, 11), pause=0.01, end_probability=0.0)
    text = shown(document, width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "…" not in text
    for cycle in (1, 2, 3):
        events = [event for event in document["events"] if event.get("cycle") == cycle]
        rounds = [event for event in events if event["type"] == "round.finished"]
        assert len(rounds) == LARGE.max_tokens / LARGE.period
        table = section(text, f"cycle {cycle}: rewards by state and round")
        final = next(event["rewards"] for event in events if event["type"] == "cycle.finished")
        for state in range(LARGE.mutants):
            row = " ".join(line for line in table.splitlines() if re.match(rf"{state} ", line))
            rewards = [f"{reward:+.3f}" for reward in [*(event["rewards"][state] for event in rounds), final[state]]]
            assert re.findall(r"[+-]\d+\.\d{3}", row) == rewards
            assert row.count("✓") == sum(state in event["survivors"] for event in rounds)
            donors = [it["donor"] for event in rounds for it in event["replacements"] if it["state"] == state]
            assert re.findall(r"←(\d+)", row) == list(map(str, donors))


def test_the_tree_says_what_entered_and_who_won(document: Document) -> None:
    tree = section("\n" + shown(document), "archive")
    best = document["result"]["choices"][0]
    assert re.findall(r"(\d+\.\d+) .* won", tree) == [f"{best['cycle']}.{best['state']}"]
    entered = {event["instruction"] for event in document["events"][-2]["archive"]}
    assert tree.count("in the archive") == len(entered)
    assert tree.count("clarify (model)") == sum(event.get("source") == "model" for event in document["events"])


def test_the_answer_is_shown_piece_by_piece() -> None:
    document = evolved(request_for(replace(CONFIG, max_tokens=40), 3), end_probability=0.0)
    table = section(shown(document), "who wrote the answer")
    best = document["result"]["choices"][0]
    rows = re.findall(r"^(\d+)\.(\d+) +(\d+) +(\d+) ", table, flags=re.MULTILINE)
    assert len(rows) > 1
    assert {int(cycle) for cycle, *_ in rows} == {best["cycle"]}
    assert sum(int(tokens) for *_, tokens in rows) == best["completion_tokens"]
    written = [line for line in table.splitlines() if re.fullmatch(r"[\d ]+", line)]
    assert " ".join(written).split() == best["text"].split()


def test_calls_and_attempts_that_came_to_nothing(document: Document) -> None:
    lost = {"id": "c" * 32, "started_at": 1.25}
    failed = {"error": {"code": "Unavailable", "message": "reward is \x1b[2Jaway", "field": None}, "lost": [lost]}
    document["attempts"][0].update(failed)
    document["attempts"][2]["after"] = document["attempts"][1]["id"]
    text = shown(document)
    calls = section(text, "calls")
    assert calls.count("generation") == calls.count("reward") == len(document["attempts"])
    assert re.search(r"^1\.1 +generation +base +[^\d\s]+ +1\.10 +0\.20 +40 *$", calls, flags=re.MULTILINE)
    rest = section(text, "attempts that failed, paused or were lost")
    assert re.search(r"1\.1 +1\.25 +\? +lost: its worker ended", rest)
    assert re.search(r"1\.1 +1\.00 +0\.50 +failed: Unavailable: reward is  \[2Jaway", rest)
    assert re.search(r"1\.2 +2\.00 +0\.50 +paused: its worker was stopping", rest)


def test_an_older_recording_has_no_calls_and_no_tokens_by_piece(document: Document) -> None:
    for name in ("attempts", "version", "trace_id"):
        del document[name]
    text = shown(document)
    assert "trace not recorded" in text
    assert "calls ─" not in text
    assert "? " in section(text, "who wrote the answer")


def test_one_that_runs_shows_what_there_is() -> None:
    text = shown(evolved(request_for(CONFIG, 11), most_attempts=2))
    assert "darwin, running" in text
    assert "cycle 1: rewards by state and round" in text
    assert "who wrote the answer" not in text


def test_who_was_preferred_to_whom_stands_below_the_cycle(document: Document) -> None:
    compared = (Comparison("fair", 0, 2, 0.8), Comparison("fair", 1, 2, 0.5), Comparison("kind", 2, 0, 1.0))
    scored = PopulationScored(1, 2, True, ((1, -1), (1, 0), (1, 1)), (1.0, 0.5, 0.0), compared)
    last = max(n for n, event in enumerate(document["events"]) if event["type"] == "round.finished")
    document["events"].insert(last, asdict(scored))
    text = shown(document)
    fair, kind = (
        [row.split() for row in text.split(f"how often {name} has")[1].splitlines()] for name in ("fair", "kind")
    )
    for row in (["base", "1.0", "1.1"], ["base", "–", "80"], ["1.0", "–", "50"], ["1.1", "20", "50", "–"]):
        assert row in fair
    assert ["1.1", "100", "–"] in kind
    # Of a round they have the numbers of its states; columns that do not fit stand below, beside the same rows.
    of_round = replace(scored, final=False, responses=((1, 0), (1, 1), (1, 2)), comparisons=compared[:2])
    tables = list(comparison_tables(of_round, 16))
    assert [[column.header for column in table.columns] for table in tables] == [["", "0", "1"], ["", "2"]]


def test_settings_and_the_limits_that_there_were_come_first() -> None:
    text = shown(evolved(request_for(replace(CONFIG, max_generated_tokens=90), 11)))
    settings = "cycles 2, mutants 4, period 4, survivors 2, max_tokens 16, seed 11, max_generated_tokens 90\n"
    assert settings in text
    assert "stopped by max_generated_tokens" in text


@pytest.mark.parametrize(("owner", "told"), [("acme", " of tenant acme"), ("", ""), (None, "")])
def test_whose_own_the_profile_is_stands_beside_it(document: Document, owner: str | None, told: str) -> None:
    document["settings"] |= {"profile": "brief@1"} | ({} if owner is None else {"profile_owner": owner})
    assert f"\nreward profile brief@1{told}\n" in shown(document)
    assert request_of(parse(document, "it")).profile_owner == owner


@pytest.mark.parametrize("method", ["sample", "best-of-n"])
def test_methods_without_mutants(method: str) -> None:
    config = replace(CONFIG, cycles=0 if method == "sample" else 1, mutate=False, replace=False, lookahead=0)
    text = shown(evolved(request_for(config, 11)))
    assert f"{method}, succeeded" in text
    assert len(re.findall(" won\n", text)) == 1


def test_what_is_piped_has_no_colour_and_no_commands(document: Document, tmp_path: Path) -> None:
    document["messages"][-1]["content"] += " \x1b[2J\x07"
    file = tmp_path / "recording.json"
    file.write_text(json.dumps(document))
    done = CliRunner().invoke(app, ["show", str(file)])
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.stdout
    assert document["trace_id"] in done.stdout
    assert CliRunner().invoke(app, ["show", "-"], input=file.read_text()).stdout == done.stdout


def test_why_a_search_stopped_between_its_cycles_is_shown() -> None:
    text = shown(evolved(request_for(replace(CONFIG, cycles=3, token_price=1000.0), 11)))
    assert "stops: the gain is unlikely" in section(text, "cycle 1: rewards by state and round")
    assert "token_price 1000.0" in text
    assert "stopped by gain_unlikely" in " ".join(text.split())
