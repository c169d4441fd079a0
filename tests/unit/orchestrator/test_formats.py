"""What the orchestrator does of a response's form: what travels to the stages, and which answer is the best."""

from dataclasses import replace

import pytest

from services.orchestrator.adapters import codec, generation
from services.orchestrator.core import answers
from services.orchestrator.core.machine import begin
from services.orchestrator.core.presets import config_for
from services.orchestrator.core.values import BASE, Final, Generate, Response
from shared.pb import generation_pb2 as pb
from shared.records.evolution import EvolutionRequest, FinishReason, Message, Sampling
from shared.records.formats import ResponseFormat
from shared.records.search import Search

WANTED = ResponseFormat("json_schema", "{}", "structured_outputs.json")
FREE = EvolutionRequest("darwin", (Message("user", "Why?"),), Sampling(20), Search(period=5), seed=1)
HELD = replace(FREE, sampling=replace(FREE.sampling, format=WANTED))


def final(state: int, finish: FinishReason, reward: float) -> Final:
    return Final(0, state, "Why?", Response(text=f"{state}", finish=finish), reward, {})


def best(request: EvolutionRequest) -> list[str]:
    evolution, _ = begin(config_for(request), "Why?", 1)
    finals = (final(BASE, "length", 3.0), final(0, "stop", 1.0), final(1, "stop", 2.0))
    return [choice.text for choice in answers.choices(replace(evolution, finals=finals), 3)]


def test_a_complete_answer_is_better_than_a_cut_one_where_the_form_is_fixed() -> None:
    assert best(FREE) == ["-1", "1", "0"]
    assert best(HELD) == ["1", "0", "-1"]


def test_the_state_holds_it_only_where_it_is_so() -> None:
    free, held = (codec.dump(begin(config_for(request), "Why?", 1)[0]) for request in (FREE, HELD))
    assert "complete_first" not in free
    assert codec.load(held).config.complete_first
    assert not codec.load(free).config.complete_first


def test_formats_travel_to_the_generation_service() -> None:
    pieces = [Generate(0, 0, 0, "Why?", ids, 5, 0, 1, to_be_continued=not ids) for ids in ((), tuple(range(15)))]
    sent = generation._to_pb(pieces, HELD)
    assert sent.sampling.format.kind == pb.GenerateRequest.Format.KIND_JSON_SCHEMA
    assert sent.sampling.format.definition == "{}"
    assert [sequence.to_be_continued for sequence in sent.sequences] == [True, False]
    assert not generation._to_pb(pieces, FREE).sampling.HasField("format")


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("sampling.format", "structured_outputs.json"),
        ("sampling.stop", "stop"),
        ("sequences[0].messages", "messages"),
    ],
)
def test_refusals_name_the_callers_field(field: str, name: str) -> None:
    assert generation._caller_field(field, HELD) == name


def test_what_shapes_sampling_travels_and_is_told_by_the_callers_names() -> None:
    given = {"presence_penalty": 0.5, "frequency_penalty": -1.0, "repetition_penalty": 1.25, "min_p": 0.125}
    sampling = replace(FREE.sampling, **given, logit_bias={42: -100.0, 7: 1.5}, ignore_eos=True)  # type: ignore[arg-type]
    piece = [Generate(0, 0, 0, "Why?", (), 5, 0, 1)]
    sent = generation._to_pb(piece, replace(FREE, sampling=sampling)).sampling
    assert {name: getattr(sent, name) for name in given} == given
    assert (dict(sent.logit_bias), sent.ignore_eos) == ({42: -100.0, 7: 1.5}, True)
    plain = generation._to_pb(piece, FREE).sampling
    assert (plain.repetition_penalty, len(plain.logit_bias), plain.ignore_eos) == (1.0, 0, False)
    assert generation._caller_field("sampling.logit_bias", FREE) == "logit_bias"
