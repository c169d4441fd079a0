"""`report` from a folder to tables, plots, page and figures."""

import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.evaluation.report import QuestionPart, report
from cli.evaluation.rows import Row
from shared.errors import InvalidRequest
from tests.unit.cli.evaluation.synthetic import World, full_grid, row, turn, write

_PLOTS = {"reward-by-tokens.png", "reward-by-seconds.png", "over-optimisation.png", "length.png"}


def _reported(folder: Path, rows: list[Row], questions: QuestionPart = "all") -> tuple[str, dict[str, Any], str]:
    """What was printed, the JSON document and the page."""
    printed = io.StringIO()
    report(write(folder, rows), Console(file=printed, width=160), resamples=100, questions=questions)
    made = folder / "report"
    return printed.getvalue(), json.loads((made / "report.json").read_text()), (made / "report.html").read_text()


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that are not about plots: they take a second to draw."""
    monkeypatch.setattr("cli.evaluation.report.page.plots", lambda figures: {})


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, dict[str, Any], str]:
    folder = tmp_path_factory.mktemp("full")
    controls = {"longer_wins": {"judge": 0.61}, "gibberish": {"judge": 0.987, "pairs": 32}}
    (folder / "controls.json").write_text(json.dumps(controls))
    return folder, *_reported(folder, full_grid(World(questions=16)))


def test_every_cell_is_printed_and_compared(full: tuple[Path, str, dict[str, Any], str]) -> None:
    _, printed, document, _ = full
    cells = [each["name"] for each in document["cells"]]
    assert cells[0] == "best-of-n mutants=31"
    assert cells[-1] == "darwin cycles=3 lookahead=16"
    assert len(cells) == 9
    assert all(name in printed for name in cells)
    assert len(document["comparisons"]) == 3 * 8
    assert [each["n"] for each in document["curve"]] == list(range(1, 33))
    titles = (
        "Weakest of all comparisons with best-of-n",
        "at equal tokens",
        "at equal tokens and equal length",
        "at twice the tokens",
        "at equal seconds",
        "Over-optimisation",
        "Judge by pressure",
        "HedgeTune",
        "How far each cell presses",
        "by category",
    )
    places = [printed.index(title) for title in titles]
    assert places[0] == min(places), "the weakest comes first"
    assert len(document["weakest"]) == 2 * 8
    reached = [each["corrected"]["low"] for each in document["weakest"]]
    assert reached == [*sorted(reached[:8]), *sorted(reached[8:])]
    assert document["notes"][0].startswith("At equal compute")
    assert "gibberish judge" in printed
    assert "0.987" in printed


def test_every_printed_figure_is_in_the_document(full: tuple[Path, str, dict[str, Any], str]) -> None:
    _, printed, document, page = full
    for table in document["tables"]:
        for entries in table["rows"]:
            for entry in entries:
                assert entry["text"].strip() in printed
                assert entry["text"].strip() in page
    first = next(each for each in document["comparisons"] if each["compute"] == "equal tokens")
    assert f"{first['guide']['value']:+.3f} [{first['guide']['low']:+.3f}, {first['guide']['high']:+.3f}]" in printed


def test_the_page_needs_nothing_from_elsewhere(full: tuple[Path, str, dict[str, Any], str]) -> None:
    folder, _, _, page = full
    assert {path.name for path in (folder / "report").glob("*.png")} == _PLOTS
    assert "http://" not in page
    assert "https://" not in page
    assert page.count("<svg") == len(_PLOTS)

    outside: list[str] = []
    ids: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            given = dict(attrs)
            ids.append(given.get("id") or "")
            outside.extend(value for name in ("src", "href") if (value := given.get(name)) and value[0] != "#")

    Links().feed(page)
    assert not outside
    named = [each for each in ids if each]
    assert len(named) == len(set(named))
    assert set(re.findall(r"url\(#([^)]*)\)", page)) <= set(named)


def test_names_from_rows_are_escaped(tmp_path: Path) -> None:
    rows = [row(turn(), question=str(index), setting={"profile": "<script>alert(1)</script>"}) for index in range(3)]
    printed, _, page = _reported(tmp_path, rows)
    assert "<script" not in page
    assert "&lt;script" in page
    assert "<script>" in printed


def test_without_a_judge_only_the_guide_is_shown(tmp_path: Path) -> None:
    world = World(questions=8, judged=False)
    printed, document, page = _reported(tmp_path, world.best_of_n(4) + world.cell("darwin", tokens=400))
    assert "Nothing was judged" in printed
    assert "Nothing was judged" in page
    assert all(each["judge"] is None for each in [*document["cells"], *document["comparisons"]])
    assert document["comparisons"][0]["guide"]["value"] is not None
    assert "Δ guide against best-of-n at equal tokens, by category" in printed


@pytest.mark.usefixtures("undrawn")
def test_every_judge_is_shown_and_the_weakest_is_of_all_of_them(tmp_path: Path) -> None:
    def judged(row: Row) -> Row:
        turns = tuple(
            each.model_copy(
                update={
                    "judges": {"kind": each.judge, "stern": -each.judge},
                    "base_judges": {"kind": each.base_judge, "stern": -each.base_judge},
                    "candidates": tuple(
                        c.model_copy(update={"judges": {"kind": c.judge, "stern": -c.judge}}) for c in each.candidates
                    ),
                }
            )
            for each in row.turns
            if each.judge is not None
            if each.base_judge is not None
        )
        return row.model_copy(update={"turns": turns})

    world = World(questions=20, agreement=1.0)
    rows = [judged(row) for row in world.best_of_n(4) + world.cell("darwin", lift=3.0)]
    printed, document, _ = _reported(tmp_path, rows)
    assert document["judge"] == "kind"
    assert [each["judge"] for each in document["further_judges"]] == ["stern"]
    kind, stern = document["comparisons"][0], document["further_judges"][0]["comparisons"][0]
    assert kind["judge"]["value"] == pytest.approx(-stern["judge"]["value"])
    assert {each["judge"] for each in document["weakest"]} == {"stern"}
    assert {each["verdict"] for each in document["weakest"]} == {"worse"}
    assert "Against best-of-n at equal tokens · judge: stern" in printed
    assert "At equal compute no cell is shown to be better" in printed


@pytest.mark.usefixtures("undrawn")
def test_a_partly_judged_folder_says_so(tmp_path: Path) -> None:
    judged, unjudged = World(questions=6), World(questions=6, judged=False)
    rows = judged.best_of_n(4) + judged.cell("darwin")[:4] + unjudged.cell("darwin")[4:]
    printed, document, _ = _reported(tmp_path, rows)
    assert "darwin (4 of 6)" in printed
    compared = document["comparisons"][0]
    assert (compared["guide"]["questions"], compared["judge"]["questions"]) == (6, 4)


def test_without_best_of_n_differences_are_left_out(tmp_path: Path) -> None:
    world = World(questions=6)
    printed, document, _ = _reported(tmp_path, world.cell("sample") + world.cell("darwin", {"cycles": 2}))
    assert "No cell of best-of-n with candidates" in printed
    assert document["comparisons"] == document["curve"] == []
    assert document["source"] is None
    assert (tmp_path / "report" / "length.png").exists()


def test_one_question_gives_figures_without_intervals(tmp_path: Path) -> None:
    world = World(questions=1)
    _, document, _ = _reported(tmp_path, world.best_of_n(4) + world.cell("darwin"))
    assert document["cells"][0]["guide"]["low"] is None


@pytest.mark.usefixtures("undrawn")
def test_unequal_question_sets_are_told(tmp_path: Path) -> None:
    world = World(questions=8)
    printed, document, _ = _reported(tmp_path, world.best_of_n(4)[:5] + world.cell("darwin"))
    assert "different numbers of questions" in printed
    assert document["comparisons"][0]["questions"] == 5
    assert next(each for each in document["cells"] if each["name"] == "darwin")["questions"] == 8


@pytest.mark.usefixtures("undrawn")
def test_even_and_odd_questions_share_the_cells_seconds(tmp_path: Path) -> None:
    world = World(questions=9)
    rows = world.best_of_n(4) + world.cell("darwin")
    _, every, _ = _reported(tmp_path, rows)
    _, odd, _ = _reported(tmp_path, rows, "odd")
    assert odd["questions"] == ["81", "83", "85", "87", "89"]
    assert odd["cells"][0]["seconds"] == every["cells"][0]["seconds"]
    with pytest.raises(InvalidRequest, match="no question is in the even half"):
        _reported(tmp_path, [each for each in rows if int(each.question) % 2], "even")


@pytest.mark.usefixtures("undrawn")
def test_a_row_written_twice_counts_once_and_mixed_versions_are_told(tmp_path: Path) -> None:
    rows = [
        row(turn(guide=9.0), question="1"),
        row(turn(guide=1.0), question="1"),
        row(turn(guide=2.0), question="2", versions={"code": "0.2.0"}),
    ]
    printed, document, _ = _reported(tmp_path, rows)
    assert document["cells"][0]["guide"]["value"] == 1.5
    assert "different versions of code: 0.1.0, 0.2.0" in printed


def test_an_unreadable_row_is_named(tmp_path: Path) -> None:
    write(tmp_path, [row(turn())])
    with (tmp_path / "rows.jsonl").open("a") as rows:
        rows.write('{"question": "82", "met')
    with pytest.raises(InvalidRequest, match=r"rows\.jsonl, line 2: .*JSON"):
        report(tmp_path, Console(file=io.StringIO()))
    document = row(turn()).model_dump(mode="json")
    document["turns"][0]["guide"] = "high"
    (tmp_path / "rows.jsonl").write_text(json.dumps(document))
    with pytest.raises(InvalidRequest, match=r"line 1: turns\.0\.guide: .*number"):
        report(tmp_path, Console(file=io.StringIO()))


@pytest.mark.parametrize(("content", "message"), [(None, "does not exist"), ("\n", "holds no rows")])
def test_a_folder_without_rows_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "rows.jsonl").write_text(content)
    with pytest.raises(InvalidRequest, match=message):
        report(tmp_path, Console(file=io.StringIO()))


@pytest.mark.usefixtures("undrawn")
def test_a_narrow_terminal_cuts_no_figure(tmp_path: Path) -> None:
    printed = io.StringIO()
    world = World(questions=6)
    report(write(tmp_path, world.best_of_n(4) + world.cell("darwin")), Console(file=printed, width=80), resamples=50)
    assert "…" not in printed.getvalue().replace("1, 2, 4 …", "")


def test_importing_the_command_loads_no_plotting() -> None:
    check = (
        "import cli.evaluation.report, sys; assert not {'scipy', 'matplotlib', 'numpy', 'jinja2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
