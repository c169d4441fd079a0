import json
from pathlib import Path

import pytest

from cli.evaluation.questions import QuestionError, QuestionFilter, read_questions


def written(folder: Path, *items: object, name: str = "questions.jsonl") -> Path:
    file = folder / name
    file.write_text("".join(json.dumps(item) + "\n" for item in items))
    return file


def test_mt_bench(tmp_path: Path) -> None:
    file = written(tmp_path, {"question_id": 81, "category": "writing", "turns": ["Write.", "Shorter."]})
    (question,) = read_questions(file)
    assert (question.id, question.category, question.turns) == ("81", "writing", ("Write.", "Shorter."))
    (first,) = read_questions(file, turns=1)
    assert first.turns == ("Write.",)


def test_alpaca_eval(tmp_path: Path) -> None:
    file = tmp_path / "alpaca_eval.json"
    file.write_text(json.dumps([{"dataset": "koala", "instruction": "Why?", "output": "x", "generator": "davinci"}]))
    (question,) = read_questions(file)
    assert (question.turns, question.dataset, question.id) == (("Why?",), "koala", "1")


def test_alpacas_input_is_asked_about(tmp_path: Path) -> None:
    items = [
        {"instruction": "Translate the sentence into French.", "input": "The cat sleeps."},
        {"instruction": "Name a fruit.", "input": ""},
        {"instruction": "Name a colour.", "input": None},
    ]
    assert [question.turns[0] for question in read_questions(written(tmp_path, *items))] == [
        "Translate the sentence into French.\n\nThe cat sleeps.",
        "Name a fruit.",
        "Name a colour.",
    ]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085"])
def test_a_line_ends_at_a_line_feed_alone(tmp_path: Path, separator: str) -> None:
    file = tmp_path / "questions.jsonl"
    text = f"one{separator}two"
    file.write_text(f'{{"prompt": "{text}"}}\n\n{{"prompt": "three"}}\n')
    assert [question.turns[0] for question in read_questions(file)] == [text, "three"]


def test_prompt_and_messages(tmp_path: Path) -> None:
    history = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    last = {"role": "user", "content": "Why?"}
    file = written(tmp_path, {"prompt": "One?"}, {"messages": [*history, last]}, {"id": "c", "prompt": [last]})
    plain, chat, listed = read_questions(file)
    assert plain.turns == ("One?",)
    assert chat.turns == ("Why?",)
    assert [turn.content for turn in chat.context] == ["Hi", "Hello"]
    assert (listed.id, listed.turns) == ("c", ("Why?",))


def test_halves_are_disjoint_and_complete(tmp_path: Path) -> None:
    file = written(tmp_path, *({"prompt": f"{number}?"} for number in range(7)))
    even, odd = read_questions(file, part="even"), read_questions(file, part="odd")
    assert {question.id for question in even} & {question.id for question in odd} == set()
    assert sorted(question.id for question in (*even, *odd)) == [question.id for question in read_questions(file)]


def test_prompts_of_preferences_that_nobody_was_trained_on(tmp_path: Path) -> None:
    """Of the split, short, without earlier turns, each once; a benchmark without splits goes along whole."""

    def pair(prompt: str, split: str, *before: str) -> dict[str, object]:
        roles = ("user", "assistant")
        messages = [{"role": roles[place % 2], "content": said} for place, said in enumerate((*before, prompt))]
        return {"messages": messages, "chosen": "a", "rejected": "b", "split": split, "source": "people"}

    rows = [
        pair("Seen?", "train"),
        pair("New?", "test"),
        pair("New?", "test"),
        pair("And then?", "test", "Hi", "Hello"),
        pair("Long? " * 9, "test"),
        pair("Last?", "test"),
    ]
    pairs = written(tmp_path, *rows, name="pairs.jsonl")
    bench = written(tmp_path, {"question_id": 81, "category": "writing", "turns": ["Write.", "Shorter."]})
    choose = QuestionFilter(split="test", single=True, max_characters=20)
    found = read_questions(bench, pairs, choose=choose)
    assert [question.id for question in found] == ["questions-81", "pairs-2", "pairs-6"]
    assert [question.turns for question in found] == [("Write.", "Shorter."), ("New?",), ("Last?",)]
    assert [question.category for question in found] == ["writing", "people", "people"]
    assert len(read_questions(pairs)) == 5
    with pytest.raises(QuestionError, match="of 6 questions none"):
        read_questions(bench, pairs, choose=QuestionFilter(max_characters=1))


def test_a_draw_is_the_same_each_time_and_in_order(tmp_path: Path) -> None:
    file = written(tmp_path, *({"prompt": f"{number}?"} for number in range(20)))
    drawn = read_questions(file, choose=QuestionFilter(draw=5))
    assert [question.id for question in drawn] == sorted((question.id for question in drawn), key=int)
    assert len(drawn) == 5
    assert drawn == read_questions(file, choose=QuestionFilter(draw=5))
    assert {question.id for question in drawn} < {q.id for q in read_questions(file, choose=QuestionFilter(draw=9))}


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("", "0 questions"),
        ("{", "not JSON"),
        ("3", "line 1: not an object"),
        ('{"prompt": ""}', "at least 1 character"),
        ('{"prompt": "a"}\n{"answer": "b"}', "line 2: needs turns"),
        ('{"id": 1, "prompt": "a"}\n{"id": 1, "prompt": "b"}', "two questions have the id 1"),
        ('{"messages": [{"role": "assistant", "content": "a"}]}', "must be the user's"),
        ('{"messages": [{"role": "tool", "content": "a"}]}', "role"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(tmp_path: Path, lines: str, complaint: str) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(lines)
    with pytest.raises(QuestionError, match=complaint):
        read_questions(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match=r"none\.jsonl"):
        read_questions(tmp_path / "none.jsonl")
