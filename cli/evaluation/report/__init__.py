"""`darwin eval report`: what a results folder shows, as tables, plots and one page."""

from pathlib import Path

from rich.console import Console

from cli.evaluation.questions import QuestionPart
from cli.evaluation.report.reading import read_controls, read_rows
from cli.evaluation.rows import judge_names, judged_by
from shared.methods import Method

__all__ = ["QuestionPart", "report"]


def report(
    folder: Path,
    console: Console,
    *,
    baseline: Method = "best-of-n",
    resamples: int = 10_000,
    seed: int = 0,
    questions: QuestionPart = "all",
) -> None:
    """Prints the tables of `folder/rows.jsonl`, and writes page, plots and figures into `folder/report/`.

    Cells are compared with `baseline` at equal compute and equal length, by every judge; intervals come from
    `resamples` bootstrap resamples drawn from `seed`; `questions` restricts the report to even or odd ids. Raises
    InvalidRequest where the folder cannot be read.
    """
    # scipy and matplotlib take a second to import, and only the extra `eval` has them.
    from cli.evaluation.report.figures import figures
    from cli.evaluation.report.notes import notes
    from cli.evaluation.report.page import write
    from cli.evaluation.report.sheets import rich_table
    from cli.evaluation.report.statistics import Bootstrap
    from cli.evaluation.report.tables import sheets
    from cli.evaluation.report.weakest import weakest

    rows = read_rows(folder)
    controls = read_controls(folder)
    bootstrap = Bootstrap(resamples, seed)
    computed = [
        figures(
            folder.resolve().name,
            rows if judge is None else [judged_by(row, judge) for row in rows],
            controls,
            baseline=baseline,
            bootstrap=bootstrap,
            selection=questions,
            judge=judge,
        )
        for judge in judge_names(rows) or (None,)
    ]
    found = weakest({each.judge or "judge": each.comparisons for each in computed})
    sentences, tables = notes(computed[0], found), sheets(computed, found)
    for sheet in tables:
        console.print(rich_table(sheet, console.width))
    for sentence in sentences:
        console.print(sentence, style="dim", markup=False, highlight=False)
    write(folder / "report", computed, found, tables, sentences)
    console.print(f"written: {folder / 'report' / 'report.html'}, report.json and plots", markup=False)
