"""Reads question sets: MT-Bench's, AlpacaEval's, and those of other shapes that `shared.files.shapes` knows."""

import hashlib
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from cli.console import CommandError
from shared.files.rows import FileRow, UnreadableRow, rows
from shared.files.shapes import UnknownShape, asked

_MAX_FILE_BYTES = 256 * 1024**2
_MAX_QUESTIONS = 100_000
_NUMBER = re.compile(r"\d{1,18}(?=\D*$)")

QuestionPart = Literal["all", "even", "odd"]
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


@dataclass(frozen=True)
class QuestionFilter:
    """Which rows are asked, and of them at most how many turns.

    `split`: of rows that name a split only those of this one. `max_characters`: only questions of at most so many,
    their context included. `single`: only those without earlier turns. `part`: the half by `half`, which serves to
    choose settings on one and to check them on the other. `draw`: so many of what is left, the same ones each time.
    """

    split: str | None = None
    max_characters: int | None = None
    single: bool = False
    part: QuestionPart = "all"
    draw: int | None = None
    turns: int | None = None

    def chosen(self, questions: Sequence["Question"]) -> list["Question"]:
        """Those of the questions that are asked, in their order."""
        kept = [question for question in questions if self._takes(question)]
        if self.draw is not None:
            ranked = sorted(kept, key=lambda question: hashlib.blake2b(question.model_dump_json().encode()).digest())
            drawn = {question.id for question in ranked[: self.draw]}
            kept = [question for question in kept if question.id in drawn]
        return [question.model_copy(update={"turns": question.turns[: self.turns]}) for question in kept]

    def _takes(self, question: "Question") -> bool:
        texts = (*question.turns, *(turn.content for turn in question.context))
        return (
            self.part in ("all", half(question.id))
            and (self.max_characters is None or sum(map(len, texts)) <= self.max_characters)
            and not (self.single and any(turn.role != "system" for turn in question.context))
        )


def read_questions(
    *files: Path, turns: int | None = None, part: QuestionPart = "all", choose: QuestionFilter | None = None
) -> list[Question]:
    """The questions of the files that `choose` takes; `turns` and `part` are a filter of these alone.

    A conversation whose row has no id is asked once, however many rows have it. With several files an id is the file's
    name and the row's own.

    Raises:
        QuestionError: a file is missing, too large or empty, or a line of it is no question; ids repeat; none is left.
    """
    choose = choose or QuestionFilter(part=part, turns=turns)
    found: dict[str, Question] = {}
    asked_before: set[str] = set()
    for file in files:
        for question, named in _read(file, choose.split):
            content = question.model_dump_json(include={"turns", "context"})
            if not named and content in asked_before:
                continue
            asked_before.add(content)
            question_id = f"{file.stem}-{question.id}" if len(files) > 1 else question.id
            if question_id in found:
                raise QuestionError(f"{file}: two questions have the id {question_id}")
            found[question_id] = question.model_copy(update={"id": question_id})
    chosen = choose.chosen(list(found.values()))
    if not chosen:
        raise QuestionError(f"of {len(found)} questions none is as the options ask")
    return chosen


def _read(file: Path, split: str | None) -> Iterator[tuple[Question, bool]]:
    """Each question of the split, and whether its row names its id."""
    try:
        if file.stat().st_size > _MAX_FILE_BYTES:
            raise QuestionError(f"{file} is larger than {_MAX_FILE_BYTES // 1024**2} MiB")
        count = 0
        for count, row in enumerate(rows(file), 1):
            if count > _MAX_QUESTIONS:
                raise QuestionError(f"{file} holds more than {_MAX_QUESTIONS} questions")
            if split is None or _split(row) in (None, split):
                yield _question(row, str(count))
        if count == 0:
            raise QuestionError(f"{file} holds 0 questions; 1 to {_MAX_QUESTIONS} are possible")
    except OSError as error:
        raise QuestionError(f"{file}: {error}") from error
    except UnreadableRow as error:
        raise QuestionError(str(error)) from error


def _split(row: FileRow) -> str | None:
    split = row.value.get("split") if isinstance(row.value, dict) else None
    return split if isinstance(split, str) else None


def half(question_id: str) -> Literal["even", "odd"]:
    """By the number that an id ends with, so that halves of MT-Bench hold half of every category; else by a digest."""
    number = _NUMBER.search(question_id)
    value = int(number.group()) if number else zlib.crc32(question_id.encode())
    return "odd" if value % 2 else "even"


def _question(row: FileRow, number: str) -> tuple[Question, bool]:
    """The question of a row, and whether the row names its id."""
    item = row.value
    try:
        found = asked(item)
        own = next((item[key] for key in ("question_id", "id") if item.get(key) is not None), None)
        question = Question(
            id=str(number if own is None else own),
            turns=found.turns,
            context=tuple(ChatTurn(role=turn.role, content=turn.content) for turn in found.context),
            category=item.get("category") or item.get("source") or "",
            dataset=item.get("dataset") or "",
        )
        return question, own is not None
    except UnknownShape as error:
        raise QuestionError(f"{row.where}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise QuestionError(f"{row.where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
