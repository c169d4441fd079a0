import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.evaluation.report import report
from shared.errors import InvalidRequest
from tests.unit.cli.evaluation.report.synthetic import World, full_grid, row, turn, write

PLOTS = {"reward-by-tokens.png", "reward-by-seconds.png", "over-optimisation.png", "length.png"}


def printed(folder: Path, **options: Any) -> str:
    console = Console(file=io.StringIO(), width=220, force_terminal=False)
    report(folder, console, resamples=300, **options)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def figures(folder: Path) -> Any:
    return json.loads((folder / "report" / "report.json").read_text())


def test_a_full_evaluation_as_tables_plots_and_one_page(tmp_path: Path) -> None:
    folder = write(tmp_path / "results", full_grid(World(questions=24, per_character=0.001)))
    (folder / "controls.json").write_text('{"gibberish": {"judge": "j", "pairs": 24, "gibberish_wins": 1}}')
    text = printed(folder)
    for cell in ("sample", "best-of-n", "mutation-only", "replacement-only", "darwin cycles=3 lookahead=16"):
        assert cell in text
    for heading in ("equal tokens", "twice the tokens", "equal seconds", "Over-optimisation", "by category", "Length"):
        assert heading in text
    assert {file.name for file in (folder / "report").glob("*.png")} == PLOTS
    page = (folder / "report" / "report.html").read_text()
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//|@import|url\(\s*["']?http""", page)
    assert "prefers-color-scheme: dark" in page
    assert "darwin cycles=3 lookahead=16" in page


def test_what_is_printed_is_in_the_json(tmp_path: Path) -> None:
    folder = write(tmp_path / "results", full_grid(World(questions=24)))
    text = printed(folder)
    dumped = json.dumps(figures(folder))
    intervals = set(re.findall(r"([+-]\d\.\d{3}) \[", text))
    assert len(intervals) > 30
    values = [float(number) for number in re.findall(r"-?\d+\.\d+(?:e-?\d+)?", dumped)]
    rounded = {f"{value:+.3f}" for value in values}
    assert intervals <= rounded


def test_a_planted_gain_is_told_from_none(tmp_path: Path) -> None:
    world = World(questions=80, agreement=1.0)
    rows = world.best_of_n(8) + world.cell("darwin", lift=4.0, tokens=400) + world.cell("mutation-only", tokens=200)
    folder = write(tmp_path / "results", rows)
    printed(folder)
    lines = (folder / "report" / "report.html").read_text()
    assert "darwin" in lines
    text = printed(folder)
    equal = text[text.index("at equal tokens") : text.index("at twice")]
    gain = next(line for line in equal.splitlines() if line.strip().startswith("darwin"))
    none = next(line for line in equal.splitlines() if line.strip().startswith("mutation-only"))
    lows = [[float(low) for low, _ in re.findall(r"\[([+-][\d.]+), ([+-][\d.]+)\]", line)] for line in (gain, none)]
    assert all(low > 1 for low in lows[0])
    assert all(low < 0 for low in lows[1])


def test_one_half_of_the_questions(tmp_path: Path) -> None:
    folder = write(tmp_path / "results", World(questions=10).best_of_n(4))
    assert "10 questions" in printed(folder)
    assert "5 questions" in printed(folder, questions="odd")


def test_without_a_judge_the_guide_is_reported(tmp_path: Path) -> None:
    world = World(judged=False)
    folder = write(tmp_path / "results", world.best_of_n(4) + world.cell("darwin", lift=1.0))
    assert "darwin" in printed(folder)


def test_without_a_baseline_there_are_no_differences(tmp_path: Path) -> None:
    folder = write(tmp_path / "results", World().cell("darwin"))
    text = printed(folder)
    assert "at equal tokens" not in text
    assert "best-of-n" in text


def test_cells_of_different_questions_are_compared_on_what_they_share(tmp_path: Path) -> None:
    world = World(questions=12)
    folder = write(tmp_path / "results", world.best_of_n(4) + world.cell("darwin", lift=2.0)[:7])
    text = printed(folder)
    equal = text[text.index("at equal tokens") : text.index("at twice")]
    assert re.search(r"darwin\s+7\s", equal)


def test_a_folder_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="does not exist"):
        printed(tmp_path)
    with pytest.raises(InvalidRequest, match="holds no rows"):
        printed(write(tmp_path, []))


def test_a_line_that_is_no_row_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path, [row(turn())])
    with (folder / "rows.jsonl").open("a") as stream:
        stream.write('{"question": "1"}\n')
    with pytest.raises(InvalidRequest, match=r"line 2: method"):
        printed(folder)
