"""What a results folder holds: `rows.jsonl` and, where the judging step wrote one, `controls.json`."""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cli.evaluation.questions import QuestionPart, half
from cli.evaluation.rows import Row
from shared.errors import InvalidRequest


def read_rows(folder: Path) -> list[Row]:
    """Every row in file order; of rows with the same question, method, setting and seed only the last.

    Raises InvalidRequest where the file is missing or empty, or naming the line that is not a row.
    """
    path = folder / "rows.jsonl"
    if not path.is_file():
        raise InvalidRequest(f"{path} does not exist; `darwin eval` writes it")
    rows = {}
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                row = _row(line, f"{path}, line {number}")
                rows[row.question, row.cell, row.seed] = row
    if not rows:
        raise InvalidRequest(f"{path} holds no rows")
    return list(rows.values())


def _row(line: str, place: str) -> Row:
    try:
        row = Row.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(f"{place}: {field + ': ' if field else ''}{first['msg']}") from error
    if not row.turns:
        raise InvalidRequest(f"{place}: turns: the row has none")
    return row


def selected(rows: list[Row], questions: QuestionPart) -> list[Row]:
    """The rows of one half of the questions; raises InvalidRequest where none is left."""
    kept = [row for row in rows if questions in ("all", half(row.question))]
    if not kept:
        raise InvalidRequest(f"no question is in the {questions} half")
    return kept


def read_controls(folder: Path) -> dict[str, Any]:
    """What the judging step measured of guide and judge themselves; empty where it wrote nothing."""
    path = folder / "controls.json"
    if not path.is_file():
        return {}
    try:
        controls = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidRequest(f"{path} is not JSON: {error}") from error
    if not isinstance(controls, dict):
        raise InvalidRequest(f"{path} is not a JSON object")
    return controls
