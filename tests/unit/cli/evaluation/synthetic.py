"""Rows with a known truth, for tests of whatever reads an evaluation's results."""

from pathlib import Path
from typing import Any

import numpy as np

from cli.evaluation.rows import Candidate, Row, Turn
from shared.methods import Method
from shared.records.evolution import Seconds, Tokens

CATEGORIES = ("coding", "extraction", "humanities", "math", "reasoning", "roleplay", "stem", "writing")


def text(length: int, mark: str = "") -> str:
    """`length` characters that begin with `mark`."""
    return (mark + "word " * (length // 5 + 1))[:length]


def turn(
    *,
    answer: str = "answer",
    guide: float = 0.0,
    judge: float | None = None,
    base: str = "base",
    base_guide: float = 0.0,
    base_judge: float | None = None,
    candidates: tuple[Candidate, ...] = (),
    population: tuple[Candidate, ...] = (),
    tokens: int = 100,
    mutation: int = 0,
    started_at: float = 0.0,
    finished_at: float = 1.0,
) -> Turn:
    """A turn of which only what matters need be said; `tokens` are all that were sampled, `mutation` among them."""
    return Turn(
        prompt="How do I learn to swim?",
        answer=answer,
        answer_tokens=max(1, len(answer) // 5),
        instruction="How do I learn to swim?",
        guide=guide,
        judge=judge,
        base=base,
        base_tokens=max(1, len(base) // 5),
        base_guide=base_guide,
        base_judge=base_judge,
        candidates=candidates,
        population=population,
        tokens=Tokens(mutation=mutation, kept=tokens - mutation),
        seconds=Seconds(total=finished_at - started_at),
        rounds=4,
        evolution="evo_0",
        started_at=started_at,
        finished_at=finished_at,
    )


def row(
    *turns: Turn,
    question: str = "81",
    category: str = "writing",
    method: Method = "darwin",
    setting: dict[str, Any] | None = None,
    seed: int = 0,
    versions: dict[str, str] | None = None,
) -> Row:
    """A row of these turns."""
    return Row(
        question=question,
        category=category,
        method=method,
        setting=setting or {},
        seed=seed,
        turns=turns,
        versions=versions or {"code": "0.1.0"},
    )


class World:
    """Questions of differing difficulty whose samples score by a latent quality.

    A sample's guide is its quality, the judge's score `agreement` × quality + `per_character` × length + noise. An
    answer of a method is a sample whose quality is raised by `lift` and whose length by `longer` characters.
    """

    def __init__(
        self,
        *,
        questions: int = 16,
        agreement: float = 0.6,
        per_character: float = 0.0,
        judged: bool = True,
        seed: int = 0,
    ) -> None:
        self._random = np.random.default_rng(seed)
        self._agreement, self._per_character, self._judged = agreement, per_character, judged
        self._difficulty = {str(81 + index): float(self._random.normal()) for index in range(questions)}
        self._clock = 0.0

    def cell(
        self,
        method: Method,
        setting: dict[str, Any] | None = None,
        *,
        lift: float = 0.0,
        longer: int = 0,
        tokens: int = 200,
        turns: int = 1,
        seconds: float = 2.0,
    ) -> list[Row]:
        """One row a question, two questions in flight at a time."""
        rows = []
        for index, question in enumerate(self._difficulty):
            start = self._clock + index * seconds / 2
            made = [self._turn(question, lift, longer, tokens, start, start + seconds) for _ in range(turns)]
            rows.append(self._row(question, method, setting, made))
        self._clock += (len(rows) + 1) * seconds / 2 + 100
        return rows

    def best_of_n(self, candidates: int = 8, *, seconds: float = 2.0) -> list[Row]:
        """The best-of-n cell, the candidates in order of sampling, 200 tokens each."""
        rows = []
        for index, question in enumerate(self._difficulty):
            drawn = tuple(self._candidate(question) for _ in range(candidates))
            best = max(drawn, key=lambda each: each.guide)
            start = self._clock + index * seconds / 2
            made = turn(
                answer=best.text,
                guide=best.guide,
                judge=best.judge,
                base=drawn[0].text,
                base_guide=drawn[0].guide,
                base_judge=drawn[0].judge,
                candidates=drawn,
                tokens=200 * candidates,
                started_at=start,
                finished_at=start + seconds,
            )
            rows.append(self._row(question, "best-of-n", {"mutants": candidates - 1}, [made]))
        self._clock += (len(rows) + 1) * seconds / 2 + 100
        return rows

    def _row(self, question: str, method: Method, setting: dict[str, Any] | None, turns: list[Turn]) -> Row:
        category = CATEGORIES[(int(question) - 81) * len(CATEGORIES) // len(self._difficulty)]
        return row(*turns, question=question, category=category, method=method, setting=setting)

    def _turn(self, question: str, lift: float, longer: int, tokens: int, start: float, end: float) -> Turn:
        answer, base = self._candidate(question, lift, longer), self._candidate(question)
        return turn(
            answer=answer.text,
            guide=answer.guide,
            judge=answer.judge,
            base=base.text,
            base_guide=base.guide,
            base_judge=base.judge,
            tokens=tokens,
            mutation=tokens // 10,
            started_at=start,
            finished_at=end,
        )

    def _candidate(self, question: str, lift: float = 0.0, longer: int = 0) -> Candidate:
        quality = self._difficulty[question] + float(self._random.normal()) + lift
        length = int(self._random.integers(300, 900)) + longer
        noise = 0.5 * float(self._random.normal())
        judge = self._agreement * quality + self._per_character * length + noise
        mark = f"{self._random.integers(1 << 40)} "
        return Candidate(text=text(length, mark), guide=quality, tokens=200, judge=judge if self._judged else None)


def write(folder: Path, rows: list[Row]) -> Path:
    """The results folder of these rows."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.jsonl").write_text("".join(each.model_dump_json() + "\n" for each in rows))
    return folder


def full_grid(world: World) -> list[Row]:
    """About the cells of a real evaluation: every method, darwin at one to three cycles with and without lookahead."""
    rows = world.best_of_n(32, seconds=20.0)
    rows += world.cell("mutation-only", {"mutants": 5}, lift=0.9, tokens=1300, seconds=4)
    rows += world.cell("replacement-only", {"mutants": 5}, lift=1.1, tokens=1200, seconds=5)
    for cycles in (1, 2, 3):
        for lookahead in (0, 16):
            setting = {"cycles": cycles, "lookahead": lookahead}
            rows += world.cell(
                "darwin",
                setting,
                lift=1.2 + 0.3 * cycles,
                longer=40 * cycles,
                tokens=(1400 + 8 * lookahead) * cycles,
                seconds=6.0 * cycles,
            )
    return rows
