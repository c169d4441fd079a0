"""`darwin export --from`: what is written, told and refused."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from cli import export as module
from cli.client import Client
from cli.main import app
from tests.unit.cli.recordings import MESSAGES, base, cycle_finished, evolution, round_finished

COLUMNS = ["prompt", "chosen", "rejected", "score_chosen", "score_rejected", "kind", "evolution", "cycle", "round"]
COLUMNS += ["profile", "profile_owner"]


def full(id: str = "evo_1", reward: float = 1.5, **changes: str) -> dict[str, Any]:
    first = round_finished(["a", "b"], [0.5, -1.0], {1: 0}, [False, False])
    last = round_finished(["a a", "a b"], [1.0, reward], round=2)
    return evolution(base(), first, last, cycle_finished([1.0, reward]), id=id, **changes)


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """Two evolutions that found different things, one that found the same, one that was cancelled at its base."""
    path = tmp_path / "evolutions.jsonl"
    documents = [full(), full("evo_2", 2.0), full("evo_3"), evolution(base(), id="evo_4", status="cancelled")]
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return path


def export(source: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["export", "--from", str(source), "--out", str(out), *options])


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def told(row: dict[str, Any]) -> tuple[str, str, str, str]:
    return row["kind"], row["chosen"][0]["content"], row["rejected"][0]["content"], row["evolution"]


def test_one_file_per_kind_holds_each_pair_once(lines: Path, tmp_path: Path) -> None:
    done = export(lines, tmp_path / "pairs.jsonl")
    whole, steps = tmp_path / "pairs.whole.jsonl", tmp_path / "pairs.steps.jsonl"
    assert (done.exit_code, done.stdout.split()) == (0, [str(whole), str(steps)])
    assert {path.name for path in tmp_path.iterdir()} == {lines.name, whole.name, steps.name}
    assert [told(row) for row in rows(whole)] == [("best-worst", "a b", "base", "evo_1")]
    assert [told(row) for row in rows(steps)] == [("kept-replaced", "a", "b", "evo_1")]
    assert all(list(row) == COLUMNS and row["prompt"] == MESSAGES for row in rows(whole) + rows(steps))
    assert "4 evolutions: 3 succeeded, 1 cancelled" in done.stderr


def test_the_document_of_align_is_read(tmp_path: Path) -> None:
    document = tmp_path / "one.json"
    document.write_text(json.dumps({**full(), "rounds": [], "usage": {}}, indent=2))
    assert export(document, tmp_path / "pairs.jsonl", "--kind", "steps").exit_code == 0
    assert len(rows(tmp_path / "pairs.jsonl")) == 1


def test_small_margins_are_left_out(lines: Path, tmp_path: Path) -> None:
    assert export(lines, tmp_path / "pairs.jsonl", "--kind", "whole", "--min-margin", "1.25").exit_code == 0
    assert [row["score_chosen"] for row in rows(tmp_path / "pairs.jsonl")] == [2.0]


def test_nothing_is_overwritten_unless_forced(lines: Path, tmp_path: Path) -> None:
    steps = tmp_path / "pairs.steps.jsonl"
    steps.write_text("mine")
    refused = export(lines, tmp_path / "pairs.jsonl")
    assert refused.exit_code == 1
    assert f"{steps} exists" in refused.stderr
    assert steps.read_text() == "mine"
    assert not (tmp_path / "pairs.whole.jsonl").exists()
    assert export(lines, tmp_path / "pairs.jsonl", "--force").exit_code == 0
    assert len(rows(steps)) == 1


def test_a_kind_without_pairs_leaves_no_file(tmp_path: Path) -> None:
    source, steps = tmp_path / "one.jsonl", tmp_path / "pairs.steps.jsonl"
    source.write_text(json.dumps(evolution(base(), round_finished(["a"], [1.0]), cycle_finished([1.0]))))
    steps.write_text("of an earlier export")
    assert export(source, tmp_path / "pairs.jsonl", "--force").stdout.split() == [str(tmp_path / "pairs.whole.jsonl")]
    assert not steps.exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (json.dumps(full()) + '\n{"id": 1}\n', "line 2 is no evolution with its events"),
        (json.dumps(full()) + "\n{", "line 2: not JSON"),
        ("[1]", "item 1 is no evolution"),
        ("", "there is no pair to write"),
        (json.dumps(evolution(base())), "there is no pair to write"),
    ],
)
def test_what_cannot_be_exported_writes_nothing(text: str, reason: str, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(text)
    refused = export(source, tmp_path / "pairs.jsonl")
    assert refused.exit_code == 1
    assert reason in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


@pytest.mark.parametrize("arguments", [[], ["evo_1"], ["--url", "http://127.0.0.1:1"]])
def test_it_must_be_said_what_to_export(arguments: list[str], tmp_path: Path) -> None:
    refused = CliRunner().invoke(app, ["export", "--out", str(tmp_path / "pairs.jsonl"), *arguments])
    assert refused.exit_code == 2


def test_datasets_loads_what_was_written(lines: Path, tmp_path: Path) -> None:
    assert export(lines, tmp_path / "pairs.jsonl").exit_code == 0
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache"), "PYTHONPATH": ":".join(sys.path)}
    code = (
        "import datasets, json\n"
        "files = {'whole': 'pairs.whole.jsonl', 'steps': 'pairs.steps.jsonl'}\n"
        "pairs = datasets.load_dataset('json', data_files=files)\n"
        "print(json.dumps({name: part.to_list() for name, part in pairs.items()}))\n"
        "print(json.dumps([{name: str(kind) for name, kind in part.features.items()} for part in pairs.values()]))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=offline, capture_output=True, text=True)
    assert loaded.returncode == 0, loaded.stderr
    pairs, features = map(json.loads, loaded.stdout.splitlines())
    assert pairs == {name: rows(tmp_path / f"pairs.{name}.jsonl") for name in ("whole", "steps")}
    messages = "List({'role': Value('string'), 'content': Value('string')})"
    kinds = [messages] * 3 + ["Value('float64')"] * 2 + ["Value('string')"] * 2 + ["Value('int64')"] * 2
    kinds += ["Value('string')"] * 2
    assert features == [dict(zip(COLUMNS, kinds, strict=True))] * 2


def test_an_evolution_that_still_runs_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            events = "".join(
                f"id: {i}-0\ndata: {json.dumps(event)}\n\n" for i, event in enumerate(full()["events"][:-1])
            )
            return httpx.Response(200, headers={"content-type": "text/event-stream"}, text=events)
        return httpx.Response(200, json=full(status="running" if request.url.path.endswith("evo_2") else "succeeded"))

    monkeypatch.setattr(module, "Client", lambda url, patience_s: Client(url, httpx.MockTransport(answer), patience_s))
    arguments = ["evo_1", "evo_2", "--url", "http://gateway", "--out", str(tmp_path / "pairs.jsonl")]
    done = CliRunner().invoke(app, ["export", *arguments])
    assert done.exit_code == 0, done.output
    assert "evo_2 is running, and left out" in done.stderr
    assert "1 evolutions: 1 succeeded" in done.stderr
    assert len(rows(tmp_path / "pairs.steps.jsonl")) == 1
