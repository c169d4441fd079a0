"""A judge that answers by a function of what it is shown, and rubrics over it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.reward.judges.judge import Answer
from services.reward.registry import RubricSpec

Decide = Callable[[str, str], float | None]
"""P(yes) of a criterion, for an answer as it is shown without its marks."""


@dataclass
class ScriptedJudge:
    """Questions beyond `context` characters are too long for it."""

    decide: Decide
    context: int = 1_000_000
    asked: list[str] = field(default_factory=list)
    salts: list[str] = field(default_factory=list)

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def ask(self, questions: Sequence[str], cache_salt: str, key: str) -> list[Answer | None]:
        self.asked += questions
        self.salts.append(cache_salt)
        return [self._answer(question) if len(question) <= self.context else None for question in questions]

    def _answer(self, question: str) -> Answer:
        shown, _, criterion = question.rpartition("Criterion: ")
        return Answer(self.decide(criterion, answer_in(shown)), len(question), 1)


def answer_in(question: str) -> str:
    """The answer that a question is about, without the marks before its lines."""
    (block,) = re.findall(r"^Answer to judge:\n((?:>.*\n)+)", question, re.MULTILINE)
    return "\n".join(line.removeprefix(">").removeprefix(" ") for line in block.splitlines())


def rubric(*criteria: Any, **fields: Any) -> RubricSpec:
    return RubricSpec.model_validate({"name": "it", "weight": 1, "type": "rubric", "criteria": criteria, **fields})
