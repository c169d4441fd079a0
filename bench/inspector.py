"""How soon an evolution is seen in the inspector: `python -m bench.inspector`.

From navigation to the last plot drawn, in headless Chromium with a window tall enough to show every plot at once, over
the whole stack with simulated models. *First*: the browser was never here. *Later*: it was, and has kept files and
compiled code as browsers do. Prints a table, writes bench/out/inspector.json.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, ViewportSize
from rich.console import Console
from rich.table import Table

from bench.browser import CHROMIUM, chromium
from cli.client import Client
from cli.stack import Stack, StackSettings

OUT = Path(__file__).parent / "out" / "inspector.json"
BAR_S = 1.0
PLOTS = 3
WINDOW: ViewportSize = {"width": 1366, "height": 6000}
# Chromium writes compiled code to its disk a while after it ran.
SETTLE_MS = 1500
TIMED = """async (plots) => {
  const frame = () => new Promise(requestAnimationFrame);
  while (performance.getEntriesByName("plot drawn").length < plots) await frame();
  await frame();
  const drawn = performance.now();
  const [shown] = performance.getEntriesByName("text shown");
  return [drawn / 1000, shown.startTime / 1000];
}"""


@dataclass(frozen=True)
class Opening:
    """Medians and the slowest of `runs` openings, in seconds."""

    evolution: str
    visit: str
    runs: int
    text_s: float
    drawn_s: float
    slowest_s: float


def evolve(url: str, mutants: int) -> str:
    """A 3-cycle evolution; its id."""
    body = {
        "model": "darwin",
        "messages": [{"role": "user", "content": "Explain why we write tests before we refactor."}],
        "max_tokens": 200,
        "seed": 7,
        "darwin": {"cycles": 3, "mutants": mutants, "survivors": 3},
    }
    with Client(url) as client:
        evolution_id: str = client.start(body)["id"]
        for _ in client.events(evolution_id):
            pass
    return evolution_id


def opened(page: Page, url: str) -> tuple[float, float]:
    """Seconds until the last plot is drawn and until its text stands there, from a blank page on."""
    page.goto("about:blank")
    page.goto(url)
    drawn, shown = page.evaluate(TIMED, PLOTS)
    return drawn, shown


def measure(url: str, evolution: str, runs: int) -> Iterator[Opening]:
    first: list[tuple[float, float]] = []
    later: list[tuple[float, float]] = []
    while len(later) < runs:
        with TemporaryDirectory() as profile, chromium(profile, viewport=WINDOW) as context:
            page = context.new_page()
            first.append(opened(page, url))
            opened(page, url)
            page.wait_for_timeout(SETTLE_MS)
            later += [opened(page, url) for _ in range(3)]
    for visit, times in (("first", first), ("later", later)):
        drawn, shown = [time[0] for time in times], [time[1] for time in times]
        yield Opening(evolution, visit, len(times), statistics.median(shown), statistics.median(drawn), max(drawn))


def show(openings: list[Opening], console: Console) -> None:
    table = Table("evolution", "visit", "openings", "text s", "last plot s", "slowest s", "bar s")
    for each in openings:
        figures = (each.text_s, each.drawn_s, each.slowest_s)
        table.add_row(
            each.evolution, each.visit, str(each.runs), *(f"{figure:.2f}" for figure in figures), f"≤ {BAR_S:g}"
        )
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    if not CHROMIUM.exists():
        sys.exit(f"there is no {CHROMIUM}: nothing is measured")
    openings: list[Opening] = []
    with Stack(StackSettings.simulated()) as stack:
        for name, mutants in (("3 cycles, 15 states in all", 5), ("3 cycles of 15 states", 15)):
            openings += measure(f"{stack.url}/#/{evolve(stack.url, mutants)}", name, runs)
    show(openings, Console())
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"bar_s": BAR_S, "openings": [asdict(each) for each in openings]}, indent=2) + "\n")


if __name__ == "__main__":
    main()
