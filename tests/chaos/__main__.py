"""The table of faults, against a real stack: `python -m tests.chaos`."""

import json
import signal
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from redis.exceptions import RedisError
from rich.console import Console

from cli.session import EngineOption
from cli.stack import StackError
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.report import line, table
from tests.chaos.scene import Load, Scene, embedded, simulated
from tests.chaos.storage import Layout
from tests.chaos.trial import Row, run

OUT = Path(__file__).parents[2] / "bench" / "out" / "chaos.json"


def main(
    engine: EngineOption = "auto",
    only: Annotated[list[str] | None, typer.Option(help="Faults whose name contains this; may be repeated.")] = None,
    show: Annotated[bool, typer.Option("--list", help="Print the names of the faults.")] = False,
) -> None:
    """Each fault strikes while 20 evolutions are in flight; exit code 1 where a bar was missed."""
    chosen = [fault for fault in FAULTS if not only or any(part in fault.name for part in only)]
    console = Console(width=130)
    if show:
        console.print(*(fault.name for fault in chosen), sep="\n")
        return
    rows: list[Row] = []
    for row in _rows(chosen, simulated() if engine == "simulated" else embedded(engine), console):
        rows.append(row)
        console.print(line(row))
        OUT.parent.mkdir(exist_ok=True)
        OUT.write_text(json.dumps({"engine": engine, "rows": [asdict(row) for row in rows]}, indent=2))
    console.print(table(rows))
    console.print(f"{sum(row.passed for row in rows)} of {len(chosen)} passed; written to {OUT}")
    if not rows or not all(row.passed for row in rows):
        raise typer.Exit(1)


def _rows(faults: Sequence[Fault], load: Load, console: Console) -> Iterator[Row]:
    """A stack serves as many faults as it survives; what broke off is a row too."""
    left = sorted(faults, key=_stack_of)
    while left:
        stack = proxied, replicas, gateways, layout = _stack_of(left[0])
        with (
            console.status("starting the stack") as status,
            Scene(load, proxied=proxied, replicas=replicas, gateways=gateways, layout=layout) as scene,
        ):
            broken = False
            while left and _stack_of(left[0]) == stack and not broken:
                fault = left.pop(0)
                try:
                    yield run(fault, scene, lambda doing, name=fault.name: status.update(f"{name}: {doing}"))
                except (StackError, TimeoutError, RedisError) as error:
                    yield Row(fault.name, fault.recovers, misses=(f"{type(error).__name__}: {error}",))
                    broken = True


def _stack_of(fault: Fault) -> tuple[bool, int, int, Layout]:
    return fault.proxied, fault.replicas, fault.gateways, fault.layout


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
