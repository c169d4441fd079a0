"""Three stakeholders with opposing wishes on one stack: `python -m bench.stakeholders QUESTIONS [QUESTIONS …]`.

Their profiles (docs/profiles) are pushed to a stack that runs, and each question is asked under each of them in turn,
without a restart. Per profile: how much of its own rules hold of the base response, of the base response where its
wishes stand in the system prompt, of the best of n samples by its reward, and of what darwin finds. n is such that all
samples together have about as many tokens as darwin has sampled for that question. Prints shares of the rules that
hold, with 95% bootstrap intervals over the questions, and by how much darwin holds more than each of the others.

Rows are kept in bench/out/stakeholders.jsonl; a run goes on from those that are there, for the same settings.
"""

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.preference import ended, held_by, pushed
from bench.service import TEMPLATES
from cli.client import Client
from cli.evaluation.questions import QuestionFilter, read_questions
from cli.evaluation.report.statistics import Bootstrap
from cli.stack import Stack, StackSettings
from services.reward.profiles import ProfileFile, read_profile
from shared.records.limits import MAX_MUTANTS

OUT = Path(__file__).parent / "out" / "stakeholders.jsonl"
PROFILES = Path(__file__).parents[1] / "docs" / "profiles"
NAMES = ("brief", "thorough", "support")
TOLD, BEST, DARWIN = "base, told by a system prompt", "best of n at equal tokens", "darwin"
ARMS = ("base", TOLD, BEST, DARWIN)


@dataclass(frozen=True)
class StakeholderRow:
    """What one answer to one question holds of a profile's rules, 0 or 1 each; `tokens` were sampled for it. `settings`
    is a digest of the run's."""

    question: str
    profile: str
    settings: str
    arm: str
    held: dict[str, float]
    tokens: int
    reward: float
    text: str

    @property
    def share(self) -> float:
        return sum(self.held.values()) / len(self.held)


@dataclass(frozen=True)
class Stakeholder:
    """A profile that has been pushed: its version, wishes, and the names of its rules among the reward's parts."""

    name: str
    version: str
    wishes: tuple[str, ...]
    rules: tuple[str, ...]

    @property
    def system(self) -> str:
        return "Every answer must be like this:\n" + "\n".join(f"- {wish}" for wish in self.wishes)


def rules_of(profile: ProfileFile) -> tuple[str, ...]:
    return tuple(f"{spec.name}.{part}" for spec in profile.components if spec.type == "rules" for part in spec.parts)


def asked(client: Client, who: Stakeholder, text: str, number: int, model: str, tokens: int, **more: Any) -> Any:
    """The result of one search."""
    system = [{"role": "system", "content": more.pop("system")}] if "system" in more else []
    body = {
        "model": model,
        "messages": [*system, {"role": "user", "content": text}],
        "max_tokens": tokens,
        "seed": number,
        "darwin": {"profile": who.version, **more},
    }
    return ended(client, body)


def answered(
    client: Client, who: Stakeholder, question: str, text: str, number: int, tokens: int, settings: str
) -> list[StakeholderRow]:
    """All arms of one question under one profile."""
    found = asked(client, who, text, number, "darwin", tokens)
    spent = found["tokens"]["generated"]
    # The base response of a search by best of n is one of its samples.
    samples = min(MAX_MUTANTS + 1, max(2, round(spent / max(1, found["base"]["completion_tokens"]))))
    best = asked(client, who, text, number, "best-of-n", tokens, mutants=samples - 1, cycles=1)
    told = asked(client, who, text, number, "sample", tokens, system=who.system)
    arms = {
        "base": (found["base"], found["base"]["completion_tokens"]),
        TOLD: (told["choices"][0], told["tokens"]["generated"]),
        BEST: (best["choices"][0], best["tokens"]["generated"]),
        DARWIN: (found["choices"][0], spent),
    }
    return [
        StakeholderRow(
            question, who.name, settings, arm, held_by(choice, who.rules), spent, choice["reward"], choice["text"]
        )
        for arm, (choice, spent) in arms.items()
    ]


def report(rows: Sequence[StakeholderRow], who: Stakeholder) -> Table:
    """One profile's arms: each rule, all rules, and by how much darwin holds more."""
    shown = Table("", *(rule.partition(".")[2] for rule in who.rules), "satisfaction", "darwin more by", "tokens")
    shown.title = f"{who.name}: {'; '.join(who.wishes)}"
    by_arm = {arm: {row.question: row for row in rows if row.arm == arm} for arm in ARMS}
    questions = sorted(set.intersection(*(set(found) for found in by_arm.values())))
    for arm in ARMS:
        mine = [by_arm[arm][question] for question in questions]
        shares = np.array([row.share for row in mine])
        gains = np.array([by_arm[DARWIN][row.question].share - row.share for row in mine])
        shown.add_row(
            arm,
            *(f"{np.mean([row.held[rule] for row in mine]):.0%}" for rule in who.rules),
            _interval(shares, ".0%"),
            "" if arm == DARWIN else _interval(gains, "+.0%"),
            f"{np.mean([row.tokens for row in mine]):.0f}",
        )
    shown.caption = f"{len(questions)} questions"
    return shown


def _interval(values: np.ndarray[Any, np.dtype[np.float64]], how: str) -> str:
    found = Bootstrap().mean(values)
    if found is None:
        return ""
    # A few questions have no interval.
    between = "" if found.low is None or found.high is None else f" [{found.low:{how}}, {found.high:{how}}]"
    return f"{found.value:{how}}{between}"


def kept_rows(settings: str) -> list[StakeholderRow]:
    """The rows of earlier runs with the same settings."""
    if not OUT.exists():
        return []
    found = [StakeholderRow(**json.loads(line)) for line in OUT.read_text("utf-8").splitlines()]
    return [row for row in found if row.settings == settings]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", type=Path, nargs="+")
    parser.add_argument("--count", type=int, default=40, help="how many questions")
    parser.add_argument("--engine", default="auto", help="as `darwin up --engine`")
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--in-flight", type=int, default=3)
    options = parser.parse_args()
    choose = QuestionFilter(split="test", single=True, max_characters=600, turns=1, draw=options.count)
    questions = read_questions(*options.questions, choose=choose)
    files = {name: read_profile(PROFILES / f"{name}.yaml") for name in NAMES}
    contents = {name: (PROFILES / f"{name}.yaml").read_text("utf-8") for name in NAMES}
    settings = sha256(json.dumps([options.engine, options.max_tokens, contents]).encode()).hexdigest()[:12]
    rows = kept_rows(settings)
    console = Console()
    OUT.parent.mkdir(exist_ok=True)
    with (
        Stack(StackSettings(engine=options.engine, env=TEMPLATES)) as stack,
        Client(stack.url) as client,
        OUT.open("a", encoding="utf-8") as kept,
        ThreadPoolExecutor(options.in_flight) as pool,
    ):
        everybody = [
            Stakeholder(name, pushed(client, name, contents[name]), files[name].wishes, rules_of(files[name]))
            for name in NAMES
        ]
        done = {(row.question, row.profile) for row in rows}
        todo = [
            (number, question, who)
            for number, question in enumerate(questions)
            for who in everybody
            if (question.id, who.name) not in done
        ]

        def all_arms(number: int, id_: str, text: str, who: Stakeholder) -> list[StakeholderRow]:
            return answered(client, who, id_, text, number, options.max_tokens, settings)

        jobs = [pool.submit(all_arms, number, each.id, each.turns[0], who) for number, each, who in todo]
        for job in track(as_completed(jobs), "asking", total=len(jobs)):
            found = job.result()
            rows += found
            kept.writelines(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in found)
            kept.flush()
    asked_now = {question.id for question in questions}
    for who in everybody:
        mine = [row for row in rows if row.profile == who.name and row.question in asked_now]
        console.print(report(mine, who))


if __name__ == "__main__":
    main()
