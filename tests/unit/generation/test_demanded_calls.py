"""The grammars of calls that must be made."""

import json
from dataclasses import replace

import pytest

from services.generation.demanded_calls import calls_or_json, demanded_calls
from services.generation.generator import SequenceGenerator
from services.generation.messages import GenerateRequest, SamplingOptions, Sequence
from services.generation.simulated_engine import SimulatedEngine
from services.generation.tool_calls.json_forms import JSON_FORMS
from services.generation.tool_calls.reading import ToolReader
from services.generation.validation import GenerationLimits
from shared.errors import InvalidRequest, Unsupported
from shared.records.evolution import Message
from shared.records.formats import ResponseFormat
from shared.records.template_inputs import TemplateInputs
from shared.records.tools import Tool
from shared.text.json_schemas import follows

pytest.importorskip("llguidance")

CITY = '{"type": "object", "properties": {"city": {"type": "string", "maxLength": 4}}, "required": ["city"]}'
REFERS = '{"$defs": {"n": {"type": "integer"}}, "type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}}'
TOOLS = (Tool("weather", "", CITY), Tool("now"), Tool("refers", "", REFERS))
TOLD = TemplateInputs(tools=TOOLS)
HERMES = ToolReader("hermes", "<tool_call>", JSON_FORMS["hermes"])
LLAMA = ToolReader("llama3_json", '{"name":', JSON_FORMS["llama3_json"])
OTHER = ToolReader("glm45", "<tool_call>", JSON_FORMS["hermes"])
ROME, NOW = '{"name": "weather", "arguments": {"city": "Rome"}}', '{"name": "now", "arguments": {}}'


def takes(text: str, reader: ToolReader = HERMES, name: str = "", parallel: bool = True) -> bool:
    """Whether the whole text follows the format, and the reader reads as many calls as it names tools."""
    engine = SimulatedEngine()
    assert engine.grammars is not None
    wanted, reads = demanded_calls(reader, TOOLS, name, parallel)
    matcher = engine.grammars.matcher(wanted)
    first = engine.info.vocabulary_size - 258
    if not matcher.accept([first + byte for byte in text.encode()]) or not matcher.complete():
        return False
    assert len(reads.read(text, TOOLS).calls) == text.count('"name"')
    return True


def marked(*calls: str) -> str:
    return "\n".join(f"<tool_call>\n{call}\n</tool_call>" for call in calls)


def test_calls_are_in_the_models_form() -> None:
    assert takes(marked(ROME))
    assert takes(marked(ROME, NOW, ROME))
    assert takes(marked('{"name": "refers", "arguments": {"n": 12}}'))
    assert takes(f"{ROME}; {NOW}", OTHER)
    assert takes(ROME.replace("arguments", "parameters"), LLAMA)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "It rains.",
        "<tool_call>",
        ROME,
        marked(ROME.replace("Rome", "Athens")),
        marked(ROME.replace('"city": "Rome"', "")),
        marked(NOW.replace("{}", '{"zone": 1}')),
        marked(NOW.replace("now", "later")),
        marked('{"name": "refers", "arguments": {"n": "x"}}'),
        f"Hm. {marked(ROME)}",
        f"{marked(ROME)} Done.",
    ],
)
def test_nothing_else_is_allowed(text: str) -> None:
    assert not takes(text)


def test_a_named_tool_is_called_once_and_so_is_any_where_calls_are_not_parallel() -> None:
    assert takes(marked(NOW), name="now")
    assert not takes(marked(NOW, NOW), name="now")
    assert not takes(marked(ROME), name="now")
    assert takes(marked(ROME), parallel=False)
    assert not takes(marked(ROME, NOW), parallel=False)


SCHEMA = ResponseFormat("json_schema", '{"type": "object", "properties": {"name": {"type": "string"}}}')


def test_a_response_may_call_or_answer_in_the_form_that_is_demanded() -> None:
    engine = SimulatedEngine()
    assert engine.grammars is not None
    first = engine.info.vocabulary_size - 258
    for reader in (HERMES, LLAMA, OTHER):
        for wanted, answer in ((SCHEMA, '{"name": "Rome"}'), (ResponseFormat("json_object"), '{"a": [1]}')):
            form, reads = calls_or_json(reader, TOOLS, False, wanted)
            for text, calls in ((marked(ROME), 1), (answer, 0)):
                matcher = engine.grammars.matcher(form)
                assert matcher.accept([first + byte for byte in text.encode()])
                assert matcher.complete()
                assert (len(reads.read(text, TOOLS).calls), reads.read(text, TOOLS).begun) == (calls, calls == 1)
            for text in ("It rains.", "[1]", marked(ROME, ROME)):
                matcher = engine.grammars.matcher(form)
                assert not (matcher.accept([first + byte for byte in text.encode()]) and matcher.complete())
    with pytest.raises(Unsupported, match="cannot both") as refused:
        calls_or_json(HERMES, TOOLS, True, ResponseFormat("regex", "[0-9]+", field="structured_outputs"))
    assert refused.value.field == "structured_outputs"


async def test_the_generator_holds_answers_to_their_form_beside_calls() -> None:
    generator, kinds = SequenceGenerator(SimulatedEngine(), GenerationLimits()), set()
    for seed in range(12):
        asked = Sequence("s", (Message("user", "Hello"),), max_new_tokens=900, seed=seed)
        request = GenerateRequest((asked,), SamplingOptions(temperature=1.0, format=SCHEMA), inputs=TOLD)
        async for (result,) in generator.generate(request):
            kinds.add(bool(result.tool_calls))
            assert result.tool_calls or isinstance(json.loads(result.text), dict) or result.finish == "length"
    assert kinds == {True, False}


@pytest.mark.parametrize("seed", range(5))
async def test_a_response_in_pieces_is_a_call(seed: int) -> None:
    generator, ids = SequenceGenerator(SimulatedEngine(), GenerationLimits()), ()
    for _ in range(200):
        asked = Sequence("s", (Message("user", "Hello"),), ids, max_new_tokens=9, seed=seed)
        request = GenerateRequest((asked,), SamplingOptions(temperature=1.0), inputs=TOLD, must_call=True)
        async for (result,) in generator.generate(request):
            ids += result.token_ids
        if result.finish == "stop":
            break
    assert result.finish == "stop"
    assert (result.calling, result.content) == (True, "")
    [call] = result.tool_calls
    schema = next(tool.parameters for tool in TOOLS if tool.name == call.name)
    assert follows(schema, call.arguments), json.dumps(call.arguments)


def told(schema: str) -> TemplateInputs:
    """A tool whose argument `a` has this schema."""
    return TemplateInputs(tools=(Tool("a", "", f'{{"properties": {{"a": {schema}}}}}'),))


@pytest.mark.parametrize(
    ("request_", "error", "field"),
    [
        ({"inputs": TOLD, "tool_name": "unheard_of"}, InvalidRequest, "tool_choice"),
        ({}, Unsupported, "tool_choice"),
        ({"inputs": told('{"minLength": 20000}')}, InvalidRequest, "tools"),
        ({"inputs": told('{"pattern": "("}')}, InvalidRequest, "sampling.format"),
    ],
)
async def test_what_cannot_be_demanded_is_refused(request_: dict[str, object], error: type, field: str) -> None:
    wanted = GenerateRequest((Sequence("s", (Message("user", "Hi"),)),), must_call=True, **request_)  # type: ignore[arg-type]
    with pytest.raises(error) as refused:
        _ = [result async for result in SequenceGenerator(SimulatedEngine(), GenerationLimits()).generate(wanted)]
    assert refused.value.field == field


async def test_an_engine_without_formats_refuses_to_be_held_to_calls() -> None:
    engine = SimulatedEngine()
    engine.info = replace(engine.info, structured_output=False)
    wanted = GenerateRequest((Sequence("s", (Message("user", "Hi"),)),), inputs=TOLD, must_call=True)
    with pytest.raises(Unsupported, match="a call cannot be demanded") as refused:
        _ = [result async for result in SequenceGenerator(engine, GenerationLimits()).generate(wanted)]
    assert refused.value.field == "tool_choice"
