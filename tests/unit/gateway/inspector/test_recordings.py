"""Differences word by word: what is shared, and that nothing is lost."""

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.inspector.recordings import answer_diff

TEXTS = st.text("ab ,.\n", max_size=40)


def word_diff(base: str, evolved: str) -> list[tuple[str, str]]:
    return [(piece.kind, piece.text) for piece in answer_diff(base, evolved).pieces]


def test_words_are_not_cut() -> None:
    assert word_diff("The sky is blue.", "The sea is blue, often.") == [
        ("same", "The "),
        ("base", "sky"),
        ("evolved", "sea"),
        ("same", " is blue"),
        ("evolved", ", often"),
        ("same", "."),
    ]


@given(TEXTS, TEXTS)
def test_pieces_give_both_texts(base: str, evolved: str) -> None:
    pieces = word_diff(base, evolved)
    assert "".join(text for kind, text in pieces if kind != "evolved") == base
    assert "".join(text for kind, text in pieces if kind != "base") == evolved
    assert all(text for _, text in pieces)


@given(TEXTS)
def test_equal_texts_differ_nowhere(text: str) -> None:
    assert {kind for kind, _ in word_diff(text, text)} <= {"same"}
