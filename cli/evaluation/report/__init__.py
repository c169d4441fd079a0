"""`darwin eval report`: what a results folder shows, as tables, plots and one page."""

from pathlib import Path

from rich.console import Console

from cli.evaluation.report.reading import QuestionPart, read_controls, read_rows
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

    Cells are compared with `baseline` at equal compute; intervals come from `resamples` bootstrap resamples drawn from
    `seed`; `questions` restricts the report to even or odd ids. Raises InvalidRequest where the folder cannot be read.
    """
    # scipy and matplotlib take a second to import, and only the extra `eval` has them.
    from cli.evaluation.report.figures import figures
    from cli.evaluation.report.notes import notes
    from cli.evaluation.report.page import write
    from cli.evaluation.report.sheets import rich_table
    from cli.evaluation.report.statistics import Bootstrap
    from cli.evaluation.report.tables import sheets

    computed = figures(
        folder.resolve().name,
        read_rows(folder),
        read_controls(folder),
        baseline=baseline,
        bootstrap=Bootstrap(resamples, seed),
        selection=questions,
    )
    sentences, tables = notes(computed), sheets(computed)
    for sheet in tables:
        console.print(rich_table(sheet, console.width))
    for sentence in sentences:
        console.print(sentence, style="dim", markup=False, highlight=False)
    write(folder / "report", computed, tables, sentences)
    console.print(f"written: {folder / 'report' / 'report.html'}, report.json and plots", markup=False)
