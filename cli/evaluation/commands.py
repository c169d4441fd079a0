"""`darwin eval`: methods and settings compared over a question set; `darwin eval report`: what came of it."""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from cli.client import Client
from cli.console import progress, reported
from cli.evaluation.costs import most_tokens
from cli.evaluation.folder import Folder
from cli.evaluation.formats import write_formats
from cli.evaluation.judged_rows import judge_rows
from cli.evaluation.judges import JudgeOptions, named_judges
from cli.evaluation.judging import NamedJudge
from cli.evaluation.plan import Plan, read_plan
from cli.evaluation.questions import Question, QuestionError, QuestionFilter, read_questions
from cli.evaluation.report import report
from cli.evaluation.rows import Row
from cli.evaluation.run import Evaluation, Task, open_tasks
from cli.evaluation.versions import versions
from cli.session import EngineOption, started
from cli.stack import StackSettings
from shared.methods import Method

app = typer.Typer(help="Does it align better, at what cost: compare methods at equal compute.", no_args_is_help=True)

QuestionPartOption = Annotated[
    Literal["all", "even", "odd"], typer.Option(help="All questions, or the half with even or odd ids.")
]


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    questions: Annotated[
        list[Path] | None,
        typer.Option(help="JSON or JSON lines: MT-Bench's, preferences', chats (docs/files.md); repeatable."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Results folder; one that holds some already is completed.")] = None,
    plan: Annotated[
        str, typer.Option(help="What is compared: a shipped plan (quick, length, full) or a YAML file.")
    ] = "quick",
    judge: Annotated[
        list[str] | None,
        typer.Option(
            help="What judges without having guided: length-blind, embedded, a profile (name or file) or a scorer "
            "type; LABEL=WHAT names it; repeatable."
        ),
    ] = None,
    judge_command: Annotated[
        list[str] | None,
        typer.Option(
            help="COMMAND FILE maps lines {messages, response} to lines with judge; LABEL=COMMAND; repeatable."
        ),
    ] = None,
    judge_endpoint: Annotated[
        str | None, typer.Option(help="A language model as a judge: URL of an OpenAI-compatible API, as http://…/v1.")
    ] = None,
    judge_model: Annotated[
        str | None, typer.Option(help="The model's name there; DARWIN_JUDGE_KEY is its key.")
    ] = None,
    judge_rubric: Annotated[
        Path | None, typer.Option(help="Its criteria, with {conversation} and {response}; else the shipped ones.")
    ] = None,
    judge_concurrency: Annotated[int, typer.Option(min=1, max=256, help="Its requests at a time.")] = 8,
    judge_version: Annotated[
        str, typer.Option(help="Any text; change it where a judge changes in what Darwin cannot see.")
    ] = "",
    turns: Annotated[int | None, typer.Option(min=1, help="Turns of each question; default: all.")] = None,
    part: QuestionPartOption = "all",
    split: Annotated[str | None, typer.Option(help="Of rows that name a split, only this one's (test).")] = None,
    max_characters: Annotated[int | None, typer.Option(min=1, help="Only questions of at most so many.")] = None,
    single_turn: Annotated[bool, typer.Option("--single-turn", help="Only questions without earlier turns.")] = False,
    draw: Annotated[int | None, typer.Option(min=1, help="So many of the questions, the same ones each time.")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="How often each question is answered.")] = 1,
    in_flight: Annotated[int, typer.Option(min=1, max=256, help="Questions at a time, to keep the engine full.")] = 12,
    url: Annotated[
        str | None, typer.Option(help="A running gateway; without it a stack is started and stopped.")
    ] = None,
    hardware: Annotated[str | None, typer.Option(help="Label of the hardware, for a gateway elsewhere.")] = None,
    engine: EngineOption = "auto",
) -> None:
    """Run a plan over a question set: `darwin eval --questions FILE --out FOLDER`."""
    if context.invoked_subcommand is not None:
        return
    console = Console()
    with reported(console):
        if not questions or out is None:
            raise QuestionError("--questions and --out are needed")
        chosen = read_plan(plan)
        asked = read_questions(*questions, choose=QuestionFilter(split, max_characters, single_turn, part, draw, turns))
        judges = named_judges(
            JudgeOptions(
                judge or (),
                judge_command or (),
                judge_endpoint,
                judge_model,
                judge_rubric,
                judge_concurrency,
                judge_version,
            )
        )
        made_by = versions(engine, hardware)
        with Folder(out, _manifest(chosen, asked, seeds, made_by)) as folder:
            failed = 0
            if tasks := open_tasks(chosen, asked, range(seeds), folder):
                console.print(most_tokens(chosen, tasks))
                with _gateway(url, engine, console) as client:
                    evaluation = Evaluation(client, chosen, made_by, folder.id)
                    failed = _run(evaluation, tasks, folder, in_flight, console)
            rows = _written(folder, asked, judges, console)
        console.print(f"{len(rows)} rows in {out / 'rows.jsonl'}; next: darwin eval report {out}", highlight=False)
        if failed:
            console.print(
                f"[red]{failed} rows failed[/], see {out / 'failures.jsonl'}; the same command tries them again"
            )
            raise typer.Exit(1)


@app.command("report")
def show(
    folder: Annotated[Path, typer.Argument(help="A results folder.")],
    baseline: Annotated[Method, typer.Option(help="What the other methods are compared with.")] = "best-of-n",
    questions: QuestionPartOption = "all",
    resamples: Annotated[int, typer.Option(min=100, max=1_000_000, help="Of the bootstrap.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
) -> None:
    """Print tables of a results folder, and write plots and one page into its folder `report`."""
    console = Console()
    with reported(console):
        report(folder, console, baseline=baseline, resamples=resamples, seed=seed, questions=questions)


def _manifest(plan: Plan, questions: Sequence[Question], seeds: int, made_by: dict[str, str]) -> dict[str, Any]:
    """What rows of one folder share; cells and seeds may be added later."""
    asked = "".join(question.model_dump_json() for question in questions)
    return {
        "settings": plan.common,
        "questions": {"count": len(questions), "digest": hashlib.blake2b(asked.encode(), digest_size=8).hexdigest()},
        "models": {name: made_by[name] for name in ("engine", "model", "profiles")},
    }


@contextlib.contextmanager
def _gateway(url: str | None, engine: str, console: Console) -> Iterator[Client]:
    with contextlib.ExitStack() as stack:
        if url is None:
            url = stack.enter_context(started(StackSettings(engine=engine), console)).url
        yield stack.enter_context(Client(url))


def _run(evaluation: Evaluation, tasks: Sequence[Task], folder: Folder, in_flight: int, console: Console) -> int:
    """Runs with a progress bar; how many rows failed."""
    with progress(console) as bars:
        bar = bars.add_task("", total=len(tasks))

        def report(task: Task, row: Row | None) -> None:
            bars.update(bar, advance=1, description=task.cell.name)
            if row is None:
                bars.console.print(f"[red]failed:[/] {task.cell.name}, question {task.question.id}")

        return evaluation.run(tasks, folder, in_flight, report)["failed"]


def _written(
    folder: Folder, questions: Sequence[Question], judges: Sequence[NamedJudge], console: Console
) -> list[Row]:
    """Every row, judged where there is a judge, and in the formats of other tools."""
    rows = _judged(folder, questions, judges, console) if judges else folder.rows()
    folder.write_rows(rows)
    write_formats(rows, folder.path, {question.id: question.dataset for question in questions})
    return rows


def _judged(folder: Folder, questions: Sequence[Question], judges: Sequence[NamedJudge], console: Console) -> list[Row]:
    for judge in judges:
        if others := judge.kept_of_others(folder):
            console.print(
                f"{others} scores are of another {judge.name}, as it was then, and are not used", highlight=False
            )
    with progress(console) as bars:
        shown = {judge.name: bars.add_task(f"judging: {judge.name[:40]}", total=None) for judge in judges}
        return judge_rows(
            folder,
            questions,
            judges,
            lambda name, done, total: bars.update(shown[name], completed=done, total=total),
        )
