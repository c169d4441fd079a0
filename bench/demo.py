"""Ten runs of what `make demo` shows: `python -m bench.demo [--prompt …]`, through a stack of its own.

Prints base and evolved answer of each run side by side, to be read, with what each component of the reward gives them
and whether they hold the form that the prompt demands, as the component `form` reads it; then the counts over all runs.
Keeps everything in bench/out/demo.jsonl.
"""

import argparse
import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from cli.client import Client
from cli.stack import Stack, StackSettings
from services.reward.form.demands import form_of
from shared.records.evolution import Message

OUT = Path(__file__).parent / "out" / "demo.jsonl"
MAX_TOKENS = 160


@dataclass(frozen=True)
class DemoAnswer:
    """One of a run's two answers: its text, reward, and the reward's weighted parts."""

    text: str
    reward: float
    components: dict[str, float]

    @property
    def words(self) -> int:
        return len(self.text.split())


@dataclass(frozen=True)
class DemoRun:
    """One evolution: its prompt and seed, the base response and the answer."""

    prompt: str
    seed: int
    base: DemoAnswer
    evolved: DemoAnswer

    def holds(self, answer: DemoAnswer) -> bool:
        return form_of([Message("user", self.prompt)]).holds(answer.text, partial=False)


def runs(client: Client, prompt: str, seeds: int, method: str) -> Iterator[DemoRun]:
    """One evolution after the other, each with the defaults of the command line."""
    for seed in range(seeds):
        messages = [{"role": "user", "content": prompt}]
        started = client.start({"model": method, "messages": messages, "max_tokens": MAX_TOKENS, "seed": seed})
        for _ in client.events(started["id"]):
            pass
        result = client.get(started["id"])["result"]
        yield DemoRun(prompt, seed, _answer(result["base"]), _answer(result["choices"][0]))


def _answer(choice: dict[str, Any]) -> DemoAnswer:
    return DemoAnswer(choice["text"], choice["reward"], choice["components"])


def side_by_side(run: DemoRun) -> Table:
    shown = Table.grid(expand=True)
    shown.add_column(ratio=1)
    shown.add_column(ratio=1)
    panels = []
    for name, answer in (("base", run.base), ("evolved", run.evolved)):
        held = "holds" if run.holds(answer) else "does not hold"
        title = f"{name}, seed {run.seed}: {answer.words} words, {held} the form, reward {answer.reward:+.2f}"
        parts = ", ".join(f"{part} {value:+.2f}" for part, value in answer.components.items())
        panels.append(Panel(answer.text.strip(), title=title, subtitle=parts))
    shown.add_row(*panels)
    return shown


def summary(found: Sequence[DemoRun]) -> Table:
    shown = Table("", "base", "evolved", title=f"{len(found)} runs of: {found[0].prompt}")
    both = [run.base for run in found], [run.evolved for run in found]
    held = [sum(run.holds(answer) for run, answer in zip(found, side, strict=True)) for side in both]
    shown.add_row("hold the form", *(f"{count} of {len(found)}" for count in held))
    shown.add_row("median words", *(f"{statistics.median(a.words for a in side):g}" for side in both))
    shown.add_row("mean reward", *(f"{statistics.mean(a.reward for a in side):+.2f}" for side in both))
    for part in found[0].evolved.components:
        values = [statistics.mean(a.components.get(part, 0.0) for a in side) for side in both]
        shown.add_row(f"  of it {part}", *(f"{value:+.2f}" for value in values))
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompt", action="append", required=True, help="again for others")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--method", default="darwin")
    arguments = parser.parse_args()
    console = Console(width=160)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    with OUT.open("a") as kept, Stack(StackSettings()) as stack, Client(stack.url) as client:
        for prompt in arguments.prompt:
            found = []
            for run in runs(client, prompt, arguments.runs, arguments.method):
                kept.write(json.dumps(asdict(run), ensure_ascii=False) + "\n")
                console.print(side_by_side(run))
                found.append(run)
            console.print(summary(found))


if __name__ == "__main__":
    main()
