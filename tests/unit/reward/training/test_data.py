import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.reward.training import data
from services.reward.training.data import TEST, TRAIN, read_preferences
from shared.errors import InvalidRequest, NotFound
from shared.records.evolution import Message

TRAINING = {"prompt": "trains", "chosen": "good", "rejected": "bad", "split": "train"}
HELD_OUT = {"prompt": "is held out", "chosen": "good", "rejected": "bad", "split": "test"}


def write(file: Path, *rows: Any) -> Path:
    file.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return file


def test_strings_and_conversations_give_the_same_pair(tmp_path: Path) -> None:
    asked = [{"role": "user", "content": "trains"}]
    answers = {name: [{"role": "assistant", "content": TRAINING[name]}] for name in ("chosen", "rejected")}
    shapes: list[dict[str, Any]] = [
        TRAINING,
        {"messages": asked, "chosen": "good", "rejected": "bad", "split": "train"},
        {"prompt": asked, **answers, "split": "train", "something": "else"},
    ]
    pairs = read_preferences([write(tmp_path / "own.jsonl", *shapes, "", HELD_OUT)], 0.2).pairs
    assert len(pairs) == 4
    assert pairs[0] == pairs[1] == pairs[2]
    assert pairs[0].conversation.messages == (Message("user", "trains"),)
    assert (pairs[0].chosen, pairs[0].rejected, pairs[0].source) == ("good", "bad", "own")


BAD = [
    ("{", "not JSON"),
    ("[]", "not an object"),
    ({**TRAINING, "chosen": False}, "chosen: must be a text"),
    ({**TRAINING, "chosen": None}, "chosen: is missing; its columns are 'prompt', 'rejected', 'split'"),
    ({"chosen": "a", "rejected": "b"}, "do not begin alike: give what they answer as prompt"),
    ({**TRAINING, "prompt": " "}, "not blank"),
    ({**TRAINING, "prompt": []}, "prompt: must be a text, or messages"),
    ({**TRAINING, "prompt": [{"role": "user", "content": "a"}] * 257}, "1 to 256 messages"),
    ({**TRAINING, "prompt": [{"role": "assistant", "content": "a"}]}, "the user's"),
    ({**TRAINING, "prompt": [{"role": "robot", "content": "a"}]}, "the role 'robot'"),
    ({**TRAINING, "chosen": []}, "chosen: must be a text, or messages"),
    (
        {**TRAINING, "rejected": [{"role": "user", "content": "a"}]},
        "rejected: the last message must be",
    ),
    ({"prompt": "a", "chosen": "b"}, "rejected: is missing"),
    ({"prompt": "a", "completion": "b", "label": True}, "its columns are 'prompt', 'completion', 'label'"),
    ({**TRAINING, "source": ""}, "source: "),
    ({**TRAINING, "source": "a | b"}, "source: "),
]


@pytest.mark.parametrize(("row", "says"), BAD)
def test_a_bad_line_is_named(tmp_path: Path, row: object, says: str) -> None:
    file = write(tmp_path / "bad.jsonl", TRAINING, row, HELD_OUT)
    with pytest.raises(InvalidRequest, match=r"1 bad lines:\n.*bad\.jsonl, line 2: ") as raised:
        read_preferences([file], 0.2)
    assert says in raised.value.message
    skipped = read_preferences([file], 0.2, skip_invalid=True)
    assert len(skipped.pairs) == 2
    assert len(skipped.invalid) == 1


def test_many_bad_lines_are_counted_and_the_first_shown(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"25 bad lines:\n(.*\n){10}and 15 more\n--skip-invalid"):
        read_preferences([write(tmp_path / "bad.jsonl", *["3 3"] * 25)], 0.2)


def test_bytes_that_are_no_text_are_a_bad_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_bytes(b'{"prompt": "\xff"}\n')
    with pytest.raises(InvalidRequest, match=r"bad\.jsonl, line 1: not UTF-8 \(byte 0xff at 13\).*iconv"):
        read_preferences([file], 0.2)


def test_pairs_that_teach_nothing_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [{**TRAINING, "chosen": " \n"}, {**TRAINING, "rejected": ""}, {**TRAINING, "rejected": "good"}]
    found = read_preferences([write(tmp_path / "a.jsonl", TRAINING, HELD_OUT, *rows)], 0.2)
    assert (len(found.pairs), found.blank, found.tied) == (2, 2, 1)


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "MAX_PAIRS", 2)
    monkeypatch.setattr(data, "MAX_LINE_BYTES", 200)
    assert len(read_preferences([write(tmp_path / "a.jsonl", TRAINING, HELD_OUT)], 0.2).pairs) == 2
    with pytest.raises(InvalidRequest, match="more than 2 pairs"):
        read_preferences([write(tmp_path / "b.jsonl", TRAINING, HELD_OUT, HELD_OUT)], 0.2)
    with pytest.raises(InvalidRequest, match=r"c\.jsonl, line 2: longer than 200 bytes"):
        read_preferences([write(tmp_path / "c.jsonl", TRAINING, {**TRAINING, "chosen": "x" * 200})], 0.2)
    with pytest.raises(NotFound, match="no such file"):
        read_preferences([tmp_path / "absent.jsonl"], 0.2)


def test_one_side_alone_is_refused(tmp_path: Path) -> None:
    for row in (TRAINING, HELD_OUT):
        with pytest.raises(InvalidRequest, match="both a training and a held-out side"):
            read_preferences([write(tmp_path / "a.jsonl", row)], 0.2)


def test_a_prompt_held_out_once_is_held_out_everywhere(tmp_path: Path) -> None:
    files = [
        write(tmp_path / "a.jsonl", TRAINING, {**HELD_OUT, "split": "train"}),
        write(tmp_path / "b.jsonl", {**HELD_OUT, "split": "validation"}),
    ]
    found = read_preferences(files, 0.2)
    assert [pair.split for pair in found.pairs] == [TRAIN, TEST, TEST]
    assert found.moved == 1


PROMPTS = st.lists(st.tuples(st.integers(0, 40), st.sampled_from([None, "train", "test"])), max_size=80)


@given(PROMPTS, st.floats(0, 0.9))
@settings(max_examples=50, deadline=None)
def test_no_prompt_is_on_both_sides(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[int, str | None]], share: float
) -> None:
    rows = [{"prompt": f"{n}", "chosen": "a", "rejected": "b", "split": split} for n, split in drawn]
    file = write(tmp_path_factory.mktemp("split") / "a.jsonl", *rows, TRAINING, HELD_OUT)
    sides: dict[bytes, set[str]] = {}
    for pair in read_preferences([file], share).pairs:
        sides.setdefault(pair.conversation.digest, set()).add(pair.split)
    assert all(len(side) == 1 for side in sides.values())


def test_the_share_held_out_is_about_what_was_asked(tmp_path: Path) -> None:
    rows = [{"prompt": f"question {n}", "chosen": "a", "rejected": "b"} for n in range(2000)]
    pairs = read_preferences([write(tmp_path / "a.jsonl", *rows)], 0.25).pairs
    assert sum(pair.split == TEST for pair in pairs) / 2000 == pytest.approx(0.25, abs=0.04)
