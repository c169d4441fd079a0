"""Who reads the calls in a response, and what is read of them."""

import re
from dataclasses import replace

import pytest

from services.generation.generator import SequenceGenerator
from services.generation.messages import GenerateRequest, SamplingOptions, Sequence, SequenceResult
from services.generation.simulated_engine import SimulatedEngine
from services.generation.tool_calls import detection
from services.generation.tool_calls.detection import find_tool_reader
from services.generation.tool_calls.json_forms import JSON_FORMS
from services.generation.tool_calls.library_parsers import response_template_parse
from services.generation.tool_calls.reading import Read, ToolReader
from services.generation.validation import GenerationLimits
from shared.errors import InvalidRequest, Unsupported
from shared.records.evolution import Message
from shared.records.template_inputs import NOTHING_ELSE, TemplateInputs
from shared.records.tools import Tool, ToolCall
from shared.text.chat_tokenizer import ChatTokenizer
from tests.checkpoints.models import tokenizer_of
from tests.unit.generation.scripted import HELLO, Scripted, byte_level

WEATHER = Tool(
    "weather", "Tells the weather.", '{"type": "object", "properties": {"city": {"type": "string"}, "days": {}}}'
)
TOLD = TemplateInputs(tools=(WEATHER,))
ROME, OSLO = ToolCall("weather", '{"city": "Rome"}'), ToolCall("weather", '{"city": "Oslo"}')
HERMES = ToolReader("hermes", "<tool_call>", JSON_FORMS["hermes"])
MISTRAL = ToolReader("mistral", "[TOOL_CALLS]", JSON_FORMS["mistral"])
LLAMA = ToolReader("llama3_json", '{"name":', JSON_FORMS["llama3_json"], re.compile(r"<\|eom_id\|>"))
ONE = '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>'


@pytest.mark.parametrize(
    ("reader", "text", "calls", "content"),
    [
        (HERMES, ONE, [ROME], ""),
        (HERMES, f"Let me see.\n{ONE}\n{ONE.replace('Rome', 'Oslo')}", [ROME, OSLO], "Let me see."),
        (HERMES, ONE.removesuffix("\n</tool_call>"), [ROME], ""),
        (HERMES, f'Let me see. {ONE}\n<tool_call>\n{{"name": "wea', [ROME], "Let me see."),
        (HERMES, f"{ONE}\n<tool_call>", [ROME], ""),
        (HERMES, ONE.replace('{"city": "Rome"}', '"{}"'), [ToolCall("weather", "{}")], ""),
        (HERMES, ONE.replace(', "arguments": {"city": "Rome"}', ""), [ToolCall("weather", "{}")], ""),
        (MISTRAL, '[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Rome"}}]', [ROME], ""),
        (MISTRAL, 'Hm.[TOOL_CALLS]weather[ARGS]{"city": "Rome"}[TOOL_CALLS]weather{"city": "Oslo"}', [ROME, OSLO],
        "Hm."),
        (MISTRAL, '[TOOL_CALLS]weather[CALL_ID]123456789[ARGS]{"city": "Rome"}', [ROME], ""),
        (MISTRAL, '[TOOL_CALLS]weather[ARGS]{"city": "Rome"}[TOOL_CALLS]weather[ARGS]{"ci', [ROME], ""),
        (LLAMA, '{"name": "weather", "parameters": {"city": "Rome"}}', [ROME], ""),
        (LLAMA, '<|python_tag|>{"name": "weather", "parameters": {"city": "Rome"}}; {"name":"weather","parameters":'
        '{"city": "Oslo"}}', [ROME, OSLO], ""),
        (LLAMA, '{"name": "weather", "parameters": {"city": "Rome"}}; {"name": "wea', [ROME], ""),
    ],
)  # fmt: skip
def test_calls_are_read(reader: ToolReader, text: str, calls: list[ToolCall], content: str) -> None:
    assert reader.read(text, [WEATHER]) == Read(tuple(calls), content, begun=True)


@pytest.mark.parametrize(
    ("reader", "text", "begun"),
    [
        (HERMES, "It rains.", False),
        (HERMES, "", False),
        (HERMES, "Well, <tool_call>", True),
        (HERMES, "<tool_call>weather Rome</tool_call>", True),
        (HERMES, '<tool_call>{"arguments": {}}</tool_call>', True),
        (HERMES, "<tool_call>[1]</tool_call>", True),
        (MISTRAL, "[TOOL_CALLS]", True),
        (LLAMA, '{ "na', True),
        (LLAMA, '{"name": "weather", "param', True),
        (LLAMA, '{"city": "Rome"}', False),
        (LLAMA, 'The form is {"name": "weather"}.', False),
        (LLAMA, "", False),
    ],
)
def test_what_is_no_whole_call_is_none(reader: ToolReader, text: str, begun: bool) -> None:
    assert reader.read(text, [WEATHER]) == Read((), "", begun)


def test_special_tokens_beside_calls_are_not_shown() -> None:
    reader = replace(HERMES, hidden=re.compile(r"<\|im_start\|>"))
    assert reader.read(f"<|im_start|>Hm. {ONE}", [WEATHER]).content == "Hm."


FOUND = {
    "trl/qwen2_5": ("hermes", "<tool_call>"),
    "trl/qwen3": ("hermes", "<tool_call>"),
    "trl/llama3_2": ("llama3_json", '{"name":'),
    "trl/gemma3": None,
    "plain": None,
}


def reader_of(template: str, parser: str = "auto", **more: bool) -> ToolReader | None:
    tokenizer = tokenizer_of(template)
    hidden = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    return find_tool_reader(ChatTokenizer(tokenizer), tokenizer, hidden, parser, **more)


@pytest.mark.parametrize(("template", "found"), FOUND.items())
def test_the_parser_is_that_which_reads_what_the_template_writes(
    template: str, found: tuple[str, str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detection, "_has_vllm", lambda: False)
    reader = reader_of(template)
    assert (reader and (reader.name, reader.opening)) == found


def test_a_parser_can_be_named_or_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "_has_vllm", lambda: False)
    assert reader_of("trl/qwen3", "none") is None
    named = reader_of("trl/glm4moe", "hermes")
    assert named is not None
    assert named.name == "hermes"
    assert reader_of("trl/glm4moe") is None, "nobody here reads what it writes"
    with pytest.raises(Unsupported, match="there is no tool parser 'unheard_of'"):
        reader_of("trl/qwen3", "unheard_of")
    with pytest.raises(Unsupported, match="takes no tools"):
        reader_of("plain", "hermes")


def test_a_tokenizers_own_response_template_comes_first() -> None:
    tokenizer = tokenizer_of("trl/qwen3")
    pattern = {"open": "<tool_call>", "close": "</tool_call>", "repeats": True, "content": "json"}
    tokenizer.response_template = {
        "defaults": {"role": "assistant"},
        "start_anchor": "<|im_start|>assistant\n",
        "fields": {
            "content": {},
            "tool_calls": pattern | {"transform": {"type": "function", "function": "{content}"}},
        },
    }
    try:
        reader = find_tool_reader(ChatTokenizer(tokenizer), tokenizer, ["<|im_end|>"], "auto")
        assert reader is not None
        assert reader.name == "response_template"
        assert reader.read(f"Hm.\n{ONE}", [WEATHER]).calls == (ROME,)
    finally:
        tokenizer.response_template = None


def test_a_broken_response_template_reads_nothing() -> None:
    assert ToolReader("response_template", "<tool_call>", response_template_parse({})).read(ONE, []) == Read(
        (), "", True
    )


async def said(text: str, *, tools: bool = True, stop: tuple[str, ...] = (), length: int = 200) -> SequenceResult:
    tokenizer = byte_level()
    engine = Scripted(tokenizer, [*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id])
    engine.info = replace(engine.info, tool_reader=HERMES)
    asked = (Sequence("s", HELLO, max_new_tokens=length),)
    request = GenerateRequest(asked, SamplingOptions(stop=stop), inputs=TOLD if tools else NOTHING_ELSE)
    async for (result,) in SequenceGenerator(engine, GenerationLimits()).generate(request):
        return result
    raise AssertionError("no result")


async def test_the_generator_reads_calls_where_there_are_tools() -> None:
    result = await said(f"Hm. {ONE}")
    assert (result.tool_calls, result.content, result.calling, result.finish) == ((ROME,), "Hm.", True, "stop")
    assert result.text == f"Hm. {ONE}", "what can be continued is what was written"
    half = await said(ONE, length=12)
    assert (half.tool_calls, half.content, half.calling, half.finish) == ((), "", True, "length")
    assert not (await said("It rains.")).calling
    assert (await said(ONE, tools=False)).tool_calls == ()
    stopped = await said(f"{ONE} And so on", stop=(" And",))
    assert (stopped.tool_calls, stopped.finish) == ((ROME,), "stop")


async def test_tools_are_refused_where_the_model_calls_none() -> None:
    engine = SimulatedEngine()
    engine.info = replace(engine.info, tool_reader=None)
    for tools, error in (((WEATHER,), Unsupported), ((Tool("a", "", "[]"),), Unsupported)):
        request = GenerateRequest((Sequence("s", HELLO),), inputs=TemplateInputs(tools=tools))
        with pytest.raises(error, match="calls no tools") as refused:
            _ = [result async for result in SequenceGenerator(engine, GenerationLimits()).generate(request)]
        assert refused.value.field == "tools"


@pytest.mark.parametrize("tools", [(Tool("a", "", "[]"),), (Tool("a", "", "{"),), (Tool(""),), (Tool("a"),) * 129])
async def test_what_is_no_tool_is_refused(tools: tuple[Tool, ...]) -> None:
    request = GenerateRequest((Sequence("s", HELLO),), inputs=TemplateInputs(tools=tools))
    with pytest.raises(InvalidRequest) as refused:
        _ = [result async for result in SequenceGenerator(SimulatedEngine(), GenerationLimits()).generate(request)]
    assert (refused.value.field or "").startswith("tools")


async def test_the_engine_without_a_model_calls_in_pieces_and_answers_after_a_result() -> None:
    generator = SequenceGenerator(SimulatedEngine(), GenerationLimits())

    async def answer(messages: tuple[Message, ...], seed: int) -> SequenceResult:
        ids: tuple[int, ...] = ()
        while True:
            asked = Sequence("s", messages, ids, max_new_tokens=11, seed=seed)
            request = GenerateRequest((asked,), SamplingOptions(temperature=1.0), inputs=TOLD)
            async for (result,) in generator.generate(request):
                ids += result.token_ids
            if result.finish != "length":
                return result

    results = [await answer(HELLO, seed) for seed in range(40)]
    called = [result.tool_calls for result in results if result.tool_calls]
    assert 8 < len(called) < 32
    assert {call.name for (call,) in called} == {"weather"}
    assert len(set(called)) > 1
    assert all(result.text and not result.calling for result in results if not result.tool_calls)
    after = (*HELLO, Message("assistant", "", (replace(ROME, id="c"),)), Message("tool", "Rain.", tool_call_id="c"))
    assert not any([(await answer(after, seed)).calling for seed in range(10)])
