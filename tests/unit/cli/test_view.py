"""What is printed while an evolution runs and when it has ended."""

import io
from dataclasses import replace
from typing import Any

from rich.console import Console

from cli import view
from tests.unit.cli.history.evolved import evolved, request_for
from tests.unit.cli.history.test_replaying import CONFIG

HOSTILE = "a [/b] [red]text[/red] [link=x] \x1b[2J"
SHOWN = "a [/b] [red]text[/red] [link=x]  [2J"


def printed(*parts: Any) -> str:
    console = Console(file=io.StringIO(), width=200)
    for part in parts:
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_responses_are_no_markup_and_command_no_terminal() -> None:
    document = evolved(request_for(CONFIG, 11))
    event = next(event for event in document["events"] if event["type"] == "round.finished")
    event["texts"] = [HOSTILE] * len(event["texts"])
    document["result"]["choices"][0]["text"] = document["result"]["base"]["text"] = HOSTILE
    # What stands in a table's row is on one line.
    assert printed(view.round_table(event)).count(SHOWN.replace("  ", " ")) == len(event["texts"])
    assert printed(view.outcome(document)).count(SHOWN) == 2


def test_the_parts_of_the_reward_stand_beside_each_other() -> None:
    document = evolved(request_for(CONFIG, 11))
    best, base = document["result"]["choices"][0], document["result"]["base"]
    best |= {"text": "one two three", "reward": 0.5, "components": {"quality": 0.5, "form": 0.0}}
    base |= {"text": "one", "reward": -2.0, "components": {"quality": 1.0, "form": -3.0}}
    rows = [line.split() for line in printed(view.outcome(document)).splitlines()]
    for row in (["quality", "+1.000", "+0.500"], ["form", "-3.000", "+0.000"], ["together", "-2.000", "+0.500"]):
        assert any(line[: len(row)] == row for line in rows)
    assert any(line[:3] == ["words", "1", "3"] for line in rows)


def test_wishes_that_were_not_told_are_named() -> None:
    document = evolved(replace(request_for(CONFIG, 11), wishes=("at most two sentences", "plain words")))
    (event,) = [each for each in document["events"] if each["type"] == "wishes.withheld"]
    console = Console(file=io.StringIO(), width=200)
    view.EvolutionView(console).show(event)
    assert isinstance(console.file, io.StringIO)
    for shown in (console.file.getvalue(), printed(view.outcome(document))):
        assert "not told, since the conversation demands otherwise: at most two sentences; plain words" in " ".join(
            shown.split()
        )
    assert "not told" not in printed(view.outcome(evolved(request_for(CONFIG, 11))))


def test_what_a_further_cycle_promises_is_told_with_what_follows() -> None:
    config = replace(CONFIG, cycles=2, token_price=1000.0)
    (event,) = [each for each in evolved(request_for(config, 11))["events"] if each["type"] == "cycle.finished"]
    console = Console(file=io.StringIO(), width=200)
    view.EvolutionView(console).show(event)
    assert isinstance(console.file, io.StringIO)
    assert "stops: the gain is unlikely" in console.file.getvalue()
    assert view.outlook(0.5, 620.4, 0.25) == (
        "a further cycle: gain +0.500 expected, price 0.250 for 620 tokens; goes on"
    )
