"""The report as files: one self-contained page, the plots as PNG, and every figure as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from cli.evaluation.report.drawing import save_png, svg
from cli.evaluation.report.figures import Figures
from cli.evaluation.report.plots import plots
from cli.evaluation.report.sheets import Sheet
from cli.evaluation.report.weakest import Weakest

_CAPTIONS = {
    "reward-by-tokens": "Reward against tokens sampled for a question, mutation included. Bars and band are intervals "
    "over questions and hold the differences between questions too; the tables' differences are paired and do not.",
    "reward-by-seconds": "Reward against seconds on a full engine.",
    "over-optimisation": "What the guide gains over a plain sample, and what of it the judge grants. Where the two "
    "part as compute grows, the guide is being over-optimised. "
    "The unit is the deviation among samples of one question.",
    "length": "How long answers become, and what remains of the judge's difference at equal length.",
}


def write(
    folder: Path, every: Sequence[Figures], found: Sequence[Weakest], sheets: Sequence[Sheet], notes: Sequence[str]
) -> None:
    """Writes `report.html`, `report.json` and a PNG for each plot into the folder, which is created.

    Plots show the figures of the first judge, of whom `every` has the figures first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figures = every[0]
    drawn = plots(figures)
    for name, figure in drawn.items():
        save_png(figure, folder / f"{name}.png")
    environment = Environment(
        loader=PackageLoader("cli.evaluation.report", ""), autoescape=True, undefined=StrictUndefined
    )
    page = environment.get_template("page.html").render(
        figures=figures,
        notes=notes,
        sheets=sheets,
        plots=[{"caption": _CAPTIONS[name], "svg": svg(figure, name)} for name, figure in drawn.items()],
    )
    (folder / "report.html").write_text(page, encoding="utf-8")
    document = {
        **asdict(figures),
        "further_judges": [asdict(each) for each in every[1:]],
        "weakest": [asdict(each) for each in found],
        "notes": notes,
        "tables": [asdict(sheet) for sheet in sheets],
    }
    (folder / "report.json").write_text(
        json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n", encoding="utf-8"
    )
