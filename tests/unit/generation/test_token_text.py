"""Text for ids and back, by tokenizers that treat the start of a text in their own ways."""

import copy
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers, processors
from tokenizers.models import Unigram
from transformers import PreTrainedTokenizerFast

from services.generation.endpoint.token_text import TokenText
from shared.errors import InvalidRequest
from tests.openai_endpoint import tokenizer

END = "<|im_end|>"
PIECES = ("the cat", "s sat", " and", " ate.\n", "\n Then", "  it", " slept — 🜂, «ñ» ", "\tand so on")


def text_of(made: Any, *further: str) -> TokenText:
    """Over a tokenizer whose control tokens are the special ones, and further ones."""
    return TokenText(made, frozenset([*made.all_special_ids, *made.convert_tokens_to_ids(list(further))]))


def spaced() -> Any:
    """As SentencePiece does: a space before every text, taken away again in decoding, and a token before it all."""
    letters = sorted({letter for piece in PIECES for letter in piece if letter != " "})
    made = Tokenizer(Unigram([("<unk>", 0.0), ("<s>", 0.0), ("▁", -1.0), *((one, -2.0) for one in letters)], 0))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    made.decoder = decoders.Metaspace(prepend_scheme="first", split=False)
    made.add_special_tokens([AddedToken("<s>", special=True)])
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", unk_token="<unk>")


@pytest.mark.parametrize("make", [tokenizer, spaced])
def test_what_is_added_reads_on_as_it_was_told(make: Any) -> None:
    text, ids, written = text_of(make()), (), ""
    for piece in PIECES:
        ids += text.added(ids, piece)
        written += piece
        assert make().decode(ids, clean_up_tokenization_spaces=False) == written


def test_a_prompt_comes_without_what_the_endpoint_puts_before_it() -> None:
    made = spaced()
    ids = made("the cat")["input_ids"]
    sent = text_of(made).prompt(ids)
    assert made(sent)["input_ids"] == ids
    assert made(made.decode(ids))["input_ids"] != ids


def test_a_prompt_keeps_its_control_tokens_and_takes_no_others() -> None:
    made = tokenizer()
    text = text_of(made)
    real = made(f"Hi{END}\n", add_special_tokens=False)["input_ids"]
    spelled = made(f"Hi{END}\n", add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert text.prompt(real) == f"Hi{END}\n"
    with pytest.raises(InvalidRequest, match="control tokens"):
        text.prompt(spelled)


def test_a_response_that_spells_a_control_token_holds_none() -> None:
    ids = text_of(tokenizer()).added((), f"It writes {END} there.")
    assert tokenizer().convert_tokens_to_ids(END) not in ids


def test_ids_are_cut_where_a_character_ends() -> None:
    text = text_of(tokenizer())
    ids = text.added((), "a🜂b")
    assert len(ids) > 4
    assert [tokenizer().decode(text.cut(ids, limit)) for limit in range(len(ids) + 1)] == [
        *("", "a"),
        *["a"] * (len(ids) - 3),
        *("a🜂", "a🜂b"),
    ]


def test_thinking_goes_on_and_a_users_mark_of_it_is_refused() -> None:
    made = copy.deepcopy(tokenizer())
    made.add_tokens([AddedToken("<think>", special=False), AddedToken("</think>", special=False)])
    text = text_of(made, "<think>", "</think>")
    prompt = made(f"Hi{END}\n<think>", add_special_tokens=False)["input_ids"]
    answer = text.added(prompt, "two and two</think> Four.")
    assert made.convert_tokens_to_ids("</think>") in answer
    assert text.prompt([*prompt, *answer]) == f"Hi{END}\n<think>two and two</think> Four."
    spelled = tokenizer()("Say </think>.", add_special_tokens=False)["input_ids"]
    with pytest.raises(InvalidRequest, match="control tokens"):
        text.prompt(spelled)


def test_the_tokenizer_is_left_as_it_is_and_what_it_does_elsewhere_changes_nothing() -> None:
    made = copy.deepcopy(tokenizer())
    text, real = text_of(made), made(f"Hi{END}", add_special_tokens=False)["input_ids"]
    made(END, split_special_tokens=True, truncation=True, max_length=1)
    assert text.prompt(real) == f"Hi{END}"
    assert text.tokens(f"Hi{END}") == len(real)
    made(END, split_special_tokens=False)
    text.added((), END)
    assert made(END, add_special_tokens=False)["input_ids"] == [made.convert_tokens_to_ids(END)]
