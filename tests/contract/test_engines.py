"""What every generation engine promises, over all of them, in float32 so that pieces can be compared exactly."""

import asyncio
import time
import uuid
from dataclasses import replace

import pytest

from services.generation.engine import Engine, TokenSequence
from services.generation.generator import SequenceGenerator
from services.generation.messages import GenerateRequest, Sequence
from services.generation.servicer import GenerationServicer
from services.mutation.operators import OPERATORS, chat
from shared.pb import generation_pb2 as pb
from shared.pb.generation_pb2_grpc import GenerationServiceStub, add_GenerationServiceServicer_to_server
from shared.records.evolution import Message
from shared.rpc.channel import connect
from shared.rpc.server import Server
from tests.contract.engine_rows import (
    CACHING,
    CONTROLS,
    GREEDY,
    QUESTION,
    WARM,
    control_ids,
    one,
    pieces,
    run,
    same_in_parts,
)
from tests.contract.likelihoods import check_certainties, check_logprobs
from tests.integration.processes import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_greedy_decoding_is_the_same_in_one_piece_and_in_three(generator: SequenceGenerator) -> None:
    whole = await one(generator, Sequence("s", QUESTION, max_new_tokens=24))
    parts = await pieces(generator, 3, 8)
    assert sum((part.token_ids for part in parts), ()) == whole.token_ids
    assert parts[-1].text == whole.text
    assert len(whole.token_ids) > 8


async def test_usage_counts_prompt_and_every_sampled_token(generator: SequenceGenerator) -> None:
    result = await one(generator, Sequence("s", QUESTION, max_new_tokens=10, lookahead_tokens=6))
    assert result.usage.prompt_tokens >= len(QUESTION[0].content.split())
    assert len(result.token_ids) == 10
    assert result.usage.generated_tokens == 16


async def test_the_engine_tells_how_long_a_sequence_waited(generator: SequenceGenerator, engine: Engine) -> None:
    asked = tuple(Sequence(f"s{i}", QUESTION, max_new_tokens=4) for i in range(3))
    for result in (await run(generator, *asked)).values():
        assert result.queue_seconds is not None
        assert 0 <= result.queue_seconds <= result.seconds
    prompt = engine.encode_chat(QUESTION)
    began = time.perf_counter()
    completion = await engine.complete(TokenSequence(prompt, 4, GREEDY, None))
    assert completion.first_token_seconds is not None
    assert 0 <= completion.first_token_seconds <= time.perf_counter() - began
    assert engine.waiting == engine.running == 0


async def test_lookahead_is_seen_but_not_kept(generator: SequenceGenerator) -> None:
    plain = await one(generator, Sequence("s", QUESTION, max_new_tokens=6))
    ahead = await one(generator, Sequence("s", QUESTION, max_new_tokens=6, lookahead_tokens=5))
    longer = await one(generator, Sequence("s", QUESTION, max_new_tokens=11))
    assert ahead.token_ids == plain.token_ids
    assert ahead.text == plain.text == plain.lookahead_text
    assert ahead.lookahead_text == longer.text
    assert len(ahead.lookahead_text) > len(ahead.text)


async def test_a_stop_string_across_two_pieces_is_found(generator: SequenceGenerator) -> None:
    text = (await one(generator, Sequence("s", QUESTION, max_new_tokens=10))).text
    parts = await pieces(generator, 10, 1)
    middle = next(
        i for i, part in enumerate(parts) if i > 3 and part.text != parts[i - 1].text and part.text[-1:].isalpha()
    )
    at = len(parts[middle].text)
    stop = text[at - 3 : at + 3]
    stopping = replace(GREEDY, stop=(stop,))
    stopped = (await pieces(generator, 10, 1, stopping))[-1]
    assert stopped.finish == "stop"
    assert stopped.text == text[: text.index(stop)]
    at_once = await one(generator, Sequence("s", QUESTION, max_new_tokens=10), stopping)
    assert (at_once.finish, at_once.text) == ("stop", stopped.text)
    assert len(at_once.token_ids) < 10


async def test_the_end_of_sequence_is_not_part_of_the_response(generator: SequenceGenerator, engine: Engine) -> None:
    asked = tuple(
        Sequence(f"s{i}", (Message("user", f"What is {i} plus {i}? Answer with one word."),), max_new_tokens=40)
        for i in range(8)
    )
    ended = [r for r in (await run(generator, *asked, sampling=WARM)).values() if r.finish == "stop"]
    assert ended
    for result in ended:
        assert result.usage.generated_tokens == len(result.token_ids) + 1
        assert not set(result.token_ids) & engine.info.end_ids


async def test_results_come_as_sequences_complete(generator: SequenceGenerator) -> None:
    long, short = Sequence("long", QUESTION, max_new_tokens=16), Sequence("short", QUESTION, max_new_tokens=3)
    generated = generator.generate(GenerateRequest((long, short), GREEDY))
    assert [[result.id for result in results] async for results in generated] == [["short"], ["long"]]


async def test_many_calls_at_once_each_get_their_own(generator: SequenceGenerator) -> None:
    def ask(i: int) -> Sequence:
        return Sequence(f"s{i}", (Message("user", f"Count to {i + 3}."),), max_new_tokens=6 + i)

    answers = await asyncio.gather(*(one(generator, ask(i), WARM) for i in range(12)))
    assert [answer.id for answer in answers] == [f"s{i}" for i in range(12)]
    assert all(1 <= answer.usage.generated_tokens <= 6 + i for i, answer in enumerate(answers))
    assert len({answer.text for answer in answers}) > 6


async def test_a_seed_repeats_a_sequence_decoded_alone(generator: SequenceGenerator) -> None:
    first, again, other = [
        await one(generator, Sequence("s", QUESTION, max_new_tokens=12, seed=seed), WARM) for seed in (7, 7, 8)
    ]
    assert first.token_ids == again.token_ids
    assert first.token_ids != other.token_ids


async def test_without_a_seed_sequences_differ(generator: SequenceGenerator) -> None:
    results = await run(generator, *(Sequence(f"s{i}", QUESTION, max_new_tokens=16) for i in range(4)), sampling=WARM)
    assert len({result.token_ids for result in results.values()}) > 1


async def test_closing_a_call_frees_its_sequences_at_once(generator: SequenceGenerator, engine: Engine) -> None:
    sequences = tuple(Sequence(f"s{i}", QUESTION, max_new_tokens=1 if i == 0 else 400) for i in range(4))
    generated = generator.generate(GenerateRequest(sequences, WARM))
    # A simulated one may end by chance as early as that.
    ended = {result.id for result in await anext(generated)}
    assert "s0" in ended
    assert engine.running == 4 - len(ended)
    await generated.aclose()
    assert engine.running == 0
    # What was freed takes no time from what comes next.
    assert await asyncio.wait_for(one(generator, Sequence("s", QUESTION, max_new_tokens=2)), 8)


async def test_a_prompt_that_does_not_fit_ends_empty_beside_others_and_one_that_just_fits_is_cut(
    generator: SequenceGenerator,
) -> None:
    long = Sequence("long", (Message("user", "word " * 10_000),), max_new_tokens=5)
    results = await run(generator, long, Sequence("s", QUESTION, max_new_tokens=5))
    assert (results["long"].finish, results["long"].text, results["long"].token_ids) == ("context", "", ())
    assert results["long"].usage.prompt_tokens > generator.info.context_length
    assert len(results["s"].token_ids) == 5
    context = generator.info.context_length
    prompt = (await one(generator, Sequence("s", QUESTION, max_new_tokens=1))).usage.prompt_tokens
    ids, room = tuple([11] * (context - prompt - 3)), 3
    result = await one(generator, Sequence("s", QUESTION, ids, max_new_tokens=10), WARM)
    # Where text is carried, what was sampled as three tokens may be two, and there is room for one more.
    while result.finish == "length" and 0 < len(result.token_ids) < room:
        ids, room = ids + result.token_ids, room - len(result.token_ids)
        result = await one(generator, Sequence("s", QUESTION, ids, max_new_tokens=10), WARM)
    assert result.finish in ("context", "stop")
    assert len(result.token_ids) <= room


@pytest.mark.parametrize("role", ["system", "user", "assistant"])
async def test_text_of_control_tokens_stays_text(engine: Engine, role: str) -> None:
    conversation = (Message("system", "Be kind."), Message("user", "Hi"), Message("assistant", "Yes?"), *QUESTION)
    hostile = tuple(replace(m, content=m.content + CONTROLS) if m.role == role else m for m in conversation)
    assert [engine.encode_chat(hostile).count(control) for control in control_ids(engine)] == [
        engine.encode_chat(conversation).count(control) for control in control_ids(engine)
    ]


async def test_a_mutation_prompt_takes_no_control_tokens_from_its_instruction(engine: Engine) -> None:
    for operator in OPERATORS.values():
        plain, hostile = [
            engine.encode_chat(chat(operator, text)) for text in (QUESTION[0].content, QUESTION[0].content + CONTROLS)
        ]
        for control in control_ids(engine):
            assert plain.count(control) == hostile.count(control)


async def test_what_is_cached_is_shared_with_calls_of_the_same_salt_only(
    generator: SequenceGenerator, engine: Engine
) -> None:
    # An endpoint outlives the engines that ask it.
    text = f"{uuid.uuid4()}: Whose cache is this, and who may look into it? " + "May they? " * 40
    asked = Sequence("s", (Message("user", text),), max_new_tokens=1)

    async def cached(salt: str) -> int:
        request = GenerateRequest((asked,), GREEDY, salt)
        (result,) = await anext(generator.generate(request))
        return result.usage.cached_tokens

    assert [await cached(salt) for salt in ("", "acme", "other")] == [0, 0, 0]
    again = [await cached(salt) for salt in ("", "acme", "other")]
    assert all(count > 0 for count in again) if engine.info.engine in CACHING else again == [0, 0, 0]


async def test_a_call_cancelled_over_the_wire_frees_its_sequences(generator: SequenceGenerator, engine: Engine) -> None:
    server = Server([])
    server.register(add_GenerationServiceServicer_to_server, GenerationServicer(generator))
    server.set_ready()
    async with connect(await server.start("127.0.0.1:0")) as channel:
        message = pb.GenerateRequest.Message(role="user", content=QUESTION[0].content)
        sequences = [
            pb.GenerateRequest.Sequence(id=str(i), messages=[message], max_new_tokens=1 if i == 0 else 400)
            for i in range(4)
        ]
        sampling = pb.GenerateRequest.Sampling(temperature=0.8, top_p=1.0)
        call = GenerationServiceStub(channel).Generate(pb.GenerateRequest(sequences=sequences, sampling=sampling))
        await call.read()
        assert engine.running > 0
        call.cancel()
        await until(lambda: engine.running == 0, 4)  # of ten or more that they would take
    await server.stop(0)


async def test_continuations_reuse_what_is_cached_and_say_how_much(
    generator: SequenceGenerator, engine: Engine
) -> None:
    first = await one(generator, Sequence("s", QUESTION, max_new_tokens=32))
    second = await one(generator, Sequence("s", QUESTION, first.token_ids, 4))
    if engine.info.engine in CACHING:
        assert 32 <= second.usage.cached_tokens < second.usage.prompt_tokens + 32
    else:
        assert second.usage.cached_tokens == 0


async def test_an_engine_completes_exactly_what_it_is_given(engine: Engine) -> None:
    ids = engine.encode_chat(QUESTION)
    completion = await engine.complete(TokenSequence(ids, 8, GREEDY, None))
    assert 1 <= len(completion.token_ids) <= 8
    assert engine.decode(completion.token_ids).strip()


async def test_log_probabilities_are_the_models_own_whole_and_in_pieces(
    generator: SequenceGenerator, engine: Engine
) -> None:
    await check_logprobs(generator, engine)


async def test_self_certainty_is_the_models_own_whole_and_in_pieces(
    generator: SequenceGenerator, engine: Engine
) -> None:
    await check_certainties(generator, engine)


async def test_a_response_that_leaves_no_room_is_a_full_context_and_no_error(generator: SequenceGenerator) -> None:
    ids = tuple([11] * generator.info.context_length)
    result = await one(generator, Sequence("s", QUESTION, ids, max_new_tokens=10))
    assert (result.finish, result.token_ids, result.usage.generated_tokens) == ("context", (), 0)


async def test_seeded_long_prompts_at_once(generator: SequenceGenerator, engine: Engine) -> None:
    """More tokens than vLLM would compute in one step if it might split a prompt over two."""
    asked = (Message("user", "Tell me about rivers. " * 60),)
    count = 4 if engine.info.engine == "transformers" else 12
    results = await run(
        generator, *(Sequence(f"s{i}", asked, max_new_tokens=2, seed=i) for i in range(count)), sampling=WARM
    )
    assert len(results) == count


async def test_the_beginning_of_an_answer_is_continued(generator: SequenceGenerator, engine: Engine) -> None:
    begun = (*QUESTION, Message("assistant", "The river"))
    whole = await one(generator, Sequence("s", begun, max_new_tokens=12))
    prompt = engine.encode_chat(begun)
    assert whole.usage.prompt_tokens == len(prompt)
    assert whole.token_ids == (await engine.complete(TokenSequence(prompt, 12, GREEDY, None))).token_ids
    first = await one(generator, Sequence("s", begun, max_new_tokens=5))
    rest = await one(generator, Sequence("s", begun, first.token_ids, max_new_tokens=7))
    assert rest.text == whole.text


async def test_partial_results_add_up_to_the_whole(generator: SequenceGenerator, engine: Engine) -> None:
    sampling = replace(WARM, logprobs=1 if engine.info.logprobs else None, self_certainty=engine.info.self_certainty)
    partial = await same_in_parts(generator, Sequence("s", QUESTION, max_new_tokens=40, seed=5), sampling)
    assert partial or engine.info.engine == "openai"
