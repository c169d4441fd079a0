"""Do answers keep the form that was asked for: `python -m bench.formats`, on the default engine in this process.

60 prompts of ten kinds (`formats.jsonl`: translation, yes or no, one sentence, title, label, fields, JSON, number,
list, so many words), some in other languages or with the demand in the system prompt, `--seeds` times each.
Prints, per kind, how many answers hold their form (`format_checks.py`), their median words, and the second method's
share less the first's with a 95% bootstrap interval over prompts.

Answers are kept in bench/out/formats.jsonl; what is there already is not sampled again.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.format_checks import CHECKS
from bench.limit import Limit
from cli.evaluation.report.statistics import Bootstrap
from services.mutation.mutator import Pool
from services.mutation.templates import TEMPLATES, pool
from services.orchestrator.core import answers
from shared.methods import Method
from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.search import Search

PROMPTS = Path(__file__).parent / "formats.jsonl"
OUT = Path(__file__).parent / "out" / "formats.jsonl"
METHODS = ("best-of-n", "darwin")
MAX_TOKENS = 60
IN_FLIGHT = 16
# Which lines mutants may have: those that contradict no demand, as it ships; every one; none.
POOLS: dict[str, Pool] = {"allowed": pool, "every": lambda demands: TEMPLATES, "none": lambda demands: ()}


@dataclass(frozen=True)
class FormatPrompt:
    """A conversation that asks for a form, and what its check wants."""

    id: str
    kind: str
    messages: tuple[Message, ...]
    want: Any

    def held(self, text: str) -> bool:
        """Whether `text` has the form asked for."""
        return CHECKS[self.kind](text, self.want)


@dataclass(frozen=True)
class FormatAnswer:
    """What a method answered, and by which instruction."""

    prompt: str
    method: str
    seed: int
    text: str
    instruction: str


def prompts() -> list[FormatPrompt]:
    """Every prompt of the file."""
    found = []
    for line in PROMPTS.read_text().splitlines():
        item = json.loads(line)
        found.append(
            FormatPrompt(item["id"], item["kind"], tuple(Message(**m) for m in item["messages"]), item["want"])
        )
    return found


def kept(file: Path) -> list[FormatAnswer]:
    """The answers that `file` holds."""
    return [FormatAnswer(**json.loads(line)) for line in file.open()] if file.exists() else []


def _missing(
    seeds: int, methods: Sequence[str], have: Sequence[FormatAnswer]
) -> Iterator[tuple[FormatPrompt, str, int]]:
    """Seed by seed, so that a run that is ended early has measured every prompt alike."""
    known = {(answer.prompt, answer.method, answer.seed) for answer in have}
    for seed in range(seeds):
        for prompt in prompts():
            for method in methods:
                if (prompt.id, method, seed) not in known:
                    yield prompt, method, seed


async def sample(wanted: Sequence[tuple[FormatPrompt, str, int]], lines: Pool, file: Path) -> None:
    """Runs each evolution, 16 at once, and appends its answer to `file`."""
    turn, began, done = asyncio.Semaphore(IN_FLIGHT), time.monotonic(), 0

    async with Limit("auto", lines) as limit:
        with file.open("a") as stream:

            async def one(prompt: FormatPrompt, method: str, seed: int) -> None:
                nonlocal done
                async with turn:
                    found = answers.choices(await limit.run(_request(prompt, method, seed)), 1)[0]
                stream.write(
                    json.dumps(asdict(FormatAnswer(prompt.id, method, seed, found.text, found.instruction))) + "\n"
                )
                stream.flush()
                done += 1
                if done % 20 == 0:
                    print(f"{done} of {len(wanted)} after {time.monotonic() - began:.0f} s", flush=True)

            await asyncio.gather(*(one(*each) for each in wanted))


def _request(prompt: FormatPrompt, method: str, seed: int) -> EvolutionRequest:
    sampling = Sampling(max_tokens=MAX_TOKENS)
    return EvolutionRequest(cast(Method, method), prompt.messages, sampling, Search(), seed=seed, seeded=True)


def table(found: Sequence[FormatAnswer], methods: Sequence[str]) -> Table:
    """A row per kind: answers that hold their form of all, and median words, by method."""
    by_id = {prompt.id: prompt for prompt in prompts()}
    cells: dict[tuple[str, str], list[tuple[bool, int]]] = defaultdict(list)
    for answer in found:
        prompt = by_id[answer.prompt]
        for kind in (prompt.kind, "all"):
            cells[kind, answer.method].append((prompt.held(answer.text), len(answer.text.split())))
    shown = Table("kind", title="answers that hold the form asked for, and their median words")
    for method in methods:
        shown.add_column(f"{method}, held", justify="right")
        shown.add_column("words", justify="right")
    shown.add_column("difference", justify="right")
    for kind in (*CHECKS, "all"):
        row = []
        for method in methods:
            cell = cells[kind, method]
            held, words = sum(each for each, _ in cell), [count for _, count in cell]
            row += [f"{held} of {len(cell)}", f"{statistics.median(words):g}" if words else ""]
        shown.add_row(kind, *row, _interval(_differences(found, kind, methods)) if len(methods) > 1 else "")
    return shown


def _interval(values: Sequence[float]) -> str:
    found = Bootstrap().mean(np.array(values))
    return "" if found is None else f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def _differences(found: Sequence[FormatAnswer], kind: str, methods: Sequence[str]) -> list[float]:
    """By prompt: the share that holds its form under the second method, less that under the first."""
    differences = []
    for prompt in prompts():
        if kind in (prompt.kind, "all"):
            first, second = (
                [prompt.held(answer.text) for answer in found if (answer.prompt, answer.method) == (prompt.id, method)]
                for method in methods[:2]
            )
            differences.append(statistics.mean(second) - statistics.mean(first))
    return differences


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8, help="runs of each prompt by each method")
    parser.add_argument("--methods", default=",".join(METHODS), help="comma-separated")
    parser.add_argument(
        "--lines", choices=POOLS, default="allowed", help="that mutants may have; another needs an --out"
    )
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    methods = arguments.methods.split(",")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    missing = list(_missing(arguments.seeds, methods, kept(arguments.out)))
    if missing:
        asyncio.run(sample(missing, POOLS[arguments.lines], arguments.out))
    found = [answer for answer in kept(arguments.out) if answer.seed < arguments.seeds]
    Console(width=140).print(table(found, methods))


if __name__ == "__main__":
    main()
