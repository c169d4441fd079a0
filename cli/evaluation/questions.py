"""Reads question sets: MT-Bench's, AlpacaEval's, and those of other shapes that `shared.files.shapes` knows."""

import re
import zlib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from cli.console import CommandError
from shared.files.rows import FileRow, UnreadableRow, rows
from shared.files.shapes import UnknownShape, asked

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
        questions = [_question(row, str(number)) for number, row in enumerate(rows(file), 1)]
    except OSError as error:
        raise QuestionError(f"{file}: {error}") from error
    except UnreadableRow as error:
        raise QuestionError(str(error)) from error
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


def _question(row: FileRow, number: str) -> Question:
    item = row.value
    try:
        found = asked(item)
        return Question(
            id=str(next((item[key] for key in ("question_id", "id") if item.get(key) is not None), number)),
            turns=found.turns,
            context=tuple(ChatTurn(role=turn.role, content=turn.content) for turn in found.context),
            category=item.get("category") or "",
            dataset=item.get("dataset") or "",
        )
    except UnknownShape as error:
        raise QuestionError(f"{row.where}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise QuestionError(f"{row.where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
