"""A response's text where it is cut within a character, and where stop strings end it that decoding hides."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from services.generation.engine import HiddenTokens
from services.generation.hidden_tokens import hidden_tokens
from services.generation.response_text import Stops, continuing, stops_of
from tests.unit.generation.scripted import Scripted, byte_fallback, byte_level, pieces

SAID = "ok 😀😀好 🜂的👩‍👩‍👧x"
BROKEN = "\ufffd"


def encoded(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


@pytest.mark.parametrize("tokenizer", [byte_level(), byte_fallback()], ids=["byte-level", "byte-fallback"])
class TestCut:
    async def test_a_text_ends_at_a_whole_character_wherever_it_is_cut(self, tokenizer: Any) -> None:
        ids = encoded(tokenizer, SAID)
        assert any(tokenizer.decode(ids[:count]).endswith(BROKEN) for count in range(len(ids)))
        results = await pieces(Scripted(tokenizer, ids), *[1] * len(ids))
        texts = [result.text for result in results]
        assert all(SAID.startswith(text) for text in texts)
        assert [id_ for result in results for id_ in result.token_ids] == ids
        assert texts[-1] == SAID
        for count, text in enumerate(texts, start=1):
            # Of what was sampled, less than one character is missing.
            sampled = sum(map(len, (bytes_of(tokenizer, token) for token in ids[:count])))
            assert len(text.encode()) <= sampled < len(text.encode()) + 4

    async def test_the_same_holds_with_lookahead_and_at_a_full_context(self, tokenizer: Any) -> None:
        ids = encoded(tokenizer, SAID)
        for count in range(1, len(ids)):
            (result,) = await pieces(Scripted(tokenizer, ids), count, ahead=1)
            assert SAID.startswith(result.lookahead_text)
            assert result.lookahead_text.startswith(result.text)
            (full,) = await pieces(Scripted(tokenizer, ids, context=1 + count), len(ids))
            assert (full.finish, full.text) == ("context", result.text)

    async def test_what_is_no_character_stays_where_the_response_goes_on_behind_it(self, tokenizer: Any) -> None:
        ids = encoded(tokenizer, f"ok{BROKEN}x")
        texts = [result.text for result in await pieces(Scripted(tokenizer, ids), *[1] * len(ids))]
        assert texts[-1] == f"ok{BROKEN}x"
        assert not any(text.endswith(BROKEN) for text in texts)

    async def test_bytes_that_never_become_a_character_cost_no_time_and_are_held_back(self, tokenizer: Any) -> None:
        ids = encoded(tokenizer, "ok") + encoded(tokenizer, "😀")[:1] * 8
        (result,) = await pieces(Scripted(tokenizer, ids), len(ids))
        assert result.finish == "length"
        assert not result.text.endswith(BROKEN)
        assert result.text.startswith("ok")

    async def test_a_broken_end_that_the_model_chose_is_its_end(self, tokenizer: Any) -> None:
        ids = [*encoded(tokenizer, "ok 😀")[:-1], tokenizer.eos_token_id]
        (result,) = await pieces(Scripted(tokenizer, ids), 20)
        assert result.finish == "stop"
        assert result.text.rstrip(BROKEN).strip() == "ok"
        assert result.text.endswith(BROKEN)


def bytes_of(tokenizer: Any, token: int) -> bytes:
    """Without a leading space, which byte-fallback tokenizers strip from a text's beginning."""
    name = tokenizer.convert_ids_to_tokens(token)
    if tokenizer is byte_fallback():
        return bytes([int(name[3:5], 16)]) if name.startswith("<0x") else name.replace("\u2581", " ").encode()
    table = {chr(code): code for code in [*range(33, 127), *range(161, 173), *range(174, 256)]}
    others = (code for code in range(256) if code not in table.values())
    table |= {chr(256 + i): code for i, code in enumerate(others)}
    return bytes(table[character] for character in name)


END, THINK = "<|im_end|>", "<repo_name>"


def says(*parts: str) -> Scripted:
    """The parts, of which those that spell a control token are that token."""
    tokenizer = byte_level()
    hidden = hidden_tokens(tokenizer, len(tokenizer))
    return Scripted(
        tokenizer, [i for part in parts for i in ([hidden[part]] if part in hidden else encoded(tokenizer, part))]
    )


@pytest.mark.parametrize("size", [1, 2, 50])
@pytest.mark.parametrize(
    ("stop", "text"),
    [
        ((THINK,), "One two"),
        ((THINK, "three"), "One two"),
        (("two", THINK), "One "),
        ((f"o{THINK} th",), "One tw"),
        ((f"{THINK} three", "four"), "One two"),
        ((f"{THINK}{THINK}",), "One two three four five"),
        ((THINK[:-1],), "One two three four five"),
        (("five",), "One two three four "),
        ((f"four{THINK}",), "One two three four five"),
    ],
)
async def test_a_stop_string_that_decoding_hides_ends_the_response(stop: tuple[str, ...], text: str, size: int) -> None:
    engine = says("One two", THINK, " three four", " five", "<|endoftext|>")
    results = await pieces(engine, *[size] * (1 + 50 // size), stop=stop)
    assert (results[-1].finish, results[-1].text) == ("stop", text)


async def test_text_that_spells_a_control_token_is_a_stop_string_like_any_other() -> None:
    engine = Scripted(byte_level(), byte_level()(f"One {THINK} two", split_special_tokens=True)["input_ids"])
    (result,) = await pieces(engine, 50, stop=(THINK,))
    assert (result.finish, result.text) == ("stop", "One ")


def test_stop_strings_by_where_they_are_found() -> None:
    stops = stops_of(("a", END, f"b{END}", THINK[:-1], END), HiddenTokens({END: 2, THINK: 3}))
    assert stops.in_text == ("a", THINK[:-1])
    assert stops.spelled == (END, f"b{END}")
    assert (stops.ids, stops.mixed) == ({2}, (f"b{END}",))


def test_what_continues_a_text_keeps_the_space_before_its_first_word() -> None:
    words = {1: " The", 2: " capital", 3: "s"}

    def decode(token_ids: Sequence[int], *, special: bool = False) -> str:
        return "".join(words[token] for token in token_ids).removeprefix(" ")

    decoded = continuing(decode, 1)
    assert (decode([2, 3]), decoded([2, 3]), decoded([3]), decoded([])) == ("capitals", " capitals", "s", "")


def test_stop_strings_do_not_lead_through_all_hidden_tokens_again() -> None:
    class Counting(HiddenTokens):
        walks = 0

        def __iter__(self) -> Iterator[str]:
            self.walks += 1
            return super().__iter__()

    hidden = Counting({f"<|reserved_{n}|>": n for n in range(5000)})
    for n in range(20):
        stops = stops_of((f"so <|reserved_{n}|>", "<|reserved_5000|>", f"<|reserved_{n}|>"), hidden)
        assert stops == Stops(("<|reserved_5000|>",), (f"<|reserved_{n}|>", f"so <|reserved_{n}|>"), frozenset({n}))
    assert hidden.walks == 1
