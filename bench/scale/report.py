"""What was measured, as tables."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from bench.scale.measuring import LoadPoint

# Sent by clients, a round; everything else is called by scripts.
SENT = ("brpop", "evalsha", "set", "multi", "exec")


def rates(points: Sequence[LoadPoint], title: str) -> Table:
    """Measured against ideal."""
    shown = Table(box=box.SIMPLE_HEAD, title=title)
    names = (
        "replicas",
        "at once",
        "stretch",
        "rounds/s",
        "ideal",
        "efficiency",
        "evolutions/s",
        "ms over ideal",
        "cores",
    )
    for name in names:
        shown.add_column(name, justify="right")
    for point in points:
        shown.add_row(
            str(point.replicas),
            str(point.concurrent),
            f"{point.stretch:g}",
            f"{point.rounds:.1f}",
            f"{point.ideal:.1f}",
            f"{point.efficiency:.2f}",
            f"{point.evolutions:.1f}",
            f"{point.overhead_ms:.0f}",
            f"{point.cores:.2f}",
        )
    return shown


def cpu(points: Sequence[LoadPoint]) -> Table:
    """Milliseconds of CPU a round; workers together."""
    shown = Table(box=box.SIMPLE_HEAD, title="ms of CPU a round (workers together)")
    for name in ("replicas", "concurrent", "rounds/s", *spent(points[0])):
        shown.add_column(name, justify="right")
    for point in points:
        costs = (f"{cost:.2f}" for cost in spent(point).values())
        shown.add_row(str(point.replicas), str(point.concurrent), f"{point.rounds:.1f}", *costs)
    return shown


def spent(point: LoadPoint) -> dict[str, float]:
    """Milliseconds of CPU a round by kind of process."""
    kinds: dict[str, float] = {}
    for name, cost in point.cpu_ms.items():
        kind = "orchestrator" if name.startswith("orchestrator") else name
        kinds[kind] = kinds.get(kind, 0.0) + cost
    return kinds


def limits(point: LoadPoint) -> Table:
    """Where each process would fill a core, the first bottleneck first."""
    shown = Table(box=box.SIMPLE_HEAD, title="One process of each kind fills a core at")
    shown.add_column("process")
    for name in ("ms a round", "rounds/s"):
        shown.add_column(name, justify="right")
    for name, cost in sorted(spent(point).items(), key=lambda item: -item[1]):
        shown.add_row(name, f"{cost:.2f}", f"{1000 / cost:.0f}" if cost > 0.005 else "–")
    return shown


def commands(point: LoadPoint) -> Table:
    """Redis's commands a round, those that clients send first, and what it does without load."""
    shown = Table(
        box=box.SIMPLE_HEAD,
        title=f"Redis: commands a round ({point.bytes_in:.0f} bytes in, {point.bytes_out:.0f} out), and idle",
    )
    shown.add_column("command")
    for name in ("a round", "idle/s"):
        shown.add_column(name, justify="right")
    names = sorted({*point.commands, *point.idle}, key=lambda name: (name not in SENT, -point.commands.get(name, 0)))
    for name in names:
        shown.add_row(name, f"{point.commands.get(name, 0):.2f}", f"{point.idle.get(name, 0):.1f}")
    return shown
