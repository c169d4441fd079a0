"""How soon an evolution is seen in the inspector: `python -m bench.inspector`.

From navigation to the last plot drawn, in headless Chromium at a window tall enough to show every plot at once, over the
whole stack with simulated models. *Cold*: nothing is cached. *Warm*: the browser was here before. Prints a table, writes
bench/out/inspector.json.
"""

import argparse
import json
import statistics
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page
from rich.console import Console
from rich.table import Table

from bench.browser import CHROMIUM, chromium
from cli.client import Client
from cli.stack import Stack, StackSettings

OUT = Path(__file__).parent / "out" / "inspector.json"
BAR_S = 1.0
PLOTS = 3
WINDOW = {"width": 1366, "height": 6000}
TIMED = """async (plots) => {
  const frame = () => new Promise(requestAnimationFrame);
  while (performance.getEntriesByName("plot drawn").length < plots) await frame();
  await frame();
  const drawn = performance.now();
  const painted = performance.getEntriesByName("first-contentful-paint")[0];
  return [drawn / 1000, (painted?.startTime ?? 0) / 1000];
}"""


@dataclass(frozen=True)
class Opening:
    """Medians and the slowest of `runs` openings, in seconds."""

    evolution: str
    cache: str
    runs: int
    first_paint_s: float
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
    page.goto("about:blank")
    page.goto(url)
    drawn, painted = page.evaluate(TIMED, PLOTS)
    return drawn, painted


def measure(browser: Browser, url: str, evolution: str, runs: int) -> list[Opening]:
    openings = []
    for cache in ("cold", "warm"):
        times = []
        page = browser.new_page(viewport=WINDOW)  # type: ignore[arg-type]
        if cache == "warm":
            opened(page, url)
        for _ in range(runs):
            if cache == "cold":
                page.close()
                page = browser.new_page(viewport=WINDOW)  # type: ignore[arg-type]
            times.append(opened(page, url))
        page.close()
        drawn, painted = [time[0] for time in times], [time[1] for time in times]
        median = statistics.median
        openings.append(Opening(evolution, cache, runs, median(painted), median(drawn), max(drawn)))
    return openings


def show(openings: list[Opening], console: Console) -> None:
    table = Table("evolution", "cache", "first paint s", "last plot s", "slowest s", "bar s")
    for each in openings:
        figures = (each.first_paint_s, each.drawn_s, each.slowest_s)
        table.add_row(each.evolution, each.cache, *(f"{figure:.2f}" for figure in figures), f"≤ {BAR_S:g}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    if not CHROMIUM.exists():
        sys.exit(f"there is no {CHROMIUM}: nothing is measured")
    openings: list[Opening] = []
    with Stack(StackSettings.simulated()) as stack, chromium() as browser:
        for name, mutants in (("3 cycles, 15 states in all", 5), ("3 cycles of 15 states", 15)):
            openings += measure(browser, f"{stack.url}/#/{evolve(stack.url, mutants)}", name, runs)
    show(openings, Console())
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"bar_s": BAR_S, "openings": [asdict(each) for each in openings]}, indent=2) + "\n")


if __name__ == "__main__":
    main()
