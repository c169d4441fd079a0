"""What every generation engine promises of formats, and of what else shapes sampling, in float32 to compare pieces."""

import asyncio
import json
import re
from dataclasses import replace

import pytest

from services.generation.engine import Engine
from services.generation.generator import SequenceGenerator
from services.generation.messages import Sequence
from shared.errors import InvalidRequest, Unsupported
from shared.records.evolution import Message
from shared.records.formats import ResponseFormat
from tests.contract.engine_rows import GREEDY, QUESTION, WARM, one, pieces, run

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORMATS = (
    ResponseFormat(
        "json_schema",
        json.dumps(
            {
                "type": "object",
                "properties": {"colour": {"enum": ["red", "green"]}, "reason": {"type": "string", "maxLength": 20}},
                "required": ["colour", "reason"],
                "additionalProperties": False,
            }
        ),
    ),
    ResponseFormat("regex", "[A-Z][a-z]{2,9}, [0-9]{2}"),
    ResponseFormat("choice", '["yes", "no", "yes, indeed"]'),
    ResponseFormat("grammar", 'root ::= "a" root | "b"'),
)
PATTERNS = {"regex": "[A-Z][a-z]{2,9}, [0-9]{2}", "choice": "yes|no|yes, indeed", "grammar": "a*b"}


@pytest.mark.parametrize("wanted", FORMATS, ids=lambda wanted: wanted.kind)
async def test_a_format_is_followed_and_a_response_continued_under_it_at_any_point(
    generator: SequenceGenerator, wanted: ResponseFormat
) -> None:
    if not generator.info.continues_formats:
        pytest.skip("formats are the endpoint's")
    greedy = replace(GREEDY, format=wanted)
    room = 24 if wanted.kind == "grammar" else 60  # which need never end
    for sampling in (replace(WARM, format=wanted), greedy):
        whole = await one(generator, Sequence("s", QUESTION, max_new_tokens=room, seed=3), sampling)
        if whole.finish == "stop" and wanted.is_json:
            answer = json.loads(whole.text)
            assert (answer["colour"] in ("red", "green"), set(answer)) == (True, {"colour", "reason"})
        elif whole.finish == "stop":
            assert re.fullmatch(PATTERNS[wanted.kind], whole.text)
        else:
            assert whole.finish == "length"
            assert wanted.kind == "grammar"
    cuts = range(1, len(whole.token_ids) + 1, 6)
    rest = await run(
        generator,
        *(Sequence(str(at), QUESTION, whole.token_ids[:at], max_new_tokens=room - at) for at in cuts if at < room),
        sampling=greedy,
    )
    for at, result in rest.items():
        assert whole.token_ids[: int(at)] + result.token_ids == whole.token_ids
        assert (result.text, result.finish) == (whole.text, whole.finish)


async def test_sequences_with_and_without_a_format_share_a_batch(generator: SequenceGenerator) -> None:
    if not generator.info.continues_formats:
        pytest.skip("formats are the endpoint's")
    alone = await one(generator, Sequence("s", QUESTION, max_new_tokens=12))
    free, held = await asyncio.gather(
        one(generator, Sequence("s", QUESTION, max_new_tokens=12)),
        one(generator, Sequence("s", QUESTION, max_new_tokens=12), replace(GREEDY, format=FORMATS[2])),
    )
    assert free.token_ids == alone.token_ids
    assert held.text in ("yes", "no", "yes, indeed")


async def test_an_endpoint_follows_a_schema_or_says_that_it_cannot(generator: SequenceGenerator) -> None:
    asked = Sequence("s", (Message("user", "Choose a colour, answer in JSON."),), max_new_tokens=60)
    sampling = replace(WARM, format=FORMATS[0])
    if generator.info.structured_output:
        result = await one(generator, asked, sampling)
        assert result.finish != "stop" or json.loads(result.text)["colour"] in ("red", "green")
    else:
        with pytest.raises(Unsupported, match="format"):
            await one(generator, asked, sampling)


async def test_a_response_that_is_not_what_the_format_allows_is_refused(generator: SequenceGenerator) -> None:
    sampling = replace(GREEDY, format=FORMATS[0])
    other = await one(generator, Sequence("s", QUESTION, max_new_tokens=4))
    with pytest.raises((InvalidRequest, Unsupported)) as refused:
        await one(generator, Sequence("s", QUESTION, other.token_ids, max_new_tokens=4), sampling)
    assert refused.value.field == "sampling.format"


async def test_a_schema_that_cannot_be_followed_is_refused(generator: SequenceGenerator) -> None:
    sampling = replace(WARM, format=ResponseFormat("json_schema", '{"type": "string", "pattern": "(?<=a)b"}'))
    with pytest.raises((InvalidRequest, Unsupported)):
        await one(generator, Sequence("s", QUESTION, max_new_tokens=10), sampling)


async def test_what_shapes_sampling_does_so_in_one_piece_and_in_three(
    generator: SequenceGenerator, engine: Engine
) -> None:
    plain = await one(generator, Sequence("s", QUESTION, max_new_tokens=24))
    word, end = plain.token_ids[0], min(engine.info.end_ids)
    shaped = {
        "presence_penalty": replace(GREEDY, presence_penalty=2.0),
        "frequency_penalty": replace(GREEDY, frequency_penalty=2.0, repetition_penalty=1.2, logit_bias={word: 1.0}),
        "repetition_penalty": replace(GREEDY, repetition_penalty=1.3),
        "logit_bias": replace(GREEDY, logit_bias={word: -100.0}),
        "ignore_eos": replace(GREEDY, ignore_eos=True, logit_bias={end: 100.0}),
    }
    asked = Sequence("s", QUESTION, max_new_tokens=24)
    wholes = await asyncio.gather(*(one(generator, asked, sampling) for sampling in shaped.values()))
    found = dict(zip(shaped, wholes, strict=True))
    assert plain.token_ids not in {whole.token_ids for whole in wholes}
    assert word not in found["logit_bias"].token_ids
    exact = {name for name in shaped if name not in engine.info.cannot_continue}
    cut = await asyncio.gather(*(pieces(generator, 3, 8, shaped[name]) for name in sorted(exact)))
    for name, parts in zip(sorted(exact), cut, strict=True):
        assert sum((part.token_ids for part in parts), ()) == found[name].token_ids, name
    for name in shaped.keys() - exact:
        with pytest.raises(Unsupported, match=f"the {engine.info.engine} engine .* under {name}"):
            await one(generator, replace(asked, to_be_continued=True), shaped[name])
    if "ignore_eos" in exact:
        assert (found["ignore_eos"].token_ids, found["ignore_eos"].finish) == ((end,) * 24, "length")
    likeliest = replace(WARM, min_p=1.0)
    first, again = await asyncio.gather(*(one(generator, asked, likeliest) for _ in range(2)))
    assert first.token_ids == again.token_ids
    assert engine.info.engine == "simulated" or first.token_ids == plain.token_ids
