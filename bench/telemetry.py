"""What seeing inside costs: CPU time per evolution of every process, with metrics and tracing off and on, in turns.

python -m bench.telemetry                        # prints a table, writes bench/out/telemetry.json
python -m bench.telemetry --before FOLDER        # beside it the processes of another checkout, as before a change

Models are simulated and take no time, so that what is measured is everything but the models' work.
"""

import argparse
import asyncio
import json
import statistics
import threading
import time
import timeit
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from cli.stack import Stack, StackSettings
from shared.records.evolution import TraceContext
from shared.telemetry import tracing

OUT = Path(__file__).parent / "out" / "telemetry.json"
HERE = Path(__file__).parent.parent
BODY: dict[str, Any] = {
    "model": "darwin",
    "messages": [{"role": "user", "content": "Explain tides."}],
    "max_tokens": 40,
    "darwin": {"period": 10},
}
WARM_UP, IN_FLIGHT = 40, 8

Measured = dict[str, float]
"""Milliseconds of CPU per evolution by process, and "wall"."""


class _Sink(BaseHTTPRequestHandler):
    """Takes OTLP and forgets it."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return None


@contextmanager
def sink() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


async def drive(url: str, evolutions: int) -> None:
    numbers = iter(range(evolutions))

    async def caller(http: httpx.AsyncClient) -> None:
        for _ in numbers:
            (await http.post("/v1/chat/completions", json=BODY)).raise_for_status()

    async with httpx.AsyncClient(base_url=url, timeout=60) as http, asyncio.TaskGroup() as callers:
        for _ in range(IN_FLIGHT):
            callers.create_task(caller(http))


def measure(folder: Path, env: Mapping[str, str], evolutions: int) -> Measured:
    """The processes of the checkout in `folder`, under this environment."""
    with chdir(folder), Stack(StackSettings.simulated(env)) as stack:
        asyncio.run(drive(stack.url, WARM_UP))
        processes = {name: psutil.Process(pid) for name, pid in stack.pids.items()}
        before, began = {name: _cpu_s(process) for name, process in processes.items()}, time.perf_counter()
        asyncio.run(drive(stack.url, evolutions))
        wall = time.perf_counter() - began
        spent = {name: _cpu_s(process) - before[name] for name, process in processes.items()}
    return {name: 1000 * seconds / evolutions for name, seconds in {**spent, "wall": wall}.items()}


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def when_off() -> dict[str, float]:
    """Microseconds that tracing adds where nobody reads it: to a call at the caller's end, and at the callee's."""
    parent = TraceContext("a" * 32, "b" * 16, sampled=False)

    def called() -> tuple[tuple[str, str], ...]:
        with tracing.use_context(parent, "evo_0"):
            return tracing.inject()

    headers = dict(called())
    work = {"a call made": called, "a call served": lambda: tracing.extract(headers)}
    return {name: 1e6 * min(timeit.repeat(one, number=10_000, repeat=5)) / 10_000 for name, one in work.items()}


def variants(before: Path | None, endpoint: str) -> dict[str, tuple[Path, dict[str, str]]]:
    on = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
    sampled = on | {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}
    blind = {"DARWIN_METRICS_LISTEN": "off"}
    chosen = {"off": (HERE, blind), "metrics": (HERE, {}), "1 in 10": (HERE, sampled), "traced": (HERE, on)}
    return {"before": (before, {}), **chosen} if before else chosen


def table(found: Mapping[str, list[Measured]], evolutions: int) -> Table:
    shown = Table(box=box.SIMPLE_HEAD, title=f"ms per evolution, median of {len(found['off'])} runs of {evolutions}")
    first = "before" if "before" in found else "off"
    shown.add_column("process")
    for name in found:
        shown.add_column(name, justify="right")
        if name != first:
            shown.add_column(f"/ {first}", justify="right")
    rows = [name for name in found["off"][0] if name != "wall"]
    for row in (*rows, "CPU in all", "wall"):
        medians = {name: statistics.median(_of(run, row) for run in runs) for name, runs in found.items()}
        cells = []
        for name, value in medians.items():
            cells.append(f"{value:.2f}")
            if name != first:
                cells.append(f"{value / medians[first]:.2f}")
        shown.add_row(row, *cells)
    return shown


def _of(run: Measured, row: str) -> float:
    return sum(value for name, value in run.items() if name != "wall") if row == "CPU in all" else run[row]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--before", type=Path, help="another checkout, with an environment in .venv of its own or none")
    parser.add_argument("--evolutions", type=int, default=300)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    console, found = Console(width=120), defaultdict[str, list[Measured]](list)
    with sink() as endpoint:
        chosen = variants(options.before, endpoint)
        turns = [name for _ in range(options.runs) for name in chosen]
        for name in track(turns, description="measuring", console=console):
            folder, env = chosen[name]
            found[name].append(measure(folder, env, options.evolutions))
    console.print(table(found, options.evolutions))
    off = when_off()
    for what, microseconds in off.items():
        console.print(f"tracing that is off, {what}: {microseconds:.1f} µs")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"evolutions": options.evolutions, "ms": found, "off_us": off}, indent=2))


if __name__ == "__main__":
    main()
