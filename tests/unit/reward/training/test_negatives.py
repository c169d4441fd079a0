from pathlib import Path

import pytest

from services.reward.training.data import TEST, TRAIN, TrainingPair
from services.reward.training.negatives import SOURCE, GibberishSample, choose_rows, paired, read_samples, write_samples
from shared.errors import InvalidRequest, NotFound
from tests.unit.reward.conversations import dialogue

PAIRS = [TrainingPair(dialogue(f"{n // 2}"), f"good {n}", "bad", "own", TEST if n >= 40 else TRAIN) for n in range(60)]


def test_rows_are_drawn_from_both_sides_each_prompt_once() -> None:
    rows = choose_rows(PAIRS, 8, 0)
    assert [row.split for row in rows] == [TRAIN] * 8 + [TEST] * 2
    assert len({row.conversation for row in rows}) == 10
    assert choose_rows(PAIRS[::-1], 1000, 0) != []
    assert len(choose_rows(PAIRS, 1000, 0)) == 30


def test_draws_follow_the_seed_and_not_the_order_of_files() -> None:
    distinct = PAIRS[::2]
    assert choose_rows(distinct, 8, 1) == choose_rows(distinct[::-1], 8, 1)
    assert choose_rows(distinct, 8, 1) != choose_rows(distinct, 8, 2)


def test_samples_survive_their_file(tmp_path: Path) -> None:
    samples = [
        GibberishSample(PAIRS[0].id, 1.4, 0, "line\nbreaks \u2028 and naïve text"),
        GibberishSample(PAIRS[50].id, 1.8, 50, "b"),
    ]
    write_samples(tmp_path / "s.jsonl", samples)
    assert read_samples(tmp_path / "s.jsonl") == samples


def test_a_sample_is_rejected_against_its_rows_chosen_response() -> None:
    (pair,) = paired(PAIRS, [GibberishSample(PAIRS[50].id, 1.4, 0, "gorp")])
    assert (pair.chosen, pair.rejected, pair.source, pair.split) == ("good 50", "gorp", SOURCE, TEST)


def test_samples_of_other_data_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="1 of 2 samples belong to rows that the data lacks"):
        paired(PAIRS, [GibberishSample(PAIRS[0].id, 1.4, 0, "a"), GibberishSample("0" * 64, 1.4, 0, "b")])


def test_a_bad_file_of_samples_is_named(tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    with pytest.raises(NotFound):
        read_samples(file)
    for line in ("{", '{"row": "a"}', "3"):
        file.write_text(line + "\n")
        with pytest.raises(InvalidRequest, match=r"s\.jsonl, line 1: not "):
            read_samples(file)
