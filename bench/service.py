"""The whole system against its physical limit: `python -m bench.service`.

The limit is the same core driving the same engines in one process (`bench.limit`). Both are loaded, and measured in
turn, so that whatever else the machine does falls on both; and so is plain decoding of 64 sequences by the limit's
engine, without search and reward. With `--before CHECKOUT` the stack of another checkout of Darwin, such as the last
release, takes the limit's place, and both are started by the command line, whose time until it is ready is measured
too. Prints tables, writes bench/out/service.json.
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
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import psutil
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
PLAIN, PLAINLY = 64, "plain decoding"
SINGLE_BAR, CONCURRENT_BAR, PLAIN_BAR, LIGHT_MIB = 1.10, 0.85, 1.25, 150
TOKENS_BAR, START_BAR, MEMORY_BAR = 1.3, 0.6, 0.6


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


@dataclass(frozen=True)
class StartedStack:
    """A stack that the command line has started: its gateway, its process, and how long it took to be ready."""

    url: str
    pid: int
    ready_s: float

    def model_mib(self) -> float:
        """Peak memory of generation and reward with all that they started."""
        children = psutil.Process(self.pid).children()
        models = [each for each in children if each.cmdline()[-1] in ("services.generation", "services.reward")]
        return sum(peak_mib(each.pid) for each in models)


@contextmanager
def stack_of(checkout: Path, engine: str) -> Iterator[StartedStack]:
    """The stack that a checkout starts with this Python."""
    command = [sys.executable, "-m", "cli.main", "up", "--engine", engine, "--port", "0"]
    environment, began = os.environ | TEMPLATES | {"PYTHONPATH": str(checkout.resolve())}, time.perf_counter()
    with subprocess.Popen(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.search(r"(http://\S+) answers", line):
                    yield StartedStack(found.group(1), process.pid, time.perf_counter() - began)
                    break
            else:
                raise RuntimeError(f"the stack of {checkout} did not start")
        finally:
            process.terminate()


async def at_limit(limit: Limit, questions: Sequence[str]) -> ServiceRun:
    seconds, tokens = await limit.measure([request(question, i) for i, question in enumerate(questions)])
    return ServiceRun("limit", len(questions), seconds, tokens)


async def plainly(limit: Limit) -> ServiceRun:
    prompts = [[Message("user", question)] for question in islice(cycle(QUESTIONS), PLAIN)]
    return ServiceRun(PLAINLY, PLAIN, *await limit.plain(prompts, MAX_TOKENS))


async def measure(
    url: str, against: Measurement, plain: Limit | None, singles: int, repeats: int, console: Console
) -> list[ServiceRun]:
    """Service and what it is measured against in turn, each turn with the other first; where there is a `plain`, its
    engine alone after each batch of many."""
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
            if plain and len(batch) == CONCURRENT:
                runs.append(await plainly(plain))
    return runs


def summary(runs: Sequence[ServiceRun], evolutions: int, console: Console) -> float:
    """Prints one table; returns service over the other in milliseconds per token, the total of each."""
    table = Table("", "seconds", "tokens", "tokens/s", "ms/token", title=f"{evolutions} evolution(s) at once")
    totals = {}
    runs = sorted((run for run in runs if run.where != PLAINLY), key=lambda run: run.where == "service")
    for where in dict.fromkeys(run.where for run in runs):
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
    others = [run for run in runs if run.where not in ("service", PLAINLY) and run.evolutions == evolutions]
    return float(statistics.median(s.ms_per_token / o.ms_per_token for s, o in zip(mine, others, strict=True)))


def over_plain(runs: Sequence[ServiceRun]) -> float:
    """Median over turns of the service's milliseconds per token in many evolutions, over those of plain decoding."""
    mine = [run for run in runs if run.where == "service" and run.evolutions == CONCURRENT]
    plain = [run for run in runs if run.where == PLAINLY]
    return float(statistics.median(s.ms_per_token / p.ms_per_token for s, p in zip(mine, plain, strict=True)))


def show_bars(rows: Sequence[tuple[str, float, float, bool]], console: Console) -> None:
    table = Table("figure", "value", "bar", "", title="Bars")
    for name, value, bar, met in rows:
        table.add_row(name, f"{value:.2f}", f"{bar:.2f}", "[green]met[/]" if met else "[red]missed[/]")
    console.print(table)


def report(runs: Sequence[ServiceRun], memory: dict[str, float], console: Console) -> dict[str, Any]:
    single = summary(runs, 1, console)
    concurrent = 1 / summary(runs, CONCURRENT, console)
    plain = over_plain(runs)
    rows = [
        ("1 evolution: service / limit, wall per token", single, SINGLE_BAR, single <= SINGLE_BAR),
        (f"{CONCURRENT} at once: service / limit, tokens/s", concurrent, CONCURRENT_BAR, concurrent >= CONCURRENT_BAR),
        (f"{CONCURRENT} at once: service / plain decoding, wall per token", plain, PLAIN_BAR, plain <= PLAIN_BAR),
        *(
            (f"{name}, peak MiB", memory[name], LIGHT_MIB, memory[name] < LIGHT_MIB)
            for name in ("gateway", "orchestrator")
        ),
    ]
    show_bars(rows, console)
    peaks = Table("process", "peak MiB", title="Memory")
    for name, mib in memory.items():
        peaks.add_row(name, f"{mib:.0f}")
    console.print(peaks)
    return {
        "single_ratio": single,
        "single_ratio_median": paired(runs, 1),
        "concurrent_ratio": concurrent,
        "plain_ratio": plain,
        "peak_mib": memory,
        "runs": [asdict(run) for run in runs],
    }


def compare(now: StartedStack, before: StartedStack, runs: Sequence[ServiceRun], console: Console) -> dict[str, Any]:
    """Prints how this checkout's stack does beside another's."""
    tokens = {count: 1 / summary(runs, count, console) for count in (1, CONCURRENT)}
    start, memory = now.ready_s / before.ready_s, now.model_mib() / before.model_mib()
    rows = [(f"{count} at once: tokens/s", ratio, TOKENS_BAR, ratio >= TOKENS_BAR) for count, ratio in tokens.items()]
    rows.append((f"start to ready, {now.ready_s:.1f} s", start, START_BAR, start <= START_BAR))
    rows.append((f"generation + reward, peak {now.model_mib():.0f} MiB", memory, MEMORY_BAR, memory <= MEMORY_BAR))
    show_bars(rows, console)
    return {
        **{f"ratio_at_{count}": 1 / ratio for count, ratio in tokens.items()},
        **{f"ratio_at_{count}_median": paired(runs, count) for count in (1, CONCURRENT)},
        "start_ratio": start,
        "memory_ratio": memory,
        "runs": [asdict(run) for run in runs],
    }


async def against_before(engine: str, singles: int, repeats: int, before: Path, console: Console) -> dict[str, Any]:
    with ExitStack() as running:
        older = running.enter_context(stack_of(before, engine))
        now = running.enter_context(stack_of(Path(__file__).parents[1], engine))
        against = partial(through_service, older.url, where="before")
        return compare(now, older, await measure(now.url, against, None, singles, repeats, console), console)


async def against_limit(engine: str, singles: int, repeats: int, console: Console) -> dict[str, Any]:
    with ExitStack() as running:
        with console.status("starting the stack"):
            stack = running.enter_context(Stack(StackSettings(engine=engine, env=TEMPLATES)))
        console.log("stack is up, loading the same engines here")
        async with Limit(engine) as limit:
            runs = await measure(stack.url, partial(at_limit, limit), limit, singles, repeats, console)
        return report(runs, {name: peak_mib(pid) for name, pid in stack.pids.items()}, console)


async def main(engine: str, singles: int, repeats: int, before: Path | None) -> None:
    console = Console()
    if before is None:
        results = await against_limit(engine, singles, repeats, console)
    else:
        results = await against_before(engine, singles, repeats, before, console)
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
