"""Reads question sets: MT-Bench's JSONL, AlpacaEval's JSON, or any JSONL with `prompt` or `messages`."""

import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from cli.console import CommandError

_MAX_FILE_BYTES = 256 * 1024**2
_MAX_QUESTIONS = 100_000
_NUMBER = re.compile(r"\d{1,18}(?=\D*$)")

QuestionText = Annotated[str, StringConstraints(strip_whitespace=False, min_length=1, max_length=400_000)]


class QuestionError(CommandError):
    """The question file cannot be used; says which line or item and why."""


class ChatTurn(BaseModel):
    """A message of a conversation that precedes the answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    role: Literal["system", "user", "assistant"]
    content: QuestionText


class Question(BaseModel):
    """Turns to be answered one after another; each sees `context` and the turns and answers before it."""

    model_config = ConfigDict(frozen=True)

    id: str
    turns: tuple[QuestionText, ...] = Field(min_length=1, max_length=64)
    context: tuple[ChatTurn, ...] = ()
    category: str = ""
    dataset: str = ""


def read_questions(
    file: Path, *, turns: int | None = None, part: Literal["all", "even", "odd"] = "all"
) -> list[Question]:
    """Every question of `file`, or one half of them, with at most `turns` turns each.

    The halves (see `half`) serve to choose settings on one and to check them on the other.

    Raises:
        QuestionError: the file is missing, too large, empty, or a line of it is no question; or ids repeat.
    """
    try:
        if file.stat().st_size > _MAX_FILE_BYTES:
            raise QuestionError(f"{file} is larger than {_MAX_FILE_BYTES // 1024**2} MiB")
        questions = [_question(item, where, str(number)) for number, (where, item) in enumerate(_items(file), 1)]
    except (OSError, UnicodeDecodeError) as error:
        raise QuestionError(f"{file}: {error}") from error
    if not 1 <= len(questions) <= _MAX_QUESTIONS:
        raise QuestionError(f"{file} holds {len(questions)} questions; 1 to {_MAX_QUESTIONS} are possible")
    seen: set[str] = set()
    for question in questions:
        if question.id in seen:
            raise QuestionError(f"{file}: two questions have the id {question.id}")
        seen.add(question.id)
    return [
        question.model_copy(update={"turns": question.turns[:turns]})
        for question in questions
        if part in ("all", half(question.id))
    ]


def half(question_id: str) -> Literal["even", "odd"]:
    """By the number that an id ends with, so that halves of MT-Bench hold half of every category; else by a digest."""
    number = _NUMBER.search(question_id)
    value = int(number.group()) if number else zlib.crc32(question_id.encode())
    return "odd" if value % 2 else "even"


def _items(file: Path) -> Iterator[tuple[str, Any]]:
    """What stands at which place of the file."""
    text = file.read_text()
    try:
        if text.lstrip().startswith("["):
            yield from ((f"{file}, item {number}", item) for number, item in enumerate(json.loads(text), 1))
            return
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield f"{file}, line {number}", json.loads(line)
    except json.JSONDecodeError as error:
        raise QuestionError(f"{file} is not JSON: {error}") from error


def _with_input(instruction: Any, data: Any) -> Any:
    """Alpaca's instruction and what it is about, where that stands apart."""
    both = isinstance(instruction, str) and isinstance(data, str) and data.strip()
    return f"{instruction}\n\n{data}" if both else instruction


def _question(item: Any, where: str, number: str) -> Question:
    if not isinstance(item, dict):
        raise QuestionError(f"{where}: not an object")
    name = str(next((item[key] for key in ("question_id", "id") if key in item), number))
    common = {"id": name, "category": item.get("category", ""), "dataset": item.get("dataset", "")}
    try:
        if "turns" in item:
            return Question(turns=item["turns"], **common)
        if "instruction" in item:
            return Question(turns=(_with_input(item["instruction"], item.get("input")),), **common)
        if isinstance(item.get("prompt"), str):
            return Question(turns=(item["prompt"],), **common)
        messages = item.get("messages", item.get("prompt"))
        if isinstance(messages, list) and messages:
            *context, last = (ChatTurn.model_validate(message) for message in messages)
            if last.role != "user":
                raise QuestionError(f"{where}: the last message must be the user's")
            return Question(turns=(last.content,), context=tuple(context), **common)
    except ValidationError as error:
        first = error.errors()[0]
        raise QuestionError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    raise QuestionError(f"{where}: needs turns, instruction, prompt or messages")
