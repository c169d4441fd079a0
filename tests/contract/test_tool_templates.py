"""Tools, calls and their results in the templates of real families, and who reads what these write."""

import importlib.util
import json
import re
from typing import Any

import pytest

from services.generation.tool_calls.detection import find_tool_reader
from shared.errors import Unsupported
from shared.records.evolution import Message
from shared.records.template_inputs import TemplateInputs
from shared.records.tools import Tool, ToolCall
from shared.text.chat_tokenizer import ChatTokenizer
from tests.checkpoints import templates
from tests.checkpoints.conversations import harmless
from tests.contract import test_templates
from tests.contract.test_templates import UNUSABLE, tokenizer_of

TOOL = Tool("weather", "Tells the weather.", '{"type": "object", "properties": {"city": {"type": "string"}}}')
CALL = ToolCall("weather", '{"city": "Rome"}', "call00001")
ASKED = Message("user", "Will it rain in Rome?")
TURNS = (ASKED, Message("assistant", "", (CALL,)), Message("tool", "No.", tool_call_id=CALL.id))
NAMES = [name for name in templates.real_templates() if name not in UNUSABLE and "training" not in name]
# They write calls in a form of their own that no parser here reads.
UNREAD = {"trl/gptoss"}


def chat_of(name: str) -> tuple[Any, ChatTokenizer]:
    return tokenizer_of(name), test_templates.chat_of(name)


# By what their texts name: to print them all takes seconds, which every process would spend that collects tests.
WITH_TOOLS = [name for name in NAMES if re.search(r"\btools\b", templates.real_templates()[name])]
WITH_TURNS = [name for name in WITH_TOOLS if "tool_calls" in templates.real_templates()[name]]


def form(message: Message, content_parts: bool) -> dict[str, Any]:
    content = [{"type": "text", "text": message.content}] if content_parts else message.content
    shaped: dict[str, Any] = {"role": message.role, "content": content}
    if message.tool_calls:
        shaped["tool_calls"] = [
            {"type": "function", "id": c.id, "function": {"name": c.name, "arguments": json.loads(c.arguments)}}
            for c in message.tool_calls
        ]
    if message.role == "tool":
        shaped |= {"tool_call_id": message.tool_call_id, "name": CALL.name}
    return shaped


def test_families_with_and_without_tools_are_told_apart() -> None:
    found = {name: chat_of(name)[1].template for name in NAMES}
    assert [name for name, template in found.items() if template.tools] == WITH_TOOLS
    assert [name for name in WITH_TOOLS if found[name].tool_turns] == WITH_TURNS
    assert {"trl/qwen2_5", "trl/qwen3", "trl/llama3_2", "trl/gptoss", "trl/glm4moe"} <= set(WITH_TURNS)
    assert not {"trl/gemma3", "trl/phi3", "trl/llama3", "trl/deepseek_r1_distill"} & set(WITH_TOOLS)


@pytest.mark.parametrize("name", WITH_TURNS)
def test_a_prompt_with_tools_is_the_tokenizers_own(name: str) -> None:
    tokenizer, chat = chat_of(name)
    function = {"name": TOOL.name, "description": TOOL.description, "parameters": json.loads(TOOL.parameters)}
    text = tokenizer.apply_chat_template(
        [form(message, chat.template.content == "parts") for message in TURNS],
        tools=[{"type": "function", "function": function}],
        tokenize=False,
        add_generation_prompt=True,
    )
    ids = tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
    assert chat.encode_chat(TURNS, inputs=TemplateInputs(tools=[TOOL])) == ids


@pytest.mark.parametrize("name", WITH_TURNS)
def test_what_tools_calls_and_results_spell_is_text(name: str) -> None:
    tokenizer, chat = chat_of(name)
    tokens = [str(token.content) for token in tokenizer.added_tokens_decoder.values() if token.special]

    def controls(texts: list[str]) -> list[int]:
        spelled = "".join(texts)
        tool = Tool(TOOL.name, spelled, json.dumps({"type": "object", "properties": {"a": {"description": spelled}}}))
        call = ToolCall(CALL.name, json.dumps({"city": spelled}), CALL.id)
        turns = (ASKED, Message("assistant", "", (call,)), Message("tool", spelled, tool_call_id=CALL.id))
        return [i for i in chat.encode_chat(turns, inputs=TemplateInputs(tools=[tool])) if i in chat.control_ids]

    assert controls(tokens) == controls([harmless(token) for token in tokens])


@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITH_TOOLS])
def test_a_template_without_tools_refuses_them(name: str) -> None:
    with pytest.raises(Unsupported, match="knows no tools") as refused:
        chat_of(name)[1].encode_chat((ASKED,), inputs=TemplateInputs(tools=[TOOL]))
    assert refused.value.field == "tools"
    if not chat_of(name)[1].template.tool_turns:
        with pytest.raises(Unsupported, match="knows no tool calls"):
            chat_of(name)[1].encode_chat(TURNS)


@pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not installed")
@pytest.mark.parametrize("name", WITH_TURNS)
def test_vllms_parsers_read_what_templates_write(name: str) -> None:
    tokenizer, chat = chat_of(name)
    hidden = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    reader = find_tool_reader(chat, tokenizer, hidden, "auto", vllm_first=True)
    assert (reader is None) == (name in UNREAD)
    if reader is not None:
        printed = chat.printed_call()
        assert printed is not None
        call, text = printed
        for end in sorted(range(len(text)), reverse=True)[:40]:
            reader.read(text[:end], [Tool(call.name)])
        assert reader.read(text.partition(call.name)[0], [Tool(call.name)]).begun
