import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from cli.evaluation.folder import Folder
from cli.evaluation.judged_rows import judge_rows
from cli.evaluation.judging import (
    JudgedResponse,
    JudgeError,
    NamedJudge,
    command_judge,
    named_command,
    named_profile,
    profile_judge,
)
from cli.evaluation.questions import Question
from cli.evaluation.rows import Candidate, Row, Turn, judge_names, judged_by
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


def test_a_command_may_write_bytes_that_are_no_text(tmp_path: Path) -> None:
    echo = 'import sys; sys.stdout.buffer.write(b\'{"response": "caf\\xe9", "judge": 2}\\n\' * 2)'
    assert command_judge(script(tmp_path, echo))(PAIRS) == [2, 2]


def test_a_command_maps_lines_to_lines(tmp_path: Path) -> None:
    assert command_judge(script(tmp_path, LENGTH))(PAIRS) == [1, 3]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("raise SystemExit('no model')", "no model"),
        ("print('{\"judge\": 1}')", "1 lines for 2"),
        ("print('{}')\nprint('{}')", "number named judge"),
        ('print(\'{"judge": NaN}\\n{"judge": 1}\')', "not finite"),
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
        named = NamedJudge("length", "1", judge)
        (judged,) = judge_rows(folder, [question], [named], lambda name, done, total: None)
        judge_rows(folder, [question], [named], lambda name, done, total: None)
    (turn,) = judged.turns
    assert (turn.judge, turn.base_judge) == (8, 18)
    assert [candidate.judge for candidate in turn.candidates] == [18, 8]
    assert len(calls) == len(set(calls)) == 3
    control = json.loads((tmp_path / "controls.json").read_text())["gibberish"]
    assert control == {"length": {"digest": "1", "pairs": 1, "gibberish_wins": 0}}


def test_every_judge_scores_every_text_and_keeps_its_scores_apart(tmp_path: Path) -> None:
    """The rows' `judge` is the first's; a judge of small batches keeps what it has scored when a later one fails."""
    calls: list[int] = []

    def short(pairs: Sequence[JudgedResponse]) -> list[float]:
        calls.append(len(pairs))
        if len(calls) == 2:
            raise JudgeError("away")
        return [-float(len(pair.response)) for pair in pairs]

    judges = [
        NamedJudge("short", "1", short, batch=2),
        NamedJudge("long", "1", lambda pairs: [float(len(pair.response)) for pair in pairs]),
    ]
    answered = row("q", "answer", "the base", "third one")
    turn = answered.turns[0].model_copy(update={"population": (Candidate(text="popular", guide=0.0, tokens=3),)})
    answered = answered.model_copy(update={"turns": (turn,)})
    with Folder(tmp_path, {}) as folder:
        folder.answers.append(answered.model_dump())
        with pytest.raises(JudgeError, match="away"):
            judge_rows(folder, [Question(id="q", turns=("Why?",))], judges, lambda name, done, total: None)
        (judged,) = judge_rows(folder, [Question(id="q", turns=("Why?",))], judges, lambda name, done, total: None)
    assert calls == [2, 2, 2]
    (turn,) = judged.turns
    assert (turn.judge, turn.judges, turn.base_judges) == (-6, {"short": -6, "long": 6}, {"short": -8, "long": 8})
    assert (turn.candidates[0].judges, turn.population[0].judge) == ({"short": -9, "long": 9}, -7)
    assert judge_names([judged]) == ("short", "long")
    (by_long,) = judged_by(judged, "long").turns
    assert (by_long.judge, by_long.base_judge, by_long.candidates[0].judge, by_long.population[0].judge) == (6, 8, 9, 7)
    assert judged_by(judged, "nobody").turns[0].judge is None


def test_scores_of_what_the_judge_was_before_are_not_taken_for_its_own(tmp_path: Path) -> None:
    with Folder(tmp_path, {}) as folder:
        folder.answers.append(row("q", "a", "b").model_dump())
        digests = [JudgedResponse(({"role": "user", "content": "Why?"},), text).digest for text in ("a", "b")]
        folder.judged.append(*({"judge": "it", "pair": digest, "score": 7.0} for digest in digests))
        found = []
        for digest, score in (("1", 1.0), ("2", 2.0), ("1", 3.0)):
            judge = NamedJudge("it", digest, lambda pairs, score=score: [score] * len(pairs))  # type: ignore[misc]
            others = judge.kept_of_others(folder)
            (judged,) = judge_rows(folder, [Question(id="q", turns=("Why?",))], [judge], lambda n, done, total: None)
            found.append((others, judged.turns[0].judge))
    assert found == [(2, 1.0), (4, 2.0), (4, 1.0)]


def test_a_command_is_its_words_its_version_and_the_files_that_it_names(tmp_path: Path) -> None:
    command = script(tmp_path, LENGTH)
    first = named_command(command)
    assert first.score(PAIRS) == [1, 3]
    assert named_command(f"{command}  ").digest == first.digest
    others = {named_command(command, "2").digest, named_command(f"{command} -v").digest}
    script(tmp_path, LENGTH + "#")
    assert len({first.digest, named_command(command).digest, *others}) == 4
    with pytest.raises(JudgeError, match="cannot be read"):
        named_command("python 'judge.py")


def test_a_profile_is_what_it_holds_and_not_what_it_is_called(tmp_path: Path) -> None:
    def written(name: str, weight: float) -> NamedJudge:
        (tmp_path / f"{name}.yaml").write_text(f"components: [{{name: it, type: guard, weight: {weight}}}]")
        return named_profile(str(tmp_path / f"{name}.yaml"))

    first = written("mine", 2.0)
    assert written("yours", 2.0).digest == first.digest
    assert written("mine", 3.0).digest != first.digest
    assert named_profile(str(tmp_path / "yours.yaml"), "2").digest != first.digest
