"""The whole system against its physical limit: `python -m bench.service`.

The limit is the same core driving the same engines in one process (`bench.limit`). Both are loaded, and measured in
turn, so that whatever else the machine does falls on both. With `--before CHECKOUT` the stack of another checkout of
Darwin, such as the last release, takes the limit's place. Prints tables, writes bench/out/service.json.
"""

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.limit import Limit
from bench.memory import peak_mib
from bench.questions import QUESTIONS
from cli.client import Client
from cli.stack import Stack, StackSettings
from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.search import Search

OUT = Path(__file__).parent / "out" / "service.json"
MAX_TOKENS = 120
# Nothing is measured at the start but what is measured here.
TEMPLATES = {"DARWIN_MUTATION_AUTO_SHARE": "1"}
CONCURRENT = 16
SINGLE_BAR, CONCURRENT_BAR, LIGHT_MIB = 1.10, 0.85, 150


@dataclass(frozen=True)
class ServiceRun:
    """One measurement: some evolutions, all at once."""

    where: str
    evolutions: int
    seconds: float
    tokens: int

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds

    @property
    def ms_per_token(self) -> float:
        return 1000 * self.seconds / self.tokens


Measurement = Callable[[Sequence[str]], Awaitable[ServiceRun]]


def request(question: str, index: int) -> EvolutionRequest:
    return EvolutionRequest("darwin", (Message("user", question),), Sampling(MAX_TOKENS), Search(), seed=index)


def align(url: str, question: str, index: int) -> int:
    """One evolution through the gateway; tokens sampled."""
    body = {
        "model": "darwin",
        "messages": [{"role": "user", "content": question}],
        "max_tokens": MAX_TOKENS,
    }
    with Client(url) as client:
        started = client.start(body)
        for _ in client.events(started["id"]):
            pass
        ended = client.get(started["id"])
    if ended["status"] != "succeeded":
        raise RuntimeError(f"evolution {index} {ended['status']}: {ended['error']}")
    return int(ended["result"]["tokens"]["generated"])


async def through_service(url: str, questions: Sequence[str], where: str = "service") -> ServiceRun:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(len(questions)) as pool:
        started = time.perf_counter()
        jobs = [loop.run_in_executor(pool, align, url, question, i) for i, question in enumerate(questions)]
        tokens = sum(await asyncio.gather(*jobs))
        return ServiceRun(where, len(questions), time.perf_counter() - started, tokens)


@contextmanager
def stack_of(checkout: Path, engine: str) -> Iterator[str]:
    """The stack that another checkout starts with this Python; the URL of its gateway."""
    command = [sys.executable, "-m", "cli.main", "up", "--engine", engine, "--port", "0"]
    environment = os.environ | {"PYTHONPATH": str(checkout.resolve())}
    with subprocess.Popen(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.search(r"(http://\S+) answers", line):
                    yield found.group(1)
                    break
            else:
                raise RuntimeError(f"the stack of {checkout} did not start")
        finally:
            process.terminate()


async def at_limit(limit: Limit, questions: Sequence[str]) -> ServiceRun:
    seconds, tokens = await limit.measure([request(question, i) for i, question in enumerate(questions)])
    return ServiceRun("limit", len(questions), seconds, tokens)


async def measure(url: str, against: Measurement, singles: int, repeats: int, console: Console) -> list[ServiceRun]:
    """Service and what it is measured against in turn, each turn with the other first."""
    await against(QUESTIONS[:2])
    await through_service(url, QUESTIONS[:2])
    batches = [(question,) for question in QUESTIONS[:singles]] + [QUESTIONS[:CONCURRENT]] * repeats
    runs: list[ServiceRun] = []
    with console.status("measuring") as status:
        for turn, batch in enumerate(batches):
            status.update(f"measuring {turn + 1} of {len(batches)}: {len(batch)} evolution(s) at once")
            both = [against(batch), through_service(url, batch)]
            for job in both if turn % 2 == 0 else reversed(both):
                runs.append(await job)
    return runs


def summary(runs: Sequence[ServiceRun], evolutions: int, console: Console) -> float:
    """Prints one table; returns service over the other in milliseconds per token, the total of each."""
    table = Table("", "seconds", "tokens", "tokens/s", "ms/token", title=f"{evolutions} evolution(s) at once")
    totals = {}
    for where in dict.fromkeys(run.where for run in sorted(runs, key=lambda run: run.where == "service")):
        mine = [run for run in runs if run.where == where and run.evolutions == evolutions]
        total = ServiceRun(where, evolutions, sum(run.seconds for run in mine), sum(run.tokens for run in mine))
        totals[where] = total
        table.add_row(
            where,
            f"{total.seconds:.1f}",
            str(total.tokens),
            f"{total.tokens_per_second:.1f}",
            f"{total.ms_per_token:.2f}",
        )
    console.print(table)
    other = next(total for where, total in totals.items() if where != "service")
    return totals["service"].ms_per_token / other.ms_per_token


def paired(runs: Sequence[ServiceRun], evolutions: int) -> float:
    """Median over turns of service over the other, in milliseconds per token."""
    mine = [run for run in runs if run.where == "service" and run.evolutions == evolutions]
    others = [run for run in runs if run.where != "service" and run.evolutions == evolutions]
    return float(statistics.median(s.ms_per_token / o.ms_per_token for s, o in zip(mine, others, strict=True)))


def report(runs: Sequence[ServiceRun], memory: dict[str, float], console: Console) -> dict[str, Any]:
    single = summary(runs, 1, console)
    concurrent = 1 / summary(runs, CONCURRENT, console)
    table = Table("figure", "value", "bar", "", title="Bars")
    rows = [
        ("1 evolution: service / limit, wall per token", single, SINGLE_BAR, single <= SINGLE_BAR),
        (f"{CONCURRENT} at once: service / limit, tokens/s", concurrent, CONCURRENT_BAR, concurrent >= CONCURRENT_BAR),
        *(
            (f"{name}, peak MiB", memory[name], LIGHT_MIB, memory[name] < LIGHT_MIB)
            for name in ("gateway", "orchestrator")
        ),
    ]
    for name, value, bar, met in rows:
        table.add_row(name, f"{value:.2f}", f"{bar:.2f}", "[green]met[/]" if met else "[red]missed[/]")
    console.print(table)
    peaks = Table("process", "peak MiB", title="Memory")
    for name, mib in memory.items():
        peaks.add_row(name, f"{mib:.0f}")
    console.print(peaks)
    return {
        "single_ratio": single,
        "single_ratio_median": paired(runs, 1),
        "concurrent_ratio": concurrent,
        "peak_mib": memory,
        "runs": [asdict(run) for run in runs],
    }


async def main(engine: str, singles: int, repeats: int, before: Path | None) -> None:
    console = Console()
    with ExitStack() as running, console.status("starting the stack") as status:
        stack = running.enter_context(Stack(StackSettings(engine=engine, env=TEMPLATES)))
        status.stop()
        async with AsyncExitStack() as loaded:
            if before is None:
                console.log("stack is up, loading the same engines here")
                against = partial(at_limit, await loaded.enter_async_context(Limit(engine)))
            else:
                console.log(f"stack is up, starting that of {before}")
                against = partial(through_service, running.enter_context(stack_of(before, engine)), where="before")
            runs = await measure(stack.url, against, singles, repeats, console)
        memory = {name: peak_mib(pid) for name, pid in stack.pids.items()}
    if before is None:
        results = report(runs, memory, console)
    else:
        results = {f"ratio_at_{count}": summary(runs, count, console) for count in (1, CONCURRENT)}
        results |= {f"ratio_at_{count}_median": paired(runs, count) for count in (1, CONCURRENT)}
        results["runs"] = [asdict(run) for run in runs]
        console.print(", ".join(f"{name}: {value:.3f}" for name, value in results.items() if name != "runs"))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"engine": engine, "max_tokens": MAX_TOKENS, **results}, indent=2))
    console.print(f"written to {OUT}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--singles", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--before", type=Path, help="another checkout, whose stack is measured in turn with this one")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.engine, arguments.singles, arguments.repeats, arguments.before))
