"""`darwin eval` as a command, against running stacks."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from cli.stack import Stack

QUESTIONS = [{"question_id": n, "category": "none", "turns": [f"Question {n}?", "And then?"]} for n in range(8)]
PLAN = """
sampling: {max_tokens: 24}
search: {period: 8}
cells:
  - {method: best-of-n, mutants: 3, cycles: 2}
  - {method: darwin, cycles: [1, 2]}
"""
CELLS = ("best-of-n cycles=2 mutants=3", "darwin cycles=1", "darwin cycles=2")


def command(folder: Path, stack: Stack, *words: str) -> list[str]:
    (folder / "questions.jsonl").write_text("".join(json.dumps(question) + "\n" for question in QUESTIONS))
    (folder / "plan.yaml").write_text(PLAN)
    files = ["--questions", str(folder / "questions.jsonl"), "--plan", str(folder / "plan.yaml")]
    target = ["--out", str(folder / "out"), "--url", stack.url]
    return [sys.executable, "-m", "cli.main", "eval", *files, *target, *words]


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def evolutions_of(stack: Stack) -> int:
    with redis.Redis.from_url(stack.redis_url) as client:
        return sum(1 for _ in client.scan_iter("darwin:evo:*:events", count=1000))


def test_a_killed_evaluation_goes_on_without_repeating_or_losing_a_row(tmp_path: Path, simulated_stack: Stack) -> None:
    before = evolutions_of(simulated_stack)
    answers = tmp_path / "out" / "answers.jsonl"
    with subprocess.Popen(command(tmp_path, simulated_stack), stdout=subprocess.DEVNULL) as first:
        give_up = time.monotonic() + 60
        while not (answers.exists() and answers.read_bytes().count(b"\n") >= 5):
            assert first.poll() is None
            assert time.monotonic() < give_up
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
    kept = answers.read_bytes()
    kept = kept[: kept.rfind(b"\n") + 1]
    subprocess.run(command(tmp_path, simulated_stack), check=True, timeout=120, stdout=subprocess.DEVNULL)

    assert answers.read_bytes().startswith(kept)
    rows = lines(tmp_path / "out" / "rows.jsonl")
    asked = [(f"{row['method']} {_named(row['setting'])}", row["question"]) for row in rows]
    assert sorted(asked) == sorted((cell, str(q["question_id"])) for cell in CELLS for q in QUESTIONS)
    turns = [turn for row in rows for turn in row["turns"]]
    assert len({turn["evolution"] for turn in turns}) == len(turns) == 2 * len(CELLS) * len(QUESTIONS)
    assert evolutions_of(simulated_stack) - before == len(turns), "what was under way was found again, not repeated"


def test_what_it_writes(tmp_path: Path, simulated_stack: Stack) -> None:
    subprocess.run(command(tmp_path, simulated_stack, "--judge", "guard"), check=True, timeout=120)
    out = tmp_path / "out"
    rows = {(row["method"], _named(row["setting"]), row["question"]): row for row in lines(out / "rows.jsonl")}
    first, second = rows["darwin", "cycles=2", "3"]["turns"]
    documents = {document["id"]: document for document in lines(out / "evolutions.jsonl")}
    asked = [message["content"] for message in documents[second["evolution"]]["messages"]]
    assert asked == ["Question 3?", first["answer"], "And then?"]
    assert documents[first["evolution"]]["events"][-1]["type"] == "evolution.ended"
    assert isinstance(first["judge"], float)
    assert first["tokens"]["kept"] > 0
    assert first["seconds"]["total"] > 0
    assert {"darwin", "model", "hardware", "profiles"} <= set(rows["darwin", "cycles=2", "3"]["versions"])
    turn = rows["best-of-n", "cycles=2 mutants=3", "3"]["turns"][0]
    assert len(turn["candidates"]) == 7
    assert max(candidate["guide"] for candidate in turn["candidates"]) == turn["guide"]
    assert first["candidates"] == turn["population"] == []
    assert first["population"][0]["text"] == first["answer"]
    assert first["base"] in {final["text"] for final in first["population"]}

    outputs = json.loads((out / "alpaca_eval" / "darwin-cycles=1.json").read_text())
    assert {frozenset(output) for output in outputs} == {frozenset({"dataset", "instruction", "output", "generator"})}
    answers = lines(out / "model_answer" / "darwin-cycles=1.jsonl")
    assert {answer["question_id"] for answer in answers} == set(range(8))
    assert all(len(answer["choices"][0]["turns"]) == 2 for answer in answers)

    report = ["eval", "report", str(out), "--resamples", "200"]
    export = ["export", "--from", str(out / "evolutions.jsonl"), "--out", str(tmp_path / "pairs.jsonl")]
    for words in (report, export):
        subprocess.run([sys.executable, "-m", "cli.main", *words], check=True, timeout=120)
    assert (out / "report" / "report.html").stat().st_size > 10_000
    assert lines(tmp_path / "pairs.steps.jsonl")


def test_another_plan_asks_for_another_folder(tmp_path: Path, simulated_stack: Stack) -> None:
    run = command(tmp_path, simulated_stack, "--part", "even")
    subprocess.run(run, check=True, timeout=120, stdout=subprocess.DEVNULL)
    refused = subprocess.run(
        command(tmp_path, simulated_stack), capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode == 1
    assert "other questions" in refused.stdout


@pytest.mark.parametrize(("words", "complaint"), [(("--plan", "none"), "no plan"), (("--judge", "none"), "no profile")])
def test_bad_arguments_are_one_message(
    tmp_path: Path, simulated_stack: Stack, words: tuple[str, ...], complaint: str
) -> None:
    refused = subprocess.run(
        command(tmp_path, simulated_stack, *words), capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode == 1
    assert complaint in refused.stdout
    assert "Traceback" not in refused.stderr


def test_real_models_guide_and_judge(tmp_path: Path, stack: Stack) -> None:
    (tmp_path / "questions.jsonl").write_text('{"prompt": "How do I learn to swim?"}\n')
    (tmp_path / "plan.yaml").write_text("{sampling: {max_tokens: 32}, search: {period: 16}, cells: [{method: darwin}]}")
    files = ["--questions", str(tmp_path / "questions.jsonl"), "--plan", str(tmp_path / "plan.yaml")]
    run = [sys.executable, "-m", "cli.main", "eval", *files, "--out", str(tmp_path / "out"), "--url", stack.url]
    subprocess.run([*run, "--judge", "quality"], check=True, timeout=200)
    (row,) = lines(tmp_path / "out" / "rows.jsonl")
    turn = row["turns"][0]
    assert turn["guide"] >= turn["base_guide"]
    assert turn["judge"] != turn["base_judge"] or turn["answer"] == turn["base"]
    control = json.loads((tmp_path / "out" / "controls.json").read_text())["gibberish"]
    assert control["quality"]["pairs"] == 1


def _named(setting: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(setting.items()))
