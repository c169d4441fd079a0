"""What a plan may cost, said before it is run."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from cli.evaluation.plan import Plan
from cli.evaluation.run import Task


def most_tokens(plan: Plan, tasks: Sequence[Task]) -> Table:
    """A line for each cell: the rows that are to be made, and how many tokens are sampled for them at most."""
    table = Table("cell", "rows to go", "tokens at most", box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    sums: list[int | None] = []
    for name, cell in {task.cell.name: task.cell for task in tasks}.items():
        turns = [len(task.question.turns) for task in tasks if task.cell.name == name]
        of_turn = plan.most_tokens(cell)
        sums.append(None if of_turn is None else of_turn * sum(turns))
        table.add_row(name, f"{len(turns):,}", _shown(sums[-1]))
    known = [each for each in sums if each is not None]
    table.add_row("all", f"{len(tasks):,}", _shown(sum(known) if len(known) == len(sums) else None))
    table.caption = "without the tokens of mutants that a model writes"
    return table


def _shown(tokens: int | None) -> str:
    return "the plan names no max_tokens" if tokens is None else f"{tokens:,}"
