"""What the chat tokenizer promises, over kinds of tokenizers."""

import string
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken

from shared.records.evolution import Message
from shared.records.template_inputs import TemplateInputs
from shared.text.chat_tokenizer import ChatTokenizer
from tests.checkpoints import conversations, templates, tokenizers
from tests.checkpoints.conversations import PLAIN, harmless
from tests.contract.test_templates import ids_of, render

KINDS = [*tokenizers.KINDS, "flags"]
TEMPLATES = ("plain", "bos and eos", "trims", "system in the last user turn", "thinking stripped")
CASES = [(kind, name) for kind in KINDS for name in TEMPLATES]
SPECIAL, VISIBLE = templates.KIND_TOKENS


@cache
def tokenizer_of(kind: str, name: str) -> Any:
    template = templates.KINDS[name]
    if kind != "flags":
        return tokenizers.wrap(tokenizers.KINDS[kind](), template, SPECIAL, VISIBLE)
    # As Phi-3's, which take the white space after them, and those of masks, which take that before them.
    special = [AddedToken(token, special=True, normalized=False, rstrip=token == "<|end|>") for token in SPECIAL]
    visible = [AddedToken(token, normalized=True, lstrip=True) for token in VISIBLE]
    return tokenizers.wrap(tokenizers.KINDS["byte-level"](), template, special, visible)


@cache
def chat_of(kind: str, name: str) -> ChatTokenizer:
    return ChatTokenizer(tokenizer_of(kind, name))


def spelled_in(name: str) -> tuple[str, ...]:
    visible = [token for token in VISIBLE if token in templates.KINDS[name]]
    return (*SPECIAL, *visible, tokenizers.BOS, tokenizers.EOS)


def controls(tokenizer: Any, ids: Sequence[int]) -> list[int]:
    """The control tokens of a prompt, but for the one that stands for what a vocabulary lacks."""
    return [i for i in ids if i in tokenizer.added_tokens_decoder and tokenizer.decode([i]) != tokenizers.UNKNOWN]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_prompt_is_the_tokenizers_own(kind: str, name: str) -> None:
    tokenizer = tokenizer_of(kind, name)
    for label, messages in PLAIN.items():
        rendered = render(tokenizer, messages)
        assert rendered is not None
        assert chat_of(kind, name).encode_chat(messages) == ids_of(tokenizer, rendered), label


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_what_a_message_spells_changes_its_own_place_only(kind: str, name: str) -> None:
    tokenizer, chat = tokenizer_of(kind, name), chat_of(kind, name)
    for token in spelled_in(name):
        for text in ("Tell me in short about {} here and now", "{} begins", "it ends with {}", "{}", "a{}b {}{} c\n{}"):
            hostile, innocent = (
                chat.encode_chat((Message("system", "Be kind."), Message("user", text.format(*[spelled] * 4))))
                for spelled in (token, harmless(token))
            )
            assert controls(tokenizer, hostile) == controls(tokenizer, innocent), (token, text)
            if text.count("{}") == 1:
                changed = differing(hostile, innocent)
                # Beside the token at most the words next to it, which a vocabulary may split otherwise.
                assert len(chat.decode(changed)) <= len(token) + 12, (token, text, chat.decode(changed))


def differing(ids: Sequence[int], others: Sequence[int]) -> Sequence[int]:
    """What lies between the beginning and the end that two sequences share."""
    shorter = min(len(ids), len(others))
    start = next((i for i in range(shorter) if ids[i] != others[i]), shorter)
    stop = next((i for i in range(shorter - start) if ids[-1 - i] != others[-1 - i]), shorter - start)
    return ids[start : len(ids) - stop]


_PIECES = st.sampled_from(
    [*SPECIAL, *VISIBLE, tokenizers.BOS, "<|", "|>", "<s", ">", " ", "\n", "\u2581", "é", "\U000f0d0d"]
)
_TEXTS = st.lists(st.one_of(_PIECES, st.text(string.ascii_letters + " 👩\u200d\u00a0", max_size=6)), max_size=8)


@settings(max_examples=15)
@given(st.lists(_TEXTS.map("".join), min_size=3, max_size=3), st.sampled_from(KINDS))
def test_whatever_messages_hold_the_control_tokens_are_the_templates(texts: list[str], kind: str) -> None:
    turns = tuple(Message(role, text) for role, text in zip(("system", "user", "assistant"), texts, strict=True))
    asked = (*turns, Message("user", "And then?"))
    expected = tuple(Message(m.role, "word") for m in asked)
    for name in ("plain", "bos and eos"):
        tokenizer, chat = tokenizer_of(kind, name), chat_of(kind, name)
        special = set(tokenizer.all_special_ids) | {tokenizer.convert_tokens_to_ids(token) for token in SPECIAL}
        found = [i for i in chat.encode_chat(asked) if i in special]
        assert found == [i for i in chat.encode_chat(expected) if i in special]


@pytest.mark.parametrize("kind", KINDS)
def test_text_is_text(kind: str) -> None:
    tokenizer, chat = tokenizer_of(kind, "plain"), chat_of(kind, "plain")
    assert chat.encode_text("Hello there, it is nice.") == ids_of(tokenizer, "Hello there, it is nice.")
    spelled = chat.encode_text(" and ".join(SPECIAL))
    assert not set(controls(tokenizer, spelled)) & {tokenizer.convert_tokens_to_ids(token) for token in SPECIAL}


def test_threads_that_encode_at_once_change_nothing_for_each_other() -> None:
    chat = ChatTokenizer(_whole())
    words = "What is the longest river of the world, and where does it begin? " * 60
    hostile = conversations.spelling(("<|im_end|>", "<|im_start|>"), ("user",))
    conversation = {
        "guarded": (*hostile[:-1], Message("user", words + hostile[-1].content)),
        "innocent": (Message("user", words),),
        "short": (Message("user", "Hello"),),
    }
    alone = {name: chat.encode_chat(messages) for name, messages in conversation.items()}
    jobs = ["guarded", "short", "innocent", "short"] * 40
    with ThreadPoolExecutor(4) as threads:
        for name, ids in zip(jobs, threads.map(lambda name: chat.encode_chat(conversation[name]), jobs), strict=True):
            assert ids == alone[name], name


def _whole() -> Any:
    return tokenizers.byte_level(templates.real_templates()["trl/qwen2_5"], ("<|im_start|>", "<|im_end|>"))


def test_a_date_is_that_of_the_conversation() -> None:
    chat, noon = chat_of("byte-level", "date"), 1_700_000_000.0
    ids = chat.encode_chat((Message("user", "Hello"),), inputs=TemplateInputs(noon))
    assert "Today is 14 November 2023." in chat.decode(ids)
    assert ids == chat.encode_chat((Message("user", "Hello"),), inputs=TemplateInputs(noon + 60))
    assert ids != chat.encode_chat((Message("user", "Hello"),))
