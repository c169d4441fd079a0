"""What an evolution writes to Redis against the text that it samples, and the CPU of its rounds.

python -m bench.record                     # sweeps sizes; exit code 1 past a bar
python -m bench.record --against PATH      # the same of another checkout beside it, and the ratio of CPU

The stages are simulated and cost next to nothing; Redis is real. Bytes are those of its append-only file.
"""

import argparse
import json
import os
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.record.aof import KINDS

HERE = Path(__file__).resolve()
TREE = HERE.parents[2]
OUT = TREE / "bench" / "out" / "record.json"
SHAPES = ("1x2x16*50", "1x5x40*50", "1x5x200*100", "1x5x1024*10", "2x16x512*3", "4x16x1024*1", "8x32x2048*1")
"""Cycles x mutants x max_tokens, and how many evolutions of it."""
BYTES_BAR = 6.0
BAR_FROM = 1200
"""Bytes of text from which on the bar holds. Any evolution has a record, a message and a lease, and stands in lists and
in the queue: that is as much as several times the text of one that samples a few words."""
CPU_BARS = {"1x5x200": 0.6, "4x16x1024": 0.3}
"""Most CPU of a round against the other checkout: at the usual size, and where states reach a megabyte."""
_TURNS = 8


def compared(shape: str, against: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two checkouts by turns; of what the CPU of their rounds is in each turn, the medians, and that of the ratio
    under `ratio`, with its quartiles: how fast a machine is changes while others use it.
    """
    pairs = [(measured(TREE, shape), measured(against, shape)) for _ in track(range(_TURNS), shape, transient=True)]
    own, other = (
        rows[-1] | {name: median(row[name] for row in rows) for name in ("worker_ms", "redis_ms")}
        for rows in zip(*pairs, strict=True)
    )
    low, middle, high = quantiles([_cpu(one) / _cpu(two) for one, two in pairs], n=4, method="inclusive")
    return own | {"ratio": middle, "quartiles": [low, high]}, other


def measured(tree: Path, shape: str) -> dict[str, Any]:
    """What `measure` finds of a shape in a checkout.

    Raises:
        subprocess.CalledProcessError: it did not come to its end.
    """
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    command = (sys.executable, str(HERE.with_name("measure.py")), shape)
    ran = subprocess.run(command, cwd=tree, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def _bytes_table(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table("shape", "rounds", "text kB", *KINDS, "all kB", "x text", title=title)
    for row in rows:
        kinds, total = row["kinds"], sum(row["kinds"].values())
        cells = [f"{kinds.get(kind, 0) / 1000:.1f}" for kind in KINDS]
        text = row["text"] / 1000
        table.add_row(
            row["shape"], f"{row['rounds']:.0f}", f"{text:.1f}", *cells, f"{total / 1000:.1f}", f"{_ratio(row):.2f}"
        )
    return table


def _ratio(row: dict[str, Any]) -> float:
    return float(sum(row["kinds"].values()) / row["text"])


def _holds_from(rows: list[dict[str, Any]]) -> float | None:
    """From how many bytes of text on the bar holds, between the two smallest shapes on a line through them; None where
    they tell nothing about that."""
    points = sorted((row["text"], sum(row["kinds"].values())) for row in rows)[:2]
    if len(points) < 2 or not _ratio_of(points[0]) > BYTES_BAR > _ratio_of(points[1]):
        return None
    (text, written), (more_text, more) = points
    slope = (more - written) / (more_text - text)
    return float((written - slope * text) / (BYTES_BAR - slope))


def _ratio_of(point: tuple[float, float]) -> float:
    return point[1] / point[0]


def _cpu(row: dict[str, Any]) -> float:
    return float(row["worker_ms"] + row["redis_ms"])


def main(shapes: list[str], against: Path | None) -> int:
    console = Console(width=150)
    own, other = [], []
    for shape in shapes:
        if against:
            row, theirs = compared(shape, against)
            other.append(theirs)
        else:
            row = measured(TREE, shape)
        own.append(row)
    console.print(_bytes_table("bytes written an evolution (kB)", own))
    missed = [
        f"{row['shape']}: {_ratio(row):.2f} bytes for one of text"
        for row in own
        if _ratio(row) > BYTES_BAR and row["text"] >= BAR_FROM
    ]
    if (least := _holds_from(own)) is not None:
        console.print(f"at most {BYTES_BAR:g} bytes are written for one of text from {least:.0f} bytes of text on")
        if least > BAR_FROM:
            missed.append(f"the bytes written are under the bar from {least:.0f} of text on, not from {BAR_FROM}")
    if against:
        console.print(_bytes_table(f"the same of {against}", other))
    measures = ("worker ms", "redis ms", "peak MB")
    cpu = Table("shape", *measures, *(f"theirs: {name}" for name in measures), "ratio", "quartiles", "bar")
    for row, theirs in zip_longest(own, other):
        cells = [f"{row['worker_ms']:.2f}", f"{row['redis_ms']:.2f}", f"{row['peak'] / 1e6:.1f}"]
        if theirs:
            ratio, bar = row["ratio"], CPU_BARS.get(row["shape"])
            if bar is not None and ratio > bar:
                missed.append(f"{row['shape']}: {ratio:.2f} of the other's CPU, at most {bar}")
            cells += [f"{theirs['worker_ms']:.2f}", f"{theirs['redis_ms']:.2f}", f"{theirs['peak'] / 1e6:.1f}"]
            cells += [f"{ratio:.2f}", "–".join(f"{each:.2f}" for each in row["quartiles"]), str(bar or "")]
        cpu.add_row(row["shape"], *cells)
    cpu.title = "CPU a round"
    console.print(cpu)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"missed": missed, "own": own, "other": other}, indent=2))
    console.print(f"bar: {BYTES_BAR:g} bytes written for one of text, from {BAR_FROM} bytes of text on; in {OUT}")
    for each in missed:
        console.print(f"missed: {each}")
    return 1 if missed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("shapes", nargs="*", default=list(SHAPES), help="cycles x mutants x max_tokens [* evolutions]")
    arguments = parser.parse_args()
    sys.exit(main(arguments.shapes, arguments.against.resolve() if arguments.against else None))
