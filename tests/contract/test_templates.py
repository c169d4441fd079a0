"""What the chat tokenizer promises, over the templates of real families, and one of each kind that no wheel holds."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from jinja2 import TemplateError

from services.generation.reasoning.marks import find_reasoning_marks
from shared.errors import InvalidRequest
from shared.records.evolution import Message
from shared.records.template_inputs import TemplateInputs
from shared.text.chat_tokenizer import ChatTokenizer
from shared.text.template import ChatTemplate
from tests.checkpoints import conversations, templates, tokenizers
from tests.checkpoints.conversations import PLAIN, THINKING, UNUSUAL, harmless

# Prints nothing of a conversation: its caller has to hand over `conversations`.
UNUSABLE = {"vllm/template_kimi_audio"}
ALL = [*(name for name in templates.real_templates() if name not in UNUSABLE), *templates.KINDS]
ROLES = (("user",), ("system",), ("assistant",), ("system", "user", "assistant"))


def source(name: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """A template with its control tokens: special ones, and those that it prints although they are not special."""
    if name not in templates.KINDS:
        text = templates.real_templates()[name]
        return text, *templates.control_tokens(text)
    text, (special, visible) = templates.KINDS[name], templates.KIND_TOKENS
    return text, special, tuple(token for token in visible if token in text)


@cache
def tokenizer_of(name: str) -> Any:
    return tokenizers.byte_level(*source(name))


@cache
def chat_of(name: str) -> ChatTokenizer:
    return ChatTokenizer(tokenizer_of(name))


def render(tokenizer: Any, messages: Sequence[Message], answered: bool = False) -> str | None:
    """The tokenizer's own rendering; None where its template refuses. In parts where it prints nothing for a string."""
    turns: list[dict[str, Any]] = [{"role": m.role, "content": m.content} for m in messages]
    if _prints(tokenizer, [{"role": "user", "content": "word"}]) is None:
        turns = [turn | {"content": [{"type": "text", "text": turn["content"]}]} for turn in turns]
    return _prints(tokenizer, turns, answered, "")


def _prints(
    tokenizer: Any, turns: list[dict[str, Any]], answered: bool = False, word: str = "word", **arguments: Any
) -> str | None:
    try:
        text: str = tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=not answered, **arguments
        )
    except TemplateError:
        return None
    return text if word in text else None


def ids_of(tokenizer: Any, text: str) -> tuple[int, ...]:
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


def controls(tokenizer: Any, ids: Sequence[int]) -> list[int]:
    return [i for i in ids if i in tokenizer.added_tokens_decoder]


@pytest.mark.parametrize("name", ALL)
def test_a_prompt_is_the_tokenizers_own(name: str) -> None:
    tokenizer, chat = tokenizer_of(name), chat_of(name)
    taken = 0
    for kind, messages in (PLAIN | UNUSUAL).items():
        rendered = render(tokenizer, messages)
        if rendered:
            assert chat.encode_chat(messages) == ids_of(tokenizer, rendered), kind
            taken += 1
    assert taken >= 4


@pytest.mark.parametrize("name", ALL)
def test_every_conversation_of_turns_is_taken(name: str) -> None:
    """A system text or an order that the template refuses is brought into the form that it takes."""
    for messages in PLAIN.values():
        if not any(message.content for message in messages) and render(tokenizer_of(name), messages) == "":
            continue
        ids = chat_of(name).encode_chat(messages)
        assert messages[-1].content.strip() in chat_of(name).decode(ids, special=True)


@pytest.mark.parametrize("name", ALL)
def test_an_unusual_order_is_taken_or_refused_as_the_callers_error(name: str) -> None:
    for messages in UNUSUAL.values():
        with contextlib.suppress(InvalidRequest):
            assert chat_of(name).encode_chat(messages)


@pytest.mark.parametrize("name", ALL)
def test_what_a_message_spells_is_text(name: str) -> None:
    tokenizer, chat = tokenizer_of(name), chat_of(name)
    _, special, visible = source(name)
    spelled = (*special, tokenizers.BOS, tokenizers.EOS)
    for roles in ROLES:
        # What is added but not special belongs into what an assistant said.
        tokens = spelled if "assistant" in roles else (*spelled, *visible)
        hostile = conversations.spelling(tokens, roles)
        innocent = conversations.spelling([harmless(token) for token in tokens], roles)
        ids, expected = chat.encode_chat(hostile), chat.encode_chat(innocent)
        assert controls(tokenizer, ids) == controls(tokenizer, expected), roles
        text = chat.decode(expected, special=True)
        for token in tokens:
            text = text.replace(harmless(token), token)
        # A template that looks for its own tokens in an answer, to cut out what was thought, may find them.
        assert chat.decode(ids, special=True) in (text, render(tokenizer, hostile)), roles


@pytest.mark.parametrize("name", ALL)
def test_thoughts_in_the_history_are_kept_or_left_out_as_the_template_does(name: str) -> None:
    tokenizer, chat = tokenizer_of(name), chat_of(name)
    assert chat.decode(chat.encode_chat(THINKING), special=True) == render(tokenizer, THINKING)
    spelled = replace(THINKING[-1], content=f"{THINKING[-1].content} {tokenizers.EOS}")
    text = chat.decode(chat.encode_chat((*THINKING[:-1], spelled)), special=True)
    assert text == render(tokenizer, (*THINKING[:-1], spelled))


@pytest.mark.parametrize("name", ALL)
def test_an_answered_conversation_is_rendered_wherever_its_prompt_is(name: str) -> None:
    tokenizer, chat = tokenizer_of(name), chat_of(name)
    spelled = (tokenizers.EOS, *source(name)[1])
    hostile = conversations.spelling(spelled, ("user", "assistant"))
    answers = [f"It is {' or '.join(tokens)} there." for tokens in (("Athens",), map(harmless, spelled), spelled)]
    for asked in [*(PLAIN[kind] for kind in ("user", "system and turns", "empty", "private use")), hostile]:
        found = []
        for answer in answers:
            messages = (*asked, Message("assistant", answer))
            closed, part = (chat.encode_chat(messages, answered=True, open=opened) for opened in (False, True))
            found.append((controls(tokenizer, closed), controls(tokenizer, part)))
            # What it takes for thinking a template may cut out of an answer that is complete.
            if answer != answers[-1]:
                assert chat.decode(part, special=True).endswith(answer)
                assert chat.decode(closed, special=True).startswith(chat.decode(part, special=True))
        assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("name", ALL)
def test_an_answered_conversation_is_the_tokenizers_own(name: str) -> None:
    tokenizer, chat = tokenizer_of(name), chat_of(name)
    for asked in PLAIN.values():
        messages = (*asked, Message("assistant", "Athens."))
        own = render(tokenizer, messages, answered=True)
        if own is not None:
            assert chat.encode_chat(messages, answered=True) == ids_of(tokenizer, own)


@pytest.mark.parametrize("name", ALL)
def test_arguments_reach_the_template(name: str) -> None:
    """Those that it reads are as if its caller had given them, control tokens aside, and the others change nothing."""
    tokenizer, chat = tokenizer_of(name), chat_of(name)
    asked, read = (Message("user", "Hello"),), chat.template.variables
    unread = TemplateInputs(arguments={"nobody_reads_this": [1]})
    assert chat.encode_chat(asked, inputs=unread) == chat.encode_chat(asked)
    for argument in sorted(read & {"enable_thinking", "thinking", "keep_past_thinking"}):
        for value in (True, False):
            own = _prints(tokenizer, [{"role": "user", "content": "Hello"}], word="Hello", **{argument: value})
            if own is not None:
                inputs = TemplateInputs(arguments={argument: value})
                assert chat.encode_chat(asked, inputs=inputs) == ids_of(tokenizer, own)
    for argument in sorted(read & {"date_string", "model_identity", "reasoning_effort"}):
        for spelled in sorted(tokenizer.get_added_vocab()):
            inputs = TemplateInputs(arguments={argument: f"1 {spelled} 2"})
            harmlessly = TemplateInputs(arguments={argument: f"1 {harmless(spelled)} 2"})
            # Some take certain words only.
            with contextlib.suppress(InvalidRequest):
                found = [chat.encode_chat(asked, inputs=each) for each in (inputs, harmlessly)]
                assert controls(tokenizer, found[0]) == controls(tokenizer, found[1])


def test_some_templates_read_arguments() -> None:
    variables = {name: chat_of(name).template.variables for name in ALL}
    assert sum("enable_thinking" in read for read in variables.values()) >= 5
    assert variables["trl/llama3_1"] >= {"date_string", "tools_in_user_message"}
    assert variables["plain"] == frozenset()
    assert chat_of("trl/qwen3").encode_chat((Message("user", "Hi"),)) != chat_of("trl/qwen3").encode_chat(
        (Message("user", "Hi"),), inputs=TemplateInputs(arguments={"enable_thinking": False})
    )


@pytest.mark.parametrize("name", sorted(UNUSABLE & templates.real_templates().keys()))
def test_a_template_that_prints_nothing_is_refused(name: str) -> None:
    with pytest.raises(Exception, match="template"):
        ChatTokenizer(tokenizer_of(name))


@pytest.mark.parametrize("name", ALL)
def test_the_beginning_of_an_answer_is_continued(name: str) -> None:
    """A prompt ends with the very text, its last space included, and keeps every system text."""
    chat = chat_of(name)
    for kind in ("user", "system", "system and turns"):
        begun = (*PLAIN[kind], Message("assistant", "The capital is "))
        text = chat.decode(chat.encode_prompt(begun), special=True)
        assert text.endswith("The capital is "), kind
        assert PLAIN[kind][0].content in text, kind


@pytest.mark.parametrize("name", ALL)
def test_an_empty_beginning_of_an_answer_is_none(name: str) -> None:
    for messages in (PLAIN["user"], PLAIN["system and turns"]):
        assert chat_of(name).encode_prompt((*messages, Message("assistant", ""))) == chat_of(name).encode_prompt(
            messages
        )


@pytest.mark.parametrize("name", ALL)
def test_a_prompt_keeps_every_system_text_wherever_it_stands(name: str) -> None:
    chat = chat_of(name)
    late = Message("system", "Answer in verse.")
    for messages in ((*PLAIN["user"], late), (*PLAIN["system and turns"], late), (late,)):
        text = chat.decode(chat.encode_prompt(messages), special=True)
        assert all(message.content in text for message in messages)


@pytest.mark.parametrize("name", ALL)
def test_what_the_beginning_of_an_answer_spells_is_text(name: str) -> None:
    tokenizer, chat = tokenizer_of(name), chat_of(name)
    tokens = (*source(name)[1], tokenizers.EOS)
    asked = PLAIN["user"]
    hostile = (*asked, Message("assistant", f"It is {tokens[0]} or {tokens[-1]} there"))
    innocent = (*asked, Message("assistant", f"It is {harmless(tokens[0])} or {harmless(tokens[-1])} there"))
    assert controls(tokenizer, chat.encode_prompt(hostile)) == controls(tokenizer, chat.encode_prompt(innocent))


@pytest.mark.parametrize(
    ("name", "opening", "opened"),
    [
        ("trl/qwen3", "<think>", False),
        ("trl/qwen3_5_think", "<think>", True),
        ("trl/deepseek_r1_distill", "<think>", True),
        ("trl/glm4moe", "<think>", False),
        ("trl/nemotron_3_nano", "<think>", True),
        ("trl/lfm2_2_5", "<think>", None),
        ("trl/gptoss", "<|channel|>analysis<|message|>", False),
        ("trl/qwen2_5", None, None),
        ("trl/llama3", None, None),
    ],
)
def test_marks_of_thoughts_are_those_of_the_template(name: str, opening: str | None, opened: bool | None) -> None:
    chat, tokenizer = chat_of(name), tokenizer_of(name)
    found = find_reasoning_marks(chat, tokenizer, "auto")
    assert (found.open if found else None) == opening
    if opened is not None:
        prompt = chat.decode(chat.encode_chat((Message("user", "Hi"),)), special=True).rstrip()
        assert prompt.endswith(str(opening)) == opened


def test_templates_are_told_an_effort_as_far_as_they_read_it() -> None:
    def arguments(name: str, effort: str) -> dict[str, object]:
        return ChatTemplate(tokenizer_of(name), {}, "keep").effort_arguments(effort)

    assert arguments("trl/qwen3", "none") == {"enable_thinking": False}
    assert arguments("trl/qwen3", "high") == {}
    assert arguments("trl/gptoss", "high") == {"reasoning_effort": "high"}
    # That template refuses what it does not know.
    assert arguments("trl/qwen3_8", "high") == {"reasoning_effort": "xhigh"}
    assert arguments("trl/qwen3_8", "minimal") == {"reasoning_effort": "low"}
    assert arguments("trl/qwen2_5", "high") == {}
