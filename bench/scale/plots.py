"""What was measured, as pictures."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from bench.scale.measuring import LoadPoint
from bench.scale.report import spent


def draw(replicas: Sequence[LoadPoint], concurrent: Sequence[LoadPoint], folder: Path) -> None:
    """scale-replicas.png and scale-cpu.png in this folder."""
    mpl.use("agg")
    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    _rates(left, [(point.replicas, point) for point in replicas], "generation replicas")
    _rates(right, [(point.concurrent, point) for point in concurrent], "evolutions at once")
    figure.savefig(folder / "scale-rates.png", dpi=110)
    figure = Figure(figsize=(9, 3.0), layout="constrained")
    _cpu(figure.subplots(), concurrent)
    figure.savefig(folder / "scale-cpu.png", dpi=110)


def _rates(axes: Axes, points: Sequence[tuple[int, LoadPoint]], label: str) -> None:
    places = [place for place, _ in points]
    axes.plot(places, [point.ideal for _, point in points], "--", color="#808080", label="engines alone")
    axes.plot(places, [point.rounds for _, point in points], "o-", color="#d55e00", label="measured")
    axes.set(xscale="log", yscale="log", xlabel=label, ylabel="rounds/s")
    axes.set_xticks(places)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.minorticks_off()
    for place, point in points:
        axes.annotate(
            f"{point.efficiency:.2f}", (place, point.rounds), (3, -11), textcoords="offset points", fontsize=8
        )
    axes.legend(frameon=False)


def _cpu(axes: Axes, points: Sequence[LoadPoint]) -> None:
    left = [0.0] * len(points)
    names = [str(point.concurrent) for point in points]
    for kind in spent(points[0]):
        costs = [max(0.0, spent(point)[kind]) for point in points]
        axes.barh(names, costs, left=left, label=kind)
        left = [start + cost for start, cost in zip(left, costs, strict=True)]
    axes.set(xlabel="ms of CPU a round", ylabel="evolutions at once")
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
