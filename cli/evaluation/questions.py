"""Reads question sets: MT-Bench's JSONL, AlpacaEval's JSON, or any JSONL with `prompt` or `messages`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from cli.reporting import CommandError

_MAX_FILE_BYTES = 256 * 1024**2
_MAX_QUESTIONS = 100_000

Text = Annotated[str, StringConstraints(strip_whitespace=False, min_length=1, max_length=400_000)]


class QuestionError(CommandError):
    """The question file cannot be used; says which line or item and why."""


class ChatTurn(BaseModel):
    """A message of a conversation that precedes the answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    role: Literal["system", "user", "assistant"]
    content: Text


class Question(BaseModel):
    """Turns to be answered one after another; each sees `context` and the turns and answers before it."""

    model_config = ConfigDict(frozen=True)

    id: str
    turns: tuple[Text, ...] = Field(min_length=1, max_length=64)
    context: tuple[ChatTurn, ...] = ()
    category: str = ""
    dataset: str = ""


def read_questions(
    file: Path, *, turns: int | None = None, part: Literal["all", "even", "odd"] = "all"
) -> list[Question]:
    """Every question of `file`, or every other one by position, with at most `turns` turns each.

    `part` splits a set in two halves, of which each holds half of every category where categories come in blocks
    of even length, as in MT-Bench: one to choose settings on, one to check them.

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
    step = {"all": slice(None), "even": slice(1, None, 2), "odd": slice(0, None, 2)}[part]
    return [question.model_copy(update={"turns": question.turns[:turns]}) for question in questions[step]]


def _items(file: Path) -> Iterator[tuple[str, Any]]:
    """What stands at which place of the file."""
    text = file.read_text()
    try:
        if text.lstrip().startswith("["):
            yield from ((f"{file}, item {number}", item) for number, item in enumerate(json.loads(text), 1))
            return
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                yield f"{file}, line {number}", json.loads(line)
    except json.JSONDecodeError as error:
        raise QuestionError(f"{file} is not JSON: {error}") from error


def _question(item: Any, where: str, number: str) -> Question:
    if not isinstance(item, dict):
        raise QuestionError(f"{where}: not an object")
    name = str(next((item[key] for key in ("question_id", "id") if key in item), number))
    common = {"id": name, "category": item.get("category", ""), "dataset": item.get("dataset", "")}
    try:
        if "turns" in item:
            return Question(turns=item["turns"], **common)
        if "instruction" in item:
            return Question(turns=(item["instruction"],), **common)
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
