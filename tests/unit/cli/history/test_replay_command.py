"""`darwin replay`: what it prints, where it reads from, and how it ends."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from cli.client import Client
from cli.history import sources
from cli.main import app
from tests.unit.cli.history.evolved import evolved, request_for
from tests.unit.cli.history.test_replaying import CONFIG, of_type


@pytest.fixture
def document() -> dict[str, Any]:
    return evolved(request_for(CONFIG, 11))


@pytest.fixture
def file(document: dict[str, Any], tmp_path: Path) -> Path:
    return written(document, tmp_path)


def written(document: dict[str, Any], folder: Path) -> Path:
    path = folder / "recording.json"
    path.write_text(json.dumps(document))
    return path


def replay(*arguments: object, **options: Any) -> Result:
    return CliRunner().invoke(app, ["replay", *map(str, arguments)], **options)


def test_the_same_is_said_and_ends_well(file: Path, document: dict[str, Any]) -> None:
    done = replay(file)
    assert (done.exit_code, done.stdout) == (0, f"the same, {len(document['events']) - 2} decisions\n")
    assert replay("-", input=file.read_text()).stdout == done.stdout


def test_what_has_not_ended_is_said_to_be(tmp_path: Path) -> None:
    done = replay(written(evolved(request_for(CONFIG, 11), most_attempts=1), tmp_path))
    assert done.exit_code == 0
    assert "so far: the evolution has not ended" in done.stdout


def test_a_difference_is_shown_side_by_side(document: dict[str, Any], tmp_path: Path) -> None:
    long = "the same words " * 400
    of_type(document, "round.finished")["texts"][1] = long + "and [red]others"
    done = replay(written(document, tmp_path))
    assert done.exit_code == 1
    assert "attempt 1, cycle 1, round 1: round.finished.texts[1]" in done.stdout
    assert "recorded" in done.stdout
    assert "replayed" in done.stdout
    of_type(document, "round.finished")["texts"][1] = document["events"][2]["type"]
    of_type(document, "base.scored")["text"] = long + "[red]x"
    assert replay(written(document, tmp_path)).exit_code == 1


def test_json_says_the_same(document: dict[str, Any], tmp_path: Path) -> None:
    told = json.loads(replay(written(document, tmp_path), "--json").stdout)
    decisions = len(document["events"]) - 2
    assert told == {
        "id": "evo_1",
        "same": True,
        "decisions": decisions,
        "unfinished": False,
        "difference": None,
    }
    rounds, document["result"]["rounds"] = document["result"]["rounds"], 99
    changed = replay(written(document, tmp_path), "--json")
    told = json.loads(changed.stdout)
    assert changed.exit_code == 1
    assert (told["same"], told["decisions"]) == (False, decisions)
    assert told["difference"]["field"] == "result.rounds"
    assert (told["difference"]["recorded"], told["difference"]["replayed"]) == (99, rounds)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not one JSON document"),
        ("{}\n{}", "is not one JSON document"),
        ("[" * 200_000, "is not one JSON document"),
        ("[1]", "is no recording of an evolution"),
        ('{"id": 1}', "is no recording of an evolution"),
        ("\ud800", "is not one JSON document"),
    ],
)
def test_what_is_no_recording_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "recording.json"
    path.write_text(text, errors="surrogatepass")
    refused = replay(path)
    assert refused.exit_code == 1
    assert reason in refused.stderr
    assert refused.stdout == ""


def test_files_that_are_missing_unreadable_or_too_large(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "if it is an id, say at which --url" in replay("evo_1").stderr
    assert "Is a directory" in replay(tmp_path).stderr
    monkeypatch.setattr(sources, "_LARGEST_BYTES", 1024 * 1024)
    file.write_text(file.read_text() + " " * 1024 * 1024)
    assert "is larger than 1 MiB" in replay(file).stderr


def test_an_id_is_asked_for_at_the_gateway(document: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/evolutions/evo_1/recording":
            return httpx.Response(200, json=document)
        return httpx.Response(404, json={"error": {"message": "no evolution evo_2"}})

    monkeypatch.setattr(sources, "Client", lambda url, patience_s: Client(url, httpx.MockTransport(answer), patience_s))
    assert replay("evo_1", "--url", "http://gateway").stdout.startswith("the same, ")
    refused = replay("evo_2", "--url", "http://gateway")
    assert refused.exit_code == 1
    assert "no evolution evo_2" in refused.stderr
