"""Which tokens' log probabilities an answer shows: those that its text says, and nothing behind them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.records.logprobs import Alternative, TokenLogprobs, bytes_of, shown


def token(spelled: bytes | str, logprob: float = -1.0, *others: str, special: bool = False) -> TokenLogprobs:
    own = (spelled.encode() if isinstance(spelled, str) else spelled).decode("latin-1")
    top = (Alternative(own, logprob, special), *(Alternative(other, -3.0) for other in others))
    return TokenLogprobs(own, logprob, special, top)


def spelled(tokens: tuple[TokenLogprobs, ...]) -> bytes:
    return bytes_of("".join(each.token for each in tokens))


@given(st.text(), st.lists(st.integers(0, 40)), st.integers(0, 40))
def test_the_tokens_that_are_shown_are_the_text(text: str, cuts: list[int], end: int) -> None:
    """Wherever tokens are cut, within characters too, and wherever the text ends."""
    data = text.encode()
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    tokens = [token(data[begin:until]) for begin, until in pairwise(edges)]
    assert shown(tokens, text) == tuple(tokens)
    assert spelled(shown(tokens, text[:end])) == text[:end].encode()


def test_a_token_within_which_the_text_ends_is_cut_among_its_alternatives_too() -> None:
    tokens = [token("one", -0.5), token(" two,", -1.5, "\xe9"), token(" three", -2.5)]
    kept = shown(tokens, "one tw")
    assert [each.token for each in kept] == ["one", " tw"]
    assert kept[1].top == (Alternative(" tw", -1.5), Alternative("\xe9", -3.0))
    assert kept[1].logprob == -1.5
    assert shown(tokens, "one") == (tokens[0],)
    assert shown(tokens, "") == ()


def test_special_tokens_are_not_shown() -> None:
    tokens = [token("a"), token("<|im_start|>", special=True), token("b"), token("</s>", special=True)]
    assert shown(tokens, "ab") == (tokens[0], tokens[2])


def test_a_space_that_decoding_leaves_out_is_left_out_of_the_first_token() -> None:
    kept = shown([token(" Hello", -1.0, " Hi", "Oh"), token(" you")], "Hello you")
    assert [each.token for each in kept] == ["Hello", " you"]
    assert [other.token for other in kept[0].top] == ["Hello", "Hi", "Oh"]


def test_a_character_that_is_not_whole_is_not_shown() -> None:
    river = "川".encode()
    tokens = [token("a"), token(river[:2]), token(river[2:]), token(river[:1])]
    assert spelled(shown(tokens, "a川")) == "a川".encode()
    assert shown(tokens[:2], "a") == (tokens[0],)
    # Bytes that are no character stand in the text as a mark each.
    assert shown([token(b"\xff"), token("b")], "\ufffdb") == (token(b"\xff"), token("b"))


def test_nothing_is_cut_where_the_text_is_another() -> None:
    tokens = [token("one"), token(" ."), token("</s>", special=True)]
    assert shown(tokens, "one.") == tuple(tokens[:2])
