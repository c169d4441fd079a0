"""Pairs of evolutions that the whole system found: from a document of `darwin align --json`, and by id."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from cli.stack import Stack

INSTRUCTION = "Name a colour and say where it is seen."
ALIGN = [
    "align",
    INSTRUCTION,
    "--system",
    "Be brief.",
    "--max-tokens",
    "48",
    "--period",
    "8",
    "--cycles",
    "2",
    "--json",
]


def invoke(*arguments: str) -> Result:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.output
    return done


def align(stack: Stack, seed: int) -> str:
    return invoke(*ALIGN, "--url", stack.url, "--seed", str(seed)).stdout


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_pairs_from_a_document_and_by_id_are_the_same(simulated_stack: Stack, tmp_path: Path) -> None:
    document = tmp_path / "evolution.json"
    document.write_text(align(simulated_stack, 1))
    evolution = json.loads(document.read_text())
    invoke("export", "--from", str(document), "--out", str(tmp_path / "file.jsonl"))
    invoke("export", evolution["id"], "--url", simulated_stack.url, "--out", str(tmp_path / "id.jsonl"))
    for kind in ("whole", "steps"):
        assert rows(tmp_path / f"file.{kind}.jsonl") == rows(tmp_path / f"id.{kind}.jsonl")
    best = rows(tmp_path / "id.whole.jsonl")[0]
    answer = evolution["result"]["choices"][0]
    assert (best["chosen"][0]["content"], best["score_chosen"]) == (answer["text"], answer["reward"])
    assert best["prompt"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": INSTRUCTION}]
    replaced = sum(len(event["replacements"]) for event in evolution["rounds"])
    assert 0 < len(rows(tmp_path / "id.steps.jsonl")) <= replaced


def test_many_documents_by_line_give_the_pairs_of_each(simulated_stack: Stack, tmp_path: Path) -> None:
    documents = [json.loads(align(simulated_stack, seed)) for seed in (2, 3)]
    lines = tmp_path / "evolutions.jsonl"
    lines.write_text("".join(json.dumps(document) + "\n" for document in documents))
    done = invoke("export", "--from", str(lines), "--kind", "steps", "--out", str(tmp_path / "steps.jsonl"))
    assert "2 evolutions: 2 succeeded" in done.stderr
    assert {row["evolution"] for row in rows(tmp_path / "steps.jsonl")} == {document["id"] for document in documents}


@pytest.mark.parametrize("method", ["best-of-n", "sample"])
def test_what_has_no_rounds_has_no_steps(method: str, simulated_stack: Stack, tmp_path: Path) -> None:
    document = tmp_path / "evolution.json"
    document.write_text(invoke("align", INSTRUCTION, "--method", method, "--url", simulated_stack.url, "--json").stdout)
    arguments = ["export", "--from", str(document), "--kind", "steps", "--out", str(tmp_path / "steps.jsonl")]
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 1
    assert "there is no pair to write" in refused.stderr


def test_an_unknown_id_is_told(simulated_stack: Stack, tmp_path: Path) -> None:
    arguments = ["export", "evo_0", "--url", simulated_stack.url, "--out", str(tmp_path / "pairs.jsonl")]
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 1
    assert "evo_0" in refused.stderr
    assert not list(tmp_path.iterdir())
