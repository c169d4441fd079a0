"""What respecting demands costs in quality: `python -m bench.demands QUESTIONS --judge-command "python judge.py"`.

Counts the questions whose templates are the same whether demands are respected or not; for these a seed gives the same
mutants, and so nothing can differ but by chance. The others are answered by `darwin` with the lines that contradict no
demand (as it ships) and with every line, `--seeds` times each, on the default engine in this process. Prints the
difference by the guide (the default reward) and by a judge that chose nothing, with 95% bootstrap intervals over
questions: over those that differ, and over all, where the same templates count as no difference.

Answers are kept in bench/out/demands.jsonl; what is there already is not sampled again.
"""

import argparse
import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.limit import Limit
from cli.evaluation.judging import JudgedResponse, command_judge
from cli.evaluation.questions import Question, read_questions
from cli.evaluation.report.statistics import Bootstrap
from services.mutation.demands import read
from services.mutation.templates import TEMPLATES, Template, pool
from services.orchestrator.core import answers
from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.search import Search

OUT = Path(__file__).parent / "out" / "demands.jsonl"
MAX_TOKENS = 128
IN_FLIGHT = 16
ARMS = ("allowed", "every")
_arm: ContextVar[str] = ContextVar("arm")


@dataclass(frozen=True)
class DemandsAnswer:
    """What `darwin` answered with one set of lines; `guide` is the reward that chose it."""

    question: str
    lines: str
    seed: int
    text: str
    guide: float


def allowed(question: Question) -> tuple[Template, ...]:
    """The templates that contradict no demand of a question's first turn."""
    return pool(read([Message("user", question.turns[0])]))


def kept(file: Path) -> list[DemandsAnswer]:
    """The answers that `file` holds."""
    return [DemandsAnswer(**json.loads(line)) for line in file.open()] if file.exists() else []


async def sample(wanted: Sequence[tuple[int, Question, str]], file: Path) -> None:
    """Runs each evolution, 16 at once, and appends its answer to `file`."""
    turn, began, done = asyncio.Semaphore(IN_FLIGHT), time.monotonic(), 0

    async with Limit("auto", lambda demands: pool(demands) if _arm.get() == "allowed" else TEMPLATES) as limit:

        async def one(seed: int, question: Question, arm: str) -> None:
            nonlocal done
            _arm.set(arm)
            messages = (Message("user", question.turns[0]),)
            request = EvolutionRequest("darwin", messages, Sampling(MAX_TOKENS), Search(), seed=seed, seeded=True)
            async with turn:
                best = answers.choices(await limit.run(request), 1)[0]
            with file.open("a") as stream:
                stream.write(
                    json.dumps(asdict(DemandsAnswer(question.id, arm, seed, best.text, best.reward or 0.0))) + "\n"
                )
            done += 1
            if done % 10 == 0:
                print(f"{done} of {len(wanted)} after {time.monotonic() - began:.0f} s", flush=True)

        await asyncio.gather(*(one(*each) for each in wanted))


def differences(found: Sequence[DemandsAnswer], scores: Sequence[float]) -> dict[str, float]:
    """Mean score with the lines allowed, less that with every line, by question."""
    means: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for answer, score in zip(found, scores, strict=True):
        means[answer.question][answer.lines].append(score)
    return {
        question: float(np.mean(by_arm["allowed"]) - np.mean(by_arm["every"])) for question, by_arm in means.items()
    }


def table(found: Sequence[DemandsAnswer], judged: Sequence[float] | None, total: int) -> Table:
    """A row for the guide, and for the judge as it is and at equal length."""
    lengths = differences(found, [len(answer.text) for answer in found])
    shown = Table("by", title=f"lines allowed less every line, {len(found)} answers")
    shown.add_column(f"over the {len(lengths)} questions that differ", justify="right")
    shown.add_column(f"over all {total}", justify="right")

    def row(name: str, scores: Sequence[float], length: Sequence[float] | None = None) -> None:
        over = list(differences(found, scores).values())
        same = [0.0] * (total - len(over))
        shown.add_row(name, _interval(over, length), _interval(over + same, length and [*length, *same]))

    row("guide", [answer.guide for answer in found])
    row("characters", [len(answer.text) for answer in found])
    if judged is not None:
        row("judge", judged)
        row("judge at equal length", judged, list(lengths.values()))
    return shown


def _interval(values: Sequence[float], lengths: Sequence[float] | None = None) -> str:
    bootstrap, sample = Bootstrap(), np.array(values)
    found = bootstrap.mean(sample) if lengths is None else bootstrap.at_equal_length(sample, np.array(lengths))
    return "" if found is None else f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--judge-command")
    arguments = parser.parse_args()
    questions = read_questions(arguments.questions, turns=1)
    pools = {question.id: allowed(question) for question in questions}
    changed = [question for question in questions if pools[question.id] != TEMPLATES]
    print(
        f"of {len(questions)} questions {len(questions) - len(changed)} keep every template, "
        f"{sum(not lines for lines in pools.values())} have none: there the parent goes on"
    )
    OUT.parent.mkdir(parents=True, exist_ok=True)
    have = {(answer.seed, answer.question, answer.lines) for answer in kept(OUT)}
    runs = [(seed, question, arm) for seed in range(arguments.seeds) for question in changed for arm in ARMS]
    missing = [(seed, question, arm) for seed, question, arm in runs if (seed, question.id, arm) not in have]
    if missing:
        asyncio.run(sample(missing, OUT))
    prompts = {question.id: question.turns[0] for question in changed}
    found = [answer for answer in kept(OUT) if answer.question in prompts and answer.seed < arguments.seeds]
    judged = None
    if arguments.judge_command:
        pairs = [JudgedResponse(({"role": "user", "content": prompts[a.question]},), a.text) for a in found]
        judged = command_judge(arguments.judge_command)(pairs)
    Console(width=120).print(table(found, judged, len(questions)))


if __name__ == "__main__":
    main()
