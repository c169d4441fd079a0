"""The engine over a tiny model with random weights, whose checkpoint asks for sampling of its own."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import torch
from transformers import AutoModelForCausalLM, GenerationConfig, LlamaConfig, LlamaForCausalLM

from services.generation.engine import TokenSequence
from services.generation.messages import SamplingOptions
from services.generation.settings import GenerationSettings
from services.generation.transformers_engine import TransformersEngine, _Row, _RowEnds
from tests.unit.generation.scripted import byte_level

pytestmark = pytest.mark.asyncio(loop_scope="module")

GREEDY, WARM = SamplingOptions(0.0), SamplingOptions(0.9, top_k=500)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, tokenizer = tmp_path_factory.mktemp("tiny"), byte_level()
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=256,
        initializer_range=0.5,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    own: Any = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=True,
        temperature=0.1,
        repetition_penalty=3.0,
        no_repeat_ngram_size=1,
        min_p=0.9,
        typical_p=0.2,
        epsilon_cutoff=0.5,
        suppress_tokens=list(range(1000, 30_000)),
        min_new_tokens=30,
        max_length=8,
        eos_token_id=tokenizer.eos_token_id,
    )
    own.save_pretrained(folder)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(folder: Path) -> AsyncIterator[TransformersEngine]:
    engine = TransformersEngine(GenerationSettings(model=str(folder), dtype="float32"))
    await engine.start()
    yield engine
    await engine.stop()


def asked(text: str, length: int, sampling: SamplingOptions, seed: int | None = None) -> TokenSequence:
    return TokenSequence(tuple(byte_level()(text)["input_ids"]), length, sampling, seed)


async def together(engine: TransformersEngine, *sequences: TokenSequence) -> list[tuple[int, ...]]:
    completions = await asyncio.gather(*map(engine.complete, sequences))
    return [completion.token_ids for completion in completions]


async def test_nothing_of_the_checkpoints_own_sampling_applies(engine: TransformersEngine, folder: Path) -> None:
    sequence = asked("One two three four", 24, GREEDY)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = list(sequence.token_ids)
    with torch.inference_mode():
        while len(ids) < len(sequence.token_ids) + 24 and ids[-1] not in engine.info.end_ids:
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    (found,) = await together(engine, sequence)
    assert found == tuple(ids[len(sequence.token_ids) :])
    (warm,) = await together(engine, asked("One two three four", 24, SamplingOptions(2.0), seed=1))
    assert set(warm) & set(range(1000, 30_000))


async def test_a_seeded_row_is_the_same_alone_in_a_batch_and_in_pieces(engine: TransformersEngine) -> None:
    rows = [
        asked("One two three", 16, WARM, seed=7),
        asked("A longer text, of which more ids are given than of others", 12, SamplingOptions(1.2, top_p=0.9), seed=7),
        asked("One", 20, GREEDY),
        asked("Two", 9, SamplingOptions(0.7), seed=8),
        asked("Two", 9, SamplingOptions(0.7)),
    ]
    batched = await together(engine, *rows)
    for row, tokens in zip(rows[:4], batched[:4], strict=True):
        assert await together(engine, row) == [tokens]
    first = rows[0]
    pieces: tuple[int, ...] = ()
    for length in (3, 1, 12):
        more = TokenSequence(first.token_ids + pieces, length, first.sampling, first.seed)
        pieces += (await together(engine, more))[0]
    assert pieces == batched[0]


async def test_rows_of_different_sampling_and_seeds_share_one_batch(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    run = engine._run
    monkeypatch.setattr(engine, "_run", lambda rows: (sizes.append(len(rows)), run(rows)))
    await together(engine, *(asked("One", 4, SamplingOptions(0.5 + i / 10), seed=i) for i in range(6)))
    assert sizes == [6]


async def test_a_row_ends_early_at_a_stop_string_and_where_decoding_hides_it(engine: TransformersEngine) -> None:
    free = asked("One two", 40, GREEDY)
    (ids,) = await together(engine, free)
    text = engine.decode(ids[:4])
    assert await together(engine, replace(free, sampling=SamplingOptions(0.0, stop=(text[1:],)))) == [ids[:4]]
    loop = asyncio.get_running_loop()
    stopping = replace(free, sampling=SamplingOptions(0.0, stop=("<repo_name>",)))
    rows = [_Row(sequence, loop, loop.create_future()) for sequence in (free, stopping)]
    said = torch.tensor([[*ids[:2], engine.info.hidden_tokens["<repo_name>"]]] * 2)
    ended = _RowEnds(rows, 0, engine.info, engine.decode)(said, None)
    assert ended.tolist() == [False, True]
    assert (await rows[1].done).token_ids == tuple(said[1].tolist())


async def test_penalties_biases_and_ends_are_those_of_one_response_in_a_batch_and_in_pieces(
    engine: TransformersEngine, folder: Path
) -> None:
    """Against the formula, on logits computed one token at a time."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    plain, length = asked("One two three four", 15, GREEDY), 15
    (first,) = await together(engine, plain)
    (end,) = engine.info.end_ids
    samplings = [
        replace(GREEDY, presence_penalty=2.0, logit_bias={first[0]: -100.0}),
        replace(GREEDY, frequency_penalty=-2.0),
        replace(GREEDY, repetition_penalty=0.5, frequency_penalty=-0.5),
        replace(GREEDY, logit_bias={end: 8.0}, frequency_penalty=2.0, ignore_eos=True),
    ]

    def expected(options: SamplingOptions) -> tuple[int, ...]:
        prompt, said = plain.token_ids, list[int]()
        while len(said) < length and (options.ignore_eos or end not in said):
            with torch.inference_mode():
                logits = model(torch.tensor([[*prompt, *said]])).logits[0, -1].tolist()
            for token, bias in options.logit_bias.items():
                logits[token] += bias
            for token in {*prompt, *said}:
                over = logits[token] / options.repetition_penalty
                logits[token] = over if logits[token] > 0 else logits[token] * options.repetition_penalty
            for token in set(said):
                logits[token] -= options.presence_penalty + options.frequency_penalty * said.count(token)
            said.append(logits.index(max(logits)))
        return tuple(said)

    found = await together(engine, *(replace(plain, sampling=options) for options in samplings))
    assert found == [expected(options) for options in samplings]
    assert len({*found, first}) == len(samplings) + 1
    assert len(found[-1]) == length
    assert end in found[-1][:-1]
    for options, whole in zip(samplings, found, strict=True):
        response: tuple[int, ...] = ()
        while len(response) < len(whole):
            ids = plain.token_ids + response
            response += (await together(engine, TokenSequence(ids, 5, options, None, "", len(response))))[0]
        assert response == whole
