"""The bytes of tokens, and the log probabilities that a result has."""

import json
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from services.generation.engine import Completion, Likelihoods, TokenSequence
from services.generation.generator import SequenceGenerator
from services.generation.messages import GenerateRequest, SamplingOptions, Sequence
from services.generation.token_logprobs import TokenBytes, told
from services.generation.validation import GenerationLimits
from shared.errors import Internal, InvalidRequest, Unsupported
from shared.records.logprobs import shown
from tests.unit.generation.scripted import HELLO, Scripted, byte_fallback, byte_level

SPRING = "Spring, ok — 好 👩‍👩‍👧 <b>\n\tx"


class Likely(Scripted):
    """As scripted; each token is as likely as its place from the beginning says."""

    def __init__(self, tokenizer: Any, ids: Any) -> None:
        super().__init__(tokenizer, ids)
        self.info = type(self.info)(**vars(self.info) | {"token_bytes": TokenBytes(tokenizer)})

    async def complete(self, sequence: TokenSequence) -> Completion:
        completion, said = await super().complete(sequence), len(sequence.token_ids) - 1
        found = [Likelihoods(-float(said + n), ((i, -0.5),)) for n, i in enumerate(completion.token_ids)]
        return Completion(completion.token_ids, 0, logprobs=tuple(found))


def metaspace() -> Any:
    tokenizer = Tokenizer(models.BPE({"<unk>": 0, "▁": 1, "▁ok": 2, "x": 3}, [], unk_token="<unk>"))
    tokenizer.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def test_the_bytes_of_tokens_are_those_of_the_text() -> None:
    of_bytes, ids = TokenBytes(byte_level()), byte_level()(SPRING)["input_ids"]
    assert b"".join(map(of_bytes, ids)) == SPRING.encode()
    assert any(len(of_bytes(i).decode(errors="ignore").encode()) < len(of_bytes(i)) for i in ids)
    fallback = TokenBytes(byte_fallback())
    river = "ok 好\u00e9x"
    assert b"".join(map(fallback, byte_fallback()(river.replace(" ", "\u2581"))["input_ids"])) == river.encode()
    assert fallback(byte_fallback().eos_token_id) == b"</s>"
    assert fallback(99_999) == b""
    assert list(map(TokenBytes(metaspace()), (1, 2, 3))) == [b" ", b" ok", b"x"]


def test_every_token_of_the_embedded_tokenizer_is_what_it_decodes_to() -> None:
    tokenizer, of_bytes = byte_level(), TokenBytes(byte_level())
    for token_id in range(0, len(tokenizer), 7):
        assert of_bytes(token_id).decode(errors="replace") == tokenizer.decode([token_id])


async def results(engine: Scripted, *lengths: int, **sampling: Any) -> list[Any]:
    ids: tuple[int, ...] = ()
    found = []
    for length in lengths:
        asked = Sequence("s", HELLO, ids, length, lookahead_tokens=2)
        request = GenerateRequest((asked,), SamplingOptions(**sampling))
        async for (result,) in SequenceGenerator(engine, GenerationLimits()).generate(request):
            found.append(result)
        ids += found[-1].token_ids
    return found


async def test_each_token_that_is_kept_has_its_own_and_no_other_has() -> None:
    ids = (*byte_level()("Spring comes late to the river")["input_ids"], byte_level().eos_token_id)
    whole = (await results(Likely(byte_level(), ids), 50, logprobs=1))[0]
    assert [each.logprob for each in whole.logprobs] == [-float(n) for n in range(len(ids) - 1)]
    assert "".join(each.token for each in whole.logprobs) == whole.text
    cut = await results(Likely(byte_level(), ids), 2, 1, 50, logprobs=1)
    assert sum((each.logprobs for each in cut), ()) == whole.logprobs
    assert [len(each.logprobs) for each in cut[:2]] == [2, 1]
    assert (await results(Likely(byte_level(), ids), 50))[0].logprobs == ()
    stopped = (await results(Likely(byte_level(), ids), 50, logprobs=1, stop=("te t",)))[0]
    kept = shown(stopped.logprobs, stopped.text)
    assert "".join(each.token for each in kept) == stopped.text == "Spring comes la"
    assert kept[-1].top[0].token == kept[-1].token == " la"


def test_what_json_cannot_say_is_told_as_openai_does() -> None:
    info = Likely(byte_level(), ()).info
    end = byte_level().eos_token_id
    found = (Likelihoods(-float("inf"), ((end, 1e-9), (500, -1.0))),)
    [position] = told(Completion((500,), 0, logprobs=found), (500,), info)
    assert (position.logprob, position.top[0].logprob) == (-9999.0, 0.0)
    assert [each.special for each in (position, *position.top)] == [False, True, False]
    assert position.top[0].token == byte_level().eos_token
    json.dumps(position, allow_nan=False)


async def test_an_engine_that_gives_none_is_named_before_it_decodes() -> None:
    engine = Scripted(byte_level(), (5, 6))
    with pytest.raises(Unsupported, match="simulated engine of this deployment gives no log prob") as refused:
        await results(engine, 2, logprobs=0)
    assert (refused.value.field, engine.given) == ("sampling.logprobs", [])
    with pytest.raises(InvalidRequest, match=r"\[0, 20\]"):
        await results(Likely(byte_level(), (5, 6)), 2, logprobs=21)


async def test_an_engine_that_forgets_one_is_at_fault() -> None:
    class Forgetful(Likely):
        async def complete(self, sequence: TokenSequence) -> Completion:
            return Completion((await super().complete(sequence)).token_ids, 0)

    with pytest.raises(Internal, match="log probabilities"):
        await results(Forgetful(byte_level(), (5, 6)), 2, logprobs=0)
