from pathlib import Path

import pytest

from services.reward.calibrate import guard_share, read_pairs
from services.reward.guard import EMPTY, penalty

REAL = (
    "Paris.",
    "Yes.",
    "The capital of France is Paris, a city on the Seine with about two million inhabitants.",
    "巴黎是法国的首都，位于塞纳河畔。",
    "def add(a, b):\n    return a + b\n",
    "1. Mix flour and milk.\n2. Add two eggs.\n3. Bake for 20 minutes at 180 °C.",
    "2, 3, 5, 7, 11",
    "Row, row, row your boat, gently down the stream.",
)


@pytest.mark.parametrize("text", REAL)
def test_real_answers_feel_nothing(text: str) -> None:
    assert penalty(text) == 0


@pytest.mark.parametrize("text", ["", " ", "\n\t "])
def test_an_empty_answer_gets_the_fixed_low_score(text: str) -> None:
    assert penalty(text) == EMPTY


def test_a_bare_number_is_penalised_mildly() -> None:
    assert EMPTY / 10 < penalty("4") < 0


@pytest.mark.parametrize(
    "text",
    [
        "yes " * 12,
        "!!! ??? ...",
        "The cat sat on the mat. " * 12,
        "abababab" * 60,
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 = = = = =",
        "| | | | | | | | | | | | | | | | | | | | | |",
    ],
)
def test_degenerate_text_is_penalised(text: str) -> None:
    assert EMPTY <= penalty(text) < -0.9


def test_a_loop_costs_more_the_longer_it_runs() -> None:
    loops = [penalty("I am happy to help you. " * count) for count in (2, 6, 20)]
    assert loops[0] == 0
    assert loops[0] > loops[1] > loops[2]


def test_99_percent_of_real_responses_feel_nothing(shared_data: Path) -> None:
    share = guard_share(read_pairs(shared_data))
    print(f"{share:.2%} of the real responses feel nothing")
    assert share >= 0.99
