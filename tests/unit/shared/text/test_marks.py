import re

from hypothesis import given
from hypothesis import strategies as st

from shared.text.marks import spellings_of

TEXTS = st.text("ab|<.", max_size=6)


@given(st.lists(TEXTS, max_size=8), st.text("ab|<.", max_size=30))
def test_spellings_are_found_from_the_left_and_the_longest_first(tokens: list[str], text: str) -> None:
    longest_first = sorted(filter(None, tokens), key=len, reverse=True)
    expected = re.findall("|".join(map(re.escape, longest_first)) or r"(?!)", text)
    assert spellings_of(tokens).findall(text) == expected


def test_what_thousands_of_tokens_begin_with_is_looked_for_once() -> None:
    tokens = ["<think>", *(f"<|reserved_special_token_{n}|>" for n in range(5000))]
    pattern = spellings_of(tokens)
    assert pattern.pattern.count("reserved_special_token_") == 1
    assert pattern.findall("<<|reserved_special_token_4999|> <|reserved_special_token_5000|> <think>") == [
        "<|reserved_special_token_4999|>",
        "<think>",
    ]
