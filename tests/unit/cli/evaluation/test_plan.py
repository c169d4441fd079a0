import io
from pathlib import Path

import pytest
from rich.console import Console

from cli.evaluation.costs import most_tokens
from cli.evaluation.plan import SHIPPED, Plan, PlanError, read_plan
from cli.evaluation.questions import Question
from cli.evaluation.run import Task


def plan(tmp_path: Path, text: str) -> Plan:
    file = tmp_path / "plan.yaml"
    file.write_text(text)
    return read_plan(str(file))


def test_lists_stand_for_every_combination(tmp_path: Path) -> None:
    cells = plan(tmp_path, "cells: [{method: darwin, cycles: [1, 2], lookahead: [0, 8]}, {method: sample}]").cells
    assert [cell.name for cell in cells] == [
        "darwin cycles=1 lookahead=0",
        "darwin cycles=1 lookahead=8",
        "darwin cycles=2 lookahead=0",
        "darwin cycles=2 lookahead=8",
        "sample",
    ]


def test_a_cell_is_listed_once(tmp_path: Path) -> None:
    assert len(plan(tmp_path, "cells: [{method: darwin, cycles: 1}, {method: darwin, cycles: [1]}]").cells) == 1


def test_the_request_of_a_cell(tmp_path: Path) -> None:
    text = (
        "{sampling: {max_tokens: 9}, search: {mutants: 4}, cells: [{method: best-of-n}, {method: darwin, mutants: 6}]}"
    )
    read = plan(tmp_path, text)
    best_of_n, darwin = (read.body(cell, [{"role": "user", "content": "x"}], 7) for cell in read.cells)
    assert (best_of_n["model"], best_of_n["n"], best_of_n["darwin"]) == ("best-of-n", 5, {"mutants": 4})
    assert (darwin["n"], darwin["max_tokens"], darwin["seed"], darwin["darwin"]) == (7, 9, 7, {"mutants": 6})


def test_cells_differ_by_what_their_mutants_quote(tmp_path: Path) -> None:
    text = "{search: {cycles: 2}, cells: [{method: darwin, crossover: [0, 3], refine: [false, true]}]}"
    read = plan(tmp_path, text)
    assert [cell.name for cell in read.cells][-1] == "darwin crossover=3 refine=True"
    assert read.body(read.cells[-1], [], 7)["darwin"] == {"cycles": 2, "crossover": 3, "refine": True}


def test_best_of_n_returns_the_responses_of_all_its_cycles(tmp_path: Path) -> None:
    text = "{search: {cycles: 2}, cells: [{method: best-of-n}, {method: best-of-n, mutants: 3}, {method: darwin}]}"
    read = plan(tmp_path, text)
    assert [read.body(cell, [], 7)["n"] for cell in read.cells] == [11, 7, 11]


def test_an_effort_decides_how_many_responses_there_are(tmp_path: Path) -> None:
    read = plan(tmp_path, "{sampling: {reasoning_effort: low}, cells: [{method: darwin}]}")
    assert read.body(read.cells[0], [], 7)["n"] == 1


def test_what_a_plan_may_cost_is_said_before_it_is_run(tmp_path: Path) -> None:
    text = (
        "{sampling: {max_tokens: 100}, search: {mutants: 4}, cells: [{method: sample}, {method: best-of-n}, "
        "{method: darwin, cycles: 2, lookahead: 10}, {method: darwin, max_generated_tokens: 300}]}"
    )
    read = plan(tmp_path, text)
    # Of three rounds of 40 tokens each state may decode 10 ahead.
    assert [read.most_tokens(each) for each in read.cells] == [100, 500, 900 + 8 * 30, 300]
    question = Question(id="1", turns=("a", "b"))
    tasks = [Task(each, question, seed) for each in read.cells[:2] for seed in range(3)]
    console = Console(width=100, file=io.StringIO())
    console.print(most_tokens(read, tasks))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert [line.split()[-1] for line in printed.splitlines() if "3 " in line or "all" in line] == [
        "600",
        "3,000",
        "3,600",
    ]
    unbounded = plan(tmp_path, "cells: [{method: darwin}]")
    assert unbounded.most_tokens(unbounded.cells[0]) is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("cells: []", "cells"),
        ("cells: [{method: magic}]", "method"),
        ("{cells: [{method: darwin}], sampling: {n: 3}}", "set by the evaluation itself"),
        ("{cells: [{method: darwin}], seeds: 3}", "seeds"),
        ("cells: [{method: darwin, period: [[1]]}]", "period"),
        ("{", "not YAML"),
        ("cells: [{method: best-of-n, mutants: 8, shrink: 0.5}]", "leave shrink out"),
    ],
)
def test_a_bad_plan_is_refused_saying_where(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(PlanError, match=complaint):
        plan(tmp_path, text)


def test_a_missing_plan_names_the_shipped_ones() -> None:
    with pytest.raises(PlanError, match="quick"):
        read_plan("nothing")


@pytest.mark.parametrize("name", sorted(path.stem for path in SHIPPED.glob("*.yaml")))
def test_shipped_plans_can_be_read(name: str) -> None:
    assert read_plan(name).cells
