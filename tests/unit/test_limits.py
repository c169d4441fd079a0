"""What the gateway accepts at the door, every stage behind it takes; and what is one beyond is refused at the door."""

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from services.gateway.api.requests import ChatCompletionRequest
from services.gateway.api.validation import evolution_request
from services.gateway.config.settings import GatewaySettings
from services.gateway.evolutions.forms import _forms_of_calls
from services.generation.demanded_calls import calls_or_json, demanded_calls
from services.generation.settings import GenerationSettings
from services.generation.simulated_engine import SimulatedEngine
from services.generation.tool_calls.json_forms import HERMES_MARKS, JSON_FORMS
from services.generation.tool_calls.reading import ToolReader
from services.mutation import guards, templates
from services.mutation.mutator import BYTES_PER_TOKEN
from services.reward.settings import RewardSettings
from shared.errors import InvalidRequest
from shared.process.settings import DarwinSettings
from shared.records import limits
from shared.records.evolution import EvolutionRequest
from shared.records.formats import ResponseFormat
from shared.records.limits import MAX_CONVERSATION_CHARACTERS, MAX_NEW_TOKENS
from shared.records.tools import Tool
from tests.unit.in_process import stages

MODEL = {"model": "darwin", "max_tokens": 4}
QUESTION = "How do I learn to swim? "
CLEF, ESCAPED = "\N{MUSICAL SYMBOL G CLEF}", "\x01"
SEARCH = {"cycles": 2, "mutants": 3, "period": 2}
DEFAULT = GatewaySettings()
WIDEST = GatewaySettings(
    max_conversation_characters=MAX_CONVERSATION_CHARACTERS, max_max_tokens=MAX_NEW_TOKENS, max_body_bytes=1 << 25
)


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def asked(text: str, **more: Any) -> dict[str, Any]:
    return MODEL | {"messages": [user(text)], "darwin": SEARCH} | more


def long(characters: int, character: str = "x") -> str:
    return QUESTION + character * (characters - len(QUESTION))


def many(messages: int) -> dict[str, Any]:
    turns = [user(QUESTION), {"role": "assistant", "content": "By swimming."}] * (messages // 2 + 1)
    return MODEL | {"messages": [*turns[-messages:][1:], user(QUESTION)], "darwin": SEARCH}


def called(arguments: str, count: int, calls: int = 100) -> dict[str, Any]:
    """So many turns with so many calls each."""
    turns: list[dict[str, Any]] = [user(QUESTION)]
    for turn in range(count):
        ids = [f"{turn}-{number}" for number in range(calls)]
        made = [{"id": one, "type": "function", "function": {"name": "f", "arguments": arguments}} for one in ids]
        turns.append({"role": "assistant", "content": None, "tool_calls": made})
        turns += [{"role": "tool", "tool_call_id": one, "content": ""} for one in ids]
    return MODEL | {"messages": [*turns, user(QUESTION)], "darwin": SEARCH}


def tool(number: int, characters: int = 0) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"x": {"type": "string", "description": "é" * characters}}}
    return {"type": "function", "function": {"name": f"tool_{number}", "parameters": schema}}


def door(body: dict[str, Any], settings: GatewaySettings = DEFAULT) -> EvolutionRequest:
    sent = json.dumps(body, ensure_ascii=ESCAPED in str(body["messages"])).encode()
    assert len(sent) <= settings.max_body_bytes
    return evolution_request(ChatCompletionRequest.model_validate(json.loads(sent)), settings)


LARGEST = {
    "messages": (many(512), DEFAULT),
    "four bytes a character": (asked(long(200_000, CLEF)), DEFAULT),
    "six bytes a character of JSON": (asked(long(170_000, ESCAPED)), DEFAULT),
    "the longest instruction of all": (asked(long(MAX_CONVERSATION_CHARACTERS)), WIDEST),
    "the beginning of an answer": (
        MODEL | {"messages": [user(QUESTION), {"role": "assistant", "content": "y" * 199_970}], "darwin": SEARCH},
        DEFAULT,
    ),
    "calls whose text is longer than they are": (called("{}", 5), DEFAULT),
    "floats that would have three hundred digits": (called("[" + ",".join(["1e300"] * 40) + "]", 5), DEFAULT),
    "tools": (asked(QUESTION, tools=[tool(number, 3_000) for number in range(128)]), DEFAULT),
    "a tool's schema": (asked(QUESTION, tools=[tool(0, 65_400)]), DEFAULT),
    "stops and the template's arguments": (
        asked(QUESTION, stop=["s" * 256] * 4, chat_template_kwargs={"x": CLEF * 4_087}),
        DEFAULT,
    ),
    "mutants and cycles": (asked(QUESTION, darwin={"cycles": 8, "mutants": 32, "period": 4096}, n=257), DEFAULT),
    "lookahead": (asked(QUESTION, darwin=SEARCH | {"lookahead": 512, "period": 256}, max_tokens=1024), WIDEST),
    "tokens": (asked(QUESTION, model="sample", darwin={}, max_tokens=MAX_NEW_TOKENS), WIDEST),
    "tokens by default": (asked(QUESTION, model="sample", darwin={}, max_tokens=4_096), DEFAULT),
    "a format": (
        asked(QUESTION, structured_outputs={"choice": ["a" * 40_000, "b" * 7_900]}, model="best-of-n"),
        DEFAULT,
    ),
}


@pytest.mark.parametrize("name", LARGEST)
async def test_every_stage_takes_the_largest_request_that_is_accepted(name: str) -> None:
    request = door(*LARGEST[name])
    engine = SimulatedEngine()
    engine.info = replace(engine.info, context_length=1 << 20)
    async with stages(engine) as all_of_them:
        ended = await all_of_them.searched(request)
    assert ended.finals
    if "instruction" in name:
        # The parent of the second cycle, and its mutants, carry lines of templates.
        assert max(len(entry.instruction) for entry in ended.finals) > MAX_CONVERSATION_CHARACTERS


@pytest.mark.parametrize("model", ["sample", "best-of-n", "darwin"])
async def test_most_messages_are_served_by_every_method(model: str) -> None:
    body = many(512) | {"model": model}
    async with stages() as all_of_them:
        assert (await all_of_them.searched(door(body | ({"darwin": {}} if model == "sample" else {})))).finals


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (many(513), "messages"),
        (asked(long(200_001)), "messages"),
        (called("{}", 5, 128) | {"messages": called("{}", 60, 120)["messages"][:512]}, "messages"),
        (asked(QUESTION, tools=[tool(number) for number in range(129)]), "tools"),
        (asked(QUESTION, tools=[tool(0, 65_536)]), "tools.0.function.parameters"),
        (asked(QUESTION, stop=["s"] * 5), "stop"),
        (asked(QUESTION, stop=["s" * 257]), "stop"),
        (asked(QUESTION, chat_template_kwargs={"x": CLEF * 4_096}), "chat_template_kwargs"),
        (asked(QUESTION, darwin={"mutants": 33}), "darwin.mutants"),
        (asked(QUESTION, darwin={"cycles": 9}), "darwin.cycles"),
        (asked(QUESTION, darwin={"lookahead": 513}), "darwin.lookahead"),
        (asked(QUESTION, darwin={"period": 4097}), "darwin.period"),
        (asked(QUESTION, max_tokens=4097), "max_tokens"),
        (asked(QUESTION, logprobs=True, top_logprobs=21), "top_logprobs"),
        (asked(QUESTION, logit_bias={str(token): 1 for token in range(301)}), "logit_bias"),
        (asked(QUESTION, structured_outputs={"choice": ["a" * 48_001]}), "structured_outputs.choice"),
        (asked(QUESTION, structured_outputs={"regex": "a" * 65_537}), "structured_outputs.regex"),
    ],
)
def test_one_beyond_is_refused_at_the_door_by_its_field(body: dict[str, Any], field: str) -> None:
    with pytest.raises((InvalidRequest, ValidationError)) as caught:
        door(body)
    refused = caught.value
    found = refused.field if isinstance(refused, InvalidRequest) else ".".join(map(str, refused.errors()[0]["loc"]))
    assert (found or "").startswith(field)


def test_tools_together_have_a_limit() -> None:
    with pytest.raises(InvalidRequest) as refused:
        door(asked(QUESTION, tools=[tool(number, 16_000) for number in range(128)]), WIDEST)
    assert refused.value.field == "tools"


async def test_mutants_that_do_not_fit_the_context_leave_the_search_its_base() -> None:
    engine = SimulatedEngine()
    words = "word " * (engine.info.context_length - 10)
    async with stages(engine) as all_of_them:
        ended = await all_of_them.searched(door(asked(words + QUESTION.strip()), WIDEST))
    assert [final.response.finish for final in ended.finals if final.state == -1] == ["length"]


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("max_conversation_characters", limits.MAX_CONVERSATION_CHARACTERS),
        ("max_max_tokens", limits.MAX_NEW_TOKENS),
        ("max_body_bytes", limits.MAX_BODY_BYTES),
        ("max_logprobs", limits.MAX_LOGPROBS),
    ],
)
def test_a_gateway_beyond_what_stages_take_does_not_start(name: str, most: int) -> None:
    assert getattr(GatewaySettings.model_validate({name: most}), name) == most
    with pytest.raises(ValidationError, match=name):
        GatewaySettings.model_validate({name: most + 1})


@pytest.mark.parametrize(
    ("variable", "settings"),
    [
        ("DARWIN_GENERATION_MAX_NEW_TOKENS", GenerationSettings),
        ("DARWIN_GENERATION_MAX_CONVERSATION_CHARACTERS", GenerationSettings),
        ("DARWIN_REWARD_MAX_TEXT_CHARACTERS", RewardSettings),
    ],
)
def test_a_stage_with_a_limit_of_its_own_does_not_start(
    variable: str, settings: type[DarwinSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings()
    monkeypatch.setenv(variable, "100")
    with pytest.raises(ValidationError, match=variable):
        settings()


def test_mutation_adds_no_more_than_stages_expect() -> None:
    lines = sorted(len(template.line) + 2 for template in templates.EVERY)[-templates.DEPTH :]
    rewritten = guards.LONGEST * 4096 * BYTES_PER_TOKEN + guards.SLACK_CHARS
    assert rewritten + sum(lines) <= limits.MAX_GROWTH_CHARACTERS


def test_the_largest_messages_between_processes_fit() -> None:
    states = limits.MAX_MUTANTS + 1
    instruction, ids = 4 * limits.MAX_PROMPT_CHARACTERS, 3 * limits.MAX_NEW_TOKENS
    answer = 4 * MAX_CONVERSATION_CHARACTERS + (MAX_NEW_TOKENS + limits.MAX_LOOKAHEAD) * limits.MAX_TOKEN_BYTES
    beside = limits.MAX_BODY_BYTES + 4 * limits.MAX_TOOLS_CHARACTERS
    generate = states * (instruction + ids) + beside
    mutate = (states + 1) * instruction
    score = states * answer + instruction
    assert max(generate, mutate, score) < limits.MAX_MESSAGE_BYTES
    assert states <= limits.MAX_SEQUENCES


def test_the_form_that_is_checked_is_at_least_as_large_as_that_of_decoding() -> None:
    tools = [Tool(f"tool_{number}", "", '{"type": "object"}') for number in range(128)]
    answer = ResponseFormat("json_schema", json.dumps({"type": "object", "description": "x" * 60_000}))
    reader = ToolReader("hermes", HERMES_MARKS[0], JSON_FORMS["hermes"])
    *_, (_, demanded) = _forms_of_calls(tools, "tools", None)
    *_, (_, beside) = _forms_of_calls(tools, "tools", answer)
    for other in (reader, ToolReader("llama3_json", "{", JSON_FORMS["llama3_json"])):
        assert len(demanded_calls(other, tools, "", True)[0].definition) <= len(demanded.definition)
        assert len(calls_or_json(other, tools, True, answer)[0].definition) <= len(beside.definition)
    assert len(beside.definition) <= limits.MAX_GRAMMAR_CHARACTERS
