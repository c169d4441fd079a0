"""Tools on the engines that hold a model: a tiny checkpoint of a family whose template knows them."""

import gc
import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from services.generation.bootstrap import build_engine, build_generator
from services.generation.engine import Engine
from services.generation.generator import SequenceGenerator
from services.generation.messages import GenerateRequest, SamplingOptions, Sequence, SequenceResult
from services.generation.settings import GenerationSettings
from shared.errors import Unsupported
from shared.records.evolution import Message
from shared.records.formats import ResponseFormat
from shared.records.template_inputs import TemplateInputs
from shared.records.tools import Tool, ToolCall
from shared.text.json_schemas import follows
from tests.checkpoints.models import FAMILIES, build

SCHEMA = '{"type": "object", "properties": {"zone": {"enum": ["utc", "cet"]}}, "required": ["zone"]}'
TOOLS = (Tool("now", "Tells the time.", SCHEMA), Tool("rest"))
TOLD = TemplateInputs(tools=TOOLS)
ASKED = (Message("user", "What time is it?"),)
AFTER = (
    *ASKED,
    Message("assistant", "", (ToolCall("now", '{"zone": "utc"}', "call_0123456789"),)),
    Message("tool", "Noon.", tool_call_id="call_0123456789"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("tools")
    build(FAMILIES["qwen 2.5"], path, max_position_embeddings=2048)
    return str(path)


@pytest.mark.parametrize("name", ["transformers", "vllm"])
async def test_engines_call_where_they_must(name: str, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("llguidance") is None or (name == "vllm" and importlib.util.find_spec("vllm") is None):
        pytest.skip(f"{name} with formats is not installed")
    monkeypatch.setattr(gc, "collect", lambda *_: 0)
    settings = GenerationSettings(
        engine=name, model=folder, dtype="float32", max_model_len=2048, kv_cache_gib=0.05, max_running=8
    )
    engine = build_engine(settings)
    await engine.start()
    generator = build_generator(engine, settings)

    async def results(request: GenerateRequest) -> dict[str, SequenceResult]:
        return {result.id: result async for some in generator.generate(request) for result in some}

    assert engine.info.tools
    assert engine.info.tool_reader is not None
    assert engine.info.tool_reader.name == "hermes"
    warm = SamplingOptions(temperature=1.0)
    sequences = tuple(Sequence(str(i), ASKED, max_new_tokens=200, seed=i) for i in range(4))
    found = await results(GenerateRequest(sequences, warm, inputs=TOLD, must_call=True))
    for result in found.values():
        assert result.finish == "stop"
        [call] = result.tool_calls
        assert follows({tool.name: tool.parameters for tool in TOOLS}[call.name], call.arguments)
        assert result.content == ""
    named = await results(GenerateRequest(sequences[:1], warm, inputs=TOLD, must_call=True, tool_name="now"))
    assert named["0"].tool_calls[0].name == "now"
    # In pieces the same as a whole: what is continued is held to the rest of the call.
    first = await results(
        GenerateRequest((replace(sequences[0], max_new_tokens=7),), warm, inputs=TOLD, must_call=True)
    )
    assert (first["0"].tool_calls, first["0"].calling, first["0"].finish) == ((), True, "length")
    rest = replace(sequences[0], response_token_ids=first["0"].token_ids)
    second = await results(GenerateRequest((rest,), warm, inputs=TOLD, must_call=True))
    assert second["0"].tool_calls == found["0"].tool_calls
    # A model with random weights writes no call by itself, and its template takes the result of one.
    free = await results(GenerateRequest((Sequence("s", AFTER, max_new_tokens=5),), warm, inputs=TOLD))
    assert (free["s"].tool_calls, free["s"].calling) == ((), False)
    await engine.stop()


@pytest.mark.parametrize("name", ["transformers", "vllm"])
async def test_the_template_is_given_the_callers_arguments(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Qwen 3 thinks unless it is told otherwise: its template then begins the answer with an empty thought."""
    if name == "vllm" and importlib.util.find_spec("vllm") is None:
        pytest.skip("vllm is not installed")
    monkeypatch.setattr(gc, "collect", lambda *_: 0)
    build(FAMILIES["qwen 3"], tmp_path)
    settings = GenerationSettings(
        engine=name, model=str(tmp_path), dtype="float32", max_model_len=512, kv_cache_gib=0.05, max_running=8
    )
    engine = build_engine(settings)
    await engine.start()
    generator, tokens = build_generator(engine, settings), []
    for arguments in ({}, {"enable_thinking": True}, {"enable_thinking": False}, {"nobody_reads_this": 1}):
        request = GenerateRequest((Sequence("s", ASKED),), inputs=TemplateInputs(arguments=arguments))
        async for (result,) in generator.generate(request):
            tokens.append(result.usage.prompt_tokens)
    assert "enable_thinking" in engine.info.template_variables
    assert tokens[0] == tokens[1] == tokens[3] < tokens[2]
    await _thinks(engine, generator)
    await engine.stop()


async def _thinks(engine: Engine, generator: SequenceGenerator) -> None:
    """A thought is gone on with up to its mark, which a bias has the model write, and then a form is followed."""
    marks = engine.info.reasoning
    assert marks is not None
    assert (marks.open, marks.close) == ("<think>", "</think>")
    assert marks.close_id is not None
    begun = (*ASKED, Message("assistant", "<think>\nSo"))
    drawn = SamplingOptions(temperature=1.0, logit_bias={marks.close_id: -100.0})
    closed = replace(drawn, logit_bias={marks.close_id: 100.0}, stop=("ab",))
    if engine.grammars is not None:
        closed = replace(closed, stop=(), format=ResponseFormat("regex", "[ab]{3}"))
    found = []
    for sampling in (drawn, closed):
        request = GenerateRequest((Sequence("s", begun, max_new_tokens=8, seed=1),), sampling)
        found += [result async for some in generator.generate(request) for result in some]
    goes_on, answered = found
    assert (goes_on.thinking, goes_on.text, goes_on.reasoning_tokens) == (True, "", 8)
    assert (answered.thinking, answered.reasoning, answered.reasoning_tokens) == (False, "", 1)
    if engine.grammars is not None:
        assert (answered.finish, set(answered.text) <= {"a", "b"}, len(answered.text)) == ("stop", True, 3)


async def test_a_model_without_tools_refuses_them(tmp_path: Path) -> None:
    build(FAMILIES["phi 3"], tmp_path)
    settings = GenerationSettings(engine="transformers", model=str(tmp_path), dtype="float32")
    engine = build_engine(settings)
    await engine.start()
    generator = build_generator(engine, settings)
    for request, field in (
        (GenerateRequest((Sequence("s", ASKED),), inputs=TOLD), "tools"),
        (GenerateRequest((Sequence("s", AFTER),)), "messages"),
    ):
        with pytest.raises(Unsupported) as refused:
            _ = [result async for result in generator.generate(request)]
        assert refused.value.field == field
    assert not engine.info.tools
    await engine.stop()
