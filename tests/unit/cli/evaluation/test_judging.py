import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from cli.evaluation.folder import Folder
from cli.evaluation.judging import JudgedResponse, JudgeError, command_judge, judge_rows, profile_judge
from cli.evaluation.questions import Question
from cli.evaluation.rows import Candidate, Row, Turn
from shared.errors import NotFound
from shared.records.evolution import Seconds, Tokens

PAIRS = [JudgedResponse(({"role": "user", "content": "Hi"},), text) for text in ("a", "bbb")]
LENGTH = """
import json, sys
for line in open(sys.argv[1]):
    row = json.loads(line)
    print(json.dumps({**row, "judge": len(row["response"])}))
"""


def script(folder: Path, text: str) -> str:
    file = folder / "judge.py"
    file.write_text(text)
    return f"{sys.executable} {file}"


def row(question: str, answer: str, base: str, *candidates: str) -> Row:
    turn = Turn(
        prompt="Why?",
        answer=answer,
        answer_tokens=3,
        instruction="Why?",
        guide=1.0,
        base=base,
        base_tokens=3,
        base_guide=0.0,
        candidates=tuple(Candidate(text=text, guide=0.0, tokens=3) for text in candidates),
        tokens=Tokens(),
        seconds=Seconds(),
        rounds=1,
        evolution="evo",
        started_at=0.0,
        finished_at=1.0,
    )
    return Row(question=question, method="best-of-n", setting={}, seed=0, turns=(turn,), versions={})


def test_a_command_may_repeat_a_response_unescaped(tmp_path: Path) -> None:
    echo = 'for _ in range(2): print(\'{"response": "a\\u2028b", "judge": 1}\')'
    assert command_judge(script(tmp_path, echo))(PAIRS) == [1, 1]


def test_a_command_maps_lines_to_lines(tmp_path: Path) -> None:
    assert command_judge(script(tmp_path, LENGTH))(PAIRS) == [1, 3]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("raise SystemExit('no model')", "no model"),
        ("print('{\"judge\": 1}')", "1 lines for 2"),
        ("print('{}')\nprint('{}')", "number named judge"),
    ],
)
def test_a_judge_that_misbehaves_is_told(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(JudgeError, match=complaint):
        command_judge(script(tmp_path, text))(PAIRS)


def test_a_command_that_does_not_exist_is_told() -> None:
    with pytest.raises(JudgeError, match="the judge failed"):
        command_judge("/nowhere/judge")(PAIRS)


def test_scorer_types_and_profiles_judge_by_name() -> None:
    first, second = profile_judge("guard")(PAIRS)
    assert first <= 0
    assert second <= 0
    with pytest.raises(NotFound, match="no profile"):
        profile_judge("nothing")


def test_a_profile_file_judges_whatever_stands_beside_it(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("components: [{name: it, type: guard, weight: 2.0}]")
    (tmp_path / "plan.yaml").write_text("cells: []")
    assert profile_judge(str(tmp_path / "mine.yaml"))(PAIRS) == [2 * score for score in profile_judge("guard")(PAIRS)]


def test_every_text_is_judged_once_even_over_several_calls(tmp_path: Path) -> None:
    calls: list[str] = []

    def judge(pairs: Sequence[JudgedResponse]) -> list[float]:
        calls.extend(pair.response for pair in pairs)
        return [float(len(pair.response)) for pair in pairs]

    question = Question(id="q", turns=("Why?",))
    with Folder(tmp_path, {}) as folder:
        folder.answers.append(row("q", "best one", "one two three four", "one two three four", "best one").model_dump())
        (judged,) = judge_rows(folder, [question], judge, "length", lambda done, total: None)
        judge_rows(folder, [question], judge, "length", lambda done, total: None)
    (turn,) = judged.turns
    assert (turn.judge, turn.base_judge) == (8, 18)
    assert [candidate.judge for candidate in turn.candidates] == [18, 8]
    assert len(calls) == len(set(calls)) == 3
    control = json.loads((tmp_path / "controls.json").read_text())["gibberish"]
    assert control == {"judge": "length", "pairs": 1, "gibberish_wins": 0}
