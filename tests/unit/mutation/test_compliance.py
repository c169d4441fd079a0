"""Whether a rewrite keeps what its conversation demands."""

import pytest

from services.mutation.demands import keeps, read
from tests.unit.mutation.conversations import system, user


@pytest.mark.parametrize(
    ("rewrite", "kept"),
    [
        ("In one sentence, say what a river is.", True),
        ("What is a river? Answer in a single sentence, please.", True),
        ("What is a river?", False),
        ("What is a river? Answer in one sentence and explain it in detail.", False),
        ("Was ist ein Fluss? Antworte in einem Satz.", False),
    ],
)
def test_a_rewrite_keeps_the_demands(rewrite: str, kept: bool) -> None:
    original = "What is a river? Answer in one sentence."
    assert keeps(rewrite, original, read(user(original))) is kept


def test_a_rewrite_must_not_add_what_the_system_prompt_forbids() -> None:
    original, rewrite = "What is a river?", "Explain in detail what a river is."
    assert keeps(rewrite, original, read(user(original)))
    assert not keeps(rewrite, original, read(system("Be brief.", original)))


@pytest.mark.parametrize(
    ("rewrite", "kept"),
    [
        ("Erkläre, wie ich schwimmen lerne.", True),
        ("Schwimmen", True),
        ("Explain how I can learn to swim.", False),
        ("Hoe leer ik het beste zwemmen?", False),
    ],
)
def test_a_rewrite_stays_in_the_language_where_both_are_sure(rewrite: str, kept: bool) -> None:
    original = "Wie lerne ich schwimmen?"
    assert keeps(rewrite, original, read(user(original))) is kept
