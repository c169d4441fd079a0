"""Sequences in flight at each replica over time."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.balancing.events import Timeline


def draw(timeline: Timeline, file: Path) -> None:
    mpl.use("agg")
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.stackplot(timeline.times, *zip(*timeline.loads, strict=True), labels=timeline.names, alpha=0.85)
    top = max(map(sum, timeline.loads))
    for at, name in timeline.marks:
        axes.axvline(at, color="black", linewidth=1)
        axes.text(at, top * 1.03, f" {name}", fontsize=8, va="bottom")
    axes.set(xlabel="seconds", ylabel="sequences in flight", ylim=(0, top * 1.15))
    axes.legend(loc="lower left", fontsize=8, ncols=3)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)
