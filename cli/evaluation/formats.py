"""Answers in the formats of AlpacaEval and MT-Bench, so that their own tools judge them unchanged."""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cli.evaluation.folder import write_atomically
from cli.evaluation.rows import Row


def write_formats(rows: Sequence[Row], folder: Path, datasets: dict[str, str]) -> None:
    """One file per cell and seed below `folder`; `datasets` names AlpacaEval's subset of a question.

    alpaca_eval/<model>.json: a list of {dataset, instruction, output, generator}, of first turns.
    model_answer/<model>.jsonl: MT-Bench's answer files; question ids are numbers wherever they look like numbers.

    Both are ASCII, since those tools open files in the encoding of the machine that they run on.
    """
    by_model: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_model[model_id(row)].append(row)
    for name in ("alpaca_eval", "model_answer"):
        (folder / name).mkdir(exist_ok=True)
    for model, of_model in by_model.items():
        outputs = [alpaca_output(row, model, datasets.get(row.question, "")) for row in of_model]
        write_atomically(folder / "alpaca_eval" / f"{model}.json", json.dumps(outputs, indent=2))
        lines = [json.dumps(mt_bench_answer(row, model)) for row in of_model]
        write_atomically(folder / "model_answer" / f"{model}.jsonl", "".join(f"{line}\n" for line in lines))


def model_id(row: Row) -> str:
    """A cell's name as a file name; the seed is part of it where it is not 0."""
    name = row.cell if row.seed == 0 else f"{row.cell} seed={row.seed}"
    return re.sub(r"[^A-Za-z0-9.=_-]+", "-", name)


def alpaca_output(row: Row, model: str, dataset: str) -> dict[str, str]:
    """A model output of AlpacaEval (tatsu-lab/alpaca_eval)."""
    first = row.turns[0]
    return {"dataset": dataset, "instruction": first.prompt, "output": first.answer, "generator": model}


def mt_bench_answer(row: Row, model: str) -> dict[str, Any]:
    """A line of a `model_answer` file of MT-Bench (lm-sys/FastChat, fastchat.llm_judge)."""
    evolutions = "".join(turn.evolution for turn in row.turns)
    return {
        "question_id": int(row.question) if row.question.isdecimal() else row.question,
        "answer_id": hashlib.blake2b(evolutions.encode(), digest_size=11).hexdigest(),
        "model_id": model,
        "choices": [{"index": 0, "turns": [turn.answer for turn in row.turns]}],
        "tstamp": row.turns[-1].finished_at,
    }
